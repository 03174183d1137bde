"""The audit in words: what was done, and what the chain's verification came to."""

from __future__ import annotations

from collections.abc import Mapping

from scoring.web import item_words, words
from scoring.web.language import lazy_gettext as _l

# By their stored words: a deed that isn't here shows as it is stored.
ACTIONS: Mapping[str, object] = {
    "login": _l("登录"),
    "export": _l("导出"),
    "acknowledge_alarm": _l("确认告警"),
    "reveal_number": _l("查看完整号码"),
    "export_cdr": _l("导出完整号码的话单"),
    "reconcile_cdr": _l("以完整号码核对话单"),
    "hear_message": _l("收听群众留言"),
    "hear_recording": _l("收听110通话录音"),
    "voice_message": _l("收到群众留言"),
    "purge_messages": _l("按规定删除录音"),
    "purge_recordings": _l("按规定删除110通话录音"),
    "ring_back": _l("登记回拨"),
    "call_citizen": _l("拨打群众电话"),
    "cancel_call": _l("取消呼叫"),
    "pause": _l("暂停回访"),
    "lift_pause": _l("恢复回访"),
    "save_policy": _l("保存策略"),
    "save_template": _l("修改短信模板"),
    "stock_template": _l("恢复短信模板"),
    "save_flow": _l("更换语音流程"),
    "stock_flow": _l("恢复语音流程"),
    "record_prompt": _l("更换提示音"),
    "speech_prompt": _l("提示音恢复合成语音"),
    "token_made": _l("新建接口令牌"),
    "token_revoked": _l("撤销接口令牌"),
    "source_count": _l("登记来源件数"),
    "emergency_reply": _l("紧急求助"),
    "attempt_unknown": _l("结果不明的电话"),
    "network_fail_alarm": _l("线路连续失败"),
    "close_month": _l("关闭月份"),
    "publish_month": _l("公布月份"),
    "propose_adjustment": _l("提出扣分或加分"),
    "adjustment_approved": _l("批准扣分或加分"),
    "adjustment_rejected": _l("否决扣分或加分"),
    "phones_differ": _l("来件号码与原先不同"),
    "object": _l("提出异议"),
    "decide_objection": _l("裁定异议"),
    "decide_appeal": _l("裁定申诉"),
    "remark": _l("签署监督意见"),
    "accountability": _l("记录责任追究"),
    "assign_supervisor": _l("指定经办人"),
    "add_user": _l("新增用户"),
    "change_user": _l("修改用户"),
    "switch_user_off": _l("停用用户"),
    "switch_user_on": _l("启用用户"),
    "give_password": _l("重设密码"),
    "change_own_password": _l("修改自己的密码"),
    "add_unit": _l("新增单位"),
    "change_unit": _l("修改单位"),
    "verify_audit": _l("核对审计链"),
}
FAULTS: Mapping[str, object] = {
    "altered": _l("被改动"),
    "missing": _l("缺失"),
    "inserted": _l("被插入"),
    "moved": _l("被移位"),
}
_ITEM_TRIGGERS = {f"item_{trigger.value}": trigger for trigger in item_words.TRIGGERS}


def action(stored: str) -> str:
    """What was done, in words."""
    trigger = _ITEM_TRIGGERS.get(stored)
    return words.among(ACTIONS, stored) if trigger is None else str(item_words.TRIGGERS[trigger])
