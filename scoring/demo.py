"""`huifang demo`: the main job in a simulated city, with real calls and texts on loopback, then the desk."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Callback, Rating, TextMessage, TextState
from callbacks.states import OPEN, TERMINAL
from callbacks.stopping import Stop

_POLL = 0.5
_PLAIN_EVERY = 5.0


class DemoFailed(Exception):
    """The demo can't run or didn't end; the message says why and what to do."""


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
    unsent = (TextState.QUEUED, TextState.SUBMITTING, TextState.SUBMITTED)
    unsettled = (
        select(func.count()).select_from(Rating).where(Rating.counted, Rating.settled_at.is_(None)),
        select(func.count()).select_from(TextMessage).where(TextMessage.state.in_(unsent)),
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
        f"\n[bold]回访率 coverage {coverage}[/bold] of {found['closed']} closings; ledger {balance}"
    )
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
