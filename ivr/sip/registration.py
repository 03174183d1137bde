"""Being known to a registrar: REGISTER, its refreshes, its end (RFC 3261 §10.2). Pure.

A round is one REGISTER and what must be sent again: with credentials after a challenge (§22.2), with the
registrar's shortest time after a 423 (§10.2.8). Each round answers a challenge anew, so a nonce that has
grown old in between costs nothing. A round that fails is followed by another after a pause that doubles
from 30 s to 10 min (as RFC 5626 §4.5 has it), or after the registrar's Retry-After where that is longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ivr.sip.digest import Credentials, Login
from ivr.sip.endpoint import Endpoint
from ivr.sip.envelope import Envelope
from ivr.sip.errors import BadMessage
from ivr.sip.events import Registered, RegistrationFailed
from ivr.sip.headers import parse_name_addr, parse_uri, printable, seconds_of
from ivr.sip.hop import Hop
from ivr.sip.message import Header, Response
from ivr.sip.outside import Outside, start_outside

__all__ = ["FIRST_PAUSE", "LONGEST_PAUSE", "Account", "Registration", "refresh_after"]

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0  # seconds
_LONGEST_WAIT = 3600  # what a registrar's Retry-After may ask for at most
_MOST_SENT = 4  # of a round: a challenge, a stale nonce and a 423 among them
_LONGEST_EXPIRES = 7 * 24 * 3600  # a Min-Expires beyond is none


@dataclass(frozen=True, slots=True)
class Account:
    """`registrar` is the domain as a URI ("sip:carrier.example"), `hop` where it is; `name` the
    address-of-record; `expires` seconds are asked for."""

    registrar: str
    hop: Hop
    name: str
    credentials: Credentials | None
    expires: int = 3600


class State(Enum):
    WAITING = auto()  # for the next round
    ASKING = auto()
    OVER = auto()  # nothing is sent any more but the end of what may still be bound


def refresh_after(granted: float) -> float:
    """Seconds until the next round: 30 s or a tenth before the end; half-way where that is too short."""
    early = granted - max(30.0, granted / 10)
    return early if early >= granted / 2 else granted / 2


class Registration:
    """One account. `close` ends it; the Call-ID stays, and CSeq grows with each request (§10.2)."""

    def __init__(self, endpoint: Endpoint, key: str, account: Account, now: float) -> None:
        self._endpoint, self._key, self._account = endpoint, key, account
        call_id = f"{endpoint.new_token()}@{endpoint.config.host}"
        name, hop = account.name, account.hop
        self._outside = Outside("REGISTER", account.registrar, hop, name, name, call_id)
        self._expires = account.expires
        self._pause = FIRST_PAUSE
        self._is_raised = False  # a 423 was met in this round
        self._state = State.WAITING
        self._begin(now)

    def close(self, now: float) -> None:
        """Take our address back: at once, or when what was sent is answered (§10.2: one at a time)."""
        was, self._state = self._state, State.OVER
        self._endpoint.alarms.clear(self)
        if was is State.WAITING:
            self._begin_end(now)

    def leave(self) -> None:
        """After a failure: nothing is sent any more, and what may be bound runs out by itself."""
        self._state = State.OVER
        self._endpoint.alarms.clear(self)

    # -- a round

    def _begin(self, now: float) -> None:
        self._state, self._is_raised, self._sent = State.ASKING, False, 0
        self._login = Login(self._account.credentials, self._endpoint.new_token)
        self._send(now)

    def _begin_end(self, now: float) -> None:
        self._login, self._sent = Login(self._account.credentials, self._endpoint.new_token), 0
        self._send_end(now)

    def _send(self, now: float) -> None:
        self._sent += 1
        headers = self._headers(self._expires)
        start_outside(self._endpoint, self._outside, headers, now, self._answered, self._silent)

    def _send_end(self, now: float) -> None:
        self._sent += 1
        headers = self._headers(0)
        start_outside(self._endpoint, self._outside, headers, now, self._end_answered, lambda _now: None)

    def _headers(self, expires: int) -> tuple[Header, ...]:
        return ("Expires", str(expires)), *self._login.headers("REGISTER", self._account.registrar)

    # -- what comes of it

    def _answered(self, response: Response, _envelope: Envelope, now: float) -> None:
        if response.status < 200:
            return
        if self._state is State.OVER:
            self._begin_end(now)
        elif response.status < 300:
            self._granted(response, now)
        elif self._may_do_better(response):
            self._send(now)
        else:
            after = seconds_of(response.first("Retry-After")) or 0
            self._fail(response.status, printable(response.reason), now, after)

    def _may_do_better(self, response: Response) -> bool:
        """Whether the same again, with what the answer asks for, may be taken."""
        if self._sent >= _MOST_SENT:
            return False
        if response.status in (401, 407):
            return self._login.accept(response)
        return response.status == 423 and self._raise(response)

    def _silent(self, now: float) -> None:
        if self._state is State.OVER:
            self._begin_end(now)  # it may be bound all the same
        else:
            self._fail(None, "no answer to REGISTER", now, 0)

    def _end_answered(self, response: Response, _envelope: Envelope, now: float) -> None:
        if response.status in (401, 407) and self._may_do_better(response):
            self._send_end(now)

    def _granted(self, response: Response, now: float) -> None:
        granted = self._granted_time(response)
        if granted <= 0:
            self._fail(response.status, "bound for no time", now, 0)
            return
        self._state, self._pause = State.WAITING, FIRST_PAUSE
        self._endpoint.alarms.set(self, now + refresh_after(granted), self._begin)
        self._endpoint.tell(Registered(self._key, granted))

    def _granted_time(self, response: Response) -> int:
        """Our own binding's time (§10.2.4), else the answer's, else what was asked for."""
        ours = self._binding(self._endpoint.contact(self._account.hop.transport)[1])
        told = seconds_of(response.first("Expires"))
        try:
            for contact in response.listed("Contact"):
                if self._binding(contact) == ours:
                    own = parse_name_addr(contact, "Contact").params.get("expires")
                    told = told if own is None else seconds_of(own)
        except BadMessage:  # somebody else's, before ours
            pass
        return self._expires if told is None else told

    @staticmethod
    def _binding(contact: str) -> tuple[str, str, int | None]:
        uri = parse_uri(parse_name_addr(contact, "Contact").uri, "Contact")
        return uri.user, uri.host.lower(), uri.port

    def _raise(self, response: Response) -> bool:
        """Whether a longer time may do, once a round."""
        least = seconds_of(response.first("Min-Expires")) or 0
        if self._is_raised or not self._expires < least <= _LONGEST_EXPIRES:
            return False
        self._is_raised, self._expires = True, least
        return True

    def _fail(self, status: int | None, reason: str, now: float, after: int) -> None:
        self._state = State.WAITING
        wait = max(self._pause, min(after, _LONGEST_WAIT))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._endpoint.alarms.set(self, now + wait, self._begin)
        self._endpoint.tell(RegistrationFailed(self._key, status, reason))
