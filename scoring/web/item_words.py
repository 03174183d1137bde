"""The dissatisfaction list in words: what was done with an item, on what grounds, by which way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from callbacks.vocabulary import SYSTEM
from scoring.item_rules import Escalation, Fault, Grounds, lacking
from scoring.item_states import ItemTrigger
from scoring.web import words
from scoring.web.language import gettext as _
from scoring.web.language import lazy_gettext as _l
from scoring.web.templating import age

T = ItemTrigger

TRIGGERS: Mapping[ItemTrigger, object] = {
    T.VERIFY: _l("开始核实"),
    T.TRIED: _l("核实电话没有接通"),
    T.UPHOLD: _l("核实属实，交办整改"),
    T.MISRATED: _l("群众说明是误评，剔除"),
    T.NO_BASIS: _l("诉求没有依据，转解释说明"),
    T.NOT_REACHED: _l("多次联系不上，交办整改"),
    T.EXPLAIN: _l("已向群众解释"),
    T.SIGN: _l("签收整改"),
    T.SIGN_BY_DEFAULT: _l("逾期未签，视为签收"),
    T.URGE: _l("催办承办单位"),
    T.SUPERVISE: _l("督办承办单位"),
    T.REASSIGN: _l("改派承办单位"),
    T.APPEAL: _l("提出申诉"),
    T.APPEAL_UPHELD: _l("申诉成立，剔除"),
    T.APPEAL_REJECTED: _l("申诉不成立"),
    T.APPEAL_REJECTED_SIGNED: _l("申诉不成立，继续整改"),
    T.ASK_TIME: _l("申请延期"),
    T.EXTEND: _l("同意延期"),
    T.REFUSE_TIME: _l("不同意延期"),
    T.SUBMIT: _l("提交整改结果"),
    T.ACCEPT: _l("审核通过，二次回访"),
    T.SEND_BACK: _l("审核不通过，退回整改"),
    T.SATISFIED: _l("二次回访：不再不满意"),
    T.DISSATISFIED: _l("二次回访：仍不满意"),
    T.DISSATISFIED_AGAIN: _l("两次整改后仍不满意"),
    T.NO_ANSWER: _l("二次回访没有联系上"),
    T.REWORK: _l("提级督办后重新整改"),
    T.MEET: _l("召开联席会议"),
    T.FIX: _l("联席会议认定已解决"),
    T.PERSIST: _l("联席会议办结"),
    T.NOTE: _l("备注"),
}
GROUNDS: Mapping[str, object] = {
    Grounds.MISRATED: _l("误评"),
    Grounds.WRONG_UNIT: _l("不属于本单位"),
    Grounds.MALICIOUS: _l("恶意评价"),
    Grounds.NO_LEGAL_BASIS: _l("诉求没有依据"),
    Grounds.TEST: _l("测试件"),
}
ESCALATIONS: Mapping[str, object] = {
    Escalation.PHONE: _l("电话督办"),
    Escalation.ON_SITE: _l("实地查看"),
    Escalation.LEADER: _l("领导批办"),
    Escalation.JOINT_STUDY: _l("联合研究"),
}
FAULTS: Mapping[Fault, object] = {
    Fault.STATE: _l("此件现在的状态不能这样办，您的内容没有保存。请看下面的经过。"),
    Fault.PARTY: _l("这一步不由您办理。"),
    Fault.REASON: _l("请写明理由，不超过2000字。"),
    Fault.EVIDENCE: _l("请附上证明材料。"),
    Fault.APPEALED: _l("此件已经申诉过，只能申诉一次。"),
    Fault.TOO_LATE: _l("已过申诉期限。"),
    Fault.EXTENDED: _l("此件已经延期过，只能延期一次。"),
    Fault.METHOD: _l("请选择督办方式。"),
    Fault.UNIT: _l("请选择另一个承办单位。"),
    Fault.MEETING: _l("请写明联席会议的日期和牵头领导；疑难件须经联席会议才能办结。"),
    Fault.OWN_UNIT: _l("您是本单位的人，不能决定此申诉。"),
    Fault.FILE: words.FILE_KINDS,
    Fault.TWICE: _l("您已经决定过，须由另一人决定。"),
}
CONFLICT = _l(
    "此件在您打开之后有人办理过，您的内容没有保存，仍在下面。请看有人做了什么，再决定。附件须重新选择。"
)
APPEAL_MOVED = _l("在此期间别人已经作了决定，您的决定没有记入。请看下面现在的情况，再作决定。")
NONE_CHOSEN = _l("没有选中不满意件。请先勾选，或选全部。")
NO_PERSON = _l("请选择经办人。")
NO_REASON = _l("请写明理由。")
ENDED_ALREADY = _l("此件已经结束。")
_BULK: Mapping[str, object] = {
    "uphold": _l("核实属实，交办整改"),
    "note": _l("备注"),
    "assign": _l("指定经办人"),
}
_ASKS: Mapping[ItemTrigger, object] = {
    T.MISRATED: _l("群众原话"),
    T.TRIED: _l("何时、用什么号码联系"),
    T.EXPLAIN: _l("怎样解释、群众怎么说"),
    T.SUBMIT: _l("整改情况"),
    T.MEET: _l("认定意见"),
    T.PERSIST: _l("公布的理由"),
}


def trigger(of: ItemTrigger) -> str:
    return str(TRIGGERS[of])


def bulk(of: str) -> str:
    return str(_BULK[of])


def failed(fault: Fault | None) -> str:
    """Why one of many wasn't done; None: somebody was faster."""
    return _("有人先办理了此件。") if fault is None else str(FAULTS[fault])


def given_already(to: str | None) -> str:
    """Why one of many wasn't given to somebody: another was faster."""
    return _("有人先指定了经办人：%(who)s。", who=to or "—")


def reason_label(of: ItemTrigger) -> str:
    return str(_ASKS.get(of, _l("理由")))


def needs_reason(of: ItemTrigger) -> bool:
    return lacking(of, "", 1) is Fault.REASON


def needs_file(of: ItemTrigger) -> bool:
    return lacking(of, "why", 0) is Fault.EVIDENCE


def clock(due: datetime | None, now: datetime) -> str:
    """How long a clock still runs, or how long it is over; empty where none runs."""
    if due is None:
        return ""
    return _("超期%(age)s", age=age(now - due)) if due < now else _("还剩%(age)s", age=age(due - now))


def who(by: str) -> str:
    """A login as it is; what no person did, in words."""
    return _("系统") if by == SYSTEM else by


def details(detail: Mapping[str, Any]) -> list[str]:
    """What a step says beside its reason: grounds, unit, way of escalation."""
    found = []
    if grounds := detail.get("grounds"):
        found.append(words.among(GROUNDS, str(grounds)))
    if way := detail.get("method"):
        found.append(words.among(ESCALATIONS, str(way)))
    if unit := detail.get("unit"):
        found.append(str(unit))
    return found
