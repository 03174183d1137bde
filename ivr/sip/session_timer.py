"""How long a call may go on without a word that it lives (RFC 4028). Pure.

Who refreshes sends an UPDATE or a re-INVITE at half the interval; who doesn't hear of it hangs up before the
interval ends. A peer that doesn't know the timer has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ivr.sip.headers import seconds_of
from ivr.sip.message import Header, Request, Response
from ivr.sip.screening import Refusal

if TYPE_CHECKING:
    from ivr.sip.session import Session

__all__ = ["LEAST", "Interval", "Proposal", "SessionTimer", "interval_of", "least_of", "settle", "too_brief"]

LEAST = 90  # seconds: the smallest interval where nobody says another (§5)
_USUAL_HASTE = 32.0  # seconds before the end at which whoever waits for a refresh hangs up (§10)

Refresher = Literal["uac", "uas"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A Session-Expires header: seconds, and who refreshes where that is said."""

    seconds: int
    refresher: Refresher | None

    @property
    def header(self) -> Header:
        who = f";refresher={self.refresher}" if self.refresher else ""
        return "Session-Expires", f"{self.seconds}{who}"


def interval_of(message: Request | Response) -> Interval | None:
    """What Session-Expires says; None without one that can be read."""
    seconds = seconds_of(text := message.first("Session-Expires") or "")
    if not seconds:
        return None
    params = text.split(";")[1:]
    told = {
        name.strip().lower(): value.strip().lower() for name, _, value in (p.partition("=") for p in params)
    }
    who = told.get("refresher")
    return Interval(seconds, "uac" if who == "uac" else "uas" if who == "uas" else None)


def least_of(message: Request | Response) -> int:
    """What Min-SE says, 90 without one that can be read."""
    return seconds_of(message.first("Min-SE")) or LEAST


def too_brief(request: Request, least: int) -> Refusal | None:
    """422 to whoever knows the timer and wants a shorter interval than we do (§9)."""
    asked = interval_of(request)
    if asked is None or asked.seconds >= least or not _knows_timer(request):
        return None
    return Refusal(422, (("Min-SE", str(least)),))


def settle(request: Request, longest: int, least: int) -> tuple[Interval, tuple[Header, ...]] | None:
    """What our 2xx to that request says (§9, table 2); None where there is to be no timer.

    `longest` is what we'd ask for ourselves, 0 for none ever. Who doesn't know the timer but goes through a
    proxy that does has us refresh; who leaves the choice to us refreshes. What is asked for may become less,
    never more; so less than `least`, of whoever wouldn't know what 422 means, isn't agreed to.
    """
    asked = interval_of(request)
    if asked is None or not longest or asked.seconds < least:
        return None
    seconds = min(asked.seconds, max(longest, least_of(request), least))
    if not _knows_timer(request):
        interval = Interval(seconds, "uas")
        return interval, (interval.header,)
    interval = Interval(seconds, asked.refresher or "uac")
    return interval, (interval.header, ("Require", "timer"))


@dataclass(frozen=True, slots=True)
class Proposal:
    """What our requests ask for: `seconds`, 0 for no timer, and no less than `least`.

    `is_raised` says that a 422 has taught us; it does so once in a call.
    """

    seconds: int
    least: int
    is_raised: bool = False

    def headers(self, refresher: Refresher | None = None) -> tuple[Header, ...]:
        if not self.seconds:
            return ()
        least = (("Min-SE", str(self.least)),) if self.least != LEAST else ()
        return (Interval(self.seconds, refresher).header, *least)

    def after(self, refusal: Response) -> Proposal:
        """What to ask for after a 422 (§7.3): itself where that would be no more than before."""
        wanted = least_of(refusal)
        return Proposal(wanted, wanted, True) if wanted > self.seconds > 0 and not self.is_raised else self


class SessionTimer:
    """The timer of one dialog. `proposal` is what our next refresh asks for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._alarms = session.endpoint.alarms
        config = session.endpoint.config
        self.proposal = Proposal(config.session_expires, config.min_se)

    def headers(self) -> tuple[Header, ...]:
        """Of a refresh of ours, which keeps the part of whoever refreshes."""
        return self.proposal.headers("uac")

    def accept(self, request: Request, now: float) -> tuple[Header, ...]:
        """What the 2xx to their request says; the timer runs anew."""
        settled = settle(request, self._longest, self._session.endpoint.config.min_se)
        if settled is None:
            self.stop()
            return ()
        interval, headers = settled
        self._run(interval.seconds, interval.refresher == "uas", now)
        return headers

    def answered(self, response: Response, now: float) -> None:
        """A 2xx to our INVITE or refresh: without Session-Expires there is no timer any more (§7.2).

        Less than is legal (§5) would end the call at once; it's taken for the least.
        """
        interval = interval_of(response)
        if interval is None or not self._longest:
            self.stop()
        else:
            least = self._session.endpoint.config.min_se
            self._run(max(interval.seconds, least), interval.refresher != "uas", now)

    def learn(self, refusal: Response) -> bool:
        """From a 422 to a refresh; whether another that asks for more is worth sending."""
        before, self.proposal = self.proposal, self.proposal.after(refusal)
        return before is not self.proposal

    def stop(self) -> None:
        self._alarms.clear((self, "refresh"))
        self._alarms.clear((self, "end"))
        self._session.refreshed()

    @property
    def _longest(self) -> int:
        return self._session.endpoint.config.session_expires

    def _run(self, seconds: int, we_refresh: bool, now: float) -> None:
        self.stop()
        self.proposal = replace(self.proposal, seconds=seconds)
        if we_refresh:
            self._alarms.set((self, "refresh"), now + seconds / 2, self._session.refresh)
        self._alarms.set((self, "end"), now + seconds - min(_USUAL_HASTE, seconds / 3), self._expired)

    def _expired(self, now: float) -> None:
        self._session.end_by_network(now, "session expired")


def _knows_timer(request: Request) -> bool:
    return "timer" in (
        option.lower() for name in ("Supported", "Require") for option in request.options(name)
    )
