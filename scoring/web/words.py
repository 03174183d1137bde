"""The words of the domain as pages show them (domain.md §7): stored value → text in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from callbacks.models import TextKind, TextState
from callbacks.models_office import ContactOutcome, GapKind, PauseScope, ReminderStage
from callbacks.rating import CN3, CN5
from callbacks.service.agents import ContactFault
from callbacks.service.pauses import PauseFault
from callbacks.states import State, Trigger
from callbacks.template_faults import Problem, TemplateFault
from callbacks.vocabulary import (
    Channel,
    Disposition,
    Exclusion,
    LegKind,
    MachineSign,
    NodeKind,
    Role,
    SourceChannel,
    TrunkReason,
    TrunkStanding,
    UnitGroup,
)
from scoring.decisions import AdjustmentKind, Decision, Measure, ObjectionKind
from scoring.queries_filter import Age, Only, Sort, Stage, Tab
from scoring.web.citizen_form import FormFault
from scoring.web.language import lazy_gettext as _l

STATES: Mapping[StrEnum, object] = {
    State.PENDING: _l("待处理"),
    State.SMS_QUEUED: _l("短信排队"),
    State.AWAIT_REPLY: _l("等待回复"),
    State.CALL_QUEUED: _l("电话排队"),
    State.DIALING: _l("正在拨号"),
    State.IN_IVR: _l("通话中"),
    State.RETRY_WAIT: _l("等待重拨"),
    State.AGENT_QUEUE: _l("待人工回访"),
    State.RATED: _l("已评价"),
    State.UNREACHED: _l("无法联系"),
    State.REFUSED: _l("拒绝评价"),
    State.INVALID_NUMBER: _l("号码无效"),
    State.WRONG_PERSON: _l("非本人"),
    State.EXCLUDED: _l("不纳入回访"),
    State.CANCELLED: _l("已取消（重新办理）"),
}
TRIGGERS: Mapping[StrEnum, object] = {
    Trigger.EXCLUDE: _l("范围审查：不纳入"),
    Trigger.TEXT: _l("安排发送短信"),
    Trigger.CALL: _l("安排拨打电话"),
    Trigger.AWAIT_WEB: _l("等待网页评价"),
    Trigger.HAND_OVER: _l("转人工"),
    Trigger.TEXT_SENT: _l("短信已提交"),
    Trigger.TEXT_FAILED: _l("短信未送达"),
    Trigger.DIAL: _l("开始拨号"),
    Trigger.NOT_INVITED: _l("未拨出，不计次"),
    Trigger.ANSWERED: _l("已接听"),
    Trigger.RETRY: _l("改时再拨"),
    Trigger.EXHAUSTED: _l("次数用完"),
    Trigger.INVALID: _l("再次确认为空号"),
    Trigger.RATE: _l("收到评价"),
    Trigger.REFUSE: _l("拒绝评价"),
    Trigger.WRONG: _l("确认非本人"),
    Trigger.DEADLINE: _l("到期"),
    Trigger.REOPEN: _l("案件重新办理"),
}
DISPOSITIONS: Mapping[StrEnum, object] = {
    Disposition.ANSWERED: _l("接通，正常结束"),
    Disposition.BUSY: _l("占线"),
    Disposition.NO_ANSWER: _l("无人接听"),
    Disposition.POWERED_OFF: _l("关机或不在服务区"),
    Disposition.REJECTED: _l("拒接"),
    Disposition.UNALLOCATED: _l("空号或停机"),
    Disposition.NETWORK_FAIL: _l("网络故障"),
    Disposition.TRUNK_REFUSED: _l("中继拒绝"),
    Disposition.MACHINE: _l("语音信箱"),
    Disposition.MEDIA_LOST: _l("通话中断（无语音）"),
    Disposition.UNKNOWN: _l("结果不明"),
    Disposition.CANCELLED: _l("已撤销"),
}

TRUNK_STANDINGS: Mapping[StrEnum, object] = {
    TrunkStanding.UP: _l("中继正常"),
    TrunkStanding.SUSPECT: _l("应答迟缓"),
    TrunkStanding.ASIDE: _l("暂停使用"),
}
TRUNK_REASONS: Mapping[StrEnum, object] = {
    TrunkReason.SILENT: _l("中继没有应答"),
    TrunkReason.UNAVAILABLE: _l("中继称暂不可用"),
    TrunkReason.REFUSED: _l("中继拒绝我方"),
    TrunkReason.REGISTERING: _l("正在注册"),
    TrunkReason.UNREGISTERED: _l("注册失败"),
}
MACHINE_SIGNS: Mapping[StrEnum, object] = {
    MachineSign.SPEECH: _l("持续讲话"),
    MachineSign.BEEP: _l("嘀声"),
}
CHANNELS: Mapping[StrEnum, object] = {
    Channel.VOICE: _l("电话"),
    Channel.SMS: _l("短信"),
    Channel.WEB: _l("网页"),
    Channel.AGENT: _l("人工"),
}
SOURCES: Mapping[StrEnum, object] = {
    SourceChannel.PHONE: _l("110电话"),
    SourceChannel.WEBSITE: _l("网站"),
    SourceChannel.SMS: _l("短信平台"),
    SourceChannel.WEIBO: _l("微博"),
    SourceChannel.VISIT: _l("来信来访"),
}
NODES: Mapping[StrEnum, object] = {
    NodeKind.ASSIGN: _l("交办"),
    NodeKind.SIGN: _l("签收"),
    NodeKind.URGE: _l("催办"),
    NodeKind.SUPERVISE: _l("督办"),
    NodeKind.REPLY: _l("回复"),
    NodeKind.CLOSE: _l("办结"),
}
EXCLUSIONS: Mapping[StrEnum, object] = {
    Exclusion.NO_CONTACT: _l("无联系方式"),
    Exclusion.ANONYMOUS: _l("匿名"),
    Exclusion.LITIGATION: _l("涉法涉诉"),
    Exclusion.PETITION: _l("信访、复议或仲裁"),
    Exclusion.DUPLICATE: _l("重复诉求"),
    Exclusion.WITHDRAWN: _l("已撤回"),
    Exclusion.MALICIOUS_CONFIRMED: _l("恶意（已核实）"),
    Exclusion.SENSITIVE: _l("敏感类别"),
    Exclusion.TEST: _l("测试"),
}
GROUPS: Mapping[StrEnum, object] = {UnitGroup.COUNTY: _l("县（市、区）"), UnitGroup.DEPT: _l("市直部门")}
ROLES: Mapping[StrEnum, object] = {
    Role.AGENT: _l("坐席"),
    Role.SUPERVISOR: _l("督办员"),
    Role.OFFICE_HEAD: _l("联动办负责人"),
    Role.UNIT_USER: _l("承办单位"),
    Role.INSPECTOR: _l("纪检监察"),
    Role.ADMINISTRATOR: _l("系统管理员"),
}
TEXT_KINDS: Mapping[StrEnum, object] = {
    TextKind.EVAL: _l("评价短信"),
    TextKind.RE_EVAL: _l("再次评价短信"),
    TextKind.CLARIFY: _l("请重新回复"),
    TextKind.THANKS: _l("感谢"),
    TextKind.REASON: _l("询问不满意原因"),
    TextKind.VERIFYING: _l("核实告知"),
    TextKind.REMOVED: _l("剔除告知"),
    TextKind.CLOSED: _l("评价已结束"),
    TextKind.OPTOUT: _l("退订确认"),
    TextKind.EMERGENCY: _l("紧急提示"),
    TextKind.HANDLER_TODO: _l("待办提醒"),
    TextKind.HANDLER_URGE: _l("催办提醒"),
    TextKind.HANDLER_SUPERVISE: _l("督办提醒"),
    TextKind.HANDLER_RECTIFY: _l("整改提醒"),
}
TEXT_STATES: Mapping[StrEnum, object] = {
    TextState.QUEUED: _l("排队"),
    TextState.SUBMITTING: _l("正在提交"),
    TextState.SUBMITTED: _l("已提交，等待回执"),
    TextState.DELIVERED: _l("已送达"),
    TextState.FAILED: _l("未送达"),
    TextState.UNKNOWN: _l("结果不明"),
    TextState.CANCELLED: _l("已取消"),
}
AGES: Mapping[StrEnum, object] = {
    Age.UNDER_1D: _l("1天内"),
    Age.UNDER_3D: _l("1–3天"),
    Age.UNDER_7D: _l("3–7天"),
    Age.OVER_7D: _l("7天以上"),
}
ONLY: Mapping[StrEnum, object] = {
    Only.RUNNING_OUT: _l("24小时内到期"),
    Only.RATED_TODAY: _l("今日评价"),
    Only.DONE: _l("已回访"),
    Only.OPEN: _l("回访中"),
    Only.NO_NUMBER: _l("无号码"),
}
CASES_ONLY: Mapping[StrEnum, object] = {Only.UNDER_WAY: _l("办理中")}
SORTS: Mapping[StrEnum, object] = {Sort.OLDEST: _l("最早在前"), Sort.NEWEST: _l("最新在前")}
CLOCK_SORTS: Mapping[StrEnum, object] = {Sort.CLOCK: _l("先到期在前"), **SORTS}
LIST_STAGES: Mapping[StrEnum, object] = {
    Stage.OFFICE: _l("待联动办"),
    Stage.UNIT: _l("待承办单位"),
    Stage.SECOND: _l("二次回访"),
    Stage.HARD: _l("疑难件"),
    Stage.ENDED: _l("已结束"),
    Stage.ALL: _l("全部"),
}
STAGES: Mapping[StrEnum, object] = {
    ReminderStage.TODO: _l("待办提醒"),
    ReminderStage.URGE: _l("催办提醒"),
    ReminderStage.SUPERVISE: _l("督办提醒"),
    ReminderStage.RECTIFY: _l("整改提醒"),
}
CONTACTS: Mapping[StrEnum, object] = {
    ContactOutcome.RATED: _l("已评价"),
    ContactOutcome.REFUSED: _l("拒绝评价"),
    ContactOutcome.NO_CONTACT: _l("没联系上"),
    ContactOutcome.LATER: _l("约定时间再打"),
    ContactOutcome.WRONG_PERSON: _l("非本人"),
    ContactOutcome.NOTE: _l("备注"),
}
CONTACT_FAULTS: Mapping[StrEnum, object] = {
    ContactFault.VALUE: _l("请选择一个评价。"),
    ContactFault.WHEN: _l("请写明再打的时间：至少15分钟之后，期限之前。"),
    ContactFault.NOTE: _l("请写备注，不超过2000字。"),
}
TABS: Mapping[StrEnum, object] = {
    Tab.COME: _l("约定已到"),
    Tab.AGREED: _l("约定未到"),
    Tab.MINE: _l("我的"),
}
PAUSE_SCOPES: Mapping[StrEnum, object] = {
    PauseScope.ALL: _l("全部"),
    PauseScope.UNIT: _l("承办单位"),
    PauseScope.CATEGORY: _l("类别"),
    PauseScope.NUMBER: _l("电话号码"),
}
PAUSE_FAULTS: Mapping[StrEnum, object] = {
    PauseFault.REASON: _l("请写明原因，不超过200字。"),
    PauseFault.UNTIL: _l("结束时间要晚于现在，写到分钟。"),
    PauseFault.UNIT: _l("请选择承办单位。"),
    PauseFault.CATEGORY: _l("请选择类别。"),
    PauseFault.NUMBER: _l("请输入完整的手机号，或带区号的座机号。"),
}

# domain.md §6. Items are only listed so far; the words of the later states are theirs already.
ITEM_STATES: dict[str, object] = {
    "listed": _l("列入清单"),
    "verifying": _l("核实中"),
    "explaining": _l("解释说明"),
    "assigned": _l("交办整改"),
    "appealed": _l("申诉复核"),
    "reworking": _l("整改中"),
    "checking": _l("审核中"),
    "second_callback": _l("二次回访"),
    "escalated": _l("提级督办"),
    "hard_case": _l("疑难件"),
    "fixed": _l("整改满意"),
    "removed": _l("剔除"),
    "explained": _l("已解释"),
    "unverified": _l("整改后未联系上"),
    "persistent": _l("疑难办结"),
}
# The reason menu of domain.md §8.1 (q_reason).
REASONS: dict[str, object] = {
    "not_solved": _l("问题没有解决"),
    "too_slow": _l("办理太慢"),
    "attitude": _l("工作人员态度不好"),
    "not_true": _l("答复与实际不符"),
    "other": _l("其他原因"),
}
# Why a callback was handed to a person, or moved.
WHY: dict[str, object] = {
    "exhausted": _l("次数用完"),
    "no_contact": _l("人工没联系上"),
    "key_0": _l("群众按0要求人工"),
    "wrong_person": _l("接听人称不是本人"),
    "not_dialled": _l("号码不可拨打"),
    "no_usable_number": _l("没有可用号码"),
    "unclear": _l("回复两次未能识别"),
    "sensitive": _l("敏感类别"),
    "opt_out": _l("短信退订"),
    "unallocated": _l("空号或停机"),
    "toll_night": _l("夜间不外呼"),
    "toll_number": _l("限额：每号每日次数"),
    "toll_hour": _l("限额：每小时次数"),
    "toll_seconds": _l("限额：每日通话时长"),
    "toll_spend": _l("限额：每日话费"),
}
ENTRIES: dict[str, object] = {
    "rated": _l("评价计入"),
    "changed": _l("评价更改"),
    "resolution": _l("是否解决"),
    "removed": _l("评价剔除"),
    "moved_away": _l("评价转出"),
    "moved_in": _l("评价转入"),
    "closed": _l("办结"),
    "due": _l("应回访"),
    "ended": _l("回访结束"),
    "open": _l("月末未办结"),
    "adjustment": _l("扣分或加分"),
    "objection": _l("异议成立，更正"),
}
COUNTS: dict[str, object] = {
    "rated_raw": _l("收到的评价"),
    "rated": _l("有效评价"),
    "removed": _l("剔除评价"),
    "positive": _l("满意和基本满意"),
    "weight_first": _l("首次评价权重"),
    "weight_delta": _l("整改后权重变化"),
    "resolved_answered": _l("回答是否解决"),
    "resolved": _l("已解决"),
    "second_answered": _l("二次回访有答复"),
    "second_not_dissatisfied": _l("二次回访非不满意"),
    "closed": _l("办结"),
    "overdue_open": _l("超期未办结"),
    "open": _l("未办结"),
    "closed_on_time": _l("按时办结"),
    "signed_on_time": _l("按时签收"),
    "due": _l("应回访"),
    "ended": _l("回访已结束"),
    "contacted": _l("已接通"),
    "unreached": _l("未接通"),
    "without_number": _l("无号码"),
    "deductions": _l("扣分"),
    "bonus": _l("加分"),
}
FILE_KINDS = _l("附件须是PDF、PNG、JPEG、DOCX、XLSX、MP3、WAV或TXT，每个不超过12MB。")
# domain.md §4.1, §4.2
COMPONENTS: dict[str, object] = {
    "S": _l("满意指数"),
    "RES": _l("解决率"),
    "T": _l("按时办结率"),
    "A": _l("按时签收率"),
    "Q": _l("整改率"),
}
APART: dict[str, object] = {"not_rated": _l("没有有效评价"), "small_sample": _l("评价份数不足")}
BANDS: dict[str, object] = {
    "excellent": _l("优秀"),
    "good": _l("良好"),
    "pass": _l("合格"),
    "fail": _l("不合格"),
}
GAPS: Mapping[StrEnum, object] = {
    GapKind.MISSING_NUMBERS: _l("编号不连续"),
    GapKind.DAILY_COUNT: _l("少于来源自报件数"),
}
# By their stored words: a kind that the desk doesn't know yet shows as it is.
ALARMS: dict[str, object] = {
    "emergency_reply": _l("紧急求助"),
    "attempt_unknown": _l("结果不明的电话"),
    "network_fail": _l("线路连续失败"),
    "ledger_broken": _l("台账不平"),
    "intake_gap": _l("接收缺口"),
    "intake_file": _l("案件文件未全部导入"),
    "spool": _l("数据库曾中断"),
    "webhook_given_up": _l("推送已放弃"),
    "gateway_down": _l("短信通道中断"),
    "audit_broken": _l("审计链断开"),
    "recording_failed": _l("通话录音失败"),
    "trunk_aside": _l("中继暂停使用"),
    "toll": _l("达到话务限额"),
}
ALARM_HELP: dict[str, object] = {
    "emergency_reply": _l("请立即电话核实，必要时转110。"),
    "attempt_unknown": _l("线路进程中断，可能已振铃；计一次，暂不再拨。"),
    "network_fail": _l("请检查中继。"),
    "ledger_broken": _l("请逐件核对。"),
    "intake_gap": _l("请向来源索取缺少的案件，补到后缺口自动关闭。"),
    "intake_file": _l("请看文件旁同名的 .report.txt：有坏行的文件在done文件夹，读不了的在failed文件夹。"),
    "spool": _l("其间的按键和短信先存在本机，已补录；未能保存的短信对方会重发。"),
    "webhook_given_up": _l("对方系统拒收或长期无应答，请联系对方后补取。"),
    "gateway_down": _l("短信发不出去，请联系运营商。"),
    "audit_broken": _l("审计记录被改动。请保全数据库和备份，用 huifang audit verify 核对。"),
    "trunk_aside": _l("电话改走其他中继；没有其他中继时等它恢复。恢复后自动启用。"),
    "recording_failed": _l("110通话照常进行，但没有录全。请检查录音文件夹所在的磁盘。"),
    "toll": _l("超出限额的群众电话暂不再拨，110来电不受影响。请查清原因，再看设置 voice.toll。"),
}
BREACHES: dict[str, object] = {
    "closed without a callback": _l("已办结但没有回访"),
    "callback counted for another unit than closed it": _l("回访计在另一单位"),
    "rated without a counted rating": _l("状态为已评价，但没有计入的评价"),
    "a counted rating, but not rated": _l("有计入的评价，但状态不是已评价"),
    "on the line without a live attempt": _l("状态为通话中，但没有进行中的电话"),
    "ended without a time": _l("已结束但没有结束时间"),
    "excluded without a reason": _l("不纳入但没有原因"),
}
RANK_BY: dict[str, object] = {
    "score": _l("得分"),
    "wilson": _l("满意率置信区间的下限"),
    "shrunk": _l("向组均值收缩的满意指数"),
}
FLOWS: dict[str, object] = {
    "satisfaction_survey": _l("满意度回访"),
    "callback_line": _l("回访专线来电"),
    "inbound_110": _l("110来电排队"),
}
VARIABLES: dict[str, object] = {
    "hotline": _l("热线名称"),
    "caller": _l("回访显示的号码"),
    "office": _l("联动办名称"),
    "month": _l("受理的月份"),
    "day": _l("受理的日期"),
    "tail": _l("编号末四位"),
    "number": _l("案件编号"),
    "unit": _l("承办单位"),
    "kind": _l("企业诉求或群众诉求"),
    "sign_by": _l("签收时限"),
    "due_by": _l("办理时限"),
    "clock": _l("超期或将到期的事项"),
}
_TEMPLATE_FAULTS: Mapping[Problem, object] = {
    Problem.NO_WORDS: _l("没有文字。"),
    Problem.EDGE: _l("开头或结尾有空格或换行。"),
    Problem.BRACKET: _l("第%(at)s字“%(what)s”：方头括号只用于签名。"),
    Problem.UNPRINTABLE: _l("第%(at)s字是不可见的字符（%(what)s）。"),
    Problem.SHORTENER: _l("第%(at)s字起“%(what)s”：短网址看不出通向哪里，不能用。"),
    Problem.STRAY_BRACE: _l("第%(at)s字“%(what)s”不成对；文字里要用大括号，请连写两个。"),
    Problem.UNKNOWN_VARIABLE: _l("第%(at)s字起：这种短信没有变量“%(what)s”。"),
    Problem.MISSING_VARIABLE: _l("缺少变量%(what)s。"),
    Problem.SEVERAL_PARTS: _l("最长%(what)s单位，超过一条的70单位，要分%(known)s条；需勾选允许。"),
    Problem.TOO_MANY_PARTS: _l("最长要分%(what)s条，最多%(known)s条。"),
}
FORM_FAULTS: Mapping[FormFault, object] = {
    FormFault.RATING: _l("请先选择一项评价，再提交。"),
    FormFault.RESOLVED: _l("请重新选择问题是否解决。"),
    FormFault.TOO_LONG: _l("留言太长，最多500字，请缩短后再提交。"),
    FormFault.NO_TEXT: _l("留言里有不能保存的字符，请删去后再提交。"),
}
_RATINGS: dict[tuple[str, int], object] = {
    ("cn3", 1): _l("满意"),
    ("cn3", 2): _l("基本满意"),
    ("cn3", 3): _l("不满意"),
    ("cn5", 1): _l("非常满意"),
    ("cn5", 2): _l("满意"),
    ("cn5", 3): _l("基本满意"),
    ("cn5", 4): _l("不满意"),
    ("cn5", 5): _l("非常不满意"),
}
_SCALES = {"cn3": CN3, "cn5": CN5}

ADJUSTMENTS: Mapping[StrEnum, object] = {
    AdjustmentKind.SECOND_DISSATISFIED: _l("二次回访仍不满意"),
    AdjustmentKind.REWORK_OVERDUE: _l("整改超期或被督办"),
    AdjustmentKind.FALSE_CLOSING: _l("虚假办结或虚假答复"),
    AdjustmentKind.WRONGFUL_REFUSAL: _l("不当退单"),
    AdjustmentKind.COMMENDATION: _l("表扬加分"),
}
DECISIONS: Mapping[StrEnum, object] = {
    Decision.PROPOSED: _l("待决定"),
    Decision.APPROVED: _l("已成立"),
    Decision.REJECTED: _l("不成立"),
}
OBJECTIONS: Mapping[StrEnum, object] = {
    ObjectionKind.ON_TIME: _l("办结超期"),
    ObjectionKind.SIGNED: _l("签收超时"),
    ObjectionKind.DEDUCTION: _l("扣分"),
}
MEASURES: Mapping[StrEnum, object] = {
    Measure.CIRCULAR: _l("通报"),
    Measure.TALK: _l("约谈"),
    Measure.TRANSFER: _l("移送"),
}

LEG_KINDS: Mapping[StrEnum, object] = {
    LegKind.RUNG: _l("接听来电"),
    LegKind.THREE_WAY: _l("三方通话"),
    LegKind.TRANSFER: _l("转接"),
    LegKind.REFER: _l("转接（由来电线路完成）"),
}

# By type first: as strings, Channel.SMS and SourceChannel.SMS are one.
_TABLES: dict[type[StrEnum], Mapping[StrEnum, object]] = {
    State: STATES,
    Trigger: TRIGGERS,
    Disposition: DISPOSITIONS,
    MachineSign: MACHINE_SIGNS,
    TrunkStanding: TRUNK_STANDINGS,
    TrunkReason: TRUNK_REASONS,
    Channel: CHANNELS,
    SourceChannel: SOURCES,
    NodeKind: NODES,
    Exclusion: EXCLUSIONS,
    UnitGroup: GROUPS,
    Role: ROLES,
    TextKind: TEXT_KINDS,
    TextState: TEXT_STATES,
    Age: AGES,
    Sort: CLOCK_SORTS,
    Stage: LIST_STAGES,
    Only: {**ONLY, **CASES_ONLY},
    PauseScope: PAUSE_SCOPES,
    ContactOutcome: CONTACTS,
    Tab: TABS,
    ReminderStage: STAGES,
    GapKind: GAPS,
    AdjustmentKind: ADJUSTMENTS,
    Decision: DECISIONS,
    ObjectionKind: OBJECTIONS,
    Measure: MEASURES,
    LegKind: LEG_KINDS,
}


def word(value: StrEnum) -> str:
    """The text of a stored word."""
    return str(_TABLES[type(value)][value])


def among(table: Mapping[str, object], value: str) -> str:
    """The text of a free word, the word itself where the table has none."""
    return str(table.get(value, value))


def trunk_fault(detail: Mapping[str, object]) -> str:
    """Why a trunk is set aside, and the SIP status that said so, of an alarm's detail."""
    why, status = str(detail.get("why") or ""), detail.get("sip_status")
    known = next((str(words) for reason, words in TRUNK_REASONS.items() if reason == why), why)
    return f"{known} (SIP {status})" if status else known


def template_fault(fault: TemplateFault) -> str:
    """What is wrong with a template, and where."""
    what = fault.what.replace(" or ", str(_l("或")))
    return str(_TEMPLATE_FAULTS[fault.problem]) % {"at": fault.at, "what": what, "known": fault.known}


def rating(scale: str, value: int) -> str:
    """A rating in words."""
    return str(_RATINGS[scale, value])


def mood(scale: str, value: int) -> str:
    """`good`, `fair` or `bad`: which mark a rating gets."""
    if value in _SCALES[scale].dissatisfied:
        return "bad"
    return "good" if _SCALES[scale].weight(value) == 1 else "fair"
