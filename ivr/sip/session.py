"""A dialog at work: BYE, INFO, re-INVITE, REFER, and our 200 until its ACK (RFC 3261 §12–§15). Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Literal

from ivr.sip.body import refusal_of, sdp_of
from ivr.sip.dialog import Dialog
from ivr.sip.digest import Login
from ivr.sip.dtmf_info import dtmf_body, parse_dtmf
from ivr.sip.endpoint import Endpoint, reason_header
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.events import AckReceived, DialogEnded, InfoDtmf, ReinviteReceived
from ivr.sip.headers import Cause, parse_reason
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request, Response
from ivr.sip.refer import Referrals
from ivr.sip.sdp import LocalSession, Media
from ivr.sip.unacknowledged import UnacknowledgedOk

__all__ = ["Session", "SessionState"]

SDP: Header = ("Content-Type", "application/sdp")
_RELAYED: tuple[Header, ...] = (("Content-Type", "application/dtmf-relay"),)


class SessionState(Enum):
    EARLY = auto()
    UP = auto()
    ENDING = auto()  # our BYE is out, or waits for their ACK
    OVER = auto()


class Session:
    """One dialog of a call, early or confirmed.

    `quiet` sessions tell no events: the lost branches of a fork, and answers that crossed a CANCEL.
    `on_early_bye` is the called side's: the caller may send BYE before the answer (§15).
    """

    def __init__(self, endpoint: Endpoint, call: str, dialog: Dialog, login: Login) -> None:
        self.endpoint = endpoint
        self.call = call
        self.dialog = dialog
        self.login = login
        self.state = SessionState.EARLY
        self.local: LocalSession | None = None
        self.quiet = False
        self.referrals = Referrals(self)
        self.on_early_bye: Callable[[Cause, float], None] | None = None
        self._unacknowledged: UnacknowledgedOk | None = None
        self._bye_headers: tuple[Header, ...] = ()
        endpoint.dialogs[dialog.key] = self

    @property
    def contact(self) -> Header:
        """Where they reach us, by the transport that the dialog came by."""
        return self.endpoint.contact(self.dialog.peer.transport)

    def confirm(self, envelope: Envelope) -> None:
        """Our INVITE got its 2xx in this dialog."""
        self.dialog.confirm(envelope)
        self.state = SessionState.UP

    def discard(self) -> None:
        """Leave the tables; nothing more is sent or told."""
        self.state = SessionState.OVER
        self._acknowledged()
        self.endpoint.dialogs.pop(self.dialog.key, None)

    # What we do.

    def bye(self, now: float, q850: int | None = None, cause_text: str = "") -> None:
        """End a confirmed dialog. It is told at once; the BYE waits for the ACK to our 200 (§15)."""
        if self.state in (SessionState.ENDING, SessionState.OVER):
            return
        self._tell_end("us", q850, cause_text)
        self._send_bye_when_acknowledged(now, reason_header(q850, cause_text))

    def info(self, key: str, duration_ms: int, now: float) -> None:
        if self.state is SessionState.UP:
            self.start("INFO", now, _RELAYED, dtmf_body(key, duration_ms))

    # What they do.

    def receive(self, incoming: Incoming, now: float) -> None:
        """A request within the dialog, screened, that is no ACK or CANCEL."""
        envelope = incoming.envelope
        if envelope.cseq <= self.dialog.remote_cseq:  # §12.2.2: out of order
            self.endpoint.respond(incoming, 500, now, reason="CSeq Out of Order")
            return
        self.dialog.remote_cseq = envelope.cseq
        match incoming.request.method:
            case "BYE":
                self._receive_bye(incoming, now)
            case "INVITE" if self.state is SessionState.UP:
                self._receive_invite(incoming, now)
            case "INVITE" if self.state is SessionState.EARLY and self.on_early_bye:
                self._ask_later(incoming, now)  # §14.2: theirs isn't answered yet
            case "INVITE" if self.state is SessionState.EARLY:
                self.endpoint.respond(incoming, 491, now)  # §14.2: ours isn't
            case "REFER" if self.state is SessionState.UP:
                self.referrals.receive_refer(incoming, now)
            case "NOTIFY" if self.state is SessionState.UP:
                self.referrals.receive_notify(incoming, now)
            case "INFO" if self.state is not SessionState.ENDING:
                self._receive_info(incoming, now)
            case "OPTIONS":
                self.endpoint.respond(incoming, 200, now, headers=self.endpoint.abilities)
            case _:
                self.endpoint.respond(incoming, 481, now)

    def _receive_bye(self, incoming: Incoming, now: float) -> None:
        cause = parse_reason(incoming.request.every("Reason"))
        if self.state is SessionState.EARLY and self.on_early_bye is None:
            self.endpoint.respond(incoming, 481, now)
            return
        self.endpoint.respond(incoming, 200, now)
        if self.state is SessionState.EARLY and self.on_early_bye:
            self.on_early_bye(cause, now)
        elif self.state is SessionState.UP:
            self._tell_end("them", cause.q850, cause.text)
            self.discard()
        elif self.state is SessionState.ENDING and self._unacknowledged:
            self.discard()  # our BYE hasn't left and needn't

    def _receive_info(self, incoming: Incoming, now: float) -> None:
        try:
            key = parse_dtmf(incoming.request)
        except BadMessage as bad:
            accepted = (("Accept", "application/dtmf-relay, application/dtmf"),) if bad.status == 415 else ()
            self.endpoint.respond(incoming, bad.status, now, headers=accepted)
            return
        self.endpoint.respond(incoming, 200, now)
        if key is not None and not self.quiet:
            self.endpoint.tell(InfoDtmf(self.call, *key))

    def _receive_invite(self, incoming: Incoming, now: float) -> None:
        """A re-INVITE (§14.2): answered from our own media; what doesn't fit leaves the session as it was."""
        if self.local is None or (self._unacknowledged and self._unacknowledged.media is None):
            self._ask_later(incoming, now)
            return
        try:
            offer = sdp_of(incoming.request)
            body, media = (self.local.offer(), None) if offer is None else self.local.answer(offer)
        except (BadMessage, BadDescription, Unacceptable) as fault:
            self.endpoint.refuse(incoming, refusal_of(fault, self.endpoint.config.user), now)
            return
        self.dialog.target = incoming.envelope.contact or self.dialog.target
        self.send_ok(incoming, body, media, now, first=False)
        if media is not None and not self.quiet:
            self.endpoint.tell(ReinviteReceived(self.call, media))

    def _ask_later(self, incoming: Incoming, now: float) -> None:
        self.endpoint.respond(incoming, 500, now, headers=(self.endpoint.retry_after(),))

    # The 200 and its ACK.

    def send_ok(
        self, incoming: Incoming, body: bytes, media: Media | None, now: float, *, first: bool
    ) -> None:
        """Answer an INVITE, and again until the ACK comes."""
        routes = tuple(("Record-Route", route) for route in incoming.envelope.record_route) if first else ()
        headers = (*routes, self.contact, *self.endpoint.abilities, SDP)
        self.endpoint.respond(incoming, 200, now, headers=headers, body=body)
        self.state = SessionState.UP
        waited = self._acknowledged()  # a re-INVITE tells that the 200 before it was heard
        first = first or bool(waited and waited.first)
        self._unacknowledged = UnacknowledgedOk(
            self.endpoint, incoming, media, first, self._never_acknowledged, now
        )

    def _never_acknowledged(self, now: float) -> None:
        self._acknowledged()
        self._end_by_network(now, "no ACK")

    def receive_ack(self, request: Request, envelope: Envelope, now: float) -> None:
        waiting = self._unacknowledged
        if waiting is None or envelope.cseq != waiting.cseq:
            return
        self._acknowledged()
        if self.state is SessionState.ENDING:
            self.start("BYE", now, self._bye_headers)
            return
        try:
            media = waiting.media or self._answered_by(request)
        except (BadMessage, BadDescription, Unacceptable):
            self._end_by_network(now, "no usable answer in the ACK")
            return
        if waiting.first:
            self.endpoint.tell(AckReceived(self.call, media))
        elif waiting.media is None:
            self.endpoint.tell(ReinviteReceived(self.call, media))

    def _answered_by(self, ack: Request) -> Media:
        body = sdp_of(ack)
        if body is None or self.local is None:
            raise Unacceptable("no answer")
        return self.local.agreed(body)

    def _acknowledged(self) -> UnacknowledgedOk | None:
        """Stop repeating the 200, if one is; it."""
        waiting, self._unacknowledged = self._unacknowledged, None
        if waiting:
            waiting.stop()
        return waiting

    # Ending.

    def _tell_end(self, by: Literal["us", "them", "network"], q850: int | None, cause_text: str) -> None:
        self.referrals.forget()
        if not self.quiet:
            self.quiet = True
            self.endpoint.tell_last(DialogEnded(self.call, by, q850, cause_text), self.call)

    def _end_by_network(self, now: float, cause_text: str) -> None:
        self._tell_end("network", None, cause_text)
        self._send_bye_when_acknowledged(now, ())

    def _send_bye_when_acknowledged(self, now: float, headers: tuple[Header, ...]) -> None:
        if self.state is not SessionState.ENDING:
            self.state = SessionState.ENDING
            self._bye_headers = headers
        if self._unacknowledged is None:
            self.start("BYE", now, self._bye_headers)

    def start(self, method: str, now: float, headers: tuple[Header, ...], body: bytes = b"") -> None:
        """A request of ours but INVITE, with what a challenge before it taught us."""

        def on_response(response: Response, envelope: Envelope, now: float) -> None:
            challenged = response.status in (401, 407) and self.state is not SessionState.OVER
            if challenged and self.login.accept(response):
                self.start(method, now, headers, body)
            elif response.status >= 200:
                self._answered(method, response.status, now)

        signed = (*self.login.headers(method, self.dialog.request_uri), *headers)
        self.endpoint.start_in_dialog(
            self.dialog, method, now, signed, body, on_response, lambda now: self._answered(method, 408, now)
        )

    def _answered(self, method: str, status: int, now: float) -> None:
        if method == "BYE":
            self.discard()
        elif method == "REFER":
            if status >= 300:
                self.referrals.refused(status)
        elif method == "NOTIFY":
            pass  # its subscription is over where they say so, and never the call (RFC 5057 §5.1)
        elif status in (408, 481) and self.state is SessionState.UP:  # §12.2.1.2
            self._end_by_network(now, "no such dialog" if status == 481 else "no answer")
