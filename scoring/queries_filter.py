"""The desk's one Filter: parsed from the query string, it feeds page, counts, links and export. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from callbacks.days import MONTH
from callbacks.states import State
from callbacks.vocabulary import Role, UnitGroup
from scoring.decisions import AdjustmentKind, Decision

_YEAR = re.compile(r"[12]\d{3}")
_CURSOR = re.compile(r"([ab])(\d{1,17})-(\d{1,18})")  # till the year 5138
_ROUND = re.compile(r"[1-9]")
_YES = re.compile(r"1")
_INDEX = re.compile(r"[0-9a-f]{32}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_LENGTH = 80

_Word = TypeVar("_Word", bound=StrEnum)


class BadFilter(ValueError):
    """A value of the query string that no page could have written; `field` and `value` say which."""

    def __init__(self, field: str, value: str) -> None:
        super().__init__(f"{field}={value[:_TEXT_LENGTH]}")
        self.field = field
        self.value = value[:_TEXT_LENGTH]


class Age(StrEnum):
    """How long an item has been open."""

    UNDER_1D = "d1"
    UNDER_3D = "d3"
    UNDER_7D = "d7"
    OVER_7D = "over"

    def opened_between(self, now: datetime) -> tuple[datetime | None, datetime]:
        """(after, up to): what was opened then has this age at `now`."""
        low, high = _DAYS[self]
        after = None if high is None else now - timedelta(days=high)
        return after, now - timedelta(days=low)


# From (inclusive) and to (exclusive), in days.
_DAYS: dict[Age, tuple[int, int | None]] = {
    Age.UNDER_1D: (0, 1),
    Age.UNDER_3D: (1, 3),
    Age.UNDER_7D: (3, 7),
    Age.OVER_7D: (7, None),
}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list ordered by (time, id); `back` reads towards the list's start."""

    at: datetime
    id: int
    back: bool = False


class Sort(StrEnum):
    OLDEST = "oldest"
    NEWEST = "newest"
    CLOCK = "clock"  # the dissatisfaction list's: what runs out first is first


class Stage(StrEnum):
    """The parts of the dissatisfaction list; without one, all that is open."""

    OFFICE = "office"  # waits for the office
    UNIT = "unit"
    SECOND = "second"  # waits for the citizen's second answer
    HARD = "hard"
    ENDED = "ended"
    ALL = "all"


class Tab(StrEnum):
    """The parts of the agents' queue; without one, all that may be done now."""

    COME = "come"  # the time that was agreed on is here
    AGREED = "agreed"  # it's still to come
    MINE = "mine"


class Part(StrEnum):
    """The parts of a score, whose lines a unit's page shows."""

    SATISFACTION = "s"
    RESOLUTION = "res"
    ON_TIME = "t"
    SIGNED = "a"
    RECTIFIED = "q"
    POINTS = "points"  # deductions and bonus
    COVERAGE = "coverage"  # what the published rates are made of


class Only(StrEnum):
    """What a count leads to that no other part of the filter says."""

    RUNNING_OUT = "running_out"  # open, and due within SOON
    RATED_TODAY = "rated_today"
    DONE = "done"  # the ledger's parts that are several states
    OPEN = "open"
    NO_NUMBER = "no_number"
    UNDER_WAY = "under_way"  # of cases: not closed yet


SOON = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; empty fields don't. `phone` is a number's keyed index, never a number."""

    group: UnitGroup | None = None
    unit: str = ""
    category: str = ""
    age: Age | None = None
    state: State | None = None
    round: int | None = None
    only: Only | None = None
    item: str = ""
    month: str = ""
    year: str = ""
    part: Part | None = None
    q: str = ""
    phone: str = ""
    late: bool = False
    tab: Tab | None = None
    standing: Decision | None = None
    deed: AdjustmentKind | None = None
    stage: Stage | None = None
    overdue: bool = False
    supervisor: str = ""
    actor: str = ""
    action: str = ""
    subject: str = ""
    day: str = ""
    role: Role | None = None
    sort: Sort | None = None
    page: Cursor | None = None

    def query(self, **changes: object) -> dict[str, str]:
        """The query string of this filter with `changes`; a change of what's narrowed begins at page one."""
        changed = replace(self, **({"page": None} | changes))  # type: ignore[arg-type]
        written = {field.name: _write(getattr(changed, field.name)) for field in fields(changed)}
        return {name: value for name, value in written.items() if value}

    @property
    def narrows(self) -> bool:
        return bool(self.query(sort=None))


def parse(args: Mapping[str, str]) -> Filter:
    """The filter that a query string says; BadFilter where a value makes no sense."""
    return Filter(
        group=_word(UnitGroup, "group", args),
        unit=_text("unit", args),
        category=_text("category", args),
        age=_word(Age, "age", args),
        state=_word(State, "state", args),
        round=int(_matched(_ROUND, "round", args) or 0) or None,
        only=_word(Only, "only", args),
        item=_text("item", args),
        month=_matched(MONTH, "month", args),
        year=_matched(_YEAR, "year", args),
        part=_word(Part, "part", args),
        q=_text("q", args),
        phone=_matched(_INDEX, "phone", args),
        late=bool(_matched(_YES, "late", args)),
        tab=_word(Tab, "tab", args),
        standing=_word(Decision, "standing", args),
        deed=_word(AdjustmentKind, "deed", args),
        stage=_word(Stage, "stage", args),
        overdue=bool(_matched(_YES, "overdue", args)),
        supervisor=_text("supervisor", args),
        actor=_text("actor", args),
        action=_text("action", args),
        subject=_text("subject", args),
        day=_text("day", args),
        role=_word(Role, "role", args),
        sort=_word(Sort, "sort", args),
        page=_cursor(args),
    )


def _write(value: object) -> str:
    if isinstance(value, Cursor):
        micros = (value.at - _EPOCH) // timedelta(microseconds=1)
        return f"{'b' if value.back else 'a'}{micros}-{value.id}"
    if isinstance(value, bool):
        return "1" if value else ""
    return "" if value is None else str(value)


def _word(enum: type[_Word], name: str, args: Mapping[str, str]) -> _Word | None:
    value = args.get(name, "").strip()
    if not value:
        return None
    try:
        return enum(value)
    except ValueError:
        raise BadFilter(name, value) from None


def _text(name: str, args: Mapping[str, str]) -> str:
    value = args.get(name, "").strip()
    if len(value) > _TEXT_LENGTH or not (value.isprintable() or not value):
        raise BadFilter(name, value)
    return value


def _matched(pattern: re.Pattern[str], name: str, args: Mapping[str, str]) -> str:
    value = args.get(name, "").strip()
    if value and not pattern.fullmatch(value):
        raise BadFilter(name, value)
    return value


def _cursor(args: Mapping[str, str]) -> Cursor | None:
    value = args.get("page", "")
    if not value:
        return None
    match = _CURSOR.fullmatch(value)
    if match is None:
        raise BadFilter("page", value)
    direction, micros, row = match.groups()
    return Cursor(_EPOCH + timedelta(microseconds=int(micros)), int(row), back=direction == "b")
