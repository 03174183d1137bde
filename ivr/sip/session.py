"""A dialog at work: whose requests come to whom, BYE, INFO, PRACK, and its end (RFC 3261 §12–§15). Pure."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Literal
from weakref import proxy

from ivr.sip.agreement import Agreement
from ivr.sip.dialog import ENDS_DIALOG, Dialog
from ivr.sip.digest import Login
from ivr.sip.dtmf_info import dtmf_body, parse_dtmf
from ivr.sip.endpoint import Endpoint, reason_header
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadMessage
from ivr.sip.events import DialogEnded, InfoDtmf
from ivr.sip.headers import Cause, parse_reason
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request, Response
from ivr.sip.refer import Referrals
from ivr.sip.refresh import Refresh
from ivr.sip.session_timer import SessionTimer

__all__ = ["Session", "SessionState"]

_RELAYED: tuple[Header, ...] = (("Content-Type", "application/dtmf-relay"),)


class SessionState(Enum):
    EARLY = auto()
    UP = auto()
    ENDING = auto()  # our BYE is out, or waits for their ACK
    OVER = auto()


class Session:
    """One dialog of a call, early or confirmed.

    `quiet` sessions tell no events: the lost branches of a fork, and answers that crossed a CANCEL.
    `on_early_bye` and `on_prack` are the called side's: the caller may send BYE before the answer (§15), and
    acknowledges provisional responses (RFC 3262). `their_methods` is the last Allow that came.

    Its parts know it weakly: what is over is gone at once, and leaves no work to the garbage collector, whose
    pauses are heard.
    """

    def __init__(self, endpoint: Endpoint, call: str, dialog: Dialog, login: Login) -> None:
        self.endpoint = endpoint
        self.call = call
        self.dialog = dialog
        self.login = login
        self.state = SessionState.EARLY
        self.quiet = False
        self.their_methods: frozenset[str] = frozenset()
        me: Session = proxy(self)
        self.agreement = Agreement(me)
        self.timer = SessionTimer(me)
        self.referrals = Referrals(me)
        self._refresh: Refresh | None = None  # once one is due
        self.on_early_bye: Callable[[Cause, float], None] | None = None
        self.on_prack: Callable[[Incoming, float], None] | None = None
        self._rseq = 0
        self._bye_headers: tuple[Header, ...] = ()
        endpoint.dialogs[dialog.key] = self

    @property
    def contact(self) -> Header:
        """Where they reach us, by the transport that the dialog came by."""
        return self.endpoint.contact(self.dialog.peer.transport)

    @property
    def is_up(self) -> bool:
        return self.state is SessionState.UP

    @property
    def is_ending(self) -> bool:
        return self.state is SessionState.ENDING

    def confirm(self, envelope: Envelope) -> None:
        """Our INVITE got its 2xx in this dialog."""
        self.dialog.confirm(envelope)
        self.state = SessionState.UP

    def discard(self) -> None:
        """Leave the tables; nothing more is sent or told."""
        self.state = SessionState.OVER
        self.agreement.acknowledged()
        self.timer.stop()
        self.on_early_bye = self.on_prack = None
        self.endpoint.dialogs.pop(self.dialog.key, None)

    def _leave(self, now: float) -> None:
        """Once it has been up."""
        if self._refresh:
            self._refresh.stop(now)  # what it still waits for holds it, and us
            self._refresh = None
        self.discard()

    def learn(self, message: Request | Response) -> None:
        """Take note of what they can do."""
        if methods := message.options("Allow"):
            self.their_methods = frozenset(methods)

    def take_target(self, incoming: Incoming) -> None:
        """A request that refreshes the target was taken (§12.2.2)."""
        self.dialog.target = incoming.envelope.contact or self.dialog.target
        self.learn(incoming.request)

    @property
    def is_reinviting(self) -> bool:
        """Whether an INVITE of ours waits for its end in this dialog."""
        return self._refresh is not None and self._refresh.is_inviting

    def refreshed(self) -> None:
        """Whoever it was has: what was put off isn't needed."""
        if self._refresh:
            self._refresh.forget()

    # What we do.

    def refresh(self, now: float) -> None:
        """Send one, so that the session doesn't expire."""
        if self._refresh is None:
            self._refresh = Refresh(self)
        self._refresh.start(now)

    def bye(self, now: float, q850: int | None = None, cause_text: str = "") -> None:
        """End a confirmed dialog. It is told at once; the BYE waits for the ACK to our 200 (§15)."""
        if self.state in (SessionState.ENDING, SessionState.OVER):
            return
        self._tell_end("us", q850, cause_text)
        self._send_bye_when_acknowledged(now, reason_header(q850, cause_text))

    def info(self, key: str, duration_ms: int, now: float) -> None:
        if self.is_up:
            self.start("INFO", now, _RELAYED, dtmf_body(key, duration_ms))

    def acknowledge(self, rseq: int, cseq: int, now: float) -> bool:
        """PRACK a provisional response to our INVITE of that number (RFC 3262 §4); whether it is a new one.

        One that comes before its turn is as good as lost: they send it again.
        """
        if self._rseq and rseq != self._rseq + 1:
            return False
        self._rseq = rseq
        self.start("PRACK", now, (("RAck", f"{rseq} {cseq} INVITE"),))
        return True

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
            case "INVITE" if self.is_up:
                self.agreement.receive_invite(incoming, now)
            case "INVITE" if self.state is SessionState.EARLY and self.on_early_bye:
                self.agreement.ask_later(incoming, now)  # §14.2: theirs isn't answered yet
            case "INVITE" if self.state is SessionState.EARLY:
                self.endpoint.respond(incoming, 491, now)  # §14.2: ours isn't
            case "UPDATE" if not self.is_ending:
                self.agreement.receive_update(incoming, now)
            case "PRACK" if self.on_prack:
                self.on_prack(incoming, now)
            case "REFER" if self.is_up:
                self.referrals.receive_refer(incoming, now)
            case "NOTIFY" if self.is_up:
                self.referrals.receive_notify(incoming, now)
            case "INFO" if not self.is_ending:
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
        elif self.is_up:
            self._tell_end("them", cause.q850, cause.text)
            self._leave(now)
        elif self.is_ending and self.agreement.is_unacknowledged:
            self._leave(now)  # our BYE hasn't left and needn't

    def _receive_info(self, incoming: Incoming, now: float) -> None:
        if incoming.request.first("Info-Package") is not None:  # RFC 6086 §4.2.2: we take none
            self.endpoint.respond(incoming, 469, now, headers=(("Recv-Info", ""),))
            return
        try:
            key = parse_dtmf(incoming.request)
        except BadMessage as bad:
            accepted = (("Accept", "application/dtmf-relay, application/dtmf"),) if bad.status == 415 else ()
            self.endpoint.respond(incoming, bad.status, now, headers=accepted)
            return
        self.endpoint.respond(incoming, 200, now)
        if key is not None and not self.quiet:
            self.endpoint.tell(InfoDtmf(self.call, *key))

    # Ending.

    def _tell_end(self, by: Literal["us", "them", "network"], q850: int | None, cause_text: str) -> None:
        self.referrals.forget()
        self.timer.stop()
        if not self.quiet:
            self.quiet = True
            self.endpoint.tell_last(DialogEnded(self.call, by, q850, cause_text), self.call)

    def end_by_network(self, now: float, cause_text: str) -> None:
        self._tell_end("network", None, cause_text)
        self._send_bye_when_acknowledged(now, ())

    def _send_bye_when_acknowledged(self, now: float, headers: tuple[Header, ...]) -> None:
        if not self.is_ending:
            self.state = SessionState.ENDING
            self._bye_headers = headers
        if not self.agreement.is_unacknowledged:
            self.send_bye(now)

    def send_bye(self, now: float) -> None:
        self.start("BYE", now, self._bye_headers)

    def start(self, method: str, now: float, headers: tuple[Header, ...], body: bytes = b"") -> None:
        """A request of ours that refreshes nothing, with what a challenge before it taught us."""

        def on_response(response: Response, envelope: Envelope, now: float) -> None:
            challenged = response.status in (401, 407) and self.state is not SessionState.OVER
            if challenged and self.login.accept(response):
                self.start(method, now, headers, body)
            elif response.status >= 200:
                self._answered(method, response.status, now)

        signed = (*self.login.headers(method, self.dialog.request_uri, body), *headers)
        self.endpoint.start_in_dialog(
            self.dialog, method, now, signed, body, on_response, lambda now: self._answered(method, 408, now)
        )

    def _answered(self, method: str, status: int, now: float) -> None:
        if status < 300:
            self.login.succeeded()
        if method == "BYE":
            self._leave(now)
        elif method == "REFER":
            if status >= 300:
                self.referrals.refused(status)
        elif method in ("NOTIFY", "PRACK"):
            pass  # what comes of them is theirs to say: never the end of a call (RFC 5057 §5.1)
        elif status in ENDS_DIALOG and self.is_up:
            self.end_by_network(now, "no such dialog" if status == 481 else "no answer")
