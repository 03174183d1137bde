"""What a simulated city's run came to: figures that add up over shards, and the ledger, a line a callback."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.ledger import read_ledger
from callbacks.models import Attempt, AttemptCallback, Callback, Case, Rating, TextMessage
from callbacks.vocabulary import Channel

_BAR = 40


@dataclass
class Figures:
    """The figures of one shard, or of several added up. `spread` counts by local hour."""

    closed: int = 0
    due: int = 0
    done: int = 0
    without_number: int = 0
    balanced: bool = True
    outcomes: Counter[str] = field(default_factory=Counter)
    ratings: Counter[str] = field(default_factory=Counter)  # counted ones, by channel
    calls: Counter[str] = field(default_factory=Counter)  # attempts that were begun, by disposition
    texts: Counter[str] = field(default_factory=Counter)  # by state
    calls_a_callback: Counter[int] = field(default_factory=Counter)
    spread: dict[str, Counter[int]] = field(default_factory=dict)  # channel → local hour → begun
    lines: int = 0
    peak: int = 0
    busy_seconds: float = 0.0
    finish: datetime | None = None

    def add(self, other: Figures) -> None:
        """Adds another shard's. Peaks are added too: an upper bound of what was in use at once."""
        for name in ("closed", "due", "done", "without_number", "lines", "peak", "busy_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("outcomes", "ratings", "calls", "texts", "calls_a_callback"):
            getattr(self, name).update(getattr(other, name))
        for channel, hours in other.spread.items():
            self.spread.setdefault(channel, Counter()).update(hours)
        self.balanced = self.balanced and other.balanced
        self.finish = max(filter(None, (self.finish, other.finish)), default=None)

    @property
    def coverage(self) -> float | None:
        return self.done / self.due if self.due else None

    def as_json(self) -> dict[str, Any]:
        """What `huifang simulate --json` prints."""
        told: dict[str, Any] = {each.name: getattr(self, each.name) for each in fields(self)}
        told["coverage"] = self.coverage
        told["finish"] = self.finish.isoformat() if self.finish else None
        return told


def read_figures(session: Session, timezone: str) -> Figures:
    """The figures of the database, but for the lines, which the virtual trunk counts."""
    ledger = read_ledger(session)
    figures = Figures(
        closed=ledger.total("closed"),
        due=ledger.total("done") + ledger.total("open"),
        done=ledger.total("done"),
        balanced=ledger.balanced,
        outcomes=Counter(ledger.outcomes),
        finish=session.scalar(select(func.max(Callback.ended_at))),
    )
    figures.without_number = session.scalar(select(func.count(Case.id)).where(~Case.phones.any())) or 0
    counted = select(Rating.channel, func.count()).where(Rating.counted).group_by(Rating.channel)
    figures.ratings.update({channel.value: number for channel, number in session.execute(counted)})
    states = select(TextMessage.state, func.count()).group_by(TextMessage.state)
    figures.texts.update({state.value: number for state, number in session.execute(states)})
    _read_calls(session, figures, ZoneInfo(timezone))
    return figures


def _read_calls(session: Session, figures: Figures, zone: ZoneInfo) -> None:
    begun = select(Attempt.channel, Attempt.invited_at, Attempt.disposition).where(
        Attempt.invited_at.is_not(None)
    )
    for channel, at, disposition in session.execute(begun):
        assert at is not None
        figures.spread.setdefault(channel.value, Counter())[at.astimezone(zone).hour] += 1
        if channel is Channel.VOICE:
            figures.calls[disposition.value if disposition else "up"] += 1
    figures.calls_a_callback.update(number for _, number in session.execute(_CALLS_EACH))


_CALLS_EACH = (
    select(AttemptCallback.callback_id, func.count())
    .join(AttemptCallback.attempt)
    .where(Attempt.channel == Channel.VOICE, Attempt.invited_at.is_not(None))
    .group_by(AttemptCallback.callback_id)
)


def ledger_lines(session: Session) -> list[str]:
    """The ledger of every callback, sorted: case, closing, round, outcome, when, rating and channel."""
    query = (
        select(Case.number, Callback.closing_no, Callback.round, Callback.state, Callback.ended_at)
        .add_columns(Rating.value, Rating.channel)
        .join(Callback.case)
        .outerjoin(Rating, (Rating.callback_id == Callback.id) & Rating.counted)
    )
    return sorted("\t".join(_word(value) for value in row) for row in session.execute(query))


def _word(value: object) -> str:
    if value is None:
        return "-"
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def report_lines(figures: Figures, timezone: str, lines: int) -> list[str]:
    """What `huifang simulate` prints."""
    coverage = "nothing was due" if figures.coverage is None else f"{figures.coverage:.2%}"
    finish = figures.finish.astimezone(ZoneInfo(timezone)) if figures.finish else None
    calls, begun = sum(figures.calls.values()), sum(figures.calls_a_callback.values())
    return [
        f"closed {figures.closed}, due {figures.due}, done {figures.done}: coverage {coverage}; "
        f"{figures.without_number} without a number",
        f"ledger {'balanced' if figures.balanced else 'NOT BALANCED'}",
        _row("outcomes", figures.outcomes),
        _row("ratings by channel", figures.ratings),
        f"calls {calls} ({calls / begun:.2f} a callback that was called)" if begun else "calls 0",
        _row("  by disposition", figures.calls),
        _row("  callbacks by calls", figures.calls_a_callback),
        _row("texts by state", figures.texts),
        *_spread(figures),
        f"lines {lines}, most in use {figures.peak}, busy {timedelta(seconds=round(figures.busy_seconds))}",
        f"expected finish {finish:%Y-%m-%d %H:%M}" if finish else "nothing to finish",
    ]


def _row(name: str, counts: Counter[Any]) -> str:
    told = ", ".join(
        f"{word} {counts[word]}" for word in sorted(counts, key=lambda word: (-counts[word], word))
    )
    return f"{name}: {told or 'none'}"


def _spread(figures: Figures) -> list[str]:
    out = []
    for channel in sorted(figures.spread):
        hours = figures.spread[channel]
        most = max(hours.values())
        out.append(f"{channel} begun by hour of the day:")
        out += [
            f"  {hour:02}:00 {hours[hour]:7} {'█' * -(-_BAR * hours[hour] // most)}" for hour in sorted(hours)
        ]
    return out
