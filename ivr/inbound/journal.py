"""What is kept of a call: whole snapshots that grow, so that any of them may come late or twice. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from callbacks.cdr import VoiceQuality
from callbacks.vocabulary import LegKind
from ivr.events import Ended
from ivr.inbound.facts import InboundFacts

__all__ = ["CallRecord"]


_TIMES = ("answered_at", "queued_at", "talked_at", "redirected_at", "ended_at")


@dataclass
class _LegRecord:
    token: str
    target: str
    began_at: str
    kind: LegKind = LegKind.RUNG
    trunk: str | None = None
    dialled: str | None = None
    sip_call_id: str | None = None
    rang_at: str | None = None
    answered_at: str | None = None
    ended_at: str | None = None
    disposition: str | None = None
    sip_status: int | None = None
    q850: int | None = None
    lost_percent: float | None = None
    jitter_ms: float | None = None


@dataclass
class _Recording:
    """`seconds` is None until the file is written; `file` is None where nothing is in it."""

    file: str | None
    began_at: str
    seconds: float | None = None
    failed: str | None = None
    failed_at: str | None = None


@dataclass
class CallRecord:
    """One caller's. All times are aware UTC, kept as ISO 8601 texts."""

    token: str
    trunk: str
    facts: InboundFacts
    came_at: datetime
    owner: str = ""  # the process that carries it
    sip_call_id: str | None = None
    _times: dict[str, str] = field(default_factory=dict)
    _legs: dict[str, _LegRecord] = field(default_factory=dict)
    _recordings: dict[str, _Recording] = field(default_factory=dict)  # by leg; the caller's by `token`
    target: str | None = None
    ended_by: str | None = None
    sip_status: int | None = None
    q850: int | None = None
    heard: VoiceQuality | None = None
    seq: int = 0

    def note(self, what: str, at: datetime) -> None:
        """The first time that it was answered, queued, talked with, redirected, or ended: `queued_at` …"""
        self._times.setdefault(what, at.isoformat())

    def ended(self, event: Ended, at: datetime) -> None:
        """The caller's own call is over."""
        self.sip_status, self.q850, self.heard = event.sip_status, event.q850, event.heard
        self.note("ended_at", at)

    def leg_began(
        self,
        leg: str,
        target: str,
        at: datetime,
        kind: LegKind = LegKind.RUNG,
        trunk: str | None = None,
        dialled: str | None = None,
    ) -> None:
        """`trunk` and the number `dialled` by it are None where somebody else calls the target."""
        self._legs[leg] = _LegRecord(leg, target, at.isoformat(), kind, trunk, dialled)

    def leg_left(self, leg: str, sip_call_id: str | None) -> None:
        """Its INVITE has left."""
        self._legs[leg].sip_call_id = sip_call_id

    def leg_rang(self, leg: str, at: datetime) -> None:
        if known := self._legs.get(leg):
            known.rang_at = at.isoformat()

    def leg_answered(self, leg: str, at: datetime) -> None:
        if known := self._legs.get(leg):
            known.answered_at = at.isoformat()

    def heard_by(self, target: str, at: datetime) -> None:
        """Somebody or something of ours took the call."""
        self.target = target
        self.note("talked_at", at)

    def wants_a_person(self) -> None:
        """What took the call wasn't what they asked for: they're to be rung back."""
        self.target = None
        self._times.pop("talked_at", None)

    def talks_with(self, leg: str, at: datetime) -> None:
        if known := self._legs.get(leg):
            self.heard_by(known.target, at)

    def leg_ended(self, leg: str, event: Ended, at: datetime) -> None:
        if known := self._legs.get(leg):
            known.ended_at = at.isoformat()
            known.disposition = None if event.disposition is None else event.disposition.value
            known.sip_status, known.q850 = event.sip_status, event.q850
            if (heard := event.heard) is not None:
                known.lost_percent, known.jitter_ms = heard.lost_percent, heard.jitter_ms

    def refer_began(self, target: str, at: datetime) -> None:
        """The caller's trunk is asked to bring them to a target."""
        self.leg_began(f"{self.token}-r{len(self._legs) + 1}", target, at, LegKind.REFER)

    def refer_ended(self, status: int | None, at: datetime) -> None:
        """What the trunk says, None where the call ended first. A 2xx: the caller is with the target."""
        for leg in self._legs.values():
            if leg.kind is LegKind.REFER and leg.ended_at is None:
                leg.ended_at, leg.sip_status = at.isoformat(), status
                if status is not None and status < 300:
                    self.target, self.ended_by = leg.target, "transfer"

    def recording_began(self, leg: str, file: str, at: datetime) -> None:
        """`leg` may be the caller's own, whose name is the call's."""
        self._recordings[leg] = _Recording(file, at.isoformat())

    def recording_ended(self, leg: str, seconds: float) -> None:
        known = self._recordings[leg]
        known.seconds = seconds
        if not seconds:
            known.file = None

    def recording_failed(self, leg: str, reason: str, at: datetime) -> None:
        """The first reason is the one that holds."""
        known = self._recordings[leg]
        if known.failed is None:
            known.failed, known.failed_at = reason[:200], at.isoformat()

    def _recording(self, leg: str) -> dict[str, Any] | None:
        known = self._recordings.get(leg)
        return None if known is None else asdict(known)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes: the caller is gone, and so is every leg."""
        return "ended_at" in self._times and all(leg.ended_at for leg in self._legs.values())

    def snapshot(self) -> Mapping[str, Any]:
        """The next one, for the spool and the database: JSON throughout."""
        self.seq += 1
        facts = self.facts
        return {
            "token": self.token,
            "seq": self.seq,
            "owner": self.owner or None,
            "service": facts.service.value,
            "trunk": self.trunk,
            "called": facts.called,
            "number": facts.number,
            "asserted": facts.asserted,
            "private": facts.private,
            "access_network": facts.access_network,
            "geolocation": list(facts.geolocation),
            "target": self.target,
            "ended_by": self.ended_by,
            "sip_call_id": self.sip_call_id,
            "sip_status": self.sip_status,
            "q850": self.q850,
            "lost_percent": self.heard and self.heard.lost_percent,
            "jitter_ms": self.heard and self.heard.jitter_ms,
            "came_at": self.came_at.isoformat(),
            **{name: self._times.get(name) for name in _TIMES},
            "recording": self._recording(self.token),
            "legs": [{**asdict(leg), "recording": self._recording(leg.token)} for leg in self._legs.values()],
        }
