"""The database edge: engine, sessions, aware datetimes and the database's own clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    BindParameter,
    DateTime,
    Double,
    Engine,
    Integer,
    String,
    Text,
    bindparam,
    create_engine,
    event,
    literal,
)
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

T = TypeVar("T")

BUSY_SECONDS = 30
_TRIES = 5
_RETRYABLE_SQLSTATES = {"40001", "40P01"}  # serialization_failure, deadlock_detected


class NaiveDatetime(ValueError):
    """A datetime without a time zone was handed to the database; only aware ones are taken."""


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, aware UTC datetimes out, on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Any) -> Callable[[Any], Any]:
        """One step where a TypeDecorator takes two: a row has several times, and a batch many rows."""
        return _as_stored_or_none if dialect.name == "sqlite" else _as_utc

    def result_processor(self, dialect: Any, coltype: Any) -> Callable[[Any], Any]:
        return _read_stored if dialect.name == "sqlite" else _as_utc


def _as_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise NaiveDatetime(f"{value!r} has no time zone")
    return value.astimezone(UTC)


def _as_stored_or_none(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise NaiveDatetime(f"{value!r} has no time zone")
    return _as_stored(value)


def _read_stored(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _as_stored(at: datetime) -> str:
    """2026-11-24 11:20:13.000000, of one length, so that comparing as text is comparing as time."""
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:26]


class dbnow(FunctionElement[datetime]):
    """The database's clock plus `seconds`: what leases expire by, whatever a worker's clock says."""

    type = UtcDateTime()
    name = "dbnow"
    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[float] = 0.0) -> None:
        given = isinstance(seconds, BindParameter)
        super().__init__(seconds if given else literal(float(seconds), Double()))


@compiles(dbnow, "sqlite")
def _sqlite_now(element: dbnow, compiler: Any, **kw: Any) -> str:
    return f"huifang_now({compiler.process(element.clauses, **kw)})"


@compiles(dbnow, "postgresql")
def _postgresql_now(element: dbnow, compiler: Any, **kw: Any) -> str:
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


class _Values(TypeDecorator[Sequence[Any]]):
    """A list in one parameter: JSON for SQLite, an array for PostgreSQL."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Any) -> Any:
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(Text() if is_sqlite else ARRAY(self.of))

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Any) -> Any:
        return json.dumps(value) if dialect.name == "sqlite" else value


class among(FunctionElement[Any]):
    """Whether `column` is one of the values of a list parameter, which is one parameter however long.

    An `IN` with a parameter a value is another statement for each length: written, sent and planned anew.
    """

    name = "among"
    inherit_cache = True

    def __init__(self, column: Any, parameter: str) -> None:
        of = Integer() if isinstance(column.type, Integer) else String()
        super().__init__(column, bindparam(parameter, type_=_Values(of)))


@compiles(among, "sqlite")
def _sqlite_among(element: among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(among, "postgresql")
def _postgresql_among(element: among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(each, **kw) for each in element.clauses)
    return f"{column} = ANY ({values})"


def _utc_now() -> datetime:
    return datetime.now(UTC)


def make_engine(url: str, clock: Callable[[], datetime] = _utc_now) -> Engine:
    """An engine for `url`. SQLite: WAL, full fsync, foreign keys; writers queue (BEGIN IMMEDIATE).

    `clock` is SQLite's own: it runs in our process, so a simulation may give it virtual time.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "connect", lambda connection, _record: _sqlite_clock(connection, clock))
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _sqlite_clock(connection: Any, clock: Callable[[], datetime]) -> None:
    def now(seconds: float) -> str:
        return _as_stored(clock() + timedelta(seconds=seconds))

    connection.create_function("huifang_now", 1, now)


def _sqlite_begin(connection: Any) -> None:
    # A transaction that reads and then writes must own the write lock from the start, else SQLite may
    # refuse the write with "database is locked" whatever the busy timeout is.
    mode = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    connection.exec_driver_sql(f"BEGIN {mode}")


def make_sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions for writers."""
    return sessionmaker(engine, expire_on_commit=False)


def make_read_sessions(engine: Engine) -> sessionmaker[Session]:
    """Sessions for readers, which never wait for a writer."""
    return sessionmaker(engine.execution_options(sqlite_begin="DEFERRED"), expire_on_commit=False)


def in_transaction(sessions: sessionmaker[Session], work: Callable[[Session], T]) -> T:
    """Runs `work` in one transaction; again where the database chose it as a deadlock's victim."""
    for left in range(_TRIES - 1, -1, -1):
        try:
            with sessions.begin() as session:
                return work(session)
        except DBAPIError as error:
            if left == 0 or not _is_retryable(error):
                raise
    raise AssertionError("unreachable")


def is_away(error: DBAPIError) -> bool:
    """No connection, locked, disk full: worth another try later. Anything else is a fault of ours."""
    return error.connection_invalidated or isinstance(error, OperationalError)


def _is_retryable(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _RETRYABLE_SQLSTATES
