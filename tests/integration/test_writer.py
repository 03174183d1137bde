"""The database thread: in order, through an absence of the database, and never stuck on a fault."""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import text

from callbacks.database import make_engine
from callbacks.writer import Writer


def drain(writer: Writer, until: list[object], number: int) -> None:
    for _ in range(1000):
        writer.deliver()
        if len(until) >= number:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"only {until}")


def test_jobs_run_in_order_and_results_come_to_the_caller() -> None:
    woken = threading.Event()
    writer = Writer(woken.set)
    got: list[object] = []
    for number in range(50):
        writer.submit(lambda number=number: number, got.append)
    drain(writer, got, 50)
    assert got == list(range(50)) and woken.is_set()
    assert writer.close(5)


def test_a_fault_of_ours_is_dropped_and_the_next_job_runs() -> None:
    writer = Writer(lambda: None)
    got: list[object] = []
    writer.submit(lambda: 1 / 0, got.append)
    writer.submit(lambda: "next", got.append)
    drain(writer, got, 1)
    assert got == ["next"]
    assert writer.close(5)


def test_what_meets_an_absent_database_waits_for_it(tmp_path: Path) -> None:
    folder = tmp_path / "not there yet"
    engine = make_engine(f"sqlite:///{folder}/huifang.db")

    def write(value: int) -> int:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS t (n INTEGER)"))
            connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": value})
        return value

    writer = Writer(lambda: None)
    got: list[object] = []
    for value in (1, 2, 3):
        writer.submit(lambda value=value: write(value), got.append)
    threading.Event().wait(0.3)
    assert writer.backlog == 2 and got == []
    folder.mkdir()
    drain(writer, got, 3)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT n FROM t")).scalars().all() == [1, 2, 3]
    assert writer.close(5)
    engine.dispose()
