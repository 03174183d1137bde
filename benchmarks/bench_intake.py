"""Importing a case file, beside a bare executemany of the same rows in the same run; prints the ratio."""

from __future__ import annotations

import csv
import json
import platform
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import scoring.models  # noqa: F401 (its tables)
from callbacks.database import make_engine, make_sessions
from callbacks.intake import import_cases
from callbacks.privacy import new_privacy
from callbacks.schema import upgrade
from callbacks.service.core import Context
from callbacks.settings import OfficeSettings, PolicySettings
from callbacks.units import import_units

ROWS = 5_000
ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "callbacks/samples"
OFFICE = OfficeSettings(
    name="示例市110联动办",
    area_code="0379",
    signature="示例市110联动",
    sender_code="106380110",
    caller_number="037963110110",
)


def write_rows(path: Path) -> list[tuple[str, ...]]:
    """The samples again and again, each time under other numbers."""
    with (SAMPLES / "cases.csv").open(encoding="utf-8", newline="") as file:
        head, *samples = csv.reader(file)
    rows = []
    for number in range(ROWS):
        row = list(samples[number % len(samples)])
        row[0] = f"B{number:07}"
        rows.append(tuple(row))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    return rows


def ours(folder: Path, path: Path) -> float:
    engine = make_engine(f"sqlite:///{folder}/huifang.db")
    upgrade(engine)
    ctx = Context(make_sessions(engine), PolicySettings(), OFFICE, new_privacy())
    now = datetime.now(UTC)
    import_units(ctx, SAMPLES / "units.csv", now)
    began = time.perf_counter()
    report = import_cases(ctx, path, now)
    seconds = time.perf_counter() - began
    assert report.done == {"created": ROWS} and not report.faults
    engine.dispose()
    return seconds


def bare(folder: Path, path: Path) -> float:
    """Reads the same file and writes its rows into one table, in one transaction."""
    connection = sqlite3.connect(folder / "bare.db")
    connection.execute("PRAGMA journal_mode=WAL")
    began = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    connection.execute(f"CREATE TABLE c ({', '.join(f'c{n}' for n in range(len(head)))})")
    connection.executemany(f"INSERT INTO c VALUES ({', '.join('?' * len(head))})", rows)
    connection.commit()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "cases.csv")
        mine, plain = ours(folder, folder / "cases.csv"), bare(folder, folder / "cases.csv")
    found = {
        "command": "make bench",
        "rows": ROWS,
        "import_seconds": round(mine, 2),
        "bare_seconds": round(plain, 2),
        "ratio": round(mine / plain, 1),
        "python": sys.version.split()[0],
        "machine": f"{platform.machine()}, 2 cores",
    }
    results = ROOT / "benchmarks/results"
    results.mkdir(exist_ok=True)
    (results / "intake.json").write_text(json.dumps(found, indent=1) + "\n")
    print(f"{ROWS} rows: import {mine:.1f} s, bare executemany {plain:.1f} s, ratio {mine / plain:.1f}")


if __name__ == "__main__":
    main()
