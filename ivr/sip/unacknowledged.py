"""Our 200 to an INVITE until its ACK comes (RFC 3261 §13.3.1.4). Pure."""

from __future__ import annotations

from collections.abc import Callable

from ivr.sip.endpoint import Endpoint
from ivr.sip.incoming import Incoming
from ivr.sip.sdp import Media

__all__ = ["UnacknowledgedOk"]


class UnacknowledgedOk:
    """Sends the 200 that `incoming` has got again after T1, 2*T1 … T2; `on_silence` after 64*T1.

    `media` is what was agreed, None while our 200 offers; `first` tells the answer to the first INVITE of a
    dialog from those to re-INVITEs.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        incoming: Incoming,
        media: Media | None,
        first: bool,
        on_silence: Callable[[float], None],
        now: float,
    ) -> None:
        self.cseq = incoming.envelope.cseq
        self.media = media
        self.first = first
        self._endpoint = endpoint
        self._transaction, self._data = incoming.transaction, incoming.transaction.data
        self._on_silence = on_silence
        self._gap = endpoint.config.timers.t1
        self._ends_at = now + endpoint.config.timers.patience
        endpoint.alarms.set(self, now + self._gap, self._repeat)

    def stop(self) -> None:
        self._endpoint.alarms.clear(self)

    def _repeat(self, now: float) -> None:
        if now >= self._ends_at:
            self._on_silence(now)
            return
        self._endpoint.send(self._data, self._transaction.address)  # which a lost connection changes
        self._gap = min(2 * self._gap, self._endpoint.config.timers.t2)
        self._endpoint.alarms.set(self, min(now + self._gap, self._ends_at), self._repeat)
