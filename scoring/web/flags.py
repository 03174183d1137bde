"""异常提示: what looks odd in a month, with the cases behind it. Shown, never applied."""

from __future__ import annotations

from flask import Blueprint, render_template

from scoring import queries_flags as flags
from scoring.prompt_lengths import prompt_seconds
from scoring.queries_ranking import read_period
from scoring.web.context import chosen, deps, this_month
from scoring.web.permissions import Permission, needs
from scoring.web.present import month_span

pages = Blueprint("flags", __name__)


@pages.get("/flags")
@needs(Permission.SEE_FLAGS)
def show() -> str:
    wanted = chosen()
    month = wanted.month or this_month()
    span = month_span(month, deps().zone)
    with deps().read_sessions() as session:
        by = read_period(session, month, deps().scoring).settings.flags
        return render_template(
            "flags.html",
            month=month,
            most=flags.MOST,
            by=by,
            phones=flags.same_phones(session, span, by),
            unit_phones=flags.unit_phones(session, span),
            changed=flags.changed_phones(session, span),
            exclusions=flags.exclusions(session, span, by),
            quick=flags.quick_keys(session, span, by, prompt_seconds(deps().prompts)),
            together=flags.together(session, span, by),
            loops=flags.loops(session, span, by),
        )
