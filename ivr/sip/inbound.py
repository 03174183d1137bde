"""A call of theirs until we have answered or refused it (RFC 3261 §13.3, §9.2). Pure."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto

from ivr.sip.dialog import Dialog
from ivr.sip.digest import Login
from ivr.sip.endpoint import Endpoint, reason_header
from ivr.sip.errors import BadDescription, Unacceptable
from ivr.sip.events import CancelReceived, DialogEnded
from ivr.sip.headers import Cause, parse_reason
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request
from ivr.sip.sdp import LocalMedia, LocalSession, Media
from ivr.sip.session import SDP, Session

__all__ = ["InboundCall"]


class State(Enum):
    RINGING = auto()
    UP = auto()
    OVER = auto()


class InboundCall:
    """`offer` is the description in their INVITE, None when the 200 is to offer."""

    def __init__(self, endpoint: Endpoint, call: str, incoming: Incoming, offer: bytes | None) -> None:
        self._endpoint = endpoint
        self._call = call
        self._incoming = incoming
        self._offer = offer
        self._state = State.RINGING
        transaction = incoming.transaction
        transaction.to_tag = endpoint.new_token()
        transaction.on_cancel = self._cancelled
        dialog = Dialog.of_request(
            incoming.request, incoming.envelope, transaction.to_tag, transaction.address
        )
        self._session = Session(endpoint, call, dialog, Login(None, endpoint.new_token))
        self._session.on_early_bye = self._gone

    @property
    def session(self) -> Session | None:
        return self._session if self._state is State.UP else None

    def provisional(self, status: int, local: LocalMedia | None, now: float) -> None:
        """With an answer where `local` is given and fits their offer."""
        if self._state is not State.RINGING:
            return
        headers: tuple[Header, ...] = (*self._record_route(), self._session.contact, self._endpoint.allow)
        body = b""
        if local is not None and self._offer is not None:
            with suppress(Unacceptable):  # a later `answer` refuses the call
                body = self._local(local).answer(self._offer)[0]
                headers = (*headers, SDP)
        self._endpoint.respond(self._incoming, status, now, headers=headers, body=body)

    def answer(self, local: LocalMedia, now: float) -> Media | None:
        """What is agreed by that; None where nothing is, or not yet."""
        if self._state is not State.RINGING:
            return None
        session = self._local(local)
        try:
            body, media = (
                (session.offer(again=False), None) if self._offer is None else session.answer(self._offer)
            )
        except (BadDescription, Unacceptable):
            self.reject(488, (), now)
            self._endpoint.tell(DialogEnded(self._call, "network", None, "no codec in common"))
            return None
        self._state = State.UP
        self._incoming.transaction.on_cancel = None
        self._session.send_ok(self._incoming, body, media, now, first=True)
        return media

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

    def _gone(self, cause: Cause, now: float) -> None:
        """They gave up, by CANCEL or by a BYE in the early dialog."""
        self._finish(487, (), now)
        self._endpoint.tell_last(CancelReceived(self._call, cause.q850, cause.text), self._call)

    def _finish(self, status: int, headers: tuple[Header, ...], now: float) -> None:
        self._state = State.OVER
        self._incoming.transaction.on_cancel = None
        self._endpoint.respond(self._incoming, status, now, headers=headers)
        self._session.discard()

    def _local(self, local: LocalMedia) -> LocalSession:
        if self._session.local is None:
            self._session.local = LocalSession(self._endpoint.new_token(), local)
        self._session.local.local = local
        return self._session.local

    def _record_route(self) -> tuple[Header, ...]:
        return tuple(("Record-Route", route) for route in self._incoming.envelope.record_route)
