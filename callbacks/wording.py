"""The words of a text to a citizen: the catalogue's template, the case's date and the tail of its number."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from callbacks.models import Case, TextKind
from callbacks.settings import OfficeSettings
from prompts.catalogue import load_catalogue


def text_body(kind: TextKind, office: OfficeSettings, timezone: str, case: Case | None) -> str:
    """The text with its signature, as it goes to the gateway."""
    variables = {"hotline": office.hotline_name, "caller": office.caller_number}
    if case is not None:
        day = case.accepted_at.astimezone(ZoneInfo(timezone))
        variables |= {"month": str(day.month), "day": str(day.day), "tail": case.number[-4:]}
    return f"【{office.signature}】{load_catalogue().text(kind.value, 'zh-CN', **variables)}"
