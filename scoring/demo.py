"""`huifang demo`: the main job in a simulated city, with real calls and texts on loopback, then the desk."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, sessionmaker

import callbacks
from callbacks.intake import import_cases
from callbacks.models import Attempt, Callback, Rating, TextMessage, TextState
from callbacks.service.core import LIVE, Context
from callbacks.states import OPEN, TERMINAL
from callbacks.stopping import PARENT_FD, Stop
from callbacks.units import import_units
from scoring.figures import figures
from scoring.users import random_password

SAMPLES = Path(callbacks.__file__).parent / "samples"
LOGIN = "demo"
_POLL = 0.5
_PLAIN_EVERY = 5.0
_RECEIPTS_TAKE = timedelta(seconds=10)
_TIMES = ("assigned_at", "accepted_at", "signed_at", "replied_at", "closed_at", "due_at")


class DemoFailed(Exception):
    """The demo can't run or didn't end; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What was asked for. `own_database`: the file in `folder` is ours to begin anew."""

    folder: Path
    cases: int
    port: int
    own_database: bool
    no_serve: bool
    json_file: Path | None
    seconds: float


@dataclass(frozen=True, slots=True)
class DemoOffice:
    """The office that the demo works with, wired by `app.py`."""

    context: Context
    serve: Callable[[Stop], None]
    assess: Callable[[], None]
    sign_in: Callable[[str, str], None]
    close: Callable[[], None]


def run_demo(plan: DemoPlan, city: Sequence[str], open_office: Callable[[], DemoOffice]) -> None:
    """City, import, roles, figures, desk. DemoFailed says what to change."""
    console = Console()
    _need_free_port(plan.port)
    plan.folder.mkdir(parents=True, exist_ok=True)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: threading.Thread(target=stop.set, daemon=True).start())
    with _city(city) as process:
        ports = json.loads(wait_until_ready(process, "the simulated city"))
        os.environ["HUIFANG_SMS__GATEWAYS"] = json.dumps([{"kind": "smpp", "port": ports["smsc"]}])
        os.environ["HUIFANG_VOICE__SIP_PORT"] = "0"
        trunk = {"name": "city", "host": "127.0.0.1", "port": ports["trunk"], "lines": 60}
        trunk |= {"calls_per_second": 20, "caller_number": "037963110110"}
        os.environ["HUIFANG_VOICE__TRUNKS"] = json.dumps([trunk])
        office = _begin(plan, open_office, console)
        try:
            _work(plan, office, process, stop, console)
        finally:
            office.close()


def _need_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise DemoFailed(f"port {port}: {error.strerror}; try another: --port {port + 1}") from None


@contextmanager
def _city(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """The city's process, which ends with us, however we end (`callbacks.stopping`)."""
    read_end, write_end = os.pipe()
    environment = {
        "HUIFANG_CITY__PORT": "0",
        "HUIFANG_SMSC__PORT": "0",
        **os.environ,
        PARENT_FD: str(read_end),
    }
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        pass_fds=[read_end],
        start_new_session=True,
    )
    os.close(read_end)
    try:
        yield process
    finally:
        os.close(write_end)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _begin(plan: DemoPlan, open_office: Callable[[], DemoOffice], console: Console) -> DemoOffice:
    """The office with its cases; goes on where a demo was killed, and begins anew after one that ended."""
    office = open_office()
    with office.context.sessions() as session:
        before = standing(session)
    if before.complete and plan.own_database:
        office.close()
        for path in plan.folder.glob("huifang.db*"):
            path.unlink()
        console.print("The last demo had ended; this is a new one.")
        office = open_office()
    elif before.closed:
        console.print(f"Going on with {before.closed} cases, {before.ended} of them ended.")
    now = datetime.now(UTC)
    units, faults = import_units(office.context, SAMPLES / "units.csv", now)
    path = plan.folder / "cases.csv"
    if not before.closed or before.complete:
        write_cases(path, plan.cases, now)
    report = import_cases(office.context, path, now)
    if faults or report.faults:
        raise DemoFailed(f"the samples are wrong: {[*faults, *report.faults][0]}")
    console.print(f"{units} units, {report.rows} cases: {dict(report.done)}", highlight=False)
    return office


