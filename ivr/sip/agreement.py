"""What a dialog has agreed on, and how they change it: re-INVITE, UPDATE, our 200 until its ACK. Pure.

RFC 3261 §13.3.1.4 and §14.2, RFC 3264 §4, RFC 3311 §5.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ivr.sip.body import refusal_of, sdp_of
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.events import AckReceived, ReinviteReceived
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request
from ivr.sip.sdp import LocalSession, Media
from ivr.sip.session_timer import too_brief
from ivr.sip.unacknowledged import UnacknowledgedOk

if TYPE_CHECKING:
    from ivr.sip.session import Session

__all__ = ["SDP", "Agreement"]

SDP: Header = ("Content-Type", "application/sdp")


class Agreement:
    """`local` are our descriptions, None before the first; `media` what holds.

    `waiting` says whose offer of the INVITE that makes the call, or of a 200 of ours, has no answer yet.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._endpoint = session.endpoint
        self.local: LocalSession | None = None
        self.media: Media | None = None
        self.waiting: Literal["", "us", "them"] = ""
        self._unacknowledged: UnacknowledgedOk | None = None

    @property
    def is_open(self) -> bool:
        """Whether an INVITE of theirs or an offer isn't through."""
        return bool(self.waiting or self._unacknowledged or self.local is None)

    @property
    def is_unacknowledged(self) -> bool:
        """Whether a 200 of ours waits for its ACK."""
        return self._unacknowledged is not None

    def unchanged(self) -> bytes:
        """The description that they have of us, as an offer that changes nothing."""
        assert self.local is not None
        return self.local.unchanged()

    def answered(self, body: bytes) -> None:
        """Their answer to an offer of ours that changed nothing: told where theirs is another than before."""
        assert self.local is not None
        self._take(self.local.agreed(body), always=False)

    def _take(self, media: Media, *, always: bool = True) -> None:
        changed, self.media = media != self.media, media
        if self._unacknowledged and self._unacknowledged.media:
            self._unacknowledged.media = media  # an UPDATE has overtaken the ACK: what it brought stands
        if (always or changed) and not self._session.quiet:
            self._endpoint.tell(ReinviteReceived(self._session.call, media))

    # What they ask.

    def receive_invite(self, incoming: Incoming, now: float) -> None:
        """A re-INVITE: answered from our own media; what doesn't fit leaves the session as it was."""
        if self._session.is_reinviting or self.waiting == "us":  # §14.2; RFC 5407 §3.1.5
            self._endpoint.respond(incoming, 491, now)
        elif self.local is None or self.waiting:
            self.ask_later(incoming, now)
        elif answer := self._answer(incoming, now, offers=True):
            body, media = answer
            self._session.take_target(incoming)
            self.send_ok(incoming, body, media, now, first=False)
            if media is not None:
                self._take(media)

    def receive_update(self, incoming: Incoming, now: float) -> None:
        """With or without an offer, before the call is up or later (RFC 3311 §5.2)."""
        if answer := self._answer(incoming, now):
            session = self._session
            session.take_target(incoming)
            timer = session.timer.accept(incoming.request, now) if session.is_up else ()
            self._accept(incoming, (self._session.contact, *self._endpoint.abilities, *timer), *answer, now)

    def receive_prack(self, incoming: Incoming, now: float) -> bool:
        """Whether it was taken. It may offer once its INVITE's own offer is answered (RFC 3262 §5)."""
        answer = self._answer(incoming, now)
        if answer is None:
            return False
        self._accept(incoming, (), *answer, now)
        return True

    def _accept(
        self, incoming: Incoming, headers: tuple[Header, ...], body: bytes, media: Media | None, now: float
    ) -> None:
        described = (*headers, SDP) if body else headers
        self._endpoint.respond(incoming, 200, now, headers=described, body=body)
        if media is not None:
            self._take(media)

    def _answer(
        self, incoming: Incoming, now: float, *, offers: bool = False
    ) -> tuple[bytes, Media | None] | None:
        """Our answer to the offer in a request; where it has none ours if that `offers`, else b"".

        None where the request was refused.
        """
        if brief := too_brief(incoming.request, self._endpoint.config.min_se):
            self._endpoint.refuse(incoming, brief, now)
            return None
        try:
            offer = sdp_of(incoming.request)
            if offer is None:
                return self.local.offer() if offers and self.local else b"", None
            if self.waiting == "us" or self._session.is_reinviting:
                self._endpoint.respond(incoming, 491, now)
                return None
            if self.waiting or self.local is None:
                self.ask_later(incoming, now)
                return None
            return self.local.answer(offer)
        except (BadMessage, BadDescription, Unacceptable) as fault:
            self._endpoint.refuse(incoming, refusal_of(fault, self._endpoint.config.user), now)
            return None

    def ask_later(self, incoming: Incoming, now: float) -> None:
        """500: what they ask for must wait for what runs."""
        self._endpoint.respond(incoming, 500, now, headers=(self._endpoint.retry_after(),))

    # The 200 to an INVITE and its ACK.

    def send_ok(
        self, incoming: Incoming, body: bytes, media: Media | None, now: float, *, first: bool
    ) -> None:
        """Answer an INVITE, and again until the ACK comes. `media` is None where `body` offers."""
        routes = tuple(("Record-Route", route) for route in incoming.envelope.record_route) if first else ()
        timer = self._session.timer.accept(incoming.request, now)
        described = (SDP,) if body else ()
        headers = (*routes, self._session.contact, *self._endpoint.abilities, *timer, *described)
        self._endpoint.respond(incoming, 200, now, headers=headers, body=body)
        waited = self.acknowledged()  # a re-INVITE tells that the 200 before it was heard
        first = first or bool(waited and waited.first)
        self.waiting = "us" if media is None else ""
        self._unacknowledged = UnacknowledgedOk(
            self._endpoint, incoming, media, first, self._never_acknowledged, now
        )

    def _never_acknowledged(self, now: float) -> None:
        self.acknowledged()
        self._session.end_by_network(now, "no ACK")

    def receive_ack(self, request: Request, envelope: Envelope, now: float) -> None:
        waiting = self._unacknowledged
        if waiting is None or envelope.cseq != waiting.cseq:
            return
        self.acknowledged()
        if self._session.is_ending:
            self._session.send_bye(now)
            return
        try:
            media = waiting.media or self._answered_by(request, waiting.first)
        except (BadMessage, BadDescription, Unacceptable):
            self._session.end_by_network(now, "no usable answer in the ACK")
            return
        self.waiting = ""
        if waiting.first:
            self.media = media
            self._endpoint.tell(AckReceived(self._session.call, media))
        elif waiting.media is None:
            self._take(media)

    def _answered_by(self, ack: Request, first: bool) -> Media:
        """What their ACK agrees to: without an answer a re-INVITE leaves all as it was."""
        body = sdp_of(ack)
        if body is None and self.media and not first:
            return self.media
        if body is None or self.local is None:
            raise Unacceptable("no answer")
        return self.local.agreed(body)

    def acknowledged(self) -> UnacknowledgedOk | None:
        """Stop repeating the 200, if one is; it."""
        waiting, self._unacknowledged = self._unacknowledged, None
        if waiting:
            waiting.stop()
        return waiting
