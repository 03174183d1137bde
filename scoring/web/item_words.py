"""The dissatisfaction list in words: what was done with an item, on what grounds, by which way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scoring.item_states import ItemTrigger as T
from scoring.web import words
from scoring.web.language import gettext as _
from scoring.web.language import lazy_gettext as _l
from scoring.web.templating import age

TRIGGERS: Mapping[str, object] = {
    T.VERIFY: _l("开始核实"),
    T.TRIED: _l("核实电话没有接通"),
    T.UPHOLD: _l("核实属实，交办整改"),
    T.MISRATED: _l("群众说明是误评，剔除"),
    T.NO_BASIS: _l("诉求没有依据，转解释说明"),
    T.NOT_REACHED: _l("多次联系不上，交办整改"),
    T.EXPLAIN: _l("已向群众解释"),
    T.SIGN: _l("签收整改"),
    T.SIGN_BY_DEFAULT: _l("逾期未签，视为签收"),
    T.URGE: _l("催办"),
    T.SUPERVISE: _l("督办"),
    T.REASSIGN: _l("改派承办单位"),
    T.APPEAL: _l("提出申诉"),
    T.APPEAL_UPHELD: _l("申诉成立，剔除"),
    T.APPEAL_REJECTED: _l("申诉不成立"),
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
    "misrated": _l("误评"),
    "wrong_unit": _l("不属于本单位"),
    "malicious": _l("恶意评价"),
    "no_legal_basis": _l("诉求没有依据"),
    "test": _l("测试件"),
}
ESCALATIONS: Mapping[str, object] = {
    "phone": _l("电话督办"),
    "on_site": _l("实地查看"),
    "leader": _l("领导批办"),
    "joint_study": _l("联合研究"),
}


def clock(due: datetime | None, now: datetime) -> str:
    """How long a clock still runs, or how long it is over; empty where none runs."""
    if due is None:
        return ""
    return _("超期%(age)s", age=age(now - due)) if due < now else _("还剩%(age)s", age=age(due - now))


def who(by: str) -> str:
    """A login as it is; what no person did, in words."""
    return _("系统") if by == "system" else by


def details(detail: Mapping[str, Any]) -> list[str]:
    """What a step says beside its reason: grounds, unit, way of escalation."""
    found = []
    if grounds := detail.get("grounds"):
        found.append(words.among(GROUNDS, str(grounds)))
    if way := detail.get("escalation"):
        found.append(words.among(ESCALATIONS, str(way)))
    if unit := detail.get("unit"):
        found.append(str(unit))
    return found
