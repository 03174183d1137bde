"""Case files: read in every form, each fault named, stored once, closed and opened again."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from callbacks.intake import Report, import_cases
from callbacks.intake_files import HEADINGS, UnreadableFile
from callbacks.ledger import read_ledger
from callbacks.models import Callback, Case, CaseNode, CasePhone, Closing, Unit
from callbacks.states import State
from callbacks.units import import_units
from tests.integration.office import NOON, Desk, make_desk

SAMPLES = Path(__file__).parent.parent.parent / "callbacks/samples"
ROW = {
    "number": "SL0001",
    "source_channel": "phone",
    "category": "water",
    "lead_unit": "u1",
    "accepted_at": "2026-11-10 09:00",
    "assigned_at": "2026-11-10 09:30",
    "signed_at": "2026-11-10 11:00",
    "closed_at": "2026-11-13 16:00",
    "due_at": "2026-11-17 09:00",
    "citizen_phone": "13803790001;0379-63110002",
    "summary": "停水五天，没人管",
    "reply": "已修复",
    "closing_no": "1",
    "status": "closed",
}
OPEN = {**ROW, "closed_at": "", "closing_no": "", "status": "open", "reply": ""}


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    with sessions.begin() as session:
        desk._unit(session)
    return desk


def write(path: Path, *rows: dict[str, str], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows(rows)
    return path


def take(desk: Desk, path: Path, **options: bool) -> Report:
    return import_cases(desk.ctx, path, NOON, **options)


def as_xlsx(path: Path) -> Path:
    book = Workbook()
    book.active.append(list(ROW))
    book.active.append(list(ROW.values()))
    book.save(path)
    return path


def as_jsonl(path: Path) -> Path:
    path.write_text(
        json.dumps({**ROW, "citizen_phone": ["13803790001", "0379-63110002"]}, ensure_ascii=False)
    )
    return path


def in_chinese(path: Path) -> Path:
    chinese = {field: heading for heading, field in HEADINGS.items()}
    head = ",".join(chinese[field] for field in ROW)
    path.write_text(f"{head}\n{','.join(ROW.values())}\n")
    return path


FORMS = {
    "utf-8": lambda folder: write(folder / "a.csv", ROW),
    "bom": lambda folder: write(folder / "a.csv", ROW, encoding="utf-8-sig"),
    "gb18030": lambda folder: write(folder / "a.csv", ROW, encoding="gb18030"),
    "xlsx": lambda folder: as_xlsx(folder / "a.xlsx"),
    "jsonl": lambda folder: as_jsonl(folder / "a.jsonl"),
    "chinese headings": lambda folder: in_chinese(folder / "a.csv"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_case_in_every_form(desk: Desk, tmp_path: Path, form: str) -> None:
    report = take(desk, FORMS[form](tmp_path))
    assert (report.faults, report.done) == ([], Counter(created=1))
    with desk.session() as session:
        case = session.scalars(select(Case)).one()
        assert (case.number, case.summary, case.closing_no) == ("SL0001", "停水五天，没人管", 1)
        assert (
            f"{case.accepted_at:%Y-%m-%d %H:%M}" == "2026-11-10 01:00"
        )  # a time without a zone is the office's
        phones = [desk.ctx.privacy.decrypt(phone.number_encrypted) for phone in case.phones]
        assert phones == ["13803790001", "037963110002"]
        nodes = session.execute(select(CaseNode.kind, CaseNode.by).order_by(CaseNode.at)).all()
        assert [(kind.value, by) for kind, by in nodes] == [
            ("assign", "联动办"),
            ("sign", "市供水集团"),
            ("close", "市供水集团"),
        ]


WRONG = [
    # field, what stands in it, how the fault is told
    ("accepted_at", "2026-02-30 09:00", "'2026-02-30 09:00' is no time; write 2026-11-20 09:30"),
    ("accepted_at", "2026-11-10", "has no time of day"),
    ("accepted_at", "", "missing"),
    ("citizen_phone", "110", "110 is a number that is never called"),
    ("citizen_phone", "13803790001;95110", "95110 is a number that is never called"),
    ("lead_unit", "u9", "no unit has the code or name 'u9'"),
    ("source_channel", "fax", "'fax'; one of phone, website, sms, weibo, visit"),
    ("closed_at", "2026-11-09 09:00", "2026-11-09 09:00 is before accepted_at"),
    ("closed_at", "", "a closed case has the time of its closing"),
    ("closing_no", "0", "a whole number from 1"),
    ("number", "x" * 65, "65 characters; at most 64"),
    ("status", "half", "open or closed"),
]


@pytest.mark.parametrize(("field", "value", "told"), WRONG)
def test_a_bad_row_is_named_and_the_good_ones_go_in(
    desk: Desk, tmp_path: Path, field: str, value: str, told: str
) -> None:
    bad = {**ROW, "number": "SL0002", field: value}
    report = take(desk, write(tmp_path / "a.csv", ROW, bad))
    assert report.done == Counter(created=1)
    [fault] = report.faults
    assert (fault.line, fault.field) == (3, field)
    assert told in fault.fault


def test_strict_refuses_all_and_dry_run_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROW, {**ROW, "number": "SL0002", "lead_unit": "u9"})
    assert take(desk, path, strict=True).done == Counter()
    assert take(desk, path, dry_run=True).done == Counter(created=1)
    with desk.session() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 0


def test_a_repeated_row_is_left_out_and_named_when_it_differs(desk: Desk, tmp_path: Path) -> None:
    report = take(desk, write(tmp_path / "a.csv", ROW, ROW, {**ROW, "reply": "别的"}))
    assert report.done == Counter(created=1, unchanged=1)
    assert str(report.faults[0]) == "line 4: number: SL0001 closing 1 stands in line 2 with other contents"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"x", "a case file is .csv, .xlsx or .jsonl"),
        ("a.csv", b"", "empty"),
        ("a.csv", b"number\n\xff\xff\xff", "neither UTF-8 nor GB18030"),
        ("a.xlsx", b"x", "not an xlsx workbook"),
    ],
)
def test_an_unreadable_file_is_named(
    desk: Desk, tmp_path: Path, name: str, content: bytes, told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=told):
        take(desk, path)


def test_a_broken_line_is_a_fault_and_not_an_end(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{{broken\n[1]\n{json.dumps(ROW)}\n")
    report = take(desk, path)
    assert [fault.line for fault in report.faults] == [1, 2]
    assert report.done == Counter(created=1)


def states(desk: Desk) -> list[tuple[int, State]]:
    with desk.session() as session:
        assert read_ledger(session).balanced
        rows = session.execute(select(Callback.closing_no, Callback.state).order_by(Callback.id)).all()
        return [(number, state) for number, state in rows]


def test_a_case_from_open_to_closed_to_reopened_to_closed_again(desk: Desk, tmp_path: Path) -> None:
    assert take(desk, write(tmp_path / "1.csv", OPEN)).done == Counter(created=1)
    assert states(desk) == []
    assert take(desk, write(tmp_path / "2.csv", ROW)).done == Counter(closed=1)
    assert take(desk, write(tmp_path / "2.csv", ROW)).done == Counter(unchanged=1)
    assert states(desk) == [(1, State.PENDING)]
    assert take(desk, write(tmp_path / "3.csv", OPEN)).done == Counter(reopened=1)
    assert states(desk) == [(1, State.CANCELLED)]
    again = {**ROW, "closing_no": "2", "closed_at": "2026-11-20 10:00"}
    assert take(desk, write(tmp_path / "4.csv", again)).done == Counter(closed=1)
    assert states(desk) == [(1, State.CANCELLED), (2, State.PENDING)]
    with desk.session() as session:
        assert session.scalar(select(func.count()).select_from(Closing)) == 2


def test_the_samples_go_in_twice_and_no_number_is_stored_in_clear(sessions, privacy, engine) -> None:
    desk = make_desk(sessions, privacy)
    units, faults = import_units(desk.ctx, SAMPLES / "units.csv", NOON)
    assert (units, faults) == (119, [])
    first = take(desk, SAMPLES / "cases.csv")
    assert (first.faults, first.done) == ([], Counter(created=200))
    assert take(desk, SAMPLES / "cases.csv").done == Counter(unchanged=200)
    with desk.session() as session:
        ledger = read_ledger(session)
        numbers = [desk.ctx.privacy.decrypt(e) for e in session.scalars(select(CasePhone.number_encrypted))]
        masked = set(session.scalars(select(CasePhone.number_masked)))
    assert ledger.balanced and ledger.total("closed") == 200
    assert not set(numbers) & masked
    if engine.dialect.name == "sqlite":
        stored = b"".join(path.read_bytes() for path in Path(engine.url.database).parent.glob("huifang.db*"))
        assert not [number for number in numbers if len(number) > 7 and number.encode() in stored]


def test_wrong_units_change_nothing(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    rows = "a,甲,county,county,\nb,,dept,moon,zz\na,乙,dept,city,\nc,市供水集团,dept,city,\n"
    path.write_text(f"code,name,group,level,parent\n{rows}")
    number, faults = import_units(desk.ctx, path, NOON)
    assert number == 0
    assert [str(fault) for fault in faults] == [
        "line 3: name: missing",
        "line 3: level: 'moon'; one of city, county, township",
        "line 3: parent: 'zz' is no code in this file",
        "line 4: code: 'a' stands in line 2 already",
        "line 5: name: '市供水集团' is the unit with the code 'u1'",
    ]
    with desk.session() as session:
        assert session.scalar(select(func.count()).select_from(Unit)) == 1


def test_a_column_that_a_later_file_lacks_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    """The office's nightly file of closings is narrower than the one of cases."""
    opened = {**OPEN, "closed_at": "", "exclusion": "anonymous", "enterprise": "true"}
    path = tmp_path / "1.jsonl"
    path.write_text(json.dumps(opened))
    assert take(desk, path).done == Counter(created=1)
    narrow = ("number", "source_channel", "category", "lead_unit", "accepted_at", "closed_at")
    path = tmp_path / "2.jsonl"
    path.write_text(json.dumps({name: ROW[name] for name in narrow}))
    assert take(desk, path).done == Counter(closed=1)
    with desk.session() as session:
        case, closing = session.scalars(select(Case)).one(), session.scalars(select(Closing)).one()
        assert (case.summary, case.enterprise) == (ROW["summary"], True)
        assert case.signed_at is not None and case.due_at is not None
        assert (closing.signed_at, closing.due_at) == (case.signed_at, case.due_at)  # the unit's points
        assert closing.exclusion == case.exclusion == "anonymous"


def test_an_empty_cell_empties(desk: Desk, tmp_path: Path) -> None:
    take(desk, write(tmp_path / "1.csv", OPEN))
    assert take(desk, write(tmp_path / "2.csv", {**OPEN, "signed_at": ""})).done == Counter(updated=1)
    with desk.session() as session:
        assert session.scalars(select(Case.signed_at)).one() is None


def test_a_file_that_tells_of_no_closing_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    """Signatures come in a file of their own; `status` without `closed_at` does open a case again."""
    take(desk, write(tmp_path / "1.csv", ROW))
    signed = {
        name: ROW[name] for name in ("number", "source_channel", "category", "lead_unit", "accepted_at")
    }
    path = tmp_path / "2.jsonl"
    path.write_text(json.dumps({**signed, "signed_at": "2026-11-10 12:00"}))
    assert take(desk, path).done == Counter(updated=1)
    assert states(desk) == [(1, State.PENDING)]
    path.write_text(json.dumps({**signed, "status": ""}))
    assert take(desk, path).done == Counter(unchanged=1)
    path.write_text(json.dumps({**signed, "status": "open"}))
    assert take(desk, path).done == Counter(reopened=1)
    assert states(desk) == [(1, State.CANCELLED)]
