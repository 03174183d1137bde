"""The words of a text: the office's template or the catalogue's, with what the case brings."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from callbacks.models import Case, TextKind
from callbacks.reminders import Clock, Due, Stage
from callbacks.settings import OfficeSettings
from callbacks.templates import fill, signed
from prompts.catalogue import CatalogueError, load_catalogue

_NO_TIME = "规定时限"  # stands for a time that the case doesn't have
_LONGEST_COUNTDOWN = timedelta(hours=99)


def stock_template(kind: TextKind) -> str:
    """The catalogue's own words, which hold until the office saves others."""
    try:
        return load_catalogue().written[kind.value]["zh-CN"]
    except KeyError:
        raise CatalogueError(f"no text {kind.value!r} in zh-CN") from None


def text_body(
    kind: TextKind, office: OfficeSettings, timezone: str, case: Case | None, template: str | None = None
) -> str:
    """The text to a citizen with its signature, as it goes to the gateway."""
    values = office_values(office)
    if case is not None:
        values |= _case_values(case, timezone)
    return signed(office.signature, fill(template or stock_template(kind), values))


def handler_body(
    kind: TextKind,
    office: OfficeSettings,
    timezone: str,
    case: Case,
    due: Due,
    sign_by: datetime | None,
    now: datetime,
    template: str | None = None,
) -> str:
    """The text to a handler: which case, whose, until when; never what the citizen said (domain.md §8.2)."""
    values = office_values(office) | _case_values(case, timezone)
    values |= {
        "number": case.number,
        "unit": case.lead_unit.name,
        "kind": "企业诉求" if case.enterprise else "群众诉求",
        "sign_by": _hour(sign_by, timezone),
        "due_by": _day(due.deadline or case.due_at, timezone),
        "clock": clock_words(due, now, timezone),
    }
    return signed(office.signature, fill(template or stock_template(kind), values))


def clock_words(due: Due, now: datetime, timezone: str) -> str:
    """What is late or nearly so, in a few words."""
    if due.stage is Stage.RECTIFY:
        return "须整改"
    what = {Clock.SIGN: "签收", Clock.HANDLE: "办理", Clock.REWORK: "整改"}[due.clock]
    if due.deadline is None or now >= due.deadline:
        return f"{what}已超期"
    left = due.deadline - now
    if left <= _LONGEST_COUNTDOWN:
        return f"{what}将于{-(-left // timedelta(hours=1))}小时内到期"
    return f"{what}将于{_day(due.deadline, timezone)}到期"


def office_values(office: OfficeSettings) -> dict[str, str]:
    """What every text may say of the office."""
    return {"hotline": office.hotline_name, "caller": office.caller_number, "office": office.name}


def _case_values(case: Case, timezone: str) -> dict[str, str]:
    accepted = case.accepted_at.astimezone(ZoneInfo(timezone))
    return {"month": str(accepted.month), "day": str(accepted.day), "tail": case.number[-4:]}


def _day(at: datetime | None, timezone: str) -> str:
    if at is None:
        return _NO_TIME
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local.month}月{local.day}日"


def _hour(at: datetime | None, timezone: str) -> str:
    """Rounded down: who signs by the hour that we name is in time."""
    if at is None:
        return _NO_TIME
    return f"{_day(at, timezone)}{at.astimezone(ZoneInfo(timezone)).hour}时"
