"""The stored words, times and lengths as an explanation says them, in Chinese or English. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from callbacks.states import State, Trigger
from callbacks.vocabulary import Disposition, Exclusion

Language = Literal["zh-CN", "en"]

# Chinese for the stored words; in English the words themselves are said.
_CHINESE: dict[str, str] = {
    **{
        State.PENDING: "待处理",
        State.SMS_QUEUED: "短信待发",
        State.AWAIT_REPLY: "等待答复",
        State.CALL_QUEUED: "等待呼叫",
        State.DIALING: "正在拨打",
        State.IN_IVR: "正在通话",
        State.RETRY_WAIT: "等待再次呼叫",
        State.AGENT_QUEUE: "等待人工",
        State.RATED: "已评价",
        State.UNREACHED: "未联系上",
        State.REFUSED: "拒绝评价",
        State.INVALID_NUMBER: "号码无效",
        State.WRONG_PERSON: "非本人",
        State.EXCLUDED: "不回访",
        State.CANCELLED: "已取消",
    },
    **{
        Trigger.EXCLUDE: "排除",
        Trigger.TEXT: "先发短信",
        Trigger.CALL: "转打电话",
        Trigger.AWAIT_WEB: "等网页评价",
        Trigger.HAND_OVER: "转人工",
        Trigger.TEXT_SENT: "短信已发",
        Trigger.TEXT_FAILED: "短信未送达",
        Trigger.DIAL: "占线拨打",
        Trigger.NOT_INVITED: "未拨出",
        Trigger.ANSWERED: "接通",
        Trigger.RETRY: "改时再打",
        Trigger.EXHAUSTED: "次数用完",
        Trigger.INVALID: "号码无效",
        Trigger.RATE: "评价",
        Trigger.REFUSE: "拒绝",
        Trigger.WRONG: "非本人",
        Trigger.DEADLINE: "到期",
        Trigger.REOPEN: "案件重开",
    },
    **{
        Disposition.ANSWERED: "接通",
        Disposition.BUSY: "忙",
        Disposition.NO_ANSWER: "无人接",
        Disposition.POWERED_OFF: "关机",
        Disposition.REJECTED: "拒接",
        Disposition.UNALLOCATED: "空号",
        Disposition.NETWORK_FAIL: "网络故障",
        Disposition.TRUNK_REFUSED: "中继拒绝",
        Disposition.MACHINE: "答录机",
        Disposition.MEDIA_LOST: "语音中断",
        Disposition.UNKNOWN: "结果不明",
    },
    **{
        Exclusion.NO_CONTACT: "没有号码也没有平台",
        Exclusion.ANONYMOUS: "匿名",
        Exclusion.LITIGATION: "涉法涉诉",
        Exclusion.PETITION: "信访、复议或仲裁",
        Exclusion.DUPLICATE: "重复诉求",
        Exclusion.WITHDRAWN: "撤回",
        Exclusion.MALICIOUS_CONFIRMED: "确认恶意",
        Exclusion.SENSITIVE: "敏感类别",
        Exclusion.TEST: "测试",
    },
    "mobile": "手机",
    "landline": "座机",
    "unusable": "不可拨打",
    "workday": "工作日",
    "weekend": "周末",
    "holiday": "节假日",
    "no_usable_number": "没有可用号码",
    "exhausted": "次数用完",
    "deadline": "期限已过",
    "key_0": "群众按0要求人工",
    "wrong_person": "接听人称不是本人",
    "not_dialled": "号码不可拨打",
    "unclear": "回复两次未能识别",
    "opt_out": "短信退订",
    "opted_out": "已退订短信",
    "texts_off": "短信已关闭",
    "suppressed": "短信退订",
    "budget": "次数用完",
    "pause": "暂停",
    "window": "不在呼叫时段",
    "apart": "距上次呼叫太近",
    "per_30_days": "30天次数已满",
    "per_day": "当天次数已满",
    "per_half_day": "半天次数已满",
    "toll_night": "夜间不外呼",
    "toll_number": "话务限额：每号每日",
    "toll_hour": "话务限额：每小时次数",
    "toll_seconds": "话务限额：每日时长",
    "toll_spend": "话务限额：每日费用",
}


@dataclass(frozen=True)
class Words:
    """Says it in one language, with times in the office's zone and numbers masked (by their index)."""

    language: Language
    zone: ZoneInfo
    masked: Mapping[str, str]

    def of(self, zh: str, en: str) -> str:
        return zh if self.language == "zh-CN" else en

    def word(self, stored: str) -> str:
        plain = str(stored)
        return self.of(_CHINESE.get(plain, plain), plain.replace("_", " "))

    def time(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")

    def clock(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%H:%M")

    def length(self, span: timedelta) -> str:
        minutes = int(span.total_seconds()) // 60
        days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
        parts = ((days, "天", "d"), (hours, "小时", "h"), (rest, "分钟", "min"))
        return " ".join(f"{n} {self.of(zh, en)}" for n, zh, en in parts if n) or f"0 {self.of('分钟', 'min')}"

    def number(self, index: str) -> str:
        return self.masked.get(index, "—")
