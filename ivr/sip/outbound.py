"""A call of ours until it is answered or has failed: INVITE, forks, CANCEL (RFC 3261 §9, §13.2). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto

from ivr.sip.dialog import Dialog
from ivr.sip.digest import Login
from ivr.sip.endpoint import Endpoint
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.events import InviteAccepted, InviteFailed, InviteProgress
from ivr.sip.headers import NameAddr, parse_reason, parse_seconds, printable
from ivr.sip.hop import Hop
from ivr.sip.incoming import sdp_of
from ivr.sip.message import Header, Request, Response
from ivr.sip.multipart import put_together
from ivr.sip.sdp import LocalSession, Media
from ivr.sip.session import Session
from ivr.sip.underway import ClientTransaction

__all__ = ["Order", "OutboundCall"]


_IN_BODY = re.compile(r"<cid:[^>]*>[^,]*,?", re.IGNORECASE)
# What a telephone says that doesn't read a body of several parts: 415 by the book (§8.1.3.5).
_NOT_THAT_BODY = (400, 415, 488, 606)
_NOT_THAT_PROFILE = (415, 488, 606)  # what one says that doesn't take RTP/SAVP
_CREDENTIALS = ("Authorization", "Proxy-Authorization")  # the ACK's are the INVITE's (§13.2.2.4)


@dataclass(frozen=True, slots=True)
class Order:
    """What `UserAgent.invite` was told."""

    uri: str
    destination: Hop
    from_uri: str
    headers: tuple[Header, ...]
    place: bytes = b""
    display: str = ""

    def without_place(self) -> Order:
        """What isn't in the body isn't named (RFC 6442 §3.2)."""
        kept = []
        for name, value in self.headers:
            named = _IN_BODY.sub("", value).strip(" ,") if name == "Geolocation" else value
            if named or not value:
                kept.append((name, named))
        return replace(self, headers=tuple(kept), place=b"")


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
        self._order = order if order.place else order.without_place()
        self._local = local
        self._login = login
        self._state = State.CALLING
        self._call_id = f"{endpoint.new_token()}@{endpoint.config.host}"
        self._from = str(NameAddr(order.display, order.from_uri, {"tag": endpoint.new_token()}))
        self._cseq = 0
        self._heard = False  # a provisional response to the INVITE that runs now
        self._sessions: dict[str, Session] = {}
        self._early_media: dict[str, Media] = {}
        self._acks: dict[str, tuple[bytes, Hop]] = {}
        self._told: tuple[int, str, bytes] | None = None
        self.session: Session | None = None
        self._transaction = self._invite(now)

    # What we do.

    def _invite(self, now: float) -> ClientTransaction:
        endpoint, order = self._endpoint, self._order
        self._cseq += 1
        self._heard = False
        branch = endpoint.new_branch()
        kind, body = self._described()
        headers = (
            endpoint.via(branch, order.destination.transport),
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", f"<{order.uri}>"),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} INVITE"),
            endpoint.contact(order.destination.transport),
            *self._login.headers("INVITE", order.uri),
            *order.headers,
            endpoint.allow,
            ("User-Agent", endpoint.config.user_agent),
            ("Content-Type", kind),
        )
        request = Request(headers, body, "INVITE", order.uri)
        return endpoint.layer.start(request, branch, order.destination, now, self._response, self._silence)

    def _described(self) -> tuple[str, bytes]:
        """Content-Type and body: what we offer, and where the caller is."""
        offer, place = self._local.offer(), self._order.place
        if not place:
            return "application/sdp", offer
        boundary = self._endpoint.new_token()
        head = b"Content-Type: application/sdp\r\n\r\n"
        return f"multipart/mixed;boundary={boundary}", put_together(boundary, head + offer, place)

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
        if self._state is not State.CALLING or response.status == 100:
            return
        tag = envelope.to.tag
        if tag:
            self._session_of(response, envelope)
        if media := self._media(response):
            self._early_media[tag] = media
        seen = (response.status, tag, response.body)
        if seen != self._told:  # the called side repeats a 18x each minute (§13.3.1.1)
            self._told = seen
            cause = parse_reason(response.every("Reason"))
            self._endpoint.tell(
                InviteProgress(self._call, response.status, printable(response.reason), media, cause.q850)
            )

    def _refused(self, response: Response, now: float) -> None:
        is_challenge = response.status in (401, 407)
        if self._state is State.CALLING and (
            self._login.accept(response) if is_challenge else self._asks_less(response.status)
        ):
            self._forget_early()
            self._transaction = self._invite(now)
            return
        cause = parse_reason(response.every("Reason"))
        after = parse_seconds(response.first("Retry-After"))
        self._fail(response.status, cause.q850, cause.text or printable(response.reason), after)

    def _asks_less(self, status: int) -> bool:
        """Whether the next INVITE leaves something out that may have been the fault: SRTP, or the place."""
        local, has_place = self._local.local, bool(self._order.place)
        is_secret = bool(local.crypto) and local.plain and status in _NOT_THAT_PROFILE
        if has_place and status in _NOT_THAT_BODY and not (is_secret and status != 415):
            self._order = self._order.without_place()
            return True
        if is_secret:
            self._local.local = replace(local, crypto=())
        return is_secret

    def _accepted(self, response: Response, envelope: Envelope, now: float) -> None:
        """Each 2xx is acknowledged; all but the first of a call still wanted are ended (§13.2.2.4)."""
        tag = envelope.to.tag
        if tag in self._acks:
            self._endpoint.send(*self._acks[tag])
            return
        session = self._session_of(response, envelope)
        session.confirm(envelope)
        credentials = [header for header in self._transaction.request.headers if header[0] in _CREDENTIALS]
        ack = self._endpoint.ack(session.dialog, envelope.cseq, credentials)
        self._acks[tag] = ack
        self._endpoint.send(*ack)
        if self._state is State.CALLING and (media := self._media(response) or self._early_media.get(tag)):
            self._state = State.UP
            self.session = self._sessions.pop(tag)
            self._forget_early()
            self._endpoint.tell(InviteAccepted(self._call, response.status, media))
            return
        self._sessions.pop(tag)
        session.quiet = True
        session.bye(now)
        if self._state is State.CALLING:
            self._fail(488, None, "no usable answer")
        elif self._state is State.GIVEN_UP:
            self._fail(487, None, "answered while it was cancelled")

    def _media(self, response: Response) -> Media | None:
        """What the answer in a response agrees, None where it is missing or of no use."""
        try:
            body = sdp_of(response)
            return None if body is None else self._local.agreed(body)
        except (BadMessage, BadDescription, Unacceptable):
            return None

    def _session_of(self, response: Response, envelope: Envelope) -> Session:
        """The session of the response's To tag: one for each branch of a fork (§12.1.2)."""
        tag = envelope.to.tag
        session = self._sessions.get(tag)
        if session is None:
            request = self._transaction.request
            dialog = Dialog.of_response(request, response, envelope, self._order.destination)
            session = Session(self._endpoint, self._call, dialog, self._login)
            session.local = self._local
            self._sessions[tag] = session
        return session

    def _forget_early(self) -> None:
        for session in self._sessions.values():
            session.discard()
        self._sessions.clear()
        self._early_media.clear()

    def _fail(
        self, status: int | None, q850: int | None, cause_text: str, retry_after: int | None = None
    ) -> None:
        self._state = State.OVER
        self._forget_early()
        self._endpoint.alarms.clear(self)
        failed = InviteFailed(self._call, status, q850, cause_text, retry_after)
        self._endpoint.tell_last(failed, self._call)
