"""The cases that a simulated city closes: when, of whom, with which numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from callbacks.intake_rows import CaseRow
from callbacks.vocabulary import Exclusion, SourceChannel

_CATEGORIES = ("water", "power", "heating", "roads", "noise", "property", "traffic", "other")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated: `cases` closed over `days` from `start` (local midnight, aware)."""

    cases: int
    days: int
    seed: int
    start: datetime
    lines: int = 30
    texts_per_second: float = 20.0
    agents: int = 10
    shard: int = 0
    shards: int = 1


def closings(plan: Plan, units: Sequence[str]) -> Iterator[tuple[datetime, CaseRow]]:
    """The closings of this shard in the order of their times."""
    random = Random(f"{plan.seed}:closings:{plan.shard}")
    numbers = range(plan.shard, plan.cases, plan.shards)
    times = sorted((_closed_at(plan, random), number) for number in numbers)
    people = _People(random, plan)
    for at, number in times:
        yield at, _row(number, at, units, people, random)


def _closed_at(plan: Plan, random: Random) -> datetime:
    """Mostly in office hours; a tenth at any time."""
    day = timedelta(days=random.randrange(plan.days))
    hour = random.uniform(0, 24) if random.random() < 0.1 else random.triangular(8, 18, 11)
    return plan.start + day + timedelta(seconds=int(hour * 3600))


class _People:
    """Gives out numbers; some citizens report more than once."""

    def __init__(self, random: Random, plan: Plan) -> None:
        self._random, self._next, self._step = random, plan.shard, plan.shards
        self._known: list[str] = []

    def number(self) -> str:
        if self._known and self._random.random() < 0.1:
            return self._random.choice(self._known)
        serial, self._next = self._next, self._next + self._step
        number = _mobile(serial) if self._random.random() < 0.85 else _landline(serial)
        self._known.append(number)
        return number


def _mobile(serial: int) -> str:
    prefix = ("138", "139", "158", "187", "135", "136", "150", "151", "177", "199")[serial // 10_000 % 10]
    return f"{prefix}{serial // 100_000 % 10}379{serial % 10_000:04}"


def _landline(serial: int) -> str:
    return f"0379{6 + serial // 1_000_000 % 3}{serial % 1_000_000:07}"[:12]


def _row(number: int, at: datetime, units: Sequence[str], people: _People, random: Random) -> CaseRow:
    phones = [people.number()]
    if random.random() < 0.08:
        phones.append(people.number())
    platform = None
    if random.random() < 0.06:
        phones, platform = [], "论坛" if random.random() < 0.7 else None
    accepted = at - timedelta(hours=random.uniform(5, 200))
    return CaseRow(
        line=number + 1,
        number=f"S{number:07}",
        source_channel=SourceChannel.WEBSITE if platform else random.choice(tuple(SourceChannel)),
        platform=platform,
        category=random.choice(_CATEGORIES),
        enterprise=random.random() < 0.08,
        sensitive=random.random() < 0.01,
        complex=False,
        lead_unit=units[min(int(random.expovariate(4 / len(units))), len(units) - 1)],
        assisting_units=(),
        summary="",
        reply="",
        citizen_phones=tuple(dict.fromkeys(phones)),
        handler_phone=None,
        accepted_at=accepted,
        assigned_at=accepted,
        signed_at=accepted + timedelta(hours=2),
        replied_at=None,
        due_at=accepted + timedelta(days=7),
        closed_at=at,
        closing_no=1,
        exclusion=Exclusion.LITIGATION if random.random() < 0.02 else None,
    )
