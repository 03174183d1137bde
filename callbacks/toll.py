"""The toll limits: whether one more citizen may be called now, by what was called before. Pure.

They stand over the policy, which the desk may change. Telephones of our own are never asked about here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from callbacks.cdr import MONEY
from callbacks.days import day_ends
from callbacks.toll_settings import NightSettings, TollSettings

__all__ = ["Limit", "Spent", "Toll", "hour_of", "limits", "price_of"]


class Limit(StrEnum):
    """What holds a call back; the word is the gate's reason."""

    NIGHT = "toll_night"
    PER_NUMBER = "toll_number"
    PER_HOUR = "toll_hour"
    SECONDS = "toll_seconds"
    SPEND = "toll_spend"


@dataclass(frozen=True, slots=True)
class Spent:
    """What was called up to `at` in its local hour and day, what is under way among it. `cost` in `MONEY`'s
    parts.
    """

    at: datetime
    calls_in_hour: int = 0
    seconds_in_day: int = 0
    cost_in_day: int = 0


@dataclass(frozen=True, slots=True)
class Toll:
    """The limits, and what they count."""

    settings: TollSettings
    timezone: str
    spent: Spent

    @property
    def most_cost(self) -> int:
        return int(self.settings.spend_per_day * MONEY)


def limits(toll: Toll, called_today: int, now: datetime) -> Iterator[tuple[Limit, datetime | None]]:
    """Each limit that is set, and until when it lets nothing begin, or None. `called_today`: the number was.

    What is later than what `toll.spent` tells of begins with nothing spent.
    """
    settings, spent, zone = toll.settings, toll.spent, ZoneInfo(toll.timezone)
    local, then = now.astimezone(zone), spent.at.astimezone(zone)
    tomorrow = day_ends(local.date(), toll.timezone)
    same_day, same_hour = local.date() == then.date(), hour_of(now, zone) == hour_of(spent.at, zone)
    if settings.night != "off":
        yield Limit.NIGHT, _night_ends(local, settings.night)
    if most := settings.calls_per_number_per_day:
        yield Limit.PER_NUMBER, tomorrow if called_today >= most else None
    if most := settings.calls_per_hour:
        full = same_hour and spent.calls_in_hour >= most
        yield Limit.PER_HOUR, _next_hour(local) if full else None
    if most := settings.seconds_per_day:
        yield Limit.SECONDS, tomorrow if same_day and spent.seconds_in_day >= most else None
    if most := toll.most_cost:
        yield Limit.SPEND, tomorrow if same_day and spent.cost_in_day >= most else None


def hour_of(at: datetime, zone: ZoneInfo) -> str:
    """The local hour's name: 2026-11-23T14."""
    return f"{at.astimezone(zone):%Y-%m-%dT%H}"


def _next_hour(local: datetime) -> datetime:
    return (local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)).astimezone(UTC)


def _night_ends(local: datetime, night: NightSettings) -> datetime | None:
    """None by day."""
    at, start, end = local.time(), night.start, night.end
    over_midnight = end < start
    if not (at >= start or at < end if over_midnight else start <= at < end):
        return None
    day = local.date() + timedelta(days=1) if over_midnight and at >= start else local.date()
    return datetime.combine(day, end, local.tzinfo).astimezone(UTC)


def price_of(settings: TollSettings, trunk: str, number: str) -> int | None:
    """What a minute costs, in `MONEY`'s parts; None where no price is set at all."""
    if not settings.price_per_minute and not settings.prices:
        return None
    fitting = [
        price for price in settings.prices if price.trunk in (None, trunk) and number.startswith(price.prefix)
    ]
    best = max(fitting, key=lambda price: (len(price.prefix), price.trunk is not None), default=None)
    return int((settings.price_per_minute if best is None else best.per_minute) * MONEY)
