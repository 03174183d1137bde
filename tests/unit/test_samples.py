"""The sample city: 119 units in two groups, 200 closed cases that a real office could have."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from callbacks.intake_files import read_rows
from callbacks.intake_rows import Border, CaseRow, parse_row
from callbacks.numbers import NumberKind, kind_of
from callbacks.vocabulary import SourceChannel
from prompts.catalogue import load_catalogue

SAMPLES = Path(__file__).parent.parent.parent / "callbacks/samples"
UNITS = [row.values for row in read_rows(SAMPLES / "units.csv")]
BORDER = Border("0379", "Asia/Shanghai", {unit["code"]: unit["code"] for unit in UNITS})


def cases() -> list[CaseRow]:
    rows = [parse_row(raw, BORDER) for raw in read_rows(SAMPLES / "cases.csv")]
    assert all(isinstance(row, CaseRow) for row in rows), [row for row in rows if isinstance(row, list)]
    return rows  # type: ignore[return-value]


def test_119_units_in_two_groups() -> None:
    assert len(UNITS) == len({unit["name"] for unit in UNITS}) == 119
    groups = Counter(unit["group"] for unit in UNITS)
    assert groups["county"] > 15 and groups["dept"] > 80
    codes = {unit["code"] for unit in UNITS}
    assert {unit["parent"] for unit in UNITS} <= {"", *codes}


def test_200_closed_cases_in_five_channels() -> None:
    rows = cases()
    assert len(rows) == len({row.number for row in rows}) == 200
    assert {row.source_channel for row in rows} == set(SourceChannel)
    assert all(row.closed_at is not None for row in rows)
    assert len({row.summary for row in rows}) > 190
    assert {row.category for row in rows} <= set(load_catalogue().categories)
    assert len({row.lead_unit for row in rows}) > 90


def test_the_first_sixty_show_every_citizen() -> None:
    """The simulated city goes by the last digit on the telephone and by the last but one in texts."""
    numbers = [number for row in cases()[:60] for number in row.citizen_phones]
    assert {number[-1] for number in numbers} == set("0123456789")
    mobiles = [number for number in numbers if kind_of(number) is NumberKind.MOBILE]
    assert {number[-2] for number in mobiles} == set("0123456789")
    assert any(kind_of(number) is NumberKind.LANDLINE for number in numbers)


def test_the_hard_ones_are_there() -> None:
    rows = cases()
    assert any(not row.citizen_phones and row.platform for row in rows)  # only the web
    assert any(not row.citizen_phones and not row.platform for row in rows)  # nobody to ask
    assert any(row.exclusion for row in rows)
    assert any(row.sensitive for row in rows)
    assert any(row.enterprise for row in rows)
    assert any(kind_of(n) is NumberKind.UNUSABLE for row in rows for n in row.citizen_phones)
    several = Counter(number for row in rows for number in row.citizen_phones)
    assert sum(count > 1 for count in several.values()) >= 5  # citizens with several cases
