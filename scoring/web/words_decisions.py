"""What is wrong with a deduction, an objection or a record, in words."""

from __future__ import annotations

from collections.abc import Mapping

from scoring.accountability import RecordFault
from scoring.adjustments import AdjustmentFault
from scoring.objections import ObjectionFault
from scoring.web import words
from scoring.web.language import lazy_gettext as _l

_REASON = _l("请写明理由，不超过1000字。")

ADJUSTMENT_FAULTS: Mapping[AdjustmentFault, object] = {
    AdjustmentFault.UNIT: _l("请选择承办单位。"),
    AdjustmentFault.CASE: _l("没有这个编号的案件，请核对。"),
    AdjustmentFault.ITEM: _l("这个案件没有不满意件，不能用这个事由。"),
    AdjustmentFault.REASON: _REASON,
    AdjustmentFault.EVIDENCE: _l("请附上证据文件。"),
    AdjustmentFault.FILE: words.FILE_KINDS,
    AdjustmentFault.TWICE: _l("同一件、同一事由已经提出过，只计一次。"),
    AdjustmentFault.COVERED: _l("二次回访仍不满意的扣分已包含提级督办，不再另扣。"),
    AdjustmentFault.OWN: _l("提出人不能自己决定，请由另一个人决定。"),
}
OBJECTION_FAULTS: Mapping[ObjectionFault, object] = {
    ObjectionFault.LINE: _l("没有这一行。"),
    ObjectionFault.FINE: _l("这一行已经按时，没有可以更正的。"),
    ObjectionFault.LATE: _l("异议期已过；公布之后可以再提出更正。"),
    ObjectionFault.REASON: _REASON,
    ObjectionFault.FILE: words.FILE_KINDS,
    ObjectionFault.TWICE: _l("这一行已经提出过异议。"),
    ObjectionFault.AGAIN: _l("您已经作过决定，请由另一个人决定。"),
    ObjectionFault.OWN: _l("提出异议的人、扣分的提出人和批准人不能决定此异议，请由其他人决定。"),
    ObjectionFault.TOO_FEW: _l(
        "提出异议的人、扣分的提出人和批准人不能决定此异议，除他们以外能决定的不足两人。"
        "请系统管理员再设督办员或联动办负责人，然后由其他人决定。"
    ),
    ObjectionFault.OWN_UNIT: _l("您是本单位的人，不能决定此异议。"),
}
RECORD_FAULTS: Mapping[RecordFault, object] = {
    RecordFault.UNIT: _l("请选择承办单位。"),
    RecordFault.DAY: _l("请填写日期，不晚于今天。"),
    RecordFault.CASE: _l("没有这个编号的不满意件，请核对。"),
    RecordFault.REASON: _REASON,
    RecordFault.FILE: _l("请附上文件。"),
    RecordFault.FORM: words.FILE_KINDS,
}
