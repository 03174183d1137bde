"""What a policy would come to for the callbacks that are open now: hour by hour, to their end. Pure.

`callbacks.preflight_run` plays it, with the policy's own steps, gates and retries. What citizens do is
assumed, the same for the same callback, so that two policies can be compared; cases closed later aren't in
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from callbacks.gates import PauseRule
from callbacks.policy import PastCall, View
from callbacks.toll_settings import NO_LIMITS, TollSettings


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open callback that isn't with a person. `text_at`: when its question, queued already, may leave."""

    id: int
    view: View
    unit_id: int = 0
    category: str = ""
    sensitive: bool = False  # by the case itself; the category is the policy's to judge
    priority: int = 1
    text_at: datetime | None = None
    text_number: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is open at `at`. `history`: calls of 30 days by number; `asking`: open questions by number.

    `open_in_all` is more than `waiting` has where that is a sample. Of `toll` the night and the calls of a
    number are played; its sums aren't.
    """

    at: datetime
    waiting: Sequence[Waiting]
    history: Mapping[str, Sequence[PastCall]] = field(default_factory=dict)
    asking: Mapping[str, Mapping[int, datetime]] = field(default_factory=dict)
    pauses: Sequence[PauseRule] = ()
    suppressed: frozenset[str] = frozenset()
    toll: TollSettings = NO_LIMITS
    lines: int = 30
    sender_codes: int = 1
    open_in_all: int = 0
    with_person: int = 0

    @property
    def share(self) -> float:
        """The part of all that `waiting` is, 0 to 1."""
        played = len(self.waiting)
        return played / self.open_in_all if 0 < played < self.open_in_all else 1.0


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What isn't the policy's: shares (0 to 1) and how long things last."""

    calls_answered: float = 0.5
    texts_answered: float = 0.3
    answered_call: timedelta = timedelta(seconds=90)
    unanswered_call: timedelta = timedelta(seconds=40)
    text_answer_after: timedelta = timedelta(hours=4)


class Outcome(StrEnum):
    """How a callback leaves the machine's hands."""

    ANSWERED = "answered"
    EXCLUDED = "excluded"
    HANDED_OVER = "handed_over"
    UNREACHED = "unreached"  # asked, and nobody answered to the end
    UNASKED = "unasked"  # the deadline came before anything began


@dataclass(frozen=True, slots=True)
class Hour:
    """What begins in an hour, which starts at `at` (aware, the city's clock)."""

    at: datetime
    calls: int
    texts: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would come of it. Counts of a sample are scaled to all.

    `last_begun`: the last call or text; `ends`: when the last callback is out of the machine's hands.
    """

    hours: tuple[Hour, ...]
    outcomes: Mapping[Outcome, int]
    last_begun: datetime | None
    ends: datetime | None

    @property
    def calls(self) -> int:
        return sum(hour.calls for hour in self.hours)

    @property
    def texts(self) -> int:
        return sum(hour.texts for hour in self.hours)


@dataclass(frozen=True, slots=True)
class HourPair:
    """An hour under the policy that holds and under the one that is looked at."""

    at: datetime
    now: Hour
    then: Hour


@dataclass(frozen=True, slots=True)
class Comparison:
    """What would change: the forecast under the policy that holds (`now`) and under the other (`then`)."""

    at: datetime
    played: int
    open_in_all: int
    with_person: int
    lines: int
    assumed: Assumptions
    now: Forecast
    then: Forecast

    @property
    def is_sample(self) -> bool:
        return self.played < self.open_in_all

    @property
    def hours(self) -> list[HourPair]:
        """The hours in which something begins under either."""
        now, then = ({hour.at: hour for hour in each.hours} for each in (self.now, self.then))
        return [
            HourPair(at, now.get(at, Hour(at, 0, 0)), then.get(at, Hour(at, 0, 0)))
            for at in sorted({*now, *then})
        ]
