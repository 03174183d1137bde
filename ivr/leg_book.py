"""The voice role's telephones of ours, as they are rung and end: kept for the trunks' records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from callbacks.models_trunks import PersonLegKind
from callbacks.service.core import Context
from callbacks.service.person_legs import LegEnd, LegStart, leg_began, leg_ended
from callbacks.writer import Writer
from ivr.events import Answered, Ended, LineEvent, Ringing
from ivr.line import Line

__all__ = ["LegBook"]


@dataclass(frozen=True, slots=True)
class _Leg:
    rang: datetime | None = None
    answered: datetime | None = None


class LegBook:
    """Belongs to the thread that turns the line."""

    def __init__(self, ctx: Context, line: Line, writer: Writer) -> None:
        self._ctx, self._line, self._writer = ctx, line, writer
        self._legs: dict[str, _Leg] = {}

    def dialled(
        self, leg: str, attempt_id: int, kind: PersonLegKind, target: str, number: str, trunk: str
    ) -> None:
        """Its INVITE has just left."""
        self._legs[leg] = _Leg()
        call_id = self._line.sip_call_id(leg)
        start = LegStart(leg, attempt_id, kind, target, number, trunk, call_id, datetime.now(UTC))
        self._writer.submit(lambda: leg_began(self._ctx, start))

    def take(self, event: LineEvent) -> None:
        """An event of any call; harmless where it's none of these."""
        known = self._legs.get(event.call)
        if known is None:
            return
        now = datetime.now(UTC)
        match event:
            case Ringing():
                self._legs[event.call] = replace(known, rang=now)
            case Answered():
                self._legs[event.call] = replace(known, answered=now)
            case Ended(disposition=disposition, sip_status=status, q850=q850):
                del self._legs[event.call]
                end = LegEnd(known.rang, known.answered, now, disposition, status, q850, event.heard)
                self._writer.submit(lambda: leg_ended(self._ctx, event.call, end))
