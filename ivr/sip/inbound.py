"""A call of theirs until we have answered or refused it (RFC 3261 §13.3, §9.2). Pure."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto

from ivr.sip.agreement import SDP
from ivr.sip.body import refusal_of
from ivr.sip.dialog import Dialog
from ivr.sip.digest import Login
from ivr.sip.endpoint import Endpoint, reason_header
from ivr.sip.errors import BadDescription, Unacceptable
from ivr.sip.events import CancelReceived, DialogEnded
from ivr.sip.headers import Cause, parse_reason, seconds_of
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request
from ivr.sip.reliable import ReliableProvisionals, requires_reliable
from ivr.sip.screening import Refusal
from ivr.sip.sdp import LocalMedia, LocalSession, Media
from ivr.sip.session import Session, SessionState

__all__ = ["InboundCall"]


_AGAIN = 60.0  # seconds


class State(Enum):
    RINGING = auto()
    UP = auto()
    OVER = auto()


class InboundCall:
    """`offer` is the description in their INVITE, None when the 200 is to offer."""

    def __init__(
        self, endpoint: Endpoint, call: str, incoming: Incoming, offer: bytes | None, now: float
    ) -> None:
        self._endpoint = endpoint
        self._call = call
        self._incoming = incoming
        self._offer = offer
        self._state = State.RINGING
        transaction = incoming.transaction
        transaction.to_tag = endpoint.new_token()
        transaction.on_cancel = self._cancelled
        dialog = Dialog.of_request(
            incoming.request,
            incoming.envelope,
            transaction.to_tag,
            transaction.address,
            transaction.otherwise,
        )
        login = Login(endpoint.config.credentials(incoming.source), endpoint.new_token)
        self._session = Session(endpoint, call, dialog, login)
        self._session.learn(incoming.request)
        self._session.on_early_bye = self._gone
        self._agreement = self._session.agreement
        self._agreement.waiting = "" if offer is None else "them"
        self._answer_with: LocalMedia | None = None  # what waits for a PRACK
        self._reliable: ReliableProvisionals | None = None
        if requires_reliable(incoming.request):
            self._reliable = ReliableProvisionals(endpoint, incoming, self._never_acknowledged)
            self._session.on_prack = self._receive_prack
        if (seconds := seconds_of(incoming.request.first("Expires"))) is not None:
            endpoint.alarms.set((self, "expires"), now + seconds, self._expired)

    @property
    def session(self) -> Session | None:
        return self._session if self._state is State.UP else None

    def provisional(self, status: int, local: LocalMedia | None, now: float) -> None:
        """With an answer where `local` is given and fits their offer."""
        if self._state is not State.RINGING:
            return
        body, media = b"", None
        if local is not None and self._offer is not None and self._agreement.waiting:
            with suppress(Unacceptable):  # a later `answer` refuses the call
                body, media = self._local(local).answer(self._offer)
        if self._reliable and media is not None:
            self._agreement.media, self._agreement.waiting = media, ""
        self._send_provisional(status, body, now)

    def _send_provisional(self, status: int, body: bytes, now: float) -> None:
        """And again each minute: a proxy on the way gives up where it hears nothing (§13.3.1.1)."""
        again = b"" if self._reliable else body  # what is acknowledged needn't be said again
        self._endpoint.alarms.set(
            (self, "rings"), now + _AGAIN, lambda now: self._send_provisional(status, again, now)
        )
        headers = (*self._record_route(), self._session.contact, self._endpoint.allow)
        headers = (*headers, SDP) if body else headers
        if self._reliable is None:
            self._endpoint.respond(self._incoming, status, now, headers=headers, body=body)
        elif self._offer is None:  # the first reliable response would have to offer (RFC 3262 §5)
            self._endpoint.respond(self._incoming, 100, now)
        else:
            self._reliable.send(status, headers, body, now)

    def answer(self, local: LocalMedia, now: float) -> Media | None:
        """What is agreed by that; None where nothing is, or not yet."""
        if self._state is not State.RINGING:
            return None
        if self._reliable and self._reliable.describes:  # the 200 waits for its PRACK (RFC 3262 §3)
            self._answer_with = local
            return self._agreement.media
        try:
            body, media = self._described(local)
        except (BadDescription, Unacceptable) as fault:
            self._refuse(refusal_of(fault, self._endpoint.config.user), "no codec in common", now)
            return None
        self._state = State.UP
        self._stop_waiting()
        self._session.state = SessionState.UP
        self._agreement.media = media
        self._agreement.send_ok(self._incoming, body, media, now, first=True)
        return media

    def _described(self, local: LocalMedia) -> tuple[bytes, Media | None]:
        """The 200's description, and what it agrees; None while it offers."""
        if self._offer is None:
            return self._local(local).offer(again=False), None
        if not self._agreement.waiting:  # a response that was acknowledged has answered
            return b"", self._agreement.media
        return self._local(local).answer(self._offer)

    def reject(self, status: int, headers: tuple[Header, ...], now: float) -> None:
        if self._state is State.RINGING:
            self._finish(status, headers, now)
            self._endpoint.calls.pop(self._call, None)

    def bye(self, now: float, q850: int | None) -> None:
        if self._state is State.RINGING:
            self.reject(480, reason_header(q850), now)
            self._endpoint.tell(DialogEnded(self._call, "us", q850, "not answered"))
        else:
            self._session.bye(now, q850)

    def info(self, key: str, duration_ms: int, now: float) -> None:
        self._session.info(key, duration_ms, now)

    def _cancelled(self, cancel: Request, now: float) -> None:
        self._gone(parse_reason(cancel.every("Reason")), now)

    def _expired(self, now: float) -> None:
        """Their INVITE held for as long as its Expires said (§13.3.1)."""
        self._gone(Cause(None, "the INVITE expired"), now)

    def _gone(self, cause: Cause, now: float) -> None:
        """They gave up, by CANCEL, by a BYE in the early dialog, or by what their INVITE said."""
        self._finish(487, (), now)
        self._endpoint.tell_last(CancelReceived(self._call, cause.q850, cause.text), self._call)

    def _receive_prack(self, prack: Incoming, now: float) -> None:
        """Theirs to a provisional response of ours; one with an offer is answered like an UPDATE."""
        assert self._reliable is not None
        if not self._reliable.fits(prack.request):
            self._endpoint.respond(prack, 481, now)
            return
        if not self._agreement.receive_prack(prack, now):
            return
        self._reliable.acknowledged(now)
        if self._answer_with is not None and not self._reliable.describes:
            self.answer(self._answer_with, now)

    def _never_acknowledged(self, now: float) -> None:
        self._refuse(Refusal(500, reason="No PRACK"), "no PRACK", now)

    def _refuse(self, refusal: Refusal, cause_text: str, now: float) -> None:
        """A failure that isn't the driver's doing."""
        if self._state is State.RINGING:
            self._finish(refusal.status, refusal.headers, now, refusal.reason)
            self._endpoint.tell_last(DialogEnded(self._call, "network", None, cause_text), self._call)

    def _finish(self, status: int, headers: tuple[Header, ...], now: float, reason: str = "") -> None:
        self._state = State.OVER
        self._stop_waiting()
        self._endpoint.respond(self._incoming, status, now, reason=reason, headers=headers)
        self._session.discard()

    def _stop_waiting(self) -> None:
        """The final response goes."""
        self._incoming.transaction.on_cancel = None
        for alarm in ("rings", "expires"):
            self._endpoint.alarms.clear((self, alarm))
        if self._reliable:
            self._reliable.stop()

    def _local(self, local: LocalMedia) -> LocalSession:
        if self._agreement.local is None:
            self._agreement.local = LocalSession(self._endpoint.new_token(), local)
        self._agreement.local.local = local
        return self._agreement.local

    def _record_route(self) -> tuple[Header, ...]:
        return tuple(("Record-Route", route) for route in self._incoming.envelope.record_route)
