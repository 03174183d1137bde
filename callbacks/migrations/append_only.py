"""Triggers that refuse UPDATE and DELETE on a table, on both databases."""

from __future__ import annotations

from sqlalchemy import Connection


def forbid_changes(connection: Connection, table: str) -> None:
    """Makes `table` append-only: a change or removal of a row fails with "TABLE is append-only"."""
    for verb in ("UPDATE", "DELETE"):
        for statement in _statements(connection.dialect.name, table, verb):
            connection.exec_driver_sql(statement)


def _statements(dialect: str, table: str, verb: str) -> list[str]:
    name = f"{table}_no_{verb.lower()}"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        ]
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    ]
