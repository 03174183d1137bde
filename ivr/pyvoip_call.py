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
from ivr.media.ports import PortPool
from ivr.pyvoip_client import Message
from ivr.pyvoip_rtp import Rtp
from ivr.settings import CauseOverride
from ivr.sip.digest import Login

__all__ = ["Call", "never_left", "open_media"]


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


def never_left(order: Dial, now: float, why: str) -> Ended:
    """The end of a call for which there is no port."""
    return Ended(order.call, now, Disposition.NETWORK_FAIL, None, None, why, by="us")


def open_media(ports: PortPool) -> tuple[int, socket]:
    """A port for voice and its socket; NoPorts when none is left."""
    port, voice, control = ports.take()
    control.close()  # pyVoIP has no RTCP
    return port, voice
