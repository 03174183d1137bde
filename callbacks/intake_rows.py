"""A row of a case file becomes a typed case, or faults that name line, field and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from callbacks.intake_files import RawRow
from callbacks.intake_times import read_time
from callbacks.numbers import NumberKind, is_emergency, kind_of, normalise
from callbacks.vocabulary import Exclusion, SourceChannel

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

REQUIRED = ("number", "source_channel", "category", "lead_unit", "accepted_at")
COLUMNS = (
    *REQUIRED,
    "platform",
    "enterprise",
    "sensitive",
    "complex",
    "assisting_units",
    "summary",
    "reply",
    "citizen_phone",
    "handler_phone",
    "assigned_at",
    "signed_at",
    "replied_at",
    "due_at",
    "closed_at",
    "closing_no",
    "exclusion",
    "status",
)
ALL = frozenset(COLUMNS)
_LIST = re.compile(r"[;；,，、\n]")
_TRUE = frozenset({"1", "true", "yes", "y", "是", "有"})
_FALSE = frozenset({"", "0", "false", "no", "n", "否", "无"})
_CHANNELS = {
    "电话": "phone",
    "110电话": "phone",
    "网站": "website",
    "网络": "website",
    "短信": "sms",
    "微博": "weibo",
    "来信来访": "visit",
}
_EXCLUSIONS = {
    "无法联系": "no_contact",
    "匿名": "anonymous",
    "涉法涉诉": "litigation",
    "信访": "petition",
    "重复": "duplicate",
    "撤回": "withdrawn",
    "恶意": "malicious_confirmed",
    "敏感": "sensitive",
    "测试": "test",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a row. `field` is the column, or `-` for the row as a whole."""

    line: int
    field: str
    fault: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field}: {self.fault}"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as a file tells it. Times are aware; `closed_at` is None for an open case.

    `given` are the columns that the file has: what it hasn't, it says nothing of. An empty cell says "none",
    but for an empty `status`.
    """

    line: int
    number: str
    source_channel: SourceChannel
    platform: str | None
    category: str
    enterprise: bool
    sensitive: bool
    complex: bool
    lead_unit: str
    assisting_units: tuple[str, ...]
    summary: str
    reply: str
    citizen_phones: tuple[str, ...]
    handler_phone: str | None
    accepted_at: datetime
    assigned_at: datetime | None
    signed_at: datetime | None
    replied_at: datetime | None
    due_at: datetime | None
    closed_at: datetime | None
    closing_no: int
    exclusion: Exclusion | None
    given: frozenset[str] = ALL

    @property
    def tells_state(self) -> bool:
        """Whether the row says that the case is open or closed."""
        return "closed_at" in self.given or "status" in self.given


@dataclass(frozen=True)
class Border:
    """What a row is checked against: the office, and its units by code and by name."""

    area_code: str
    timezone: str
    units: Mapping[str, str]  # code or name → code
    own_numbers: frozenset[str] = frozenset()


class _Reader:
    """Takes columns one by one and collects what is wrong, so that a row names all its faults at once."""

    def __init__(self, raw: RawRow, border: Border) -> None:
        self.values, self.line, self.border = raw.values, raw.line, border
        self.faults: list[Fault] = []

    def take(self, field: str, read: Callable[[str], T], default: T) -> T:
        text = self.values.get(field, "")
        if not text:
            if field in REQUIRED:
                self.wrong(field, "missing")
            return default
        try:
            return read(text)
        except ValueError as error:
            self.wrong(field, str(error))
            return default

    def wrong(self, field: str, fault: str) -> None:
        self.faults.append(Fault(self.line, field, fault))

    def text(self, field: str, longest: int) -> str:
        return self.take(field, lambda text: _bounded(text, longest), "")

    def flag(self, field: str) -> bool:
        return self.take(field, _flag, False)

    def when(self, field: str) -> datetime | None:
        return self.take(field, lambda text: read_time(text, self.border.timezone), None)

    def unit(self, text: str) -> str:
        if text not in self.border.units:
            raise ValueError(f"no unit has the code or name {text!r}")
        return self.border.units[text]

    def citizen_phones(self, text: str) -> tuple[str, ...]:
        """The numbers in their order. An entry without any digit (无, 不详) says that there is none."""
        return _each(text, self.citizen_phone, lambda part: any(sign.isdecimal() for sign in part))

    def citizen_phone(self, text: str) -> str:
        """The national form. What can't be called is kept: a person takes such a case (domain.md §5)."""
        number = normalise(_bounded(text, 32), self.border.area_code)
        if is_emergency(number) or number in self.border.own_numbers:
            raise ValueError(f"{text} is a number that is never called; leave it empty when there is none")
        return number


