"""Recordings of calls to 110 are taken away when the law's time for them is over (PIPL art. 19)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.recording_file import day_of
from callbacks.service.core import Context, audit
from callbacks.vocabulary import SYSTEM

__all__ = ["purge_recordings"]

log = structlog.get_logger(__name__)


def purge_recordings(ctx: Context, folder: Path, days: int, now: datetime) -> int:
    """Takes away the days (UTC) that were over `days` days ago, whoever still knows of them; how many files.

    Where the folder isn't on this machine nothing is done, and nothing is said to be. OSError when a file
    can't be taken away; the next turn begins with it.
    """
    if not folder.is_dir():
        log.warning("no_recordings_here", folder=str(folder))
        return 0
    first_kept = (now.astimezone(UTC) - timedelta(days=days)).date()
    number = sum(_take_away(each) for each in _days_before(folder, first_kept))
    began = datetime.combine(first_kept, clock(), UTC)

    def work(session: Session) -> None:
        for table in (InboundCall, InboundLeg):
            old = (table.recorded_at < began) & table.recording.is_not(None)
            session.execute(update(table).where(old).values(recording=None))
        if number:
            audit(session, now, SYSTEM, "purge_recordings", "inbound", number=number)

    ctx.run(work)
    return number


def _days_before(folder: Path, first_kept: date) -> list[Path]:
    found = [(day_of(each.name), each) for each in folder.iterdir() if each.is_dir()]
    return sorted(each for day, each in found if day is not None and day < first_kept)


def _take_away(day: Path) -> int:
    """Only what is ours; a folder with something else in it stays."""
    files = list(day.glob("*.wav"))
    for file in files:
        file.unlink()
    if not any(day.iterdir()):
        day.rmdir()
    return len(files)
