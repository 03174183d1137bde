"""What a process finds of its trunks, told to the log at once and to the database by the writer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from callbacks.service.trunk_states import TOLD_EVERY, TrunkTold
from callbacks.vocabulary import TrunkStanding
from callbacks.writer import Writer
from ivr.trunk_choice import TrunkChange, TrunkChoice

__all__ = ["TrunkReports"]

_log = structlog.get_logger(__name__)

_GIVEN_UP = 60.0  # seconds; a write that nothing was heard of has failed

Store = Callable[[Sequence[TrunkTold]], object]


class TrunkReports:
    """Of one process. In the writer's thread `store` is called with all trunks, and `forget` at the end."""

    def __init__(
        self, trunks: TrunkChoice, writer: Writer, store: Store, forget: Callable[[], object]
    ) -> None:
        self._trunks, self._writer, self._store, self._forget = trunks, writer, store, forget
        began = datetime.now(UTC)
        self._since = {each.trunk: began for each in trunks.standings(0.0)}
        self._news: set[str] = set()  # set aside, and not told yet
        self._is_telling, self._told_at, self._tell_at = False, 0.0, 0.0

    def turn(self, now: float) -> None:
        """For each turn of the line."""
        changes = self._trunks.changes(now)
        for change in changes:
            self._note(change)
        if changes:
            self._tell_at = now
        if now < self._tell_at or (self._is_telling and now < self._told_at + _GIVEN_UP):
            return
        self._is_telling, self._told_at, self._tell_at = True, now, now + TOLD_EVERY
        told = [self._told(each) for each in self._trunks.standings(now)]
        self._news.clear()
        self._writer.submit(lambda: self._store(told), self._stored)

    def close(self) -> None:
        """Before the writer is closed."""
        self._writer.submit(self._forget)

    def _stored(self, _result: object) -> None:
        self._is_telling = False

    def _note(self, change: TrunkChange) -> None:
        trunk = change.trunk
        self._since[trunk] = datetime.now(UTC)
        if change.is_bad:
            self._news.add(trunk)
            _log.error("trunk_set_aside", trunk=trunk, why=change.reason, sip_status=change.status)
        elif change.standing is TrunkStanding.UP:
            self._news.discard(trunk)
            _log.info("trunk_up", trunk=trunk)
        else:
            _log.warning("trunk_not_up", trunk=trunk, standing=change.standing, why=change.reason)

    def _told(self, found: TrunkChange) -> TrunkTold:
        told = TrunkTold(found.trunk, found.standing, found.reason, found.status, self._since[found.trunk])
        return replace(told, is_news=found.trunk in self._news and found.is_bad)
