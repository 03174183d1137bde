"""A call of ours until it is answered or has failed: INVITE, forks, CANCEL (RFC 3261 §9, §13.2). Pure."""

from __future__ import annotations

from copy import copy
from enum import Enum, auto

from ivr.sip.body import sdp_of
from ivr.sip.dialog import Dialog
from ivr.sip.digest import Login, credentials_of
from ivr.sip.endpoint import Endpoint
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.events import InviteAccepted, InviteFailed, InviteProgress
from ivr.sip.headers import parse_reason, printable, seconds_of
from ivr.sip.hop import Hop
from ivr.sip.invitation import Invitation
from ivr.sip.message import Request, Response
from ivr.sip.order import Order
from ivr.sip.reliable import rseq_of
from ivr.sip.sdp import LocalSession, Media
from ivr.sip.session import Session
from ivr.sip.underway import ClientTransaction

__all__ = ["OutboundCall"]


class State(Enum):
    CALLING = auto()
    GIVEN_UP = auto()  # we want or have sent CANCEL
    UP = auto()
    OVER = auto()


class OutboundCall:
    """Lives in the table of calls until its last event, and in its transaction while answers may come."""

    def __init__(
        self, endpoint: Endpoint, call: str, order: Order, local: LocalSession, login: Login, now: float
    ) -> None:
        self._endpoint = endpoint
        self._call = call
        self._invitation = Invitation(endpoint, order, local, login)
        self._state = State.CALLING
        self._cseq = 0
        self._heard = False  # a provisional response to the INVITE that runs now
        self._sessions: dict[str, Session] = {}
        self._acks: dict[str, tuple[bytes, Hop]] = {}
        self._told: tuple[int, str, bytes] | None = None
        self.session: Session | None = None
        self._transaction = self._invite(now)

    @property
    def call_id(self) -> str:
        """The Call-ID that its INVITEs bear."""
        return self._invitation.call_id

    # What we do.

    def _invite(self, now: float) -> ClientTransaction:
        endpoint = self._endpoint
        self._cseq += 1
        self._heard = False
        branch = endpoint.new_branch()
        request, destination = (
            self._invitation.request(branch, self._cseq),
            self._invitation.order.destination,
        )
        return endpoint.layer.start(request, branch, destination, now, self._response, self._silence)

    def cancel(self, now: float) -> None:
        if self._state is not State.CALLING:
            return
        self._state = State.GIVEN_UP
        if self._heard:
            self._send_cancel(now)

    def bye(self, now: float, q850: int | None) -> None:
        if self.session is not None:
            self.session.bye(now, q850)
        else:
            self.cancel(now)

    def info(self, key: str, duration_ms: int, now: float) -> None:
        if self.session is not None:
            self.session.info(key, duration_ms, now)

    def _send_cancel(self, now: float) -> None:
        """§9.1: the INVITE's own Via and CSeq number. Without an end of the INVITE in 64*T1 it is over."""
        invite = self._transaction.request
        via = ("Via", invite.first("Via") or "")
        kept = [header for header in invite.headers if header[0] in ("Route", "From", "To", "Call-ID")]
        headers = (via, ("Max-Forwards", "70"), *kept, ("CSeq", f"{self._cseq} CANCEL"))
        cancel = Request(headers, b"", "CANCEL", invite.uri)
        branch = str(self._transaction.key[0])
        self._endpoint.layer.start(cancel, branch, self._transaction.destination, now)
        self._endpoint.alarms.set(self, now + self._endpoint.config.timers.patience, self._cancel_unanswered)

    def _cancel_unanswered(self, now: float) -> None:
        self._endpoint.layer.abandon(self._transaction)
        self._fail(None, None, "no answer to CANCEL")

    # What comes of it.

    def _silence(self, now: float) -> None:
        if self._transaction.is_unsendable:  # §8.1.3.1
            self._fail(503, None, "no connection")
        else:
            self._fail(None, None, "no answer to INVITE")

    def _response(self, response: Response, envelope: Envelope, now: float) -> None:
        if response.status < 200:
            self._progress(response, envelope, now)
        elif response.status < 300:
            self._accepted(response, envelope, now)
        elif self._state in (State.CALLING, State.GIVEN_UP):
            self._refused(response, now)

    def _progress(self, response: Response, envelope: Envelope, now: float) -> None:
        first = not self._heard
        self._heard = True
        if self._state is State.GIVEN_UP and first:
            self._send_cancel(now)
        if response.status == 100 or self._state not in (State.CALLING, State.GIVEN_UP):
            return
        tag = envelope.to.tag
        session = self._session_of(response, envelope) if tag else None
        media = self._early_media(response, session)
        if session and not self._is_news(session, response, envelope, media, now):
            return
        if self._state is State.GIVEN_UP:
            return
        seen = (response.status, tag, response.body)
        if seen != self._told:  # the called side repeats a 18x each minute (§13.3.1.1)
            self._told = seen
            cause = parse_reason(response.every("Reason"))
            self._endpoint.tell(
                InviteProgress(self._call, response.status, printable(response.reason), media, cause.q850)
            )

    def _early_media(self, response: Response, session: Session | None) -> Media | None:
        """What a provisional response answers; nothing where the answer is final: what comes again in an 18x
        doesn't undo an UPDATE (§13.2.1).
        """
        if session is None:
            return _agreed_by(response, self._invitation.local)
        return _agreed_by(response, session.agreement.local) if session.agreement.waiting else None

    def _is_news(
        self, session: Session, response: Response, envelope: Envelope, media: Media | None, now: float
    ) -> bool:
        """Take a provisional response into its early dialog; False for one that was taken before."""
        session.learn(response)
        rseq = rseq_of(response)
        if rseq is not None and not session.acknowledge(rseq, envelope.cseq, now):
            return False
        if media and session.agreement.waiting:
            session.agreement.media = media
            if rseq is not None:
                session.agreement.waiting = ""  # an answer that is acknowledged is final (RFC 3262 §5)
        if response.status == 199:  # RFC 6228: this branch of a fork is over
            self._sessions.pop(envelope.to.tag).discard()
        return True

    def _refused(self, response: Response, now: float) -> None:
        if self._state is State.CALLING and self._invitation.learns(response):
            self._forget_early()
            self._transaction = self._invite(now)
            return
        cause = parse_reason(response.every("Reason"))
        after = seconds_of(response.first("Retry-After"))
        self._fail(response.status, cause.q850, cause.text or printable(response.reason), after)

    def _accepted(self, response: Response, envelope: Envelope, now: float) -> None:
        """Each 2xx is acknowledged; all but the first of a call still wanted are ended (§13.2.2.4)."""
        tag = envelope.to.tag
        if tag in self._acks:
            self._endpoint.send(*self._acks[tag])
            return
        session = self._session_of(response, envelope)
        session.confirm(envelope)
        session.learn(response)
        self._invitation.login.succeeded()
        ack = self._endpoint.ack(session.dialog, envelope.cseq, credentials_of(self._transaction.request))
        self._acks[tag] = ack
        self._endpoint.send(*ack)
        if self._state is State.CALLING and (media := self._agreed(session, response)):
            self._state = State.UP
            self.session = self._sessions.pop(tag)
            self._forget_early()
            session.timer.answered(response, now)
            self._endpoint.tell(InviteAccepted(self._call, response.status, media))
            return
        self._sessions.pop(tag)
        session.quiet = True
        session.bye(now)
        if self._state is State.CALLING:
            self._fail(488, None, "no usable answer")
        elif self._state is State.GIVEN_UP:
            self._fail(487, None, "answered while it was cancelled")

    def _agreed(self, session: Session, response: Response) -> Media | None:
        """What the 2xx settles: what an acknowledged provisional response answered before can't change."""
        agreement = session.agreement
        if agreement.waiting:
            agreement.media = _agreed_by(response, agreement.local) or agreement.media
            agreement.waiting = ""
        return agreement.media

    def _session_of(self, response: Response, envelope: Envelope) -> Session:
        """The session of the response's To tag: one for each branch of a fork (§12.1.2)."""
        tag = envelope.to.tag
        session = self._sessions.get(tag)
        if session is None:
            request, invitation = self._transaction.request, self._invitation
            dialog = Dialog.of_response(request, response, envelope, invitation.order.destination)
            session = Session(self._endpoint, self._call, dialog, invitation.login)
            session.agreement.local, session.agreement.waiting = copy(invitation.local), "us"
            session.timer.proposal = invitation.proposal
            self._sessions[tag] = session
        return session

    def _forget_early(self) -> None:
        for session in self._sessions.values():
            session.discard()
        self._sessions.clear()

    def _fail(
        self, status: int | None, q850: int | None, cause_text: str, retry_after: int | None = None
    ) -> None:
        self._state = State.OVER
        self._forget_early()
        self._endpoint.alarms.clear(self)
        failed = InviteFailed(self._call, status, q850, cause_text, retry_after)
        self._endpoint.tell_last(failed, self._call)


def _agreed_by(response: Response, local: LocalSession | None) -> Media | None:
    """What the answer in a response agrees, None where it is missing or of no use."""
    try:
        body = sdp_of(response)
        return None if body is None or local is None else local.agreed(body)
    except (BadMessage, BadDescription, Unacceptable):
        return None
