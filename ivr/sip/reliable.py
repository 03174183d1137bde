"""Provisional responses that are acknowledged (RFC 3262). Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ivr.sip.endpoint import Endpoint
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request, Response

__all__ = ["ReliableProvisionals", "requires_reliable", "rseq_of"]

_RELIABLE: Header = ("Require", "100rel")
_MOST = 2**31 - 1


def requires_reliable(message: Request | Response) -> bool:
    return "100rel" in (option.lower() for option in message.options("Require"))


def rseq_of(response: Response) -> int | None:
    """The number of a provisional response that wants a PRACK; None for others."""
    text = response.first("RSeq") or ""
    if not (requires_reliable(response) and text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if 0 < int(text) <= _MOST else None


@dataclass(frozen=True, slots=True)
class _Provisional:
    status: int
    headers: tuple[Header, ...]
    body: bytes


class ReliableProvisionals:
    """Those to one INVITE of theirs, the next after the PRACK to the one before (§3).

    Each is sent again after T1, 2*T1, 4*T1 …; `on_silence` is called where 64*T1 pass without a PRACK.
    """

    def __init__(self, endpoint: Endpoint, incoming: Incoming, on_silence: Callable[[float], None]) -> None:
        self._endpoint = endpoint
        self._incoming = incoming
        self._on_silence = on_silence
        self._queue: deque[_Provisional] = deque()
        self._rseq = int(endpoint.fraction() * 2**30)
        self._waits: _Provisional | None = None
        self._gap = self._ends_at = 0.0

    @property
    def describes(self) -> bool:
        """Whether one that carries a description isn't acknowledged yet: the 200 waits for that (§3)."""
        waiting = [self._waits, *self._queue] if self._waits else self._queue
        return any(each is not None and each.body for each in waiting)

    def send(self, status: int, headers: tuple[Header, ...], body: bytes, now: float) -> None:
        self._queue.append(_Provisional(status, headers, body))
        if self._waits is None:
            self._send_next(now)

    def fits(self, prack: Request) -> bool:
        """Whether a PRACK is for the response that waits."""
        told = (prack.first("RAck") or "").split()
        return self._waits is not None and told == [
            str(self._rseq),
            str(self._incoming.envelope.cseq),
            "INVITE",
        ]

    def acknowledged(self, now: float) -> None:
        """The one that waits is through: the next one goes."""
        self._waits = None
        self._endpoint.alarms.clear(self)
        if self._queue:
            self._send_next(now)

    def stop(self) -> None:
        """A final response goes: nothing is repeated or begun, a PRACK that is on its way still fits."""
        self._queue.clear()
        self._endpoint.alarms.clear(self)

    def _send_next(self, now: float) -> None:
        self._waits = self._queue.popleft()
        self._rseq += 1
        timers = self._endpoint.config.timers
        self._gap, self._ends_at = timers.t1, now + timers.patience
        headers = (*self._waits.headers, _RELIABLE, ("RSeq", str(self._rseq)))
        self._endpoint.respond(
            self._incoming, self._waits.status, now, headers=headers, body=self._waits.body
        )
        self._endpoint.alarms.set(self, now + self._gap, self._repeat)

    def _repeat(self, now: float) -> None:
        if now >= self._ends_at:
            self.stop()
            self._on_silence(now)
            return
        transaction = self._incoming.transaction
        self._endpoint.send(transaction.data, transaction.address)
        self._gap *= 2
        self._endpoint.alarms.set(self, min(now + self._gap, self._ends_at), self._repeat)
