"""The migrations make exactly the tables that the code describes, and keep what must be kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from callbacks.database import dbnow, make_engine
from callbacks.models import Audit, Base
from callbacks.schema import is_current, upgrade


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


def test_the_databases_clock_is_comparable_with_stored_times(sessions) -> None:
    """Leases expire by this clock; 60 s either way is far more than a test takes."""
    with sessions.begin() as session:
        session.add(Audit(at=datetime.now(UTC), actor="a", action="b", subject="c", detail={}))
        assert session.query(Audit).filter(Audit.at < dbnow(60)).count() == 1
        assert session.query(Audit).filter(Audit.at < dbnow(-60)).count() == 0
