"""Stores what the inbound role keeps; connects to the database when it's there, not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.privacy import Privacy
from callbacks.service.core import Context
from callbacks.service.inbound import end_orphaned, keep_inbound
from callbacks.service.inbound_lines import hold_lines
from callbacks.service.leases import is_gone
from callbacks.service.ring_back import CallerCase, cases_of_caller, keep_ring_back
from callbacks.service.trunk_states import TrunkTold, forget_trunks, tell_trunks
from callbacks.spool import play_orphans

__all__ = ["Keeper"]

log = structlog.get_logger(__name__)

_ROLE = "inbound"


class Keeper:
    """Belongs to the writer's thread. `connect` raises DBAPIError while the database is away."""

    def __init__(self, connect: Callable[[], Context], owner: str, spool: Path, privacy: Privacy) -> None:
        self._connect, self._owner, self._spool, self._privacy = connect, owner, spool, privacy
        self._ctx: Context | None = None

    @property
    def ctx(self) -> Context:
        if self._ctx is None:
            self._ctx = self._connect()
        return self._ctx

    def keep(self, record: Mapping[str, Any]) -> None:
        """A snapshot of a call, or what somebody pressed who rang back."""
        if record.get("kind") == "ring_back":
            keep_ring_back(self.ctx, record)
        else:
            keep_inbound(self.ctx, record)

    def look(self, number: str) -> Sequence[CallerCase]:
        return cases_of_caller(self.ctx, number)

    def hold(self, callers: Mapping[str, int], waiting: int) -> None:
        hold_lines(self.ctx, self._owner, callers, waiting)

    def tell_trunks(self, told: Sequence[TrunkTold]) -> None:
        tell_trunks(self.ctx, self._owner, told, datetime.now(UTC))

    def forget_trunks(self) -> None:
        forget_trunks(self.ctx, self._owner)

    def play_orphans(self) -> None:
        """What dead processes couldn't write any more."""
        if played := play_orphans(self._spool, _ROLE, self._privacy, self.keep):
            self.waited(played, False)

    def end_orphaned(self) -> None:
        """The calls of processes of this machine that died amidst them."""
        if ended := end_orphaned(self.ctx, is_gone, datetime.now(UTC)):
            log.warning("orphaned_calls_ended", calls=ended)

    def waited(self, played: int, refused: bool) -> None:
        """A seat learns that records waited for the database, and whether any could be lost."""

        def work(session: Session) -> None:
            now = datetime.now(UTC)
            raise_alarm(session, AlarmKind.SPOOL, _ROLE, now, played=played, refused=refused)

        self.ctx.run(work)
        log.warning("spool_played", records=played, refused=refused)
