"""A carrier's file, whatever it calls its columns: each line is read, or named with what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from callbacks.carrier_file import CarrierFormat, Fault, Reading, read_carrier, read_format
from callbacks.cdr import Direction
from callbacks.cdr_reconcile import Theirs
from callbacks.intake_files import UnreadableFile

READING = Reading(CarrierFormat(), Direction.OUT, "0379", "Asia/Shanghai")
HEAD = "主叫,被叫,开始时间,结束时间,通话时长,费用,Call-ID\n"
NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)


def read(
    tmp_path: Path, text: str, reading: Reading = READING, encoding: str = "utf-8"
) -> list[Theirs | Fault]:
    file = tmp_path / "bill.csv"
    file.write_bytes(text.encode(encoding))
    return list(read_carrier(file, reading))


LINES = [
    # a line, what is read of it: number, seconds, cost, Call-ID
    ("1,13803790001,2026-11-23 12:00:00,,61,0.12,a@b", ("13803790001", 61, 1200, "a@b")),
    ("1,013803790001,2026/11/23 12:00:00,,1:01,0.12元,", ("13803790001", 61, 1200, None)),  # out of area
    ("1,+86 379-6311 0001,20261123120000,,0:01:01,￥0.12,", ("037963110001", 61, 1200, None)),
    ("1,63110001,2026-11-23T04:00:00Z,,1时1分1秒,,", ("037963110001", 3661, None, None)),
    ("1,8001,2026-11-23 12:00:00,2026-11-23 12:01:01,,0,", ("8001", 61, 0, None)),  # from the end
    ('1,8001,2026-11-23 12:00:00,,1小时2分钟,"1,200.50",', ("8001", 3720, 12_005_000, None)),
    ("1,8001,2026-11-23 12:00:00,,2分钟,.5,", ("8001", 120, 5000, None)),
    ("1,8001,2026-11-23 12:00:00,,61.4 s,-0.5,", ("8001", 61, -5000, None)),  # money that comes back
]


@pytest.mark.parametrize(("line", "told"), LINES)
def test_what_is_read(tmp_path: Path, line: str, told: tuple[object, ...]) -> None:
    [found] = read(tmp_path, HEAD + line + "\n")
    assert isinstance(found, Theirs) and found.line == 2 and found.started == NOON
    assert (found.number, found.seconds, found.cost, found.sip_call_id) == told


WRONG = [
    # a line that can't be read, and what is said of it
    ("1,,2026-11-23 12:00:00,,61,,", "line 2, called: empty"),
    ("1,nobody,2026-11-23 12:00:00,,61,,", "line 2, called: 'nobody' is no number"),
    ("1,8001,2026-11-23,,61,,", "line 2, started: '2026-11-23' has no time of day"),
    (
        "1,8001,20261123126000,,61,,",
        "line 2, started: '2026-11-23 12:60:00' is no time; write 2026-11-20 09:30",
    ),
    ("1,8001,2026-11-23 12:00:00,,long,,", "line 2, seconds: 'long' is no length; write 65 or 1:05"),
    ("1,8001,2026-11-23 12:00:00,,,,", "line 2, ended: empty"),
    ("1,8001,2026-11-23 12:00:00,2026-11-23 11:00:00,,,", "line 2, ended: before the start"),
    ("1,8001,2026-11-23 12:00:00,,61,free,", "line 2, cost: 'free' is no amount of money"),
    ("1,8001,2026-11-23 12:00:00,,61,NaN,", "line 2, cost: 'NaN' is no amount of money"),
    (f"1,8001,2026-11-23 12:00:00,,{'9' * 40},,", "line 2, seconds: '999999"),
    (f"1,8001,2026-11-23 12:00:00,,61,{'9' * 5000},", "line 2, cost: '999999"),
    ("1,8001,2026-11-23 12:00:00,,61,1e400,", "line 2, cost: '1e400' is no amount of money"),
    ("1,8001", "line 2: 2 columns, the heading has 7"),
    ('1,"80"01,2026-11-23 12:00:00,,61,,', "line 2: not CSV"),
]


@pytest.mark.parametrize(("line", "said"), WRONG)
def test_what_is_wrong_is_named_and_the_others_are_read(tmp_path: Path, line: str, said: str) -> None:
    found = read(tmp_path, f"{HEAD}{line}\n1,8001,2026-11-23 12:00:00,,61,,\n", encoding="gb18030")
    assert str(found[0]).startswith(said)
    assert isinstance(found[1], Theirs) and found[1].line == 3 and len(found) == 2


def test_a_bill_of_an_old_office_is_read(tmp_path: Path) -> None:
    """GB18030, and the one Chinese character of its lines is right in UTF-8 too: the heading tells."""
    lines = "1,8001,2026-11-23 12:00:00,,61,0.12元,\n" * 9
    found = read(tmp_path, HEAD + lines, encoding="gb18030")
    assert [each.cost for each in found if isinstance(each, Theirs)] == [1200] * 9


def test_a_clock_that_goes_wrong_is_set_right(tmp_path: Path) -> None:
    form = CarrierFormat(clock_ahead=7.5)
    [found] = read(
        tmp_path,
        HEAD + "1,8001,2026-11-23 12:00:07.5,2026-11-23 12:01:08.5,,,\n",
        Reading(form, Direction.OUT, "0379", "Asia/Shanghai"),
    )
    assert isinstance(found, Theirs) and (found.started, found.seconds) == (NOON, 61)


ROUNDED = [
    ({}, None),
    ({"rounded": True}, 60),  # as ours are billed
    ({"duration": "minutes"}, 60),
    ({"duration": "minutes", "increment": 6}, 6),  # tenths of minutes
]


@pytest.mark.parametrize(("form", "to"), ROUNDED)
def test_what_their_lengths_are_rounded_to(form: dict[str, object], to: int | None) -> None:
    read = CarrierFormat.model_validate(form)
    assert read.rounded_to(read.increment or 60) == to


def test_who_called_us_is_the_caller(tmp_path: Path) -> None:
    reading = Reading(CarrierFormat(), Direction.IN, "0379", "Asia/Shanghai")
    [found] = read(tmp_path, HEAD + "13803790001,110,2026-11-23 12:00:00,,61,,\n", reading)
    assert isinstance(found, Theirs) and found.number == "13803790001"


FORMS = [
    # the file, the format, what is said
    ("a,b\n1,2\n", "", 'no column is called; name it in a file for --columns, as [columns] "their heading"'),
    ("被叫,开始时间\n8001,2026-11-23 12:00:00\n", "", "no column is seconds"),
    (HEAD, "[columns]\n'被叫' = 'whom'\n", "form.toml: columns.被叫"),
    (HEAD, "colums = {}", "form.toml: colums"),
    (HEAD, "timezone = 'Asia/Luoyang'", "form.toml: timezone: Value error, 'Asia/Luoyang' is no time zone"),
    (HEAD, "= 3", "form.toml: "),
    ("callee,their own,start,duration\n", "[columns]\n'their own' = 'called'\n", "called has two columns"),
]


@pytest.mark.parametrize(("text", "form", "said"), FORMS)
def test_what_cant_be_a_carriers_file(tmp_path: Path, text: str, form: str, said: str) -> None:
    columns = tmp_path / "form.toml"
    columns.write_text(form)
    with pytest.raises(UnreadableFile) as refused:
        read(tmp_path, text, Reading(read_format(columns), Direction.OUT, "0379", "Asia/Shanghai"))
    assert said in str(refused.value)
