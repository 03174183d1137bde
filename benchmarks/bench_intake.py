"""Cases by file and by API, beside a bare executemany of the same rows in the same run (`make bench-intake`).

The bare side writes into the same tables, with the same keys and indexes, the rows that the import left there
(cases, numbers, nodes, closings, callbacks), ready-made: nothing is parsed, checked, encrypted or looked up.
By API, the cases come as JSON over HTTP, 1,000 a request. Goal: under 3 times the bare side. Each side on
SQLite (fsync as in service) and on PostgreSQL.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import logging  # noqa: E402

import requests  # noqa: E402
import structlog  # noqa: E402
from sqlalchemy import Engine, Table, func, select  # noqa: E402
from waitress.server import create_server  # noqa: E402

import scoring.models  # noqa: E402, F401 (its tables)
from callbacks.api import ApiDeps, create_api  # noqa: E402
from callbacks.api.tokens import make_token  # noqa: E402
from callbacks.database import make_engine, make_read_sessions, make_sessions  # noqa: E402
from callbacks.intake import import_cases  # noqa: E402
from callbacks.models import (  # noqa: E402
    Base,
    Callback,
    Case,
    CaseNode,
    CasePhone,
    CaseUnit,
    Closing,
    Unit,
)
from callbacks.privacy import new_privacy  # noqa: E402
from callbacks.schema import upgrade  # noqa: E402
from callbacks.service.core import Context  # noqa: E402
from callbacks.settings import OfficeSettings, PolicySettings  # noqa: E402
from callbacks.units import import_units  # noqa: E402
from tests.databases import postgresql_cluster, postgresql_programs  # noqa: E402

ROWS = int(os.environ.get("HUIFANG_BENCH_ROWS", "100000"))
A_REQUEST = 1000
TABLES: tuple[type[Base], ...] = (Case, CasePhone, CaseUnit, CaseNode, Closing, Callback)
SAMPLES = ROOT / "callbacks/samples"
OFFICE = OfficeSettings(
    name="示例市110联动办",
    area_code="0379",
    signature="示例市110联动",
    sender_code="106380110",
    caller_number="037963110110",
)


def sample_rows() -> tuple[list[str], list[list[str]]]:
    """The samples again and again, each time under other numbers."""
    with (SAMPLES / "cases.csv").open(encoding="utf-8", newline="") as file:
        head, *samples = csv.reader(file)
    return head, [[f"B{number:07}", *samples[number % len(samples)][1:]] for number in range(ROWS)]


@contextmanager
def office(url: str) -> Iterator[tuple[Engine, Context]]:
    engine = make_engine(url)
    upgrade(engine)
    ctx = Context(make_sessions(engine), PolicySettings(), OFFICE, new_privacy())
    import_units(ctx, SAMPLES / "units.csv", datetime.now(UTC))
    yield engine, ctx
    engine.dispose()


def by_file(ctx: Context, folder: Path) -> float:
    head, rows = sample_rows()
    path = folder / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    began = time.perf_counter()
    report = import_cases(ctx, path, datetime.now(UTC))
    seconds = time.perf_counter() - began
    assert report.done == {"created": ROWS} and not report.faults, (report.done, report.faults[:3])
    return seconds


def by_api(ctx: Context, engine: Engine) -> float:
    """The sender is in this process too, and its time counts."""
    head, rows = sample_rows()
    bodies = [
        json.dumps({"cases": [dict(zip(head, row, strict=True)) for row in rows[first : first + A_REQUEST]]})
        for first in range(0, ROWS, A_REQUEST)
    ]
    now = datetime.now(UTC)
    token = make_token(ctx, "bench", ("cases:write",), None, "bench", now)
    deps = ApiDeps(ctx, make_read_sessions(engine), lambda: now, "https://callbacks.example.gov.cn/")
    server = create_server(create_api(deps), host="127.0.0.1", port=0, max_request_body_size=8 * 2**20)
    thread = threading.Thread(target=server.run)
    thread.start()
    session = requests.Session()
    session.headers.update({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    url = f"http://127.0.0.1:{server.effective_port}/api/v1/cases"
    began = time.perf_counter()
    for body in bodies:
        answer = session.post(url, body.encode(), timeout=120)
        assert answer.status_code == 200, answer.text[:300]
        assert all(row["result"] == "created" for row in answer.json()["results"])
    seconds = time.perf_counter() - began
    session.close()
    server.close()
    thread.join(10)
    return seconds


def written(engine: Engine) -> dict[Table, list[tuple[Any, ...]]]:
    """The rows that an import left, as the driver takes them; the units first, whom they refer to."""
    with engine.connect() as connection:
        return {
            table: [tuple(row) for row in connection.exec_driver_sql(_all_of(table)).fetchall()]
            for table in (model.__table__ for model in (Unit, *TABLES))
        }


def _all_of(table: Table) -> str:
    return f'SELECT {_columns(table)} FROM "{table.name}"'


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def bare(url: str, rows: dict[Table, list[tuple[Any, ...]]]) -> float:
    """One transaction, one executemany a table, by the database's own driver."""
    engine = make_engine(url)
    upgrade(engine)
    connection = engine.raw_connection()
    cursor = connection.cursor()
    mark = "?" if engine.dialect.name == "sqlite" else "%s"
    units, *others = rows.items()
    _insert(cursor, mark, *units)
    connection.commit()
    began = time.perf_counter()
    if engine.dialect.name == "sqlite":
        cursor.execute("BEGIN IMMEDIATE")
    for table, values in others:
        _insert(cursor, mark, table, values)
    connection.commit() if mark == "%s" else cursor.execute("COMMIT")
    seconds = time.perf_counter() - began
    cursor.close()
    connection.close()
    with engine.connect() as check:
        assert check.scalar(select(func.count()).select_from(Callback)) == len(rows[Callback.__table__])
    engine.dispose()
    return seconds


def _insert(cursor: Any, mark: str, table: Table, values: list[tuple[Any, ...]]) -> None:
    marks = ", ".join([mark] * len(table.columns))
    cursor.executemany(f'INSERT INTO "{table.name}" ({_columns(table)}) VALUES ({marks})', values)


def measure(urls: Iterator[str], folder: Path) -> dict[str, float]:
    with office(next(urls)) as (engine, ctx):
        file = by_file(ctx, folder)
        rows = written(engine)
    with office(next(urls)) as (engine, ctx):
        api = by_api(ctx, engine)
    plain = bare(next(urls), rows)
    return {
        "rows_written": sum(len(values) for table, values in rows.items() if table.name != "unit"),
        "file_seconds": round(file, 2),
        "api_seconds": round(api, 2),
        "bare_seconds": round(plain, 2),
        "file_ratio": round(file / plain, 2),
        "api_ratio": round(api / plain, 2),
    }


def sqlite_urls(folder: Path) -> Iterator[str]:
    return (f"sqlite:///{folder}/{name}.db" for name in ("file", "api", "bare"))


def postgresql_urls(server: str) -> Iterator[str]:
    admin = make_engine(f"{server}/postgres")
    for name in ("file", "api", "bare"):
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE bench_{name}")
        yield f"{server}/bench_{name}"
    admin.dispose()


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {"sqlite": measure(sqlite_urls(folder), folder)}
        if (programs := postgresql_programs()) is not None:
            with postgresql_cluster(programs, fsync=True) as server:
                found["postgresql"] = measure(postgresql_urls(server), folder)
    for database, result in found.items():
        print(database, json.dumps(result))
    report = {
        "command": "make bench-intake",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "cases": ROWS,
        **found,
    }
    target = ROOT / "benchmarks/results/intake.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