def write_cases(path: Path, number: int, now: datetime) -> None:
    """The first `number` sample cases, moved in time so that the last was closed an hour ago."""
    with (SAMPLES / "cases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = max(datetime.fromisoformat(row["closed_at"]) for row in rows)
    local = (now + timedelta(hours=8) - timedelta(hours=1)).replace(tzinfo=None)
    shift = timedelta(days=(local - last).days)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows[:number]:
            for name in _TIMES:
                row[name] = f"{datetime.fromisoformat(row[name]) + shift:%Y-%m-%d %H:%M}"
            writer.writerow(row)


def _work(
    plan: DemoPlan, office: DemoOffice, city: subprocess.Popen[str], stop: Stop, console: Console
) -> None:
    password = random_password()
    office.sign_in(LOGIN, password)
    roles = threading.Thread(target=office.serve, args=(stop,), name="supervisor")
    roles.start()
    try:
        console.print(
            f"The desk: http://127.0.0.1:{plan.port}   login {LOGIN}   password {password}", highlight=False
        )
        watch(office.context.sessions, console, stop, plan.seconds, lambda: _need_city(city))
        if stop.is_set():
            return
        office.assess()
        with office.context.sessions() as session:
            found = figures(session)
        print_figures(console, found)
        if plan.json_file is not None:
            plan.json_file.write_text(
                json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
        if not plan.no_serve:
            console.print(
                f"\nThe desk runs on http://127.0.0.1:{plan.port} (login {LOGIN}, password {password}). "
                "Ctrl-C ends it.",
                highlight=False,
            )
            while not stop.wait(1.0):
                _need_city(city)
    finally:
        stop.set()
        roles.join()


def _need_city(city: subprocess.Popen[str]) -> None:
    if city.poll() is not None:
        raise DemoFailed(f"the simulated city ended (status {city.returncode})")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it is: callbacks by terminal or not, ratings, and what still has to settle."""

    closed: int
    ended: int
    rated: int
    unsettled: int

    @property
    def complete(self) -> bool:
        return self.closed > 0 and self.ended == self.closed and self.unsettled == 0


def standing(session: Session) -> Standing:
    """Read in one transaction."""
    states = select(func.count()).select_from(Callback)
    unsent = (TextState.QUEUED, TextState.SUBMITTING)
    recent = datetime.now(UTC) - _RECEIPTS_TAKE  # older ones lost their receipt with a city that was killed
    unreceipted = and_(TextMessage.state == TextState.SUBMITTED, TextMessage.submitted_at > recent)
    unsettled = (
        select(func.count()).select_from(Rating).where(Rating.counted, Rating.settled_at.is_(None)),
        select(func.count()).select_from(Attempt).where(Attempt.state.in_(LIVE)),
        select(func.count()).select_from(TextMessage).where(TextMessage.state.in_(unsent) | unreceipted),
    )
    return Standing(
        closed=session.scalar(states) or 0,
        ended=session.scalar(states.where(Callback.state.in_(TERMINAL))) or 0,
        rated=session.scalar(select(func.count()).select_from(Rating).where(Rating.counted)) or 0,
        unsettled=sum(session.scalar(query) or 0 for query in unsettled),
    )


def watch(
    sessions: sessionmaker[Session],
    console: Console,
    stop: Stop,
    seconds: float,
    alive: Callable[[], None],
) -> Standing:
    """Shows how far it is until all is done; DemoFailed after `seconds`, or what `alive` raises."""
    deadline = time.monotonic() + seconds
    view = _Bars(console) if console.is_terminal else _Lines(console)
    with view:
        while True:
            with sessions() as session:
                now = standing(session)
            view.show(now)
            if now.complete or stop.is_set():
                return now
            alive()
            if time.monotonic() > deadline:
                raise DemoFailed(f"not done after {seconds:.0f} s: {_open_states(sessions)}")
            stop.wait(_POLL)


def _open_states(sessions: sessionmaker[Session]) -> str:
    with sessions() as session:
        query = select(Callback.state, func.count()).where(Callback.state.in_(OPEN)).group_by(Callback.state)
        found = [f"{number} {state}" for state, number in session.execute(query)]
    return ", ".join(found) or "receipts or the minutes for a change are still waited for"


class _Lines:
    """Plain lines, for files and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = 0.0
        self._began = time.monotonic()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, now: Standing) -> None:
        if time.monotonic() >= self._next or now.complete:
            self._next = time.monotonic() + _PLAIN_EVERY
            seconds = time.monotonic() - self._began
            self._console.print(
                f"{seconds:5.0f} s  {now.ended} of {now.closed} callbacks ended, {now.rated} rated",
                highlight=False,
            )


class _Bars:
    """Progress bars, for a terminal."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description:18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console)
        self._ended = self._progress.add_task("回访完成 ended", total=None)
        self._rated = self._progress.add_task("已评价 rated", total=None)

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, now: Standing) -> None:
        self._progress.update(self._ended, completed=now.ended, total=now.closed)
        self._progress.update(self._rated, completed=now.rated, total=now.closed)


def wait_until_ready(process: subprocess.Popen[str], what: str) -> str:
    """The first line that `process` prints; DemoFailed when it ends without one."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise DemoFailed(f"{what} didn't start (status {process.wait(5)}); its message is above")
    return line


def print_figures(console: Console, found: Mapping[str, Any]) -> None:
    """The figures, for a person."""
    coverage = "—" if found["coverage"] is None else f"{found['coverage']:.1%}"
    balance = "balanced 平衡" if found["ledger_balanced"] else "NOT BALANCED 不平衡"
    console.print(
        f"\n[bold]回访率 coverage {coverage}[/bold] of {found['closed']} closings, "
        f"无号码 without a number {found['without_number'] or 0:.1%}"
    )
    console.print(f"台账 ledger {balance}")
    console.print(_counts("Outcomes 结果", found["outcomes"]))
    console.print(
        _counts("Calls 外呼", found["attempts"]["voice"]), _counts("Texts 短信", found["attempts"]["sms"])
    )
    for channel, values in found["ratings"].items():
        console.print(_counts(f"Ratings 评价 by {channel}", values))
    for group, rows in found["ranking"].items():
        console.print(_ranking(group, rows))
    console.print(f"不满意清单 dissatisfaction list: {len(found['dissatisfied'])} items")


def _counts(title: str, counts: Mapping[str, int]) -> str:
    return f"{title}: " + (", ".join(f"{name} {number}" for name, number in counts.items()) or "none")


def _ranking(group: str, rows: list[dict[str, Any]]) -> Table:
    ranked = [row for row in rows if row["rank"] is not None]
    table = Table(
        title=f"排名 ranking: {group} ({len(ranked)} ranked, {len(rows) - len(ranked)} listed apart)"
    )
    for heading in ("名次 rank", "单位 unit", "得分 /200", "折算 points"):
        table.add_column(heading)
    for row in ranked[:5]:
        table.add_row(str(row["rank"]), row["name"], row["score_shown"], row["points_shown"])
    return table
