"""Our UPDATE or re-INVITE that changes nothing, so that both ends know the call lives (RFC 4028 §7.4). Pure.

UPDATE where their Allow has it, as it disturbs nothing; else, and once one was refused, a re-INVITE with the
description that they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.sip.body import sdp_of
from ivr.sip.dialog import ENDS_DIALOG
from ivr.sip.digest import credentials_of
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadDescription, BadMessage, Unacceptable
from ivr.sip.headers import seconds_of
from ivr.sip.hop import Hop
from ivr.sip.message import Header, Request, Response
from ivr.sip.underway import ClientTransaction

if TYPE_CHECKING:
    from ivr.sip.session import Session

__all__ = ["Refresh", "glare_pause"]

_SDP: Header = ("Content-Type", "application/sdp")


def glare_pause(fraction: float, *, owns_call_id: bool) -> float:
    """§14.1: who made the Call-ID waits for 2.1–4 s, the other for 0–2 s, in steps of 10 ms."""
    return round(2.1 + 1.9 * fraction if owns_call_id else 2.0 * fraction, 2)


class Refresh:
    """The refreshes of one dialog, one at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._transaction: ClientTransaction | None = None
        self._method = ""
        self._knows_update = True
        self._acknowledged: tuple[int, tuple[bytes, Hop]] | None = None

    @property
    def is_inviting(self) -> bool:
        """Whether an INVITE of ours waits for its end."""
        return self._transaction is not None and self._method == "INVITE"

    def start(self, now: float) -> None:
        session, endpoint = self._session, self._session.endpoint
        if not session.is_up or self._transaction:
            return
        by_update = self._knows_update and "UPDATE" in session.their_methods
        self._method, body = "UPDATE", b""
        if not by_update:
            if session.agreement.is_open:  # §14.1: one INVITE, and one offer, at a time
                self._start_at(now + self._pause())
                return
            self._method, body = "INVITE", session.agreement.unchanged()
        headers = (
            *session.login.headers(self._method, session.dialog.request_uri, body),
            session.contact,
            endpoint.allow,
            endpoint.knows,
            *session.timer.headers(),
            *((_SDP,) if body else ()),
        )
        self._transaction = endpoint.start_in_dialog(
            session.dialog, self._method, now, headers, body, self._response, self._silence
        )

    def forget(self) -> None:
        """Whoever it was has refreshed: what was put off isn't needed."""
        self._session.endpoint.alarms.clear(self)

    def stop(self, now: float) -> None:
        """The dialog is over. An INVITE may be answered yet, and gets its ACK; one that rings on isn't waited
        for without end.
        """
        self.forget()
        if self.is_inviting:
            endpoint = self._session.endpoint
            endpoint.alarms.set(self, now + endpoint.config.timers.patience, self._abandon)

    def _abandon(self, now: float) -> None:
        if self._transaction:
            self._session.endpoint.layer.abandon(self._transaction)

    def _start_at(self, when: float) -> None:
        self._session.endpoint.alarms.set(self, when, self.start)

    def _pause(self) -> float:
        return glare_pause(self._session.endpoint.fraction(), owns_call_id=self._session.dialog.owns_call_id)

    def _silence(self, now: float) -> None:
        self._transaction = None
        self.forget()
        if self._session.is_up:
            self._session.end_by_network(now, "no answer")

    def _response(self, response: Response, envelope: Envelope, now: float) -> None:
        if response.status < 200:
            return
        if self._acknowledged and self._acknowledged[0] == envelope.cseq:
            self._session.endpoint.send(*self._acknowledged[1])  # the 2xx came again
            return
        method, transaction, self._transaction = self._method, self._transaction, None
        self.forget()
        if response.status < 300:
            if method == "INVITE" and transaction:
                self._acknowledge(transaction.request, envelope)
            if self._session.is_up:
                self._done(response, envelope, now)
        elif self._session.is_up:
            self._refused(method, response, now)

    def _acknowledge(self, invite: Request, envelope: Envelope) -> None:
        session = self._session
        session.dialog.target = envelope.contact or session.dialog.target
        ack = session.endpoint.ack(session.dialog, envelope.cseq, credentials_of(invite))
        self._acknowledged = (envelope.cseq, ack)
        session.endpoint.send(*ack)

    def _done(self, response: Response, envelope: Envelope, now: float) -> None:
        session = self._session
        session.login.succeeded()
        session.dialog.target = envelope.contact or session.dialog.target
        session.learn(response)
        session.timer.answered(response, now)
        try:
            answer = sdp_of(response)
            if answer is not None and self._method == "INVITE":
                session.agreement.answered(answer)
        except (BadMessage, BadDescription, Unacceptable):
            pass  # what was agreed before stands

    def _refused(self, method: str, response: Response, now: float) -> None:
        session, status = self._session, response.status
        if (status in (401, 407) and session.login.accept(response)) or (
            status == 422 and session.timer.learn(response)
        ):
            self.start(now)
        elif status == 491:
            self._start_at(now + self._pause())
        elif status in (500, 503) and (after := seconds_of(response.first("Retry-After"))) is not None:
            self._start_at(now + max(1, after))
        elif status in ENDS_DIALOG:
            session.end_by_network(now, "no such dialog" if status == 481 else f"a refresh met {status}")
        elif method == "UPDATE":
            self._knows_update = False
            self.start(now)
        # what else a re-INVITE meets is its alone: the session timer ends the call if nothing better comes
