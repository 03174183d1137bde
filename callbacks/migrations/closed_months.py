"""Triggers that keep a closed month as it is, on both databases (domain.md §4.1).

- A published `score_month`, and the `assessment_record`s of a published month, can't be changed or removed,
  and no record can be added to it.
- A `score_entry` can't be added to a closed month; to a draft only what is decided in the days for
  objections: since revision 0014 also that a rating is removed or moves. On PostgreSQL that is a
  serialization failure: who chose the month before it was closed runs again and chooses the next one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from callbacks.migrations.append_only import drop_trigger

FIRST_IN_A_DRAFT = ("open", "objection", "adjustment")
IN_A_DRAFT = (*FIRST_IN_A_DRAFT, "removed", "moved_away", "moved_in")


def _closed(kinds: Sequence[str]) -> str:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        "EXISTS (SELECT 1 FROM score_month WHERE month = NEW.month "
        f"AND (state = 'published' OR NEW.kind NOT IN ({listed})))"
    )


_PUBLISHED = "EXISTS (SELECT 1 FROM score_month WHERE month = {row}.month AND state = 'published')"

# name, table, verb, condition, message
_RULES = (
    ("score_month_kept", "score_month", "UPDATE", "OLD.state = 'published'", "a published month"),
    ("score_month_stays", "score_month", "DELETE", "OLD.state = 'published'", "a published month"),
    ("record_kept", "assessment_record", "UPDATE", _PUBLISHED.format(row="OLD"), "a published month"),
    ("record_stays", "assessment_record", "DELETE", _PUBLISHED.format(row="OLD"), "a published month"),
    ("record_not_added", "assessment_record", "INSERT", _PUBLISHED.format(row="NEW"), "a published month"),
    ("entry_in_open_month", "score_entry", "INSERT", _closed(FIRST_IN_A_DRAFT), "a closed month"),
)


def keep_published(connection: Connection) -> None:
    """Makes the triggers; a change that they refuse fails with "a published month stays as it is"."""
    for name, table, verb, condition, what in _RULES:
        for statement in _statements(connection.dialect.name, name, table, verb, condition, what):
            connection.exec_driver_sql(statement)


def take_in_drafts(connection: Connection, kinds: Sequence[str]) -> None:
    """Makes the trigger on `score_entry` anew: a draft takes entries of these kinds."""
    name, table, verb, _, what = _RULES[-1]
    drop_trigger(connection, table, name)
    for statement in _statements(connection.dialect.name, name, table, verb, _closed(kinds), what):
        connection.exec_driver_sql(statement)


def _statements(dialect: str, name: str, table: str, verb: str, condition: str, what: str) -> list[str]:
    message = f"{what} stays as it is"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        ]
    returned = "OLD" if verb == "DELETE" else "NEW"
    code = "40001" if table == "score_entry" else "23514"  # serialization_failure, check_violation
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION '{message}' USING ERRCODE = '{code}'; END IF; "
        f"RETURN {returned}; END $$",
        f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    ]