def parse_row(raw: RawRow, border: Border) -> CaseRow | list[Fault]:
    """The typed row, or all its faults."""
    if raw.fault is not None:
        return [Fault(raw.line, "-", raw.fault)]
    reader = _Reader(raw, border)
    if unknown := set(raw.values) - set(COLUMNS):
        reader.wrong(sorted(unknown)[0], f"no such column; there are {', '.join(COLUMNS)}")
    row = _read(reader)
    _check_order(reader, row)
    return reader.faults or row


def _read(reader: _Reader) -> CaseRow:
    epoch = datetime.fromtimestamp(0, ZoneInfo("UTC"))
    accepted_at = reader.when("accepted_at")
    status = reader.take("status", _status, "")
    closed_at = reader.when("closed_at")
    if status == "closed" and closed_at is None and not reader.values.get("closed_at"):
        reader.wrong("closed_at", "a closed case has the time of its closing")
    if status == "open" and closed_at is not None:
        reader.wrong("status", "open, but closed_at is given")
    return CaseRow(
        line=reader.line,
        number=reader.text("number", 64),
        source_channel=reader.take(
            "source_channel", lambda t: _word(SourceChannel, t, _CHANNELS), SourceChannel.PHONE
        ),
        platform=reader.text("platform", 80) or None,
        category=reader.text("category", 40),
        enterprise=reader.flag("enterprise"),
        sensitive=reader.flag("sensitive"),
        complex=reader.flag("complex"),
        lead_unit=reader.take("lead_unit", reader.unit, ""),
        assisting_units=reader.take("assisting_units", lambda t: _each(t, reader.unit), ()),
        summary=reader.text("summary", 4000),
        reply=reader.text("reply", 4000),
        citizen_phones=reader.take("citizen_phone", reader.citizen_phones, ()),
        handler_phone=reader.take("handler_phone", lambda t: _handler(t, reader.border.area_code), None),
        accepted_at=accepted_at or epoch,
        assigned_at=reader.when("assigned_at"),
        signed_at=reader.when("signed_at"),
        replied_at=reader.when("replied_at"),
        due_at=reader.when("due_at"),
        closed_at=closed_at,
        closing_no=reader.take("closing_no", _closing_no, 1 if closed_at else 0),
        exclusion=reader.take("exclusion", lambda t: _word(Exclusion, t, _EXCLUSIONS), None),
        given=frozenset(name for name in reader.values if name != "status" or status),
    )


def _check_order(reader: _Reader, row: CaseRow) -> None:
    """Nothing happens to a case before it is accepted."""
    for field in ("assigned_at", "signed_at", "replied_at", "due_at", "closed_at"):
        at: datetime | None = getattr(row, field)
        if at is not None and at < row.accepted_at:
            reader.wrong(field, f"{at:%Y-%m-%d %H:%M} is before accepted_at")


def _bounded(text: str, longest: int) -> str:
    if len(text) > longest:
        raise ValueError(f"{len(text)} characters; at most {longest}")
    return text


def _flag(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def _word(enum: type[E], text: str, chinese: Mapping[str, str]) -> E:
    try:
        return enum(chinese.get(text, text.lower()))
    except ValueError:
        raise ValueError(f"{text!r}; one of {', '.join(member.value for member in enum)}") from None


def _each(text: str, read: Callable[[str], str], wanted: Callable[[str], object] = bool) -> tuple[str, ...]:
    """A list by semicolons or commas, each once, in its order."""
    parts = [part.strip() for part in _LIST.split(text)]
    return tuple(dict.fromkeys(read(part) for part in parts if wanted(part)))


def _handler(text: str, area_code: str) -> str:
    number = normalise(text, area_code)
    if kind_of(number) is NumberKind.UNUSABLE:
        raise ValueError("no telephone number that can be texted or called")
    return number


def _closing_no(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 999:
        raise ValueError(f"{text!r}; a whole number from 1")
    return int(text)


def _status(text: str) -> str:
    word = {"已办结": "closed", "办结": "closed", "未办结": "open", "在办": "open"}.get(text, text.lower())
    if word not in ("open", "closed"):
        raise ValueError(f"{text!r}; open or closed")
    return word
