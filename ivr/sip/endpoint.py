"""What all calls of an agent share: address, transactions, tables, what waits to go out. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ivr.sip.alarms import Alarms
from ivr.sip.dialog import Dialog, DialogKey
from ivr.sip.digest import Credentials
from ivr.sip.events import SipEvent
from ivr.sip.headers import bracketed, quote
from ivr.sip.hop import DEFAULT_PORTS, Hop, Transport
from ivr.sip.incoming import Incoming, reply
from ivr.sip.layer import Layer
from ivr.sip.message import Header, Request, serialise
from ivr.sip.screening import METHODS, REFERRING, Refusal
from ivr.sip.sdp import Profiles
from ivr.sip.transaction import Timers
from ivr.sip.underway import ClientTransaction, OnResponse, OnSilence

if TYPE_CHECKING:
    from ivr.sip.session import Session

__all__ = ["AgentConfig", "Call", "Endpoint", "reason_header"]


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """`host` and `port` are our address as peers reach it (Via, Contact), over UDP and TCP; `tls_port` the
    one over TLS. A request that `largest_datagram` octets don't hold goes by TCP (RFC 3261 §18.1.1); None:
    there is no TCP.

    `new_token` gives a fresh string of letters and digits, 16 or more of them from a good source of
    randomness; branches, tags and Call-IDs are made of it. `user` is the user part of our Contact. `trying`
    is whether an INVITE gets 100 at once; not where the driver rings within 200 ms (RFC 3261 §17.2.1) and
    an edge before us goes to the next worker when nothing comes. `transfers` is whether a REFER is taken.
    `profiles` are those by which voice may go there and come from there: an offer by others alone is 488.
    `may_call` says whether a 3xx may lead to a URI's user, `credentials` who we are to whom a call of theirs
    comes from, where what we send in it is challenged.
    `session_expires` is how many seconds a call may go unrefreshed, 0 for ever; `min_se` is the least that we
    agree to (RFC 4028).
    """

    host: str
    port: int
    new_token: Callable[[], str]
    timers: Timers = field(default_factory=Timers)
    user: str = "huifang"
    user_agent: str = "huifang"
    trying: bool = True
    transfers: bool = False
    profiles: Callable[[Hop], Profiles] = lambda source: Profiles()
    may_call: Callable[[str], bool] = lambda user: True
    credentials: Callable[[Hop], Credentials | None] = lambda source: None
    tls_port: int = 0
    largest_datagram: int | None = None
    session_expires: int = 1800
    min_se: int = 90


class Call(Protocol):
    """An outbound or inbound call, as the table of calls knows it."""

    def bye(self, now: float, q850: int | None) -> None: ...

    def info(self, key: str, duration_ms: int, now: float) -> None: ...

    @property
    def session(self) -> Session | None:
        """Its dialog, once it's answered."""


class Endpoint:
    """The tables. `calls` holds those that haven't told their last event, `dialogs` those that may yet get
    a request."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self.alarms = Alarms()
        self.outgoing: list[tuple[bytes, Hop]] = []
        self.events: list[SipEvent] = []
        self.layer = Layer(config.timers, self.alarms, self.send, config.largest_datagram)
        self.calls: dict[str, Call] = {}
        self.dialogs: dict[DialogKey, Session] = {}
        self.new_token = config.new_token
        self.methods = (*METHODS, *REFERRING) if config.transfers else METHODS
        self.allow: Header = ("Allow", ", ".join(self.methods))
        self.supported = ("100rel", "199", "timer") if config.session_expires else ("100rel", "199")
        self.knows: Header = ("Supported", ", ".join(self.supported))
        self.abilities: tuple[Header, ...] = (self.allow, ("Accept", "application/sdp"), self.knows)

    @property
    def idle(self) -> bool:
        return not (self.calls or self.dialogs or len(self.layer) or len(self.alarms))

    def send(self, data: bytes, hop: Hop) -> None:
        self.outgoing.append((data, hop))

    def tell(self, event: SipEvent) -> None:
        self.events.append(event)

    def tell_last(self, event: SipEvent, call: str) -> None:
        """Tell an event after which the call is over."""
        self.calls.pop(call, None)
        self.events.append(event)

    def fraction(self) -> float:
        """From 0 to less than 1, by the randomness that was injected."""
        return zlib.crc32(self.new_token().encode()) / 2**32

    def retry_after(self) -> Header:
        """When to come again: 0–10 seconds (§14.2, RFC 3311 §5.2)."""
        return "Retry-After", str(int(11 * self.fraction()))

    def new_branch(self) -> str:
        return f"z9hG4bK{self.new_token()}"

    def via(self, branch: str, transport: Transport) -> Header:
        return "Via", f"SIP/2.0/{transport.upper()} {self._sent_by(transport)};branch={branch};rport"

    def contact(self, transport: Transport) -> Header:
        """Where we're reached by that transport; UDP is what a SIP URI means without one (RFC 3263 §4.1)."""
        told = "" if transport == "udp" else f";transport={transport}"
        return "Contact", f"<sip:{self.config.user}@{self._sent_by(transport)}{told}>"

    def _sent_by(self, transport: Transport) -> str:
        config = self.config
        tls_port = (
            config.tls_port or DEFAULT_PORTS["tls"]
        )  # who only calls by TLS is reached by his connection
        return f"{bracketed(config.host)}:{tls_port if transport == 'tls' else config.port}"

    def start_in_dialog(
        self,
        dialog: Dialog,
        method: str,
        now: float,
        headers: Sequence[Header],
        body: bytes,
        on_response: OnResponse,
        on_silence: OnSilence,
    ) -> ClientTransaction:
        """Send the dialog's next request."""
        dialog.local_cseq += 1
        branch = self.new_branch()
        common = (*headers, ("User-Agent", self.config.user_agent))
        request, hop = dialog.request(method, dialog.local_cseq, common, body)
        return self.layer.start(self._signed(request, branch, hop), branch, hop, now, on_response, on_silence)

    def _signed(self, request: Request, branch: str, hop: Hop) -> Request:
        """With our Via on top."""
        return replace(request, headers=(self.via(branch, hop.transport), *request.headers))

    def respond(
        self,
        incoming: Incoming,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Sequence[Header] = (),
        body: bytes = b"",
    ) -> None:
        """Answer a request through its transaction; all but a 100 carry our tag."""
        transaction = incoming.transaction
        if status > 100 and not transaction.to_tag:
            transaction.to_tag = self.new_token()
        response = reply(
            incoming.request,
            incoming.envelope,
            incoming.source,
            status,
            to_tag=transaction.to_tag if status > 100 else "",
            reason=reason,
            headers=headers,
            body=body,
        )
        self.layer.respond(transaction, response, now)

    def refuse(self, incoming: Incoming, refusal: Refusal, now: float) -> None:
        self.respond(incoming, refusal.status, now, reason=refusal.reason, headers=refusal.headers)

    def ack(self, dialog: Dialog, cseq: int, headers: Sequence[Header]) -> tuple[bytes, Hop]:
        """The ACK to a 2xx, which is no transaction's (§13.2.2.4), and where it goes."""
        request, hop = dialog.request("ACK", cseq, headers)
        return serialise(self._signed(request, self.new_branch(), hop)), hop


def reason_header(q850: int | None, text: str = "") -> tuple[Header, ...]:
    """A Reason header (RFC 3326) for a Q.850 cause; none without one."""
    if q850 is None:
        return ()
    words = f";text={quote(text)}" if text else ""
    return (("Reason", f"Q.850;cause={q850}{words}"),)
