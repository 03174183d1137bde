"""The calls hour by hour under two policies, as bars of an SVG: places and heights only. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from callbacks.preflight import Comparison, HourPair

HEIGHT, STEP, BAR = 120, 22, 9
MOST = 72  # hours: more would be too thin to read; the table has them all


@dataclass(frozen=True, slots=True)
class Bars:
    """An hour: the bars' left edge and heights; `day` where it's the first shown of its day."""

    at: datetime
    x: int
    now: int
    then: int
    calls_now: int
    calls_then: int
    day: bool


@dataclass(frozen=True, slots=True)
class Chart:
    bars: tuple[Bars, ...]
    width: int
    most: int  # calls, at full height
    cut: bool  # there are more hours than these


def draw(found: Comparison) -> Chart:
    """Of the hours in which calls begin, the first `MOST`."""
    hours = [hour for hour in found.hours if hour.now.calls or hour.then.calls]
    shown = hours[:MOST]
    most = max((max(hour.now.calls, hour.then.calls) for hour in shown), default=0)
    days = [hour.at.date() for hour in shown]
    bars = [_bars(place, hour, most, days.index(days[place]) == place) for place, hour in enumerate(shown)]
    return Chart(tuple(bars), max(1, len(shown)) * STEP, most, len(hours) > len(shown))


def _bars(place: int, hour: HourPair, most: int, day: bool) -> Bars:
    now, then = hour.now.calls, hour.then.calls
    return Bars(hour.at, place * STEP, _height(now, most), _height(then, most), now, then, day)


def _height(calls: int, most: int) -> int:
    return max(1, round(HEIGHT * calls / most)) if calls else 0
