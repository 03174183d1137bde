"""The SIP user agent over UDP: datagrams and commands in, datagrams and events out (RFC 3261). Pure.

The driver's turn:

    agent.receive(data, source, now)              for each datagram, or message of a stream
    agent.handle_timer(now)                       when agent.deadline has passed
    for event in agent.take_events(): ...         may call invite, answer, bye, ...
    for data, address in agent.take_outgoing(): socket.sendto(data, address)

`now` is monotonic seconds, never less than in an earlier call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ivr.sip.digest import Credentials, Login
from ivr.sip.endpoint import AgentConfig, Endpoint, reason_header
from ivr.sip.envelope import envelope_of
from ivr.sip.errors import BadMessage, CallInUse
from ivr.sip.events import Dropped, SipEvent
from ivr.sip.hop import Hop
from ivr.sip.inbound import InboundCall
from ivr.sip.incoming import reply_malformed
from ivr.sip.message import Response, canonical, parse, serialise
from ivr.sip.options import ask_options
from ivr.sip.order import Order
from ivr.sip.outbound import OutboundCall
from ivr.sip.reception import Reception
from ivr.sip.registration import Account, Registration
from ivr.sip.sdp import LocalMedia, LocalSession, Media

__all__ = ["AgentConfig", "CallInUse", "UserAgent"]


class UserAgent:
    """Calls of one UDP address, both ways. Never raises for anything that a datagram holds."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self._endpoint = Endpoint(config)
        self._reception = Reception(self._endpoint)
        self._registrations: dict[str, Registration] = {}

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called next; None when nothing waits."""
        return self._endpoint.alarms.deadline

    @property
    def live_calls(self) -> int:
        """Calls that haven't told their last event."""
        return len(self._endpoint.calls)

    @property
    def idle(self) -> bool:
        """Whether no call, dialog or transaction is left, so that closing the socket loses nothing."""
        return self._endpoint.idle

    def receive(self, data: bytes, source: Hop, now: float) -> None:
        """Take one message; what came of it is in `take_events` and `take_outgoing`."""
        if not data.strip(b"\r\n\0"):
            return  # a keep-alive (RFC 5626 §3.5.1)
        try:
            message = parse(data, is_stream=source.is_reliable)
            envelope = envelope_of(message)
        except BadMessage as bad:
            self._malformed(bad, source)
            return
        if not isinstance(message, Response):
            self._reception.receive(message, envelope, source, now)
        elif not self._endpoint.layer.receive_response(message, envelope, now):
            self._endpoint.tell(Dropped(f"a {message.status} to no request of ours", source))

    def connection_failed(self, hop: Hop, now: float) -> None:
        """No connection came up to `hop`, so nothing that was to go there has been sent."""
        self._endpoint.layer.connection_failed(hop, now)

    def connection_lost(self, hop: Hop, now: float) -> None:
        """The connection to `hop` has ended; what was sent by it may have been lost."""
        for session in self._endpoint.dialogs.values():
            session.dialog.connection_lost(hop)
        self._endpoint.layer.connection_lost(hop, now)

    def handle_timer(self, now: float) -> None:
        """Do what is due at `now`."""
        self._endpoint.alarms.ring(now)

    def take_outgoing(self) -> list[tuple[bytes, Hop]]:
        """The datagrams to send, oldest first; each is given once."""
        taken, self._endpoint.outgoing[:] = list(self._endpoint.outgoing), []
        return taken

    def take_events(self) -> list[SipEvent]:
        """The events since the last call, oldest first; each is given once."""
        taken, self._endpoint.events[:] = list(self._endpoint.events), []
        return taken

    def invite(
        self,
        call: str,
        uri: str,
        destination: Hop,
        offer: LocalMedia,
        from_uri: str,
        now: float,
        *,
        credentials: Credentials | None = None,
        headers: Sequence[tuple[str, str]] = (),
        place: bytes = b"",
        redirects: Mapping[str, Hop] | None = None,
        display: str = "",
    ) -> str:
        """Call `uri` ("sip:13803790001@10.0.0.1:5060") by way of `destination`, the trunk's; the Call-ID.

        `from_uri` names the caller, `display` in words; `headers` are added to the INVITE, `place` (a part
        with its own headers) to its body. A 401 or 407 is answered once with `credentials`, a 415 and its
        like once without `place`, a 422 once with the longer interval; a 3xx is followed once, where it leads
        to a host of `redirects` ("192.0.2.9", "192.0.2.9:5070"), by the way that is told there. CallInUse if
        `call` lives; ValueError where a text holds a line end.
        """
        endpoint = self._endpoint
        if call in endpoint.calls:
            raise CallInUse(call)
        extra = tuple((canonical(name), value) for name, value in headers)
        _refuse_line_ends(uri, from_uri, display, *(value for _, value in extra))
        order = Order(uri, destination, from_uri, extra, place, redirects or {}, display=display)
        local = LocalSession(endpoint.new_token(), offer)
        login = Login(credentials, endpoint.new_token)
        made = endpoint.calls[call] = OutboundCall(endpoint, call, order, local, login, now)
        return made.call_id

    def cancel(self, call: str, now: float) -> None:
        """Give up our INVITE; InviteFailed follows. CANCEL waits for a provisional response (§9.1).

        An answered call gets BYE instead. Nothing happens when the call is unknown or over.
        """
        self.bye(call, now)

    def bye(self, call: str, now: float, *, q850: int | None = None) -> None:
        """End an answered call, either way; DialogEnded(by="us") is told at once.

        `q850` is sent in a Reason header. An inbound call waits for its ACK before BYE leaves (§15). Our
        own unanswered INVITE is cancelled instead, theirs rejected with 480. Nothing happens when the call
        is unknown or over.
        """
        if found := self._endpoint.calls.get(call):
            found.bye(now, q850)

    def info(self, call: str, key: str, now: float, *, duration_ms: int = 160) -> None:
        """Send a key (0-9 * # A-D) as INFO application/dtmf-relay in an answered call."""
        if found := self._endpoint.calls.get(call):
            found.info(key, duration_ms, now)

    def refer(self, call: str, uri: str, now: float) -> None:
        """Ask the far end of an answered call to call `uri` instead; ReferAnswered tells, or the end."""
        _refuse_line_ends(uri)
        if (found := self._endpoint.calls.get(call)) and found.session:
            found.session.referrals.ask(uri, now)

    def refer_result(self, call: str, status: int, now: float) -> None:
        """What came of the REFER that ReferReceived told: a final status."""
        if (found := self._endpoint.calls.get(call)) and found.session:
            found.session.referrals.result(status, now)

    def provisional(self, call: str, status: int, now: float, *, local: LocalMedia | None = None) -> None:
        """Send 180, 183 … to an inbound INVITE, with an answer (early media) where `local` is given."""
        if found := self._inbound(call):
            found.provisional(status, local, now)

    def answer(self, call: str, local: LocalMedia, now: float) -> Media | None:
        """Send 200 with our answer, again until the ACK comes; without one for 64*T1, BYE and DialogEnded.

        What is agreed holds from here on: their voice may come before their ACK. An offer that shares no
        codec with `local` is refused with 488, and DialogEnded(by="network") told.
        """
        found = self._inbound(call)
        return found.answer(local, now) if found else None

    def reject(self, call: str, status: int, now: float, *, q850: int | None = None, text: str = "") -> None:
        """Send a final 300–699 to an inbound INVITE; `q850` and `text` go into a Reason header (RFC 3326)."""
        _refuse_line_ends(text)
        if found := self._inbound(call):
            found.reject(status, reason_header(q850, text), now)

    def redirect(self, call: str, uris: Sequence[str], now: float) -> None:
        """Send 302 to an inbound INVITE: call these instead, the first before the others (§21.3.3)."""
        _refuse_line_ends(*uris)
        if found := self._inbound(call):
            found.reject(302, tuple(("Contact", f"<{uri}>") for uri in uris), now)

    def options(self, key: str, uri: str, hop: Hop, now: float) -> None:
        """Ask whether somebody is there; one OptionsAnswered with `key` follows (§11)."""
        _refuse_line_ends(uri)
        ask_options(self._endpoint, key, uri, hop, now)

    def register(self, key: str, account: Account, now: float) -> None:
        """Become known to a registrar and stay so until `unregister`; Registered and RegistrationFailed tell.

        CallInUse if `key` is registered already; ValueError where a text holds a line end.
        """
        if key in self._registrations:
            raise CallInUse(key)
        _refuse_line_ends(account.registrar, account.name)
        self._registrations[key] = Registration(self._endpoint, key, account, now)

    def unregister(self, key: str, now: float) -> None:
        """Take our address back; nothing more is told of `key`. Harmless without one."""
        if registration := self._registrations.pop(key, None):
            registration.close(now)

    def leave_registrar(self, key: str) -> None:
        """As `unregister` after RegistrationFailed, but nothing is said to a registrar that is silent: it may
        come back, and take away what another of its domain has just taken.
        """
        if registration := self._registrations.pop(key, None):
            registration.leave()

    def _inbound(self, call: str) -> InboundCall | None:
        found = self._endpoint.calls.get(call)
        return found if isinstance(found, InboundCall) else None

    def _malformed(self, bad: BadMessage, source: Hop) -> None:
        """Answer it where a response is possible, and count it."""
        self._endpoint.tell(Dropped(f"malformed {bad}", source))
        if answered := reply_malformed(bad, source):
            response, address = answered
            self._endpoint.send(serialise(response), address)


def _refuse_line_ends(*texts: str) -> None:
    for text in texts:
        if "\r" in text or "\n" in text:
            raise ValueError(f"a line end in {text!r}")
