"""The migrations make exactly the tables that the code describes, and keep what must be kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from callbacks.database import dbnow, make_engine, make_sessions
from callbacks.models import Audit, Base, Closing
from callbacks.schema import alembic_config, is_current, upgrade


def test_migrations_make_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrade_twice_changes_nothing(engine: Engine) -> None:
    assert is_current(engine)
    upgrade(engine)
    assert is_current(engine)


def test_an_empty_database_is_not_current(tmp_path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    assert not is_current(engine)
    engine.dispose()


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_audit_is_append_only(engine: Engine, sessions, statement: str) -> None:
    with sessions.begin() as session:
        session.add(Audit(at=datetime.now(UTC), actor="a", action="b", subject="c", detail={}))
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))


ONLY_GROW = {
    "accountability", "agent_contact", "appeal_decision", "audit", "audit_link", "callback_move", "evidence",
    "hard_case_meeting", "item_step", "ledger_day", "ledger_proof", "objection_decision", "policy_version",
    "remark", "score_entry", "text_template",
}  # fmt: skip


def _tables_with(engine: Engine, trigger: str) -> set[str]:
    """Those with a trigger of this name, after the table's own."""
    listed = {
        "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT relname, tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid",
    }
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(listed[engine.dialect.name]).all()
    return {table for table, name in rows if name == f"{table}_{trigger}"}


def test_what_only_grows_can_t_be_emptied_or_written_over_either(engine: Engine, sessions) -> None:
    """TRUNCATE and REPLACE delete rows without what is called when rows are deleted."""
    for trigger in ("no_update", "no_delete", "no_replacing"):
        assert _tables_with(engine, trigger) == ONLY_GROW, trigger
    assert _tables_with(engine, "not_replaced") == {"score_month"}
    with sessions.begin() as session:
        for n in (1, 2):
            session.add(Audit(id=n, at=datetime.now(UTC), actor="a", action="b", subject="c", detail={}))
    month = "'2026-11', 'published', '2026-12-01', 'x', '2026-12-05', 'v', '{}', '{}'"
    columns = "month, state, frozen_at, frozen_by, objections_until, settings_version, settings, units"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO score_month ({columns}) VALUES ({month})")
    audit = "(id, at, actor, action, subject, detail) VALUES (2, '2026-11-30', 'x', 'b', 'c', '{}')"
    refused = {
        "sqlite": [
            f"INSERT OR REPLACE INTO audit {audit}",
            f"INSERT OR REPLACE INTO score_month ({columns}) VALUES ({month})",
        ],
        "postgresql": ["TRUNCATE audit CASCADE", "TRUNCATE score_month", "TRUNCATE assessment_record"],
    }
    for statement in refused[engine.dialect.name]:
        with pytest.raises(DBAPIError, match=r"append-only|stays as it is"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
    with sessions.begin() as session:
        assert session.query(Audit).filter(Audit.actor == "a").count() == 2


def test_the_databases_clock_is_comparable_with_stored_times(sessions) -> None:
    """Leases expire by this clock; 60 s either way is far more than a test takes."""
    with sessions.begin() as session:
        session.add(Audit(at=datetime.now(UTC), actor="a", action="b", subject="c", detail={}))
        assert session.query(Audit).filter(Audit.at < dbnow(60)).count() == 1
        assert session.query(Audit).filter(Audit.at < dbnow(-60)).count() == 0


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without a table."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path / 'old.db'}")
        yield engine
        engine.dispose()
        return
    server = request.getfixturevalue("postgresql_server")
    told = request.getfixturevalue("postgresql_told")
    told("CREATE DATABASE old")
    engine = make_engine(f"{server}/old")
    yield engine
    engine.dispose()
    told("DROP DATABASE old WITH (FORCE)")


def test_what_a_draft_takes_is_undone_and_done_again(empty: Engine) -> None:
    upgrade(empty)
    unit = (
        'INSERT INTO unit (id, code, name, name_en, level, "group", valid_from) '
        "VALUES (1, 'u', 'u', '', 'city', 'dept', '2026-01-01 00:00:00')"
    )
    draft = (
        "INSERT INTO score_month "
        "(month, state, frozen_at, frozen_by, objections_until, settings_version, settings, units) "
        "VALUES ('2026-11', 'draft', '2026-12-01 00:00:00', 'x', '2026-12-05 00:00:00', 'v', '{}', '{}')"
    )
    entry = (
        "INSERT INTO score_entry (unit_id, month, kind, source, changes, provenance, at) "
        "VALUES (1, '2026-11', 'removed', 'rating:{n}', '{{}}', '{{}}', '2026-12-02 00:00:00')"
    )
    with empty.begin() as connection:
        for statement in (unit, draft, entry.format(n=1)):
            connection.exec_driver_sql(statement)
    with empty.begin() as connection:
        command.downgrade(alembic_config(connection), "0013")
    with pytest.raises(DBAPIError, match="a closed month stays as it is"), empty.begin() as connection:
        connection.exec_driver_sql(entry.format(n=2))
    upgrade(empty)
    with empty.begin() as connection:
        connection.exec_driver_sql(entry.format(n=2))


def test_closings_of_the_first_version_came_when_they_were_closed(empty: Engine) -> None:
    closed = "2026-11-20 08:30:00.000000"
    with empty.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        for statement in (
            'INSERT INTO unit (id, code, name, name_en, level, "group", valid_from) '
            f"VALUES (1, 'u1', 'u', '', 'city', 'dept', '{closed}')",
            'INSERT INTO "case" (id, number, source_channel, category, enterprise, sensitive, complex, '
            "lead_unit_id, summary, reply, accepted_at, closing_no) "
            f"VALUES (1, 'LD-1', 'phone', 'water', false, false, false, 1, '', '', '{closed}', 1)",
            "INSERT INTO closing (case_id, closing_no, unit_id, accepted_at, closed_at, reply) "
            f"VALUES (1, 1, 1, '{closed}', '{closed}', '')",
        ):
            connection.exec_driver_sql(statement)
    upgrade(empty)
    with make_sessions(empty)() as session:
        [closing] = session.scalars(select(Closing))
        assert closing.came_at == closing.closed_at
