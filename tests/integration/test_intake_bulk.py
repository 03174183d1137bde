"""Rows stored in bulk: the same tables as row by row, one transaction, the row that a database refuses."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text
from sqlalchemy.orm import Session, sessionmaker

from callbacks.intake import RefusedRows, store_rows
from callbacks.intake_changes import Result
from callbacks.intake_rows import ALL, CaseRow, Fault
from callbacks.intake_store import store_each
from callbacks.ledger import read_ledger
from callbacks.models import Base, Callback, Case, CaseNode, CasePhone, CaseUnit, Closing, Unit
from callbacks.numbers import kind_of, mask
from callbacks.privacy import Privacy
from callbacks.service.closing import close_case
from callbacks.service.core import Context
from callbacks.vocabulary import Exclusion, NodeKind, SourceChannel, UnitGroup, UnitLevel
from tests.integration.office import NOON, Desk, make_desk

ACCEPTED = NOON - timedelta(days=9)
OPEN = CaseRow(
    line=2,
    number="LD-1",
    source_channel=SourceChannel.PHONE,
    platform=None,
    category="water",
    enterprise=False,
    sensitive=False,
    complex=False,
    lead_unit="u1",
    assisting_units=(),
    summary="停水",
    reply="",
    citizen_phones=("13803790001",),
    handler_phone=None,
    accepted_at=ACCEPTED,
    assigned_at=None,
    signed_at=None,
    replied_at=None,
    due_at=None,
    closed_at=None,
    closing_no=0,
    exclusion=None,
)
CLOSED = replace(OPEN, closed_at=NOON - timedelta(days=1), closing_no=1)


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return furnish(make_desk(sessions, privacy))


def furnish(desk: Desk) -> Desk:
    units = [("u1", "市供水集团"), ("u2", "市住建局"), ("u3", "市公安局")]
    with desk.ctx.sessions.begin() as session:
        for code, name in units:
            unit = Unit(code=code, name=name, level=UnitLevel.CITY, group=UnitGroup.DEPT, valid_from=ACCEPTED)
            session.add(unit)
    return desk


def some_rows(luck: random.Random, number: int) -> list[CaseRow]:
    return [some_row(luck, f"LD-{place}") for place in range(number)]


def some_row(luck: random.Random, number: str) -> CaseRow:
    """Any case that a file may tell of: every field is given in some of them and left out in others."""

    def perhaps(value: Any, without: Any = None) -> Any:
        return value if luck.random() < 0.5 else without

    phones = [f"1380379{luck.randrange(9999):04}", f"0379631{luck.randrange(9999):05}", "无号"]
    row = replace(
        OPEN,
        number=number,
        source_channel=luck.choice(list(SourceChannel)),
        platform=perhaps("百姓论坛"),
        enterprise=perhaps(True, False),
        sensitive=perhaps(True, False),
        complex=perhaps(True, False),
        lead_unit=luck.choice(["u1", "u2"]),
        assisting_units=perhaps(("u2", "u3"), ()),
        reply=perhaps("已修复", ""),
        citizen_phones=tuple(phones[: luck.randrange(4)]),
        handler_phone=perhaps("13903790002"),
        assigned_at=perhaps(ACCEPTED),
        signed_at=perhaps(ACCEPTED + timedelta(hours=1)),
        replied_at=perhaps(ACCEPTED + timedelta(days=1)),
        due_at=perhaps(NOON + timedelta(days=1)),
        exclusion=perhaps(luck.choice(list(Exclusion))),
    )
    closes = {"closed_at": NOON + timedelta(hours=luck.randint(-30, 9)), "closing_no": luck.randint(1, 3)}
    return replace(row, **perhaps(closes, {}))


def create_by_objects(ctx: Context, session: Session, row: CaseRow) -> None:
    """A case as the first intake made it: object by object."""
    units = {unit.code: unit for unit in session.scalars(select(Unit))}
    fields = ("number", "source_channel", "platform", "category", "enterprise", "sensitive", "complex")
    fields += ("summary", "reply", "accepted_at", "signed_at", "due_at", "exclusion")
    case = Case(lead_unit=units[row.lead_unit], **{name: getattr(row, name) for name in fields})
    if row.handler_phone:
        case.handler_phone_encrypted = ctx.privacy.encrypt(row.handler_phone)
        case.handler_phone_index = ctx.privacy.index(row.handler_phone)
        case.handler_phone_masked = mask(row.handler_phone)
    session.add(case)
    session.flush()
    for place, number in enumerate(row.citizen_phones):
        phone = CasePhone(case_id=case.id, position=place, kind=kind_of(number), number_masked=mask(number))
        phone.number_encrypted, phone.number_index = ctx.privacy.encrypt(number), ctx.privacy.index(number)
        session.add(phone)
    session.add_all(CaseUnit(case_id=case.id, unit_id=units[code].id) for code in row.assisting_units)
    unit = case.lead_unit.name
    for kind, at, by in [
        (NodeKind.ASSIGN, row.assigned_at, "联动办"),
        (NodeKind.SIGN, row.signed_at, unit),
        (NodeKind.REPLY, row.replied_at, unit),
        (NodeKind.CLOSE, row.closed_at, unit),
    ]:
        if at is not None:
            session.add(CaseNode(case_id=case.id, kind=kind, at=at, by=by))
    if row.closed_at is None:
        return
    case.closed_at, case.closing_no = row.closed_at, row.closing_no
    fields = ("closing_no", "accepted_at", "signed_at", "due_at", "closed_at", "reply", "exclusion")
    told = {name: getattr(row, name) for name in fields}
    closing = Closing(case_id=case.id, unit_id=case.lead_unit_id, **told)
    close_case(ctx, session, case, closing, NOON)


def all_tables(desk: Desk) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table; the encrypted numbers, which differ each time, in clear."""
    found = {}
    with desk.session() as session:
        for table in Base.metadata.sorted_tables:
            rows = session.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            found[table.name] = [tuple(_clear(desk, name, row[name]) for name in row) for row in rows]
    return found


