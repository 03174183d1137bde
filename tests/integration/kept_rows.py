"""All rows of a database, to put into others as they are: one statement a table, however many made them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, func, insert, select
from sqlalchemy.orm import Session

from callbacks.models import Base


class KeptRows:
    """What `session` sees when they're kept."""

    def __init__(self, session: Session) -> None:
        session.flush()
        # A month last: nothing is added to one that is published.
        tables = sorted(Base.metadata.sorted_tables, key=lambda table: table.name == "score_month")
        self._rows = {table: _rows_of(session, table) for table in tables}

    def put(self, session: Session) -> None:
        """Into a database without a row of these tables, of either kind."""
        for table, rows in self._rows.items():
            if rows:
                session.execute(insert(table), rows)
        if session.get_bind().dialect.name == "postgresql":
            for table in filter(self._rows.get, self._rows):
                _count_on(session, table)


def _rows_of(session: Session, table: Table) -> list[dict[str, Any]]:
    found = session.execute(select(table).order_by(*table.primary_key.columns))
    return [dict(row) for row in found.mappings()]


def _count_on(session: Session, table: Table) -> None:
    """The next row's number follows the highest: SQLite looks for it, PostgreSQL counts by itself."""
    if (column := table.autoincrement_column) is None:
        return
    sequence = func.pg_get_serial_sequence(f'"{table.name}"', column.name)
    session.execute(select(func.setval(sequence, select(func.max(column)).scalar_subquery())))
