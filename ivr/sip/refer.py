"""REFER within a dialog, either way, and the NOTIFYs that tell what came of it (RFC 3515, RFC 6665). Pure.

One at a time each way: a person puts a call through once, and a second REFER before the first one's end is
an error of the telephone (491).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ivr.sip.errors import BadMessage
from ivr.sip.events import ReferAnswered, ReferReceived
from ivr.sip.headers import parse_name_addr, parse_params, printable
from ivr.sip.incoming import Incoming
from ivr.sip.message import Header, Request

if TYPE_CHECKING:
    from ivr.sip.session import Session

__all__ = ["Referrals", "refer_target", "told_status"]

_SIPFRAG = "message/sipfrag"
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: |\r|\n|$)")
_PATIENCE = 120.0  # seconds until somebody must have told us what came of ours: a telephone rings no longer


def refer_target(request: Request) -> str:
    """The URI of Refer-To. BadMessage where there isn't exactly one (RFC 3515 §2.4.1)."""
    values = request.every("Refer-To")
    if len(values) != 1:
        raise BadMessage("Refer-To", f"{len(values)} of them", request)
    return printable(parse_name_addr(values[0], "Refer-To").uri)


def told_status(notify: Request) -> int:
    """The status that a NOTIFY's body tells (RFC 3515 §2.4.5). BadMessage where it's no such body."""
    kind = (notify.first("Content-Type") or "").partition(";")[0].strip().lower()
    if kind != _SIPFRAG:
        raise BadMessage("Content-Type", f"{kind[:40]!r}", notify, 415)
    found = _STATUS_LINE.match(notify.body.lstrip())
    if found is None:
        raise BadMessage("body", "no status line", notify)
    return int(found[1])


class Referrals:
    """What they asked of us in a dialog, and we of them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._theirs: tuple[Header, ...] | None = None  # the Event of what they asked, until its end
        self._asked_before = False
        self._ours = False

    # What they ask of us.

    def receive_refer(self, incoming: Incoming, now: float) -> None:
        """202, a NOTIFY at once (RFC 3515 §2.4.4), and the driver is told; it says the end by `result`."""
        session, endpoint = self._session, self._session.endpoint
        if self._theirs is not None:
            endpoint.respond(incoming, 491, now)
            return
        try:
            uri = refer_target(incoming.request)
        except BadMessage as bad:
            endpoint.respond(incoming, 400, now, reason=f"Bad {bad.place}")
            return
        # §2.4.6: the first of a dialog may go without an id, and some telephones know none
        which = f"refer;id={incoming.envelope.cseq}" if self._asked_before else "refer"
        self._theirs, self._asked_before = (("Event", which),), True
        endpoint.respond(incoming, 202, now, headers=(session.contact,))
        self._notify(100, now)
        endpoint.tell(ReferReceived(session.call, uri))

    def result(self, status: int, now: float) -> None:
        """What came of what they asked; nothing where nothing was."""
        if self._theirs is not None:
            self._notify(status, now)

    def _notify(self, status: int, now: float) -> None:
        over = status >= 200
        state = "terminated;reason=noresource" if over else f"active;expires={_PATIENCE:.0f}"
        phrase = "OK" if over and status < 300 else "Trying" if not over else "Failure"
        headers = (
            self._session.contact,
            *(self._theirs or ()),
            ("Subscription-State", state),
            ("Content-Type", f"{_SIPFRAG};version=2.0"),
        )
        if over:
            self._theirs = None
        self._session.start("NOTIFY", now, headers, f"SIP/2.0 {status} {phrase}\r\n".encode())

    # What we ask of them.

    def ask(self, uri: str, now: float) -> None:
        """Ask them to call `uri`; one ReferAnswered tells what came of it, or the end of the call does."""
        if self._ours:
            return
        self._ours = True
        endpoint = self._session.endpoint
        endpoint.alarms.set(self, now + _PATIENCE, self._untold)
        self._session.start("REFER", now, (self._session.contact, ("Refer-To", f"<{uri}>")))

    def refused(self, status: int) -> None:
        """Our REFER met a final answer that isn't 2xx."""
        self._end(status)

    def receive_notify(self, incoming: Incoming, now: float) -> None:
        endpoint, request = self._session.endpoint, incoming.request
        if (request.first("Event") or "").partition(";")[0].strip().lower() != "refer":
            endpoint.respond(incoming, 489, now, headers=(("Allow-Events", "refer"),))
            return
        if not self._ours:
            endpoint.respond(incoming, 481, now)
            return
        try:
            status = told_status(request)
            state = _state(request)
        except BadMessage as bad:
            accepted = (("Accept", _SIPFRAG),) if bad.status == 415 else ()
            endpoint.respond(incoming, bad.status, now, headers=accepted)
            return
        endpoint.respond(incoming, 200, now)
        if status >= 200:
            self._end(status)
        elif state == "terminated":  # and nothing said of how it went
            self._end(480)

    def _untold(self, now: float) -> None:
        self._end(408)

    def _end(self, status: int) -> None:
        if self._ours:
            self.forget()
            self._session.endpoint.tell(ReferAnswered(self._session.call, status))

    def forget(self) -> None:
        """The dialog is over, and tells it."""
        self._ours, self._theirs = False, None
        self._session.endpoint.alarms.clear(self)


def _state(notify: Request) -> str:
    value = notify.first("Subscription-State") or ""
    state, _, params = value.partition(";")
    parse_params(params, "Subscription-State")
    return state.strip().lower()
