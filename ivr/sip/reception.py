"""Where a request belongs: to a transaction, a dialog, a new call, or nothing (RFC 3261 §8.2). Pure."""

from __future__ import annotations

from ivr.sip.body import place_of, refusal_of, sdp_of, takes_sdp
from ivr.sip.endpoint import Endpoint
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.events import Dropped, InviteReceived
from ivr.sip.headers import parse_uri, printable
from ivr.sip.hop import Hop
from ivr.sip.inbound import InboundCall
from ivr.sip.incoming import Incoming, reply_address
from ivr.sip.message import Request
from ivr.sip.screening import screen
from ivr.sip.sdp import Media, offered
from ivr.sip.session_timer import too_brief

__all__ = ["Reception"]


class Reception:
    """Takes requests that are well-formed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def receive(self, request: Request, envelope: Envelope, source: Hop, now: float) -> None:
        endpoint = self._endpoint
        if endpoint.layer.absorb(envelope, request.method, now):
            return
        if request.method == "ACK":
            self._receive_ack(request, envelope, source, now)
            return
        address = reply_address(envelope.via, source)
        transaction = endpoint.layer.accept(envelope, request.method, address, now)
        incoming = Incoming(request, envelope, source, transaction)
        if request.method == "CANCEL":
            self._receive_cancel(incoming, now)
        elif refusal := screen(request, endpoint.methods, endpoint.supported):
            endpoint.refuse(incoming, refusal, now)
        elif envelope.to.tag:
            session = endpoint.dialogs.get((envelope.call_id, envelope.to.tag, envelope.from_.tag))
            if session:
                session.receive(incoming, now)
            else:
                endpoint.respond(incoming, 481, now)
        elif transaction.merged:
            endpoint.respond(incoming, 482, now)
        else:
            self._receive_outside(incoming, now)

    def _receive_ack(self, request: Request, envelope: Envelope, source: Hop, now: float) -> None:
        session = self._endpoint.dialogs.get((envelope.call_id, envelope.to.tag, envelope.from_.tag))
        if session:
            session.agreement.receive_ack(request, envelope, now)
        else:
            self._endpoint.tell(Dropped("an ACK to nothing", source))

    def _receive_cancel(self, cancel: Incoming, now: float) -> None:
        """§9.2: 200 whenever there is what it cancels, even where it comes too late."""
        invite = self._endpoint.layer.find(cancel.envelope, "INVITE")
        if invite is None:
            self._endpoint.respond(cancel, 481, now)
            return
        cancel.transaction.to_tag = invite.to_tag
        self._endpoint.respond(cancel, 200, now)
        if invite.on_cancel:
            invite.on_cancel(cancel.request, now)

    def _receive_outside(self, incoming: Incoming, now: float) -> None:
        """A request without a To tag."""
        match incoming.request.method:
            case "INVITE":
                self._receive_invite(incoming, now)
            case "OPTIONS":
                contact = self._endpoint.contact(incoming.source.transport)
                self._endpoint.respond(incoming, 200, now, headers=(contact, *self._endpoint.abilities))
            case "REFER":  # who has no call with us has none to hand over
                self._endpoint.respond(incoming, 403, now)
            case _:  # BYE, INFO, PRACK, UPDATE, NOTIFY: of no dialog
                self._endpoint.respond(incoming, 481, now)

    def _receive_invite(self, incoming: Incoming, now: float) -> None:
        endpoint, envelope = self._endpoint, incoming.envelope
        if envelope.contact is None:
            endpoint.respond(incoming, 400, now, reason="Contact missing")
            return
        if not takes_sdp(incoming.request):
            endpoint.respond(incoming, 406, now)
            return
        if brief := too_brief(incoming.request, endpoint.config.min_se):
            endpoint.refuse(incoming, brief, now)
            return
        try:
            offer = sdp_of(incoming.request)
            media = None if offer is None else self._offered(offer, incoming.source)
        except (BadMessage, BadDescription, Unacceptable) as fault:
            endpoint.refuse(incoming, refusal_of(fault, endpoint.config.user), now)
            if isinstance(fault, Unacceptable):
                endpoint.tell(Dropped(f"an offer of no use: {fault}", incoming.source))
            return
        if endpoint.config.trying:
            endpoint.respond(incoming, 100, now)
        call = f"in-{endpoint.new_token()}"
        endpoint.calls[call] = InboundCall(endpoint, call, incoming, offer, now)
        endpoint.tell(
            InviteReceived(
                call=call,
                source=incoming.source,
                uri=incoming.request.uri,
                user=_user(incoming.request.uri),
                caller=_user(envelope.from_.uri),
                from_uri=printable(envelope.from_.uri),
                offer=media,
                headers=incoming.request.headers,
                place=place_of(incoming.request),
            )
        )

    def _offered(self, offer: bytes, source: Hop) -> Media:
        config = self._endpoint.config
        return offered(offer, config.host, profiles=config.profiles(source))


def _user(uri: str) -> str:
    return printable(parse_uri(uri, "URI").user)  # the envelope has read it before
