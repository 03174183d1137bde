"""What `pyvoip_line` knows of one call, from `dial` or their INVITE to its Ended."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from socket import socket

from callbacks.vocabulary import Disposition
from ivr.disposition import CallFacts, disposition_of
from ivr.events import Ended, EndedBy
from ivr.line import Dial
from ivr.media.audio import Audio
from ivr.media.ports import PortPool
from ivr.media.remote import Hear
from ivr.pyvoip_client import Message
from ivr.pyvoip_rtp import Rtp
from ivr.sip.digest import Login
from ivr.trunk_settings import CauseOverride

__all__ = ["Call", "MediaOrders", "never_left", "open_media"]


@dataclass(slots=True)
class Call:
    """`order` is None for a call that came in, `rtp` while it isn't answered.

    `given_up` says why we sent CANCEL or BYE; `due` when that is, and after a CANCEL when we wait no longer.
    `said` is our last response to an INVITE of theirs.
    """

    name: str
    invite: Message
    port: int
    bound: socket
    login: Login
    began: float
    order: Dial | None = None
    due: float = math.inf
    rtp: Rtp | None = None
    provisional: bool = False
    rang: bool = False
    given_up: str = ""
    said: str = ""

    def ended(
        self,
        now: float,
        status: int | None,
        q850: int | None,
        text: str,
        by: EndedBy,
        overrides: Iterable[CauseOverride],
    ) -> Ended:
        """Its last event."""
        facts = CallFacts(
            sip_status=status,
            q850=q850,
            rang=self.rang,
            answered=self.rtp is not None,
            we_cancelled=self.given_up == "timeout",
            withdrawn=self.given_up == "withdrawn",
            media_lost=self.given_up == "media_lost",
        )
        called = self.order is not None or self.rtp is not None  # else nobody was: they weren't answered
        disposition = disposition_of(facts, overrides) if called else None
        return Ended(self.name, now, disposition, status, q850, text, by)


class MediaOrders:
    """What is played and recorded on the calls that are up.

    None are joined or handed on, and nobody asks for another: of that nobody is told anything.
    """

    _calls: dict[str, Call]

    def _rtp(self, call: str) -> Rtp | None:
        known = self._calls.get(call)
        return known.rtp if known is not None else None

    def play(self, call: str, token: str, frames: Audio) -> None:
        if rtp := self._rtp(call):
            rtp.play(token, frames)

    def stop(self, call: str) -> None:
        if rtp := self._rtp(call):
            rtp.play("", None)

    def record(self, call: str, token: str, seconds: float) -> None:
        if rtp := self._rtp(call):
            rtp.record(token, seconds)

    def stop_recording(self, call: str) -> None:
        if rtp := self._rtp(call):
            rtp.stop_recording()

    def bridge(self, call: str, *others: str) -> None:
        pass

    def unbridge(self, call: str) -> None:
        pass

    def refer(self, call: str, uri: str) -> None:
        pass

    def refer_result(self, call: str, status: int) -> None:
        pass

    def tap(self, call: str, hear: Hear | None) -> None:
        pass


def never_left(order: Dial, now: float, why: str) -> Ended:
    """The end of a call for which there is no port."""
    return Ended(order.call, now, Disposition.NETWORK_FAIL, None, None, why, by="us")


def open_media(ports: PortPool) -> tuple[int, socket]:
    """A port for voice and its socket; NoPorts when none is left."""
    port, voice, control = ports.take()
    control.close()  # pyVoIP has no RTCP
    return port, voice
