"""Reads a carrier's file of calls: CSV, xlsx or JSON lines, whatever its columns are called.

A line that can't be read is a fault with its line and column; the others are read all the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from callbacks.cdr import MONEY, Direction
from callbacks.cdr_reconcile import Theirs
from callbacks.intake_files import RawRow, UnreadableFile, read_rows
from callbacks.intake_times import read_time
from callbacks.models_carried import LONGEST_CALL_ID
from callbacks.numbers import normalise
from callbacks.settings import Section, TimeZone

T = TypeVar("T")
Column = Literal["caller", "called", "started", "ended", "seconds", "cost", "call_id"]

# What carriers write over their columns.
_WRITTEN: Mapping[Column, str] = {
    "caller": "主叫 主叫号码 计费号码 主叫用户 calling caller_number from",
    "called": "被叫 被叫号码 对方号码 被叫用户 callee called_number to",
    "started": "开始时间 起始时间 通话开始时间 呼叫时间 呼叫开始时间 start start_time",
    "ended": "结束时间 通话结束时间 挂断时间 end end_time",
    "seconds": "通话时长 通话时长(秒) 通话时长（秒） 时长 时长(秒) 时长（秒） duration billsec",
    "cost": "费用 费用(元) 费用（元） 通话费 话费 金额 金额(元) 金额（元） fee",
    "call_id": "呼叫标识 会话标识 Call-ID call-id CallID callid sip_call_id",
}
HEADINGS: Mapping[str, str] = {
    heading: name for name, headings in _WRITTEN.items() for heading in headings.split()
}
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)  # 20261123093005
_CLOCK = re.compile(r"(?:(\d{1,6})[:：])?(\d{1,6})[:：](\d{1,6})", re.ASCII)  # 1:02:03, 2:03
_WORDS = re.compile(
    r"(?:(\d{1,6})(?:小时|时))?(?:(\d{1,6})(?:分钟|分))?(?:(\d{1,6})秒?)?", re.ASCII
)  # 1小时2分3秒, 2分钟
_MONEY = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,20})?|[+-]?\.\d{1,20}", re.ASCII)
_PLAIN = re.compile(r"(\d{1,9}(?:\.\d+)?)\s*(?:秒|s)?", re.ASCII)


class CarrierFormat(Section):
    """A carrier's way of writing, from `--columns FILE.toml`."""

    columns: dict[str, Column] = Field({}, description="what stands over a column = what it is here")
    starts_at: Literal["invite", "answer"] = Field(
        "invite", description="answer: their start is the talk's, not the call's"
    )
    answered_only: bool = Field(False, description="whether calls that nobody took are left out")
    duration: Literal["seconds", "minutes"] = Field(
        "seconds", description="of a length that is a mere number"
    )
    increment: int | None = Field(None, ge=1, le=3600, description="seconds that are billed as begun: 60, 6")
    timezone: TimeZone | None = Field(None, description="of their times; none is the office's")
    rounded: bool = Field(
        False,
        description="whether their lengths are rounded up to whole increments; those in minutes always are",
    )
    clock_ahead: float = Field(
        0.0, ge=-86_400, le=86_400, description="seconds by which their starts come after ours"
    )

    def rounded_to(self, increment: int) -> int | None:
        """What their lengths are rounded up to; None: they aren't."""
        if self.duration == "minutes":
            return self.increment or 60
        return increment if self.rounded else None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong on a line; without a column where the line itself can't be read."""

    line: int
    column: str | None
    text: str

    def __str__(self) -> str:
        return f"line {self.line}" + (f", {self.column}: " if self.column else ": ") + self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file of one trunk is read: whose number is the citizen's, and what a bare one's area is."""

    form: CarrierFormat
    direction: Direction
    area_code: str
    timezone: str

    @property
    def number(self) -> str:
        return "called" if self.direction is Direction.OUT else "caller"


class _Bad(ValueError):
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


def read_format(path: Path) -> CarrierFormat:
    """The format of a TOML file; UnreadableFile names what is wrong in it."""
    try:
        return CarrierFormat.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise UnreadableFile(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (ValueError, OSError) as error:
        raise UnreadableFile(f"{path}: {error}") from None


def read_carrier(path: Path, reading: Reading) -> Iterator[Theirs | Fault]:
    """Each line with something on it as a record, or as what is wrong with it.

    UnreadableFile where the file isn't one, or lacks a column that is needed.
    """
    rows = read_rows(path, {**HEADINGS, **reading.form.columns}, "a carrier's file")
    for row in rows:
        if row.fault is None and (lacking := _lacking(row, reading)):
            raise UnreadableFile(
                f"{path}: no column is {lacking}; name it in a file for --columns, as [columns] "
                f'"their heading" = "{lacking}"; there is {", ".join(row.values)}'
            )
        yield _read(row, reading)


def _lacking(row: RawRow, reading: Reading) -> str | None:
    found = row.values.keys()
    lacking = [name for name in (reading.number, "started") if name not in found]
    return next(iter(lacking), None if {"seconds", "ended"} & found else "seconds")


def _read(row: RawRow, reading: Reading) -> Theirs | Fault:
    if row.fault is not None:
        return Fault(row.line, None, row.fault)
    try:
        started = _of(row, "started", lambda text: _time(text, reading))
        return Theirs(
            line=row.line,
            number=_of(row, reading.number, lambda text: _number(text, reading)),
            started=started,
            seconds=_seconds(row, started, reading),
            sip_call_id=row.values.get("call_id", "")[:LONGEST_CALL_ID] or None,
            cost=_of(row, "cost", _cost) if row.values.get("cost") else None,
        )
    except _Bad as bad:
        return Fault(row.line, bad.column, str(bad))


def _of(row: RawRow, column: str, read: Callable[[str], T]) -> T:
    text = row.values.get(column, "")
    if not text:
        raise _Bad(column, "empty")
    try:
        return read(text)
    except ValueError as error:
        raise _Bad(column, str(error)) from None


def _number(text: str, reading: Reading) -> str:
    found = normalise(text, reading.area_code)
    if not (found.isascii() and found.lstrip("+").isdigit()):
        raise ValueError(f"{text!r} is no number")
    return found


def _time(text: str, reading: Reading) -> datetime:
    timezone = reading.form.timezone or reading.timezone
    if compact := _COMPACT.fullmatch(text):
        text = "{}-{}-{} {}:{}:{}".format(*compact.groups())
    return read_time(text, timezone) - timedelta(seconds=reading.form.clock_ahead)


def _seconds(row: RawRow, started: datetime, reading: Reading) -> int:
    """Their length; where they tell none, from the start to the end."""
    if row.values.get("seconds"):
        return _of(row, "seconds", lambda text: _length(text, reading.form.duration == "minutes"))
    ended = _of(row, "ended", lambda text: _time(text, reading))
    seconds = round((ended - started).total_seconds())
    if seconds < 0:
        raise _Bad("ended", "before the start")
    return seconds


def _length(text: str, is_minutes: bool) -> int:
    clock = _CLOCK.fullmatch(text) or (None if text.isascii() else _WORDS.fullmatch(text))
    if clock:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return 3600 * hours + 60 * minutes + seconds
    if plain := _PLAIN.fullmatch(text):
        return round(Decimal(plain[1]) * (60 if is_minutes else 1))
    raise ValueError(f"{text!r} is no length; write 65 or 1:05")


def _cost(text: str) -> int:
    amount = text.strip("¥￥元 ").replace(",", "")
    if not _MONEY.fullmatch(amount):
        raise ValueError(f"{text[:40]!r} is no amount of money")
    return round(Decimal(amount) * MONEY)
