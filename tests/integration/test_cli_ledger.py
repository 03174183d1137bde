"""`huifang ledger` and `huifang source-count`: what they print, and with which status they end."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import app
from callbacks.database import make_engine, make_read_sessions
from callbacks.days import day_of
from callbacks.models_office import IntakeGap, LedgerProof
from callbacks.service.proofs import take_due_proofs
from callbacks.stopping import Stop
from tests.integration.test_cli import OFFICE, SAMPLES, run

TIMEZONE = "Asia/Shanghai"


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A city whose sample cases came two days ago."""
    path = tmp_path / "city.toml"
    database = f'[database]\nurl = "sqlite:///{tmp_path}/data/h.db"\nkey_file = "{tmp_path}/data/h.key"\n'
    path.write_text(OFFICE + database)
    run("--config", path, "import-units", SAMPLES / "units.csv")
    run("--config", path, "import-cases", SAMPLES / "cases.csv")
    execute(tmp_path, f"UPDATE closing SET came_at = '{datetime.now(UTC) - timedelta(days=2):%F %T.%f}'")
    return path


def execute(folder: Path, statement: str) -> None:
    engine = make_engine(f"sqlite:///{folder}/data/h.db")
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def days_ago(number: int) -> str:
    return day_of(datetime.now(UTC) - timedelta(days=number), TIMEZONE).isoformat()


def prove(city: Path) -> None:
    office = app.open_office(app.load_settings(city))
    take_due_proofs(office.context, make_read_sessions(office.engine), datetime.now(UTC) + timedelta(hours=1))
    office.close()


def test_the_ledger_of_a_day_that_is_over(city: Path) -> None:
    earlier = json.loads(run("--config", city, "ledger", "--as-of", days_ago(3), "--json").output)
    assert (earlier["closed"], earlier["balanced"], earlier["proof_taken_at"]) == (0, True, None)
    yesterday = run("--config", city, "ledger", "--as-of", days_ago(1), "--json")
    told = json.loads(yesterday.output)
    assert yesterday.exit_code == 0
    assert (told["as_of"], told["closed"], told["open"], told["differences"]) == (days_ago(1), 200, 200, [])
    assert run("--config", city, "ledger", "--as-of", days_ago(1)).output.splitlines()[-1] == (
        "no proof of this day is kept"
    )


def test_a_ledger_that_isnt_as_its_proof_ends_with_1(city: Path, tmp_path: Path) -> None:
    prove(city)
    kept = run("--config", city, "ledger", "--as-of", days_ago(1))
    assert kept.exit_code == 0 and kept.output.splitlines()[-1].startswith("as the proof that was taken at")
    history = json.loads(run("--config", city, "ledger", "--history", "--json").output)
    assert [row["day"] for row in history] == [days_ago(1), days_ago(2)]
    assert all(row["balanced"] and row["closed"] == 200 for row in history)
    execute(tmp_path, "DELETE FROM callback WHERE id = 1")
    gone = run("--config", city, "ledger", "--as-of", days_ago(1))
    assert gone.exit_code == 1
    assert "DIFFERS FROM THE KEPT PROOF:" in gone.output and "closed without a callback" in gone.output


def test_the_share_without_a_number_stands_beside_the_callback_rate(city: Path) -> None:
    lines = run("--config", city, "ledger").output.splitlines()
    assert lines[0].split()[-4:] == ["called", "back", "no", "number"]
    told = json.loads(run("--config", city, "ledger", "--json").output)
    all_of_it = next(line for line in lines if line.startswith("all "))
    assert all_of_it.split()[-3:] == [
        str(told["without_number"]), "0.0%", f"{told['without_number'] / 200:.1%}",
    ]  # fmt: skip
    assert 0 < told["without_number"] < 200


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--as-of", "yesterday"), "'yesterday' is no day; e.g. 2026-11-23"),
        (("--as-of", "20261123"), "'20261123' is no day"),
        (("--as-of", "9999-12-30"), "9999-12-30 isn't over"),
        (("--as-of", "2026-11-01", "--history"), "two questions; ask one"),
    ],
)
def test_a_wrong_question_is_named(city: Path, arguments: tuple[str, ...], told: str) -> None:
    result = run("--config", city, "ledger", *arguments)
    assert result.exit_code != 0 and told in result.output


def test_no_history_says_where_it_comes_from(city: Path) -> None:
    assert "the clock role takes one a night" in run("--config", city, "ledger", "--history").output


def test_a_sources_count_is_told_by_command(city: Path) -> None:
    city.write_text(city.read_text() + '[[intake.sources]]\nname = "web"\nsource_channel = "website"\n')
    told = [run("--config", city, "source-count", "web", days_ago(1), number).output for number in (7, 7, 8)]
    assert told == [
        f"web {days_ago(1)}: 7 cases, stored\n",
        f"web {days_ago(1)}: 7 cases, unchanged\n",
        f"web {days_ago(1)}: 8 cases, changed\n",
    ]
    wrong = run("--config", city, "source-count", "fax", days_ago(1), 7)
    assert wrong.exit_code == 1 and "no source is named 'fax'; there is web" in wrong.output


def test_the_clock_proves_the_nights_and_finds_the_gaps(city: Path, tmp_path: Path) -> None:
    """The role as `serve` runs it, with little time between its looks."""
    turns = "[serve]\nclock_seconds = 0.1\nwatch_seconds = 0.1\n"
    source = '[intake]\ngrace = "PT0S"\n[[intake.sources]]\nname = "web"\nsource_channel = "website"\n'
    city.write_text(f"{city.read_text()}{turns}{source}")
    run("--config", city, "source-count", "web", days_ago(1), 99)
    office = app.open_office(app.load_settings(city))
    stop = Stop()
    clock = threading.Thread(target=app.run_role, args=(office, "clock", stop))
    clock.start()
    for _ in range(400):
        with office.context.sessions() as session:
            proofs = session.scalars(select(LedgerProof.day).order_by(LedgerProof.day)).all()
            gaps = session.scalars(select(IntakeGap)).all()
        if proofs and gaps:
            break
        threading.Event().wait(0.05)
    stop.set()
    clock.join(20)
    office.close()
    assert proofs[0] == days_ago(2)
    assert [(gap.source, gap.first, gap.expected) for gap in gaps] == [("web", days_ago(1), 99)]
