"""The default line: our own SIP user agent, on one epoll loop with its media."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import structlog
from numpy.typing import NDArray

from callbacks.numbers import mask
from callbacks.vocabulary import Disposition
from ivr.disposition import CallFacts, asks_for_more, disposition_of
from ivr.events import (
    Answered,
    EarlyMedia,
    Ended,
    EndedBy,
    Incoming,
    LineEvent,
    Ringing,
    TransferAnswered,
    TransferAsked,
)
from ivr.line import Capabilities, Dial, LineError
from ivr.line_calls import LineCall, LineCalls
from ivr.media.announcements import Announcements, Match
from ivr.media.audio import Audio
from ivr.media.early import KEPT
from ivr.media.ports import NoPorts
from ivr.media.remote import Hear, MediaLost, ToneHeard
from ivr.settings import VoiceSettings
from ivr.sip.events import (
    AckReceived,
    CancelReceived,
    DialogEnded,
    InviteAccepted,
    InviteFailed,
    InviteProgress,
    InviteReceived,
    ReferAnswered,
    ReferReceived,
)
from ivr.sip.headers import bracketed, printable
from ivr.sip.sdp import Media
from ivr.sip_endpoint import EndpointEvent, OutsideEvent
from ivr.sip_opening import open_endpoint
from ivr.sip_trunks import profiles_of, trunk_of
from ivr.sip_wires import OnMessage
from ivr.trunk_choice import TrunkChoice
from ivr.trunk_numbers import identity_header, number_uri, shown
from ivr.trunk_redirects import redirects_of
from ivr.trunk_settings import TrunkSettings
from ivr.trunk_watch import TrunkWatch, credentials_of

__all__ = ["SipLine"]

_log = structlog.get_logger(__name__)
_MINUTE = 60.0
_DIGITS = re.compile(r"\+?[0-9*#]{1,32}")


class SipLine:
    """Calls out by the trunks of the settings. LineError at the start says what to change.

    `trunks` knows how each of them is, and by which to call.

    With `takes_calls` it tells whom the trunks bring (`Incoming`); they hear nothing of us until the driver
    rings, which it does at once: no 100 comes before, so that an edge can tell a dead worker from a live one.
    `announcements` are what the networks say before a call fails; `hear_early` is handed the last minute of
    what came in place of an answer, by call.
    """

    capabilities = Capabilities(
        early_media=True,
        sip_status=True,
        q850=True,
        key_time=True,
        recording=True,
        tap=True,
        refer=True,
        machine=True,
        key_tones=True,
    )

    def __init__(
        self,
        settings: VoiceSettings,
        *,
        takes_calls: bool = False,
        on_message: OnMessage | None = None,
        announcements: Announcements | None = None,
        hear_early: Callable[[str, NDArray[np.float32]], None] | None = None,
    ) -> None:
        self._settings, self._takes_calls = settings, takes_calls
        self._announcements, self._hear_early = announcements or Announcements(), hear_early
        self._calls = LineCalls()
        self._told: list[LineEvent] = []
        self.trunks = TrunkChoice(settings.trunks, random.random, patience=4 * settings.t1)
        self._endpoint, self._book = open_endpoint(
            settings, takes_calls=takes_calls, on_message=on_message, outside=self._of_trunk
        )
        agent, now = self._endpoint.agent, time.monotonic()
        self._watch = TrunkWatch(settings.trunks, self.trunks, agent, self._book, now)

    @property
    def port(self) -> int:
        """Our SIP port over UDP and TCP."""
        return self._endpoint.port

    @property
    def tls_port(self) -> int:
        """Our SIP port over TLS, 0 without."""
        return self._endpoint.tls_port

    @property
    def counters(self) -> dict[str, int]:
        """What was dropped, malformed or lost, by kind."""
        return dict(self._endpoint.counters)

    # -- orders

    def dial(self, order: Dial) -> None:
        """Send INVITE. LineError for an unknown trunk, a call's id in use, or digits that are none."""
        trunk = self._check(order)
        now = time.monotonic()
        if (hop := self._book.hop(trunk.place, now)) is None:
            self._not_sent(order.call, now, f"no address is known of {trunk.host}")
            self._watch.met_silence(trunk.name, now)
            return
        codecs, profiles = order.codecs or self._settings.codecs, profiles_of(trunk, hop.transport)
        try:
            local = self._endpoint.open_media(order.call, codecs, profiles=profiles)
        except NoPorts as error:
            self._not_sent(order.call, now, str(error))
            return
        if session := self._endpoint.media(order.call):
            session.listen_early(_MINUTE if self._hear_early else KEPT)
        known = self._calls[order.call] = LineCall(order, trunk, hop)
        self._calls.give_up_at(now + order.total_timeout, known)
        form, is_us = trunk.caller_form, order.caller is None
        caller = shown(order.caller or trunk.caller_number, form)
        caller_uri = number_uri(caller, trunk.from_domain or bracketed(self._endpoint.host), form)
        known.sip_call_id = self._endpoint.invite(
            order.call,
            trunk.uri(order.number),
            hop,
            local,
            caller_uri,
            credentials_of(trunk),
            (*order.headers, *(identity_header(caller_uri, form) if is_us else ())),
            order.place,
            redirects=redirects_of(trunk, self._settings.trunks, self._book, now),
            display=form.display_name if is_us else "",
        )
        _log.info(
            "call_dialled",
            call=order.call,
            number=mask(order.number),
            trunk=trunk.name,
            sip_call_id=known.sip_call_id,
        )

    def _not_sent(self, call: str, now: float, why: str) -> None:
        """Nothing left us, so the citizen's attempt isn't spent."""
        self._told.append(Ended(call, now, Disposition.NETWORK_FAIL, None, None, why, by="us"))

    def sip_call_id(self, call: str) -> str | None:
        known = self._calls.get(call)
        return known.sip_call_id if known else None

    def _check(self, order: Dial) -> TrunkSettings:
        if order.call in self._calls:
            raise LineError(f"call {order.call} is already up")
        for digits in (order.number, order.caller or "0"):
            if not _DIGITS.fullmatch(digits):
                raise LineError(f"call {order.call}: a number is digits, not {digits!r}")
        try:
            return self._settings.trunk(order.trunk)
        except KeyError as error:
            raise LineError(str(error.args[0])) from error

    # -- who calls us

    def ring(self, call: str) -> None:
        self._endpoint.agent.provisional(call, 180, time.monotonic())
        self._endpoint.flush()

    def answer(self, call: str) -> None:
        known = self._calls.get(call)
        if known is None or not known.incoming or self._endpoint.media(call) is not None:
            return
        try:
            profiles = profiles_of(known.trunk, known.hop.transport)
            local = self._endpoint.open_media(call, self._settings.codecs, profiles=profiles)
        except NoPorts:
            self.reject(call, 503)
            return
        self._endpoint.answer(call, local, known.hop.host)

    def redirect(self, call: str, uris: Sequence[str]) -> None:
        if self._is_waiting(call):
            now = time.monotonic()
            self._endpoint.agent.redirect(call, uris, now)
            self._end(call, 302, None, "", "us", now)

    def reject(self, call: str, status: int) -> None:
        if self._is_waiting(call):
            now = time.monotonic()
            self._endpoint.agent.reject(call, status, now)
            self._end(call, status, None, "", "us", now)

    def _is_waiting(self, call: str) -> bool:
        known = self._calls.get(call)
        return known is not None and known.incoming and not known.answered

    def play(self, call: str, token: str, frames: Audio) -> None:
        if session := self._endpoint.media(call):
            session.play(token, frames)

    def stop(self, call: str) -> None:
        if session := self._endpoint.media(call):
            session.stop()

    def bridge(self, call: str, *others: str) -> None:
        self._endpoint.bridge((call, *others))

    def unbridge(self, call: str) -> None:
        if session := self._endpoint.media(call):
            session.part()

    def refer(self, call: str, uri: str) -> None:
        self._endpoint.agent.refer(call, uri, time.monotonic())
        self._endpoint.flush()

    def refer_result(self, call: str, status: int) -> None:
        self._endpoint.agent.refer_result(call, status, time.monotonic())
        self._endpoint.flush()

    def record(self, call: str, token: str, seconds: float) -> None:
        if session := self._endpoint.media(call):
            session.record(token, seconds, time.monotonic())

    def stop_recording(self, call: str) -> None:
        if session := self._endpoint.media(call):
            session.stop_recording(time.monotonic())

    def tap(self, call: str, hear: Hear | None) -> None:
        if session := self._endpoint.media(call):
            session.tap(hear)

    def hangup(self, call: str) -> None:
        self._give_up(call, "withdrawn", time.monotonic())

    def _give_up(self, call: str, why: str, now: float) -> None:
        known = self._calls.get(call)
        if known is None or known.given_up:
            return
        known.given_up = why
        if self._is_waiting(call) and self._endpoint.media(call) is None:  # a caller whom nobody has answered
            self.reject(call, 480)
            return
        if known.answered:
            self._endpoint.agent.bye(call, now)
        else:
            self._endpoint.agent.cancel(call, now)
        self._endpoint.flush()

    # -- turning

    def run_once(self, timeout: float) -> list[LineEvent]:
        now = time.monotonic()
        self._watch.turn(now)
        timeout = min(timeout, self._watch.due - now)
        if (deadline := self._calls.deadline) is not None:
            timeout = min(timeout, deadline - now)
        for event in self._endpoint.turn(0.0 if self._told else max(0.0, timeout)):
            self._take(event, time.monotonic())
        now = time.monotonic()
        for call in self._calls.overdue(now):
            self._give_up(call, "timeout", now)
        told, self._told = self._told, []
        return told

    def _take(self, event: EndpointEvent, now: float) -> None:
        match event:
            case InviteReceived():
                self._called(event, now)
            case _ if event.call not in self._calls:
                return
            case EarlyMedia(call) if self._calls[call].incoming:
                pass  # we have answered; only their ACK is late
            case CancelReceived(call, q850, cause):
                self._end(call, 487, q850, cause, "them", now)
            case AckReceived(call, media):
                self._agreed(call, media, now)
            case ToneHeard(call, tone=tone):
                self._calls[call].tone = tone
                if self._settings.give_up_on_tone and not self._calls[call].answered:
                    self._give_up(call, "tone", now)
            case MediaLost(call):
                self._give_up(call, "media_lost", now)
            case ReferReceived(call, uri):
                self._told.append(TransferAsked(call, now, uri))
            case ReferAnswered(call, status):
                self._told.append(TransferAnswered(call, now, status))
            case InviteProgress():
                self._progress(event, now)
            case InviteAccepted():
                self._accepted(event, now)
            case InviteFailed(call, status, q850, cause, retry_after):
                known = self._calls[call]
                facts = self._end(call, status, q850, cause, known.failed_by(status), now)
                self._watch.call_failed(known.order, known.trunk, known.hop, facts, retry_after, now)
            case DialogEnded(call, by, q850, cause):
                self._end(call, 200, q850, cause, by, now)
            case _:
                self._told.append(event)

    def _progress(self, event: InviteProgress, now: float) -> None:
        known = self._calls[event.call]
        if event.media is not None:
            self._endpoint.agree(event.call, event.media, known.hop.host)
        if 180 <= event.status <= 189 and not known.rang:
            known.rang = True
            self.trunks.lives(known.trunk.name, now)
            self._calls.give_up_at(now + known.order.ring_timeout, known)
            self._told.append(Ringing(event.call, now))

    def _accepted(self, event: InviteAccepted, now: float) -> None:
        self.trunks.lives(self._calls[event.call].trunk.name, now)
        self._agreed(event.call, event.media, now)

    def _agreed(self, call: str, media: Media, now: float) -> None:
        known = self._calls[call]
        known.answered = True
        self._endpoint.agree(call, media, known.hop.host)
        self._endpoint.start_media(call, now)
        if known.order.detect_machine and (session := self._endpoint.media(call)):
            session.detect_machine(now)
        self._told.append(Answered(call, now, media.codec))

    def _called(self, event: InviteReceived, now: float) -> None:
        trunk = trunk_of(event.source, self._settings.trunks, self._book) if self._takes_calls else None
        if trunk is None:
            self._endpoint.agent.reject(event.call, 403, now)
            return
        order = Dial(event.call, event.caller, trunk.name)
        call_id = printable(next((value for name, value in event.headers if name == "Call-ID"), ""))
        self._calls[event.call] = LineCall(order, trunk, event.source, incoming=True, sip_call_id=call_id)
        codec = event.offer.codec if event.offer else None
        self._told.append(
            Incoming(event.call, now, trunk.name, event.uri, event.caller, codec, event.headers, event.place)
        )
        _log.info("call_came", call=event.call, number=mask(event.caller), trunk=trunk.name)

    def _of_trunk(self, event: OutsideEvent) -> None:
        self._watch.take(event, time.monotonic())

    def _end(
        self, call: str, status: int | None, q850: int | None, cause: str, by: EndedBy, now: float
    ) -> CallFacts:
        for late in self._endpoint.drain(call, now):
            self._take(late, now)
        known = self._calls.pop(call)
        facts = known.facts(status, q850)
        if (match := self._announced(call, known, facts)) is not None:
            facts = replace(facts, announced=match.announcement.meaning)
            cause = f"announcement {match.announcement.name}; {cause}"
        elif known.tone is not None and not known.answered:
            cause = f"{known.tone} tone; {cause}"
        if self._hear_early and not known.answered and (session := self._endpoint.media(call)):
            self._hear_early(call, session.heard_early())
        quality = self._endpoint.close_media(call)
        disposition: Disposition | None = disposition_of(facts, known.trunk.overrides)
        if known.incoming and not known.answered:
            disposition = None  # nobody was called
        if known.given_up == "media_lost":
            by = "network"
        self._told.append(Ended(call, now, disposition, status, q850, cause, by, quality))
        _log.info("call_ended", call=call, disposition=disposition, sip_status=status, q850=q850, by=by)
        return facts

    def _announced(self, call: str, known: LineCall, facts: CallFacts) -> Match | None:
        """What the network said before the call failed, where that could change what came of it."""
        session = self._endpoint.media(call)
        if session is None or known.incoming or not self._announcements or not asks_for_more(facts):
            return None
        match = self._announcements.match(session.heard_early())
        if match is not None:
            _log.info(
                "announcement_heard",
                call=call,
                name=match.announcement.name,
                seconds=round(match.seconds, 1),
                differs=round(match.differs, 2),
            )
        return match

    def wake(self) -> None:
        self._endpoint.wake()

    def close(self) -> None:
        """Hang up what is up, let the last BYEs be answered for a moment, and close every descriptor."""
        for call in list(self._calls):
            self.hangup(call)
        self._watch.close(time.monotonic())
        self._endpoint.settle(min(2.0, 4 * self._settings.t1))
        self._book.close()
        self._endpoint.close()
