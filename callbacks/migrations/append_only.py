"""Triggers that refuse UPDATE and DELETE on a table, on both databases.

Two ways delete rows without a DELETE trigger: PostgreSQL's TRUNCATE, and SQLite's REPLACE, which takes away
whatever has a key of the new row's. `forbid_replacing` refuses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, inspect


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


def forbid_replacing(connection: Connection, table: str) -> None:
    """What `forbid_changes` leaves open. A row with a key that is there would be refused all the same."""
    refuse_replacing(connection, table, f"{table}_no_replacing", f"{table} is append-only", "TRUE")


def refuse_replacing(connection: Connection, table: str, name: str, message: str, where: str) -> None:
    """For the rows of `table` that meet `where`; PostgreSQL's TRUNCATE knows no rows."""
    if connection.dialect.name == "sqlite":
        same = " OR ".join(f"({key})" for key in _same_keys(connection, table))
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE ({same}) AND {where}) "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    connection.exec_driver_sql(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def drop_trigger(connection: Connection, table: str, name: str) -> None:
    """With its function, where the database has functions."""
    on_table = f" ON {table}" if connection.dialect.name == "postgresql" else ""
    connection.exec_driver_sql(f"DROP TRIGGER {name}{on_table}")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DROP FUNCTION {name}()")


def _same_keys(connection: Connection, table: str) -> Iterator[str]:
    """`id = NEW.id` and so on, of each key that no two rows may share."""
    found = inspect(connection)
    yield _same(table, found.get_pk_constraint(table)["constrained_columns"])
    for constraint in found.get_unique_constraints(table):
        yield _same(table, constraint["column_names"])
    for index in found.get_indexes(table):
        if index["unique"]:
            yield _same(table, index["column_names"])


def _same(table: str, columns: Sequence[str | None]) -> str:
    return " AND ".join(f'{table}."{column}" = NEW."{column}"' for column in columns)