def _clear(desk: Desk, name: str, value: Any) -> Any:
    return desk.ctx.privacy.decrypt(value) if value and name.endswith("_encrypted") else value


@pytest.mark.parametrize("seed", range(2))
def test_the_same_tables_as_object_by_object(desk: Desk, engine: Engine, seed: int) -> None:
    rows = some_rows(random.Random(seed), 150)
    with desk.ctx.sessions.begin() as session:
        for row in rows:
            create_by_objects(desk.ctx, session, row)
    one_by_one = all_tables(desk)
    assert {name for name, found in one_by_one.items() if found} == {
        *("unit", "case", "case_phone", "case_unit", "case_node", "closing", "callback")
    }
    empty(engine)
    furnish(desk)
    assert store_rows(desk.ctx, rows, NOON) == Counter(created=150)
    assert without_ids(all_tables(desk)) == without_ids(one_by_one)
    with desk.session() as session:
        assert read_ledger(session).balanced


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for name in ("callback", "closing", "case_node", "case_unit", "case_phone", "case", "unit"):
            connection.execute(text(f'DELETE FROM "{name}"'))


def without_ids(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Ids as places: a sequence goes on where it was."""
    places: dict[str, dict[int, int]] = {}
    for name, rows in tables.items():
        key = Base.metadata.tables[name].primary_key.columns
        if [column.name for column in key] == ["id"]:
            places[name] = {row[0]: place for place, row in enumerate(rows)}
    return {name: [_placed(name, row, places) for row in rows] for name, rows in tables.items()}


def _placed(name: str, row: tuple[Any, ...], places: dict[str, dict[int, int]]) -> tuple[Any, ...]:
    columns = Base.metadata.tables[name].columns
    of = [_pointed_at(name, column) for column in columns]
    return tuple(
        places[table][value] if table and value is not None else value
        for table, value in zip(of, row, strict=True)
    )


def _pointed_at(name: str, column: Any) -> str | None:
    """The table whose id stands in the column."""
    if column.name == "id":
        return name
    return {"case_id": "case", "unit_id": "unit", "lead_unit_id": "unit"}.get(column.name)


@pytest.mark.parametrize("seed", range(2))
def test_steps_of_many_cases_at_once_and_one_by_one(desk: Desk, engine: Engine, seed: int) -> None:
    """Whatever a batch holds, known and new, several steps of a case: the same as a batch for each row."""
    luck = random.Random(seed)
    steps = [some_row(luck, f"LD-{luck.randrange(40)}") for _ in range(200)]
    steps = [replace(row, given=luck.choice([ALL, frozenset({"summary", "closed_at"})])) for row in steps]
    told = [store_each(desk.ctx, [row], NOON)[0] for row in steps]
    one_by_one = all_tables(desk)
    clear_all(engine)
    furnish(desk)
    in_batches: list[Result | Fault] = []
    for start in range(0, len(steps), 60):
        in_batches += store_each(desk.ctx, steps[start : start + 60], NOON)
    assert in_batches == told
    assert set(told) == set(Result)
    assert by_case(all_tables(desk)) == by_case(one_by_one)


def clear_all(engine: Engine) -> None:
    """Everything but the append-only tables' triggers, which are set aside."""
    with engine.begin() as connection:
        for table in ("callback_move", "audit"):
            if engine.dialect.name == "sqlite":
                connection.execute(text(f"DROP TRIGGER {table}_no_delete"))
            else:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            connection.execute(text(f"DELETE FROM {table}"))
    empty(engine)


def by_case(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, Counter[tuple[Any, ...]]]:
    """The rows without their ids, each with its case's number: in which order cases are made is no matter."""
    names = {name: [column.name for column in Base.metadata.tables[name].columns] for name in tables}
    numbers = {row[0]: row[1] for row in tables["case"]}
    units = {row[0]: row[1] for row in tables["unit"]}
    callbacks = {row[0]: (numbers[row[1]], row[2]) for row in tables["callback"]}
    known = {"case_id": numbers, "unit_id": units, "lead_unit_id": units, "callback_id": callbacks}
    audited = {f"case:{id_}": number for id_, number in numbers.items()}
    tables = tables | {"audit": [_audited(row, audited) for row in tables["audit"]]}
    return {
        name: Counter(
            tuple(known[column][value] if column in known else value for column, value in pairs)
            for row in rows
            for pairs in [[(c, v) for c, v in zip(names[name], row, strict=True) if c != "id"]]
        )
        for name, rows in tables.items()
    }


def _audited(row: tuple[Any, ...], numbers: dict[str, str]) -> tuple[Any, ...]:
    """A line of the audit by its case's number, its detail as something that can be counted."""
    *head, subject, detail = row
    return (*head, numbers[subject], repr(sorted(detail.items())))


def refuse(engine: Engine, number: str) -> None:
    """The database takes every case but this one."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(
                f"CREATE TRIGGER no BEFORE INSERT ON \"case\" WHEN new.number = '{number}' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        else:
            connection.exec_driver_sql(f"ALTER TABLE \"case\" ADD CHECK (number <> '{number}')")


def test_a_row_that_the_database_refuses_is_named_and_the_rest_goes_in(desk: Desk, engine: Engine) -> None:
    refuse(engine, "LD-7")
    rows = [replace(CLOSED, number=f"LD-{place}", line=place + 2) for place in range(20)]
    results = store_each(desk.ctx, rows, NOON)
    [fault] = [result for result in results if isinstance(result, Fault)]
    assert results.index(fault) == 7
    assert (fault.line, fault.field) == (9, "-")
    assert fault.fault.startswith("LD-7 can't be stored: ")
    assert "\n" not in fault.fault
    with desk.session() as session:
        assert session.scalar(select(func.count()).select_from(Case)) == 19
        assert session.scalar(select(func.count()).select_from(Callback)) == 19
        assert read_ledger(session).balanced


def test_whoever_asks_for_no_faults_is_told_of_them(desk: Desk, engine: Engine) -> None:
    refuse(engine, "LD-1")
    rows = [CLOSED, replace(CLOSED, number="LD-2")]
    faults: list[Fault] = []
    assert store_rows(desk.ctx, rows, NOON, faults) == Counter(created=1)
    assert [fault.line for fault in faults] == [2]
    with pytest.raises(RefusedRows, match="LD-1 can't be stored"):
        store_rows(desk.ctx, rows, NOON)


def test_a_unit_that_is_gone_is_named(desk: Desk) -> None:
    [created, fault] = store_each(desk.ctx, [CLOSED, replace(CLOSED, number="LD-2", lead_unit="u9")], NOON)
    assert created is Result.CREATED
    assert str(fault) == "line 2: -: LD-2 can't be stored: ValueError: no unit has the code 'u9'"


def test_a_whole_batch_is_one_transaction(desk: Desk, engine: Engine) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    store_rows(desk.ctx, [replace(CLOSED, number=f"LD-{place}") for place in range(1500)], NOON)
    assert len(commits) == 1


def test_another_writer_made_one_of_the_cases_at_the_same_moment(desk: Desk, engine: Engine) -> None:
    """The batch fails, and its rows find that case by the next try: it's changed and not made again."""
    if engine.dialect.name == "sqlite":
        pytest.skip("its writers queue: a batch sees every case that was made before it")
    overtaken: list[bool] = []

    def overtake(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith('INSERT INTO "case"') and not overtaken:
            overtaken.append(True)
            store_rows(desk.ctx, [replace(OPEN, number="LD-3")], NOON)

    event.listen(engine, "before_cursor_execute", overtake)
    results = store_each(desk.ctx, [replace(CLOSED, number=f"LD-{place}") for place in range(6)], NOON)
    assert Counter(results) == Counter({Result.CREATED: 5, Result.CLOSED: 1})
    assert results[3] is Result.CLOSED
