"""Scores and months in words: states of a month, lines of a score, and why a month stays as it is."""

from __future__ import annotations

from collections.abc import Mapping

from scoring.decisions import AdjustmentKind, ObjectionKind
from scoring.month_closing import Refusal
from scoring.queries_filter import Part
from scoring.web import words
from scoring.web.language import lazy_gettext as _l

MONTH_STATES: dict[str, object] = {
    "open": _l("未冻结"),
    "draft": _l("草稿，异议期"),
    "published": _l("已公布"),
}
PARTS: Mapping[Part, object] = {
    Part.SATISFACTION: words.COMPONENTS["S"],
    Part.RESOLUTION: words.COMPONENTS["RES"],
    Part.ON_TIME: words.COMPONENTS["T"],
    Part.SIGNED: words.COMPONENTS["A"],
    Part.RECTIFIED: words.COMPONENTS["Q"],
    Part.POINTS: _l("扣分和加分"),
    Part.COVERAGE: _l("回访和参评"),
}
# Of the table of components, by the component's name.
PART_OF: dict[str, Part] = {
    "S": Part.SATISFACTION,
    "RES": Part.RESOLUTION,
    "T": Part.ON_TIME,
    "A": Part.SIGNED,
    "Q": Part.RECTIFIED,
}
KINDS: dict[str, object] = {
    AdjustmentKind.SECOND_DISSATISFIED.value: _l("二次回访仍不满意"),
    AdjustmentKind.REWORK_OVERDUE.value: _l("整改超期或被督办"),
    AdjustmentKind.FALSE_CLOSING.value: _l("虚假办结或虚假答复"),
    AdjustmentKind.WRONGFUL_REFUSAL.value: _l("不当退单"),
    AdjustmentKind.COMMENDATION.value: _l("表扬"),
    ObjectionKind.ON_TIME.value: _l("对按时办结的异议"),
    ObjectionKind.SIGNED.value: _l("对按时签收的异议"),
    ObjectionKind.DEDUCTION.value: _l("对扣分的异议"),
}
OBJECT_TO: Mapping[ObjectionKind, object] = {
    ObjectionKind.ON_TIME: _l("对超期提出异议"),
    ObjectionKind.SIGNED: _l("对迟签提出异议"),
    ObjectionKind.DEDUCTION: _l("对扣分提出异议"),
}
WHY_REMOVED: dict[str, object] = {
    "misrated": _l("误评"),
    "wrong_unit": _l("不是本单位"),
    "malicious": _l("恶意差评"),
    "no_legal_basis": _l("诉求于法无据"),
    "test": _l("测试"),
}
STEPS: dict[str, object] = {
    "base": _l("五项合计"),
    "score": _l("得分"),
    "points": _l("折算分"),
}
UNREACHED: dict[str, object] = {
    "exclude": _l("联系不上的不计入满意指数。"),
    "assume_satisfied": _l("本表把联系不上的按满意计入满意指数。"),
    "assume_dissatisfied": _l("本表把联系不上的按不满意计入满意指数。"),
}
REFUSALS: Mapping[Refusal, object] = {
    Refusal.NOT_OVER: _l("这个月还没有结束，不能冻结。"),
    Refusal.EARLIER_OPEN: _l("更早的月份还没有冻结，请按顺序进行。"),
    Refusal.CLOSED: _l("这个月已经冻结或公布。"),
    Refusal.NO_DRAFT: _l("这个月还没有冻结，不能公布。"),
    Refusal.EARLIER_DRAFT: _l("更早的月份还是草稿，请按顺序公布。"),
    Refusal.OBJECTION_DAYS: _l("异议期还没有结束，不能公布。"),
    Refusal.UNDECIDED: _l("还有异议、申诉或扣分加分没有审定。请先审定，或勾选留到下个月更正。"),
    Refusal.CHANGED: _l("计算期间又有新的审定，没有公布。请再试一次。"),
}


def why(kind: str, reason: str) -> str:
    """The reason of a line: a removal's word, or what people wrote."""
    return words.among(WHY_REMOVED, reason) if kind == "removed" else reason
