"""What a city sets for the texts to its units' handlers."""

from __future__ import annotations

from datetime import time, timedelta

from pydantic import Field

from callbacks.settings import Section, Span


class ReminderSettings(Section):
    """When a handler is reminded of a case: 待办 催办 督办 (domain.md §2, §8.2)."""

    enabled: bool = True
    window: tuple[Span, ...] = Field(
        (Span(start=time(8, 30), end=time(18, 0)),),
        min_length=1,
        description="of workdays, make-up workdays too; none at weekends and holidays",
    )
    sign_within: timedelta = Field(
        timedelta(hours=24), gt=timedelta(0), description="from 交办 to 签收; as [scoring] sign_within"
    )
    urge_before: timedelta = Field(
        timedelta(hours=24), ge=timedelta(0), description="how long before the due time a handler is urged"
    )
    urge_unsigned: bool = Field(
        False,
        description="urge at the end of the signing time too; then handler_urge must say {clock}: "
        "the stock one speaks of 24 hours",
    )
    per_day: int = Field(10, ge=1, description="texts to one handler's number a day; the rest waits")
    stale_after: timedelta = Field(
        timedelta(days=30), gt=timedelta(0), description="what was due longer ago isn't begun any more"
    )
