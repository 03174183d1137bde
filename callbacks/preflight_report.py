"""A preflight as lines and as JSON: both policies side by side, with what was assumed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from callbacks.preflight import Assumptions, Comparison, Forecast, Outcome


def comparison_lines(found: Comparison) -> list[str]:
    """As a person reads it: what is open, the sums, the hours, and what was assumed."""
    lines = [
        f"{found.open_in_all} open callbacks, and {found.with_person} with a person; {found.lines} lines"
    ]
    if found.is_sample:
        lines.append(f"a sample of {found.played} was played; counts are scaled to all")
    lines += ["", f"{'':28}{'held now':>18}{'would be':>18}"]
    for name, of in _SUMS:
        lines.append(f"{name:28}{of(found.now):>18}{of(found.then):>18}")
    lines += ["", f"{'hour':18}{'calls now':>12}{'would be':>12}{'texts now':>12}{'would be':>12}"]
    for hour in found.hours:
        told = (hour.now.calls, hour.then.calls, hour.now.texts, hour.then.texts)
        lines.append(f"{hour.at:%Y-%m-%d %H:%M}  " + "".join(f"{number:>12}" for number in told))
    return [*lines, "", assumed_line(found.assumed)]


def assumed_line(assumed: Assumptions) -> str:
    answered, unanswered = assumed.answered_call.total_seconds(), assumed.unanswered_call.total_seconds()
    hours = assumed.text_answer_after.total_seconds() / 3600
    return (
        f"assumed: {assumed.calls_answered:.0%} of calls are answered and rated, {answered:.0f} s a case; "
        f"the others last {unanswered:.0f} s; {assumed.texts_answered:.0%} of texts are answered after "
        f"{hours:g} h; nothing is closed meanwhile, and pauses without an end last"
    )


def _when(at: datetime | None, like: Forecast) -> str:
    if at is None:
        return "—"
    zone = like.hours[0].at.tzinfo if like.hours else None
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


_SUMS: tuple[tuple[str, Callable[[Forecast], str]], ...] = (
    ("calls", lambda each: str(each.calls)),
    ("texts", lambda each: str(each.texts)),
    ("answered", lambda each: str(each.outcomes[Outcome.ANSWERED])),
    ("excluded", lambda each: str(each.outcomes[Outcome.EXCLUDED])),
    ("handed to a person", lambda each: str(each.outcomes[Outcome.HANDED_OVER])),
    ("asked, unreached", lambda each: str(each.outcomes[Outcome.UNREACHED])),
    ("deadline, never asked", lambda each: str(each.outcomes[Outcome.UNASKED])),
    ("last call or text", lambda each: _when(each.last_begun, each)),
    ("ends", lambda each: _when(each.ends, each)),
)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """`now` and `then` with their sums; `hours` with both; times are ISO 8601."""
    assumed = found.assumed
    return {
        "at": found.at.isoformat(timespec="seconds"),
        "open": found.open_in_all,
        "played": found.played,
        "with_person": found.with_person,
        "lines": found.lines,
        "assumed": {
            "calls_answered": assumed.calls_answered,
            "texts_answered": assumed.texts_answered,
            "answered_call_seconds": assumed.answered_call.total_seconds(),
            "unanswered_call_seconds": assumed.unanswered_call.total_seconds(),
            "text_answer_after_seconds": assumed.text_answer_after.total_seconds(),
        },
        "now": _forecast_json(found.now),
        "then": _forecast_json(found.then),
        "hours": [
            {
                "at": hour.at.isoformat(timespec="seconds"),
                "calls": [hour.now.calls, hour.then.calls],
                "texts": [hour.now.texts, hour.then.texts],
            }
            for hour in found.hours
        ],
    }


def _forecast_json(each: Forecast) -> dict[str, Any]:
    return {
        "calls": each.calls,
        "texts": each.texts,
        **{outcome.value: each.outcomes[outcome] for outcome in Outcome},
        "last_begun": each.last_begun and each.last_begun.isoformat(timespec="seconds"),
        "ends": each.ends and each.ends.isoformat(timespec="seconds"),
    }
