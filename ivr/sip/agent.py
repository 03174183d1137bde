"""The SIP user agent over UDP: datagrams and commands in, datagrams and events out (RFC 3261). Pure.

The driver's turn:

    agent.receive_datagram(data, source, now)     for each datagram
    agent.handle_timer(now)                       when agent.deadline has passed
    for event in agent.take_events(): ...         may call invite, answer, bye, ...
    for data, address in agent.take_outgoing(): socket.sendto(data, address)

`now` is monotonic seconds, never less than in an earlier call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ivr.sip.digest import Credentials
from ivr.sip.events import Address, SipEvent
from ivr.sip.sdp import LocalMedia
from ivr.sip.transaction import Timers

__all__ = ["AgentConfig", "CallInUse", "UserAgent"]


class CallInUse(Exception):
    """A call's id was given to `invite` while a call of that id lives."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """`host` and `port` are our address as peers reach it (Via, Contact).

    `new_token` gives a fresh string of letters and digits, 16 or more of them from a good source of
    randomness; branches, tags and Call-IDs are made of it. `user` is the user part of our Contact.
    """

    host: str
    port: int
    new_token: Callable[[], str]
    timers: Timers = field(default_factory=Timers)
    user: str = "huifang"
    user_agent: str = "huifang"


class UserAgent:
    """Calls of one UDP address, both ways. Never raises for anything that a datagram holds."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called next; None when nothing waits."""
        raise NotImplementedError

    @property
    def live_calls(self) -> int:
        """Calls that haven't told their last event."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether no call, dialog or transaction is left, so that closing the socket loses nothing."""
        raise NotImplementedError

    def receive_datagram(self, data: bytes, source: Address, now: float) -> None:
        """Take one datagram; what came of it is in `take_events` and `take_outgoing`."""
        raise NotImplementedError

    def handle_timer(self, now: float) -> None:
        """Do what is due at `now`."""
        raise NotImplementedError

    def take_outgoing(self) -> list[tuple[bytes, Address]]:
        """The datagrams to send, oldest first; each is given once."""
        raise NotImplementedError

    def take_events(self) -> list[SipEvent]:
        """The events since the last call, oldest first; each is given once."""
        raise NotImplementedError

    def invite(
        self,
        call: str,
        uri: str,
        destination: Address,
        offer: LocalMedia,
        from_uri: str,
        now: float,
        *,
        credentials: Credentials | None = None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Call `uri` ("sip:13803790001@10.0.0.1:5060") by way of `destination`, the trunk's address.

        `from_uri` names the caller; `headers` are added to the INVITE. A 401 or 407 is answered once with
        `credentials`. CallInUse if `call` lives.
        """
        raise NotImplementedError

    def cancel(self, call: str, now: float) -> None:
        """Give up our INVITE; InviteFailed follows. CANCEL waits for a provisional response (§9.1).

        An answered call gets BYE instead. Nothing happens when the call is unknown or over.
        """
        raise NotImplementedError

    def bye(self, call: str, now: float, *, q850: int | None = None) -> None:
        """End an answered call, either way; DialogEnded(by="us") is told at once.

        `q850` is sent in a Reason header. An inbound call waits for its ACK before BYE leaves (§15). Our
        own unanswered INVITE is cancelled instead, theirs rejected with 480. Nothing happens when the call
        is unknown or over.
        """
        raise NotImplementedError

    def info(self, call: str, key: str, now: float, *, duration_ms: int = 160) -> None:
        """Send a key (0-9 * # A-D) as INFO application/dtmf-relay in an answered call."""
        raise NotImplementedError

    def provisional(self, call: str, status: int, now: float, *, local: LocalMedia | None = None) -> None:
        """Send 180, 183 … to an inbound INVITE, with an answer (early media) where `local` is given."""
        raise NotImplementedError

    def answer(self, call: str, local: LocalMedia, now: float) -> None:
        """Send 200 with our answer, again until the ACK comes; without one for 64*T1, BYE and DialogEnded.

        An offer that shares no codec with `local` is refused with 488, and DialogEnded(by="network") told.
        """
        raise NotImplementedError

    def reject(self, call: str, status: int, now: float, *, q850: int | None = None, text: str = "") -> None:
        """Send a final 300–699 to an inbound INVITE; `q850` and `text` go into a Reason header (RFC 3326)."""
        raise NotImplementedError
