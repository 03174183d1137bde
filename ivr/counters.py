"""Counts of what shouldn't happen, told once for each source: a flood fills a counter, not the log."""

from __future__ import annotations

from collections import Counter

import structlog

__all__ = ["Counters"]

_log = structlog.get_logger(__name__)
_MAX_SOURCES = 4096


class Counters(Counter[str]):
    """Counts by kind. `oddity` also logs, the first time that a source shows that kind."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[tuple[str, str]] = set()

    def oddity(self, kind: str, source: tuple[str, int], detail: str = "") -> None:
        """Count `kind`; log it once for the source's host."""
        self[kind] += 1
        once = (kind, source[0])
        if once not in self._told and len(self._told) < _MAX_SOURCES:
            self._told.add(once)
            _log.warning("odd_datagram", kind=kind, source=f"{source[0]}:{source[1]}", detail=detail[:120])
