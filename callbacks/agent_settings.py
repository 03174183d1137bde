"""`[agents]`: whose telephones ring for citizens who ask for a person amidst a call, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

from pydantic import Field

from callbacks.settings import Section, Span, WindowSettings
from callbacks.target_settings import TargetName, TargetSettings
from callbacks.windows import is_rest_day

__all__ = ["AgentSettings", "agent_faults", "agents_are_in"]

_HOURS = (Span(start=time(9), end=time(12)), Span(start=time(14), end=time(17, 30)))


class AgentSettings(Section):
    """Without telephones nobody is put through: who asks for a person is rung back."""

    telephones: tuple[TargetName, ...] = Field((), description="their names in [targets], rung in this order")
    hours: tuple[Span, ...] = Field(_HOURS, description="of a working day, local time")
    ring_time: float = Field(12.0, ge=3, le=60, description="seconds that each of them rings")


def agents_are_in(now: datetime, agents: AgentSettings, windows: WindowSettings) -> bool:
    """Whether somebody asked for at `now`, aware, would be there."""
    local = now.astimezone(ZoneInfo(windows.timezone))
    if not agents.telephones or is_rest_day(local.date(), windows):
        return False
    at = local.time()
    return any(span.start <= at and (at < span.end or span.end == time(0)) for span in agents.hours)


def agent_faults(agents: AgentSettings, targets: Mapping[str, TargetSettings]) -> list[str]:
    """What is named and isn't there: `agents.telephones: …`, one line each."""
    known = ", ".join(targets) or "none"
    return [
        f"agents.telephones: no target is named {name!r}; there is {known}"
        for name in agents.telephones
        if name not in targets
    ]
