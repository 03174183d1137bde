"""The simulated city's SIP trunk: real SIP, RTP and RFC 4733 on loopback, citizens by `ivr.citizen`.

They are called, and call where they're told to (`comes`).
"""

from __future__ import annotations

import contextlib
import heapq
import json
import time
from collections.abc import Callable, Sequence
from itertools import count
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog

from ivr.citizen import MACHINE, Behaviour, Ear, citizen_of
from ivr.city_early import early_audio
from ivr.city_machine import GREETING_AFTER, machine_greeting
from ivr.city_visit import Visit
from ivr.events import Codec, KeyPressed
from ivr.line import LineError
from ivr.media.ports import NoPorts, PortPool
from ivr.media.tones import mumble
from ivr.settings import CityEarlyMedia, CitySettings
from ivr.sip.events import (
    AckReceived,
    CancelReceived,
    DialogEnded,
    InviteAccepted,
    InviteFailed,
    InviteProgress,
    InviteReceived,
)
from ivr.sip.hop import Hop
from ivr.sip.transaction import Timers
from ivr.sip_endpoint import EndpointEvent, SipEndpoint

__all__ = ["CityTrunk", "Stop", "run_city_trunk"]

_log = structlog.get_logger(__name__)
_CODECS: tuple[Codec, ...] = ("pcma", "pcmu")
_LISTEN_EVERY = 0.02
_AFTER_EARLY = 0.2  # seconds from the end of what the network says to its release
_FOREVER = 1e9  # a citizen doesn't hang up because our side is still


class Stop(Protocol):
    """An event of threading or multiprocessing."""

    def is_set(self) -> bool: ...


class CityTrunk:
    """Answers every number as its last digit says. LineError at the start says what to change."""

    def __init__(self, settings: CitySettings) -> None:
        self._settings = settings
        self._visits: dict[str, Visit] = {}
        self._plan: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._listen_at = 0.0
        self._keys_heard: list[tuple[str, str]] = []
        self._callers_told: list[tuple[str, str]] = []
        self._wanted: SimpleQueue[Callable[[float], None]] = SimpleQueue()
        if settings.machines:
            machine_greeting()  # made now: nobody waits for it in a call
        self._early = {each: early_audio(each) for each in settings.early_media}
        pool = PortPool(settings.host, settings.rtp_port_min, settings.rtp_port_max)
        try:
            self._endpoint = SipEndpoint(
                settings.host,
                settings.port,
                frozenset(settings.callers),
                Timers(t1=settings.t1),
                pool,
                settings.lines,
                _FOREVER,
                named_events=settings.telephone_event,
                hears_tones=True,
            )
        except NoPorts as error:
            raise LineError(f"city: {error}") from error
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise LineError(f"city.port: {where} over UDP: {error.strerror}; choose another") from error

    @property
    def port(self) -> int:
        """The SIP port it listens on."""
        return self._endpoint.port

    @property
    def counters(self) -> dict[str, int]:
        return dict(self._endpoint.counters)

    @property
    def busy_lines(self) -> int:
        """Calls that are ringing or up."""
        return len(self._visits)

    @property
    def keys_heard(self) -> list[tuple[str, str]]:
        """The keys that reached citizens: (number, key), oldest first."""
        return list(self._keys_heard)

    # -- what citizens do when they're told to: any thread may tell them

    def comes(
        self,
        caller: str,
        uri: str,
        to: tuple[str, int],
        codecs: tuple[Codec, ...] = _CODECS,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """The citizen `caller` calls `uri` by whoever listens at `to`; once answered, they behave as ever."""
        visit = Visit(caller, citizen_of(caller), Ear(self._settings.pause), rings_us=True)
        self._soon(lambda _now: self._call(visit, uri, to, codecs, headers))

    def presses(self, number: str, key: str) -> None:
        """The citizen with that number presses a key; nothing without a call of theirs."""
        self._soon(lambda _now: self._on_calls_of(number, lambda call: self._press(call, key)))

    def hangs_up(self, number: str) -> None:
        """The citizen with that number hangs up, or gives up while it rings."""
        agent = self._endpoint.agent
        self._soon(lambda now: self._on_calls_of(number, lambda call: agent.bye(call, now, q850=16)))

    @property
    def callers_told(self) -> list[tuple[str, str]]:
        """What callers heard of us, oldest first: (number, a SIP status, or "BYE" when we hung up)."""
        return list(self._callers_told)

    def _soon(self, act: Callable[[float], None]) -> None:
        self._wanted.put(act)
        self._endpoint.wake()

    def _on_calls_of(self, number: str, act: Callable[[str], None]) -> None:
        for call in [call for call, visit in self._visits.items() if visit.number == number]:
            act(call)

    def _call(
        self,
        visit: Visit,
        uri: str,
        to: tuple[str, int],
        codecs: tuple[Codec, ...],
        headers: Sequence[tuple[str, str]],
    ) -> None:
        call = f"caller-{next(self._order)}"
        local = self._endpoint.open_media(call, codecs, visit.hear)
        self._visits[call] = visit
        whose = f"sip:{visit.number}@{self._settings.host}"
        self._endpoint.invite(call, uri, Hop(*to), local, whose, headers=headers)

    # -- turning

    def run_once(self, timeout: float) -> None:
        """One turn of the loop."""
        now = time.monotonic()
        if self._plan:
            timeout = min(timeout, max(0.0, self._plan[0][0] - now))
        if self._visits:
            timeout = min(timeout, _LISTEN_EVERY)
        for event in self._endpoint.turn(timeout):
            self._take(event, time.monotonic())
        now = time.monotonic()
        self._do_what_is_wanted(now)
        while self._plan and self._plan[0][0] <= now:
            heapq.heappop(self._plan)[2](now)
        if now >= self._listen_at:
            self._listen_at = now + _LISTEN_EVERY
            self._listen(now)
        self._endpoint.flush()

    def _do_what_is_wanted(self, now: float) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._wanted.get_nowait()(now)

    def wake(self) -> None:
        self._endpoint.wake()

    def close(self) -> None:
        """Hang up on everyone and close every descriptor."""
        for call in list(self._visits):
            self._endpoint.agent.bye(call, time.monotonic())
        self._endpoint.settle(min(1.0, 4 * self._settings.t1))
        self._endpoint.close()

    # -- the trunk

    def _take(self, event: EndpointEvent, now: float) -> None:
        match event:
            case InviteReceived():
                self._invited(event, now)
            case AckReceived(call, media):
                self._endpoint.agree(call, media, media.host)
                self._endpoint.start_media(call, now)
            case InviteProgress(call, status):
                self._tell_caller(call, str(status))
            case InviteAccepted(call, status, media):
                self._tell_caller(call, str(status))
                self._endpoint.agree(call, media, media.host)
                self._endpoint.start_media(call, now)
            case InviteFailed(call, status):
                self._tell_caller(call, str(status))
                self._leave(call)
            case DialogEnded(call, by="them"):
                self._tell_caller(call, "BYE")
                self._leave(call)
            case CancelReceived(call) | DialogEnded(call):
                self._leave(call)
            case KeyPressed(call, key=key) if visit := self._visits.get(call):
                self._keys_heard.append((visit.number, key))
            case _:
                return

    def _tell_caller(self, call: str, what: str) -> None:
        visit = self._visits.get(call)
        if visit is not None and visit.rings_us:
            self._callers_told.append((visit.number, what))

    def _leave(self, call: str) -> None:
        self._visits.pop(call, None)
        self._endpoint.close_media(call)

    def _invited(self, event: InviteReceived, now: float) -> None:
        agent, call = self._endpoint.agent, event.call
        self._note(event)
        citizen = MACHINE if event.user.endswith(self._settings.machines) else citizen_of(event.user)
        early = next((each for each in self._early if event.user.endswith(each.ending)), None)
        if len(self._visits) >= self._settings.lines:
            agent.reject(call, 503, now, q850=34, text="no circuit")
        elif early is not None and event.offer is not None:
            self._visits[call] = Visit(event.user, citizen, Ear(self._settings.pause))
            self._say_early(event, early, now)
        elif citizen.behaviour is Behaviour.BUSY:
            agent.reject(call, 486, now, q850=17, text="user busy")
        elif citizen.behaviour is Behaviour.UNALLOCATED:
            agent.reject(call, 404, now, q850=1, text="unallocated number")
        else:
            self._visits[call] = Visit(event.user, citizen, Ear(self._settings.pause))
            agent.provisional(call, 180, now)
            if citizen.behaviour is not Behaviour.RINGS_ON:
                self._later(self._settings.pickup_after, lambda then: self._pick_up(event, then))

    def _say_early(self, event: InviteReceived, early: CityEarlyMedia, now: float) -> None:
        """What the network has to say instead of an answer, and its release after that."""
        agent, call, audio = self._endpoint.agent, event.call, self._early[early]
        try:
            local = self._endpoint.open_media(call, _CODECS)
        except NoPorts:
            self._release(call, 503, 34, now)
            return
        if event.offer is not None:
            self._endpoint.agree(call, event.offer, event.source[0])
        agent.provisional(call, 183, now, local=local)
        self._endpoint.start_media(call, now)
        if session := self._endpoint.media(call):
            session.play("early", audio)
        after = audio.seconds + _AFTER_EARLY
        self._later(after, lambda then: self._release(call, early.status, early.q850, then))

    def _release(self, call: str, status: int, q850: int | None, now: float) -> None:
        if call in self._visits:
            self._endpoint.agent.reject(call, status, now, q850=q850)
            self._leave(call)

    def _note(self, event: InviteReceived) -> None:
        if self._settings.log_file is not None:
            record = {"at": time.time(), "to": event.user, "call": event.call}
            with self._settings.log_file.open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")

    def _pick_up(self, event: InviteReceived, now: float) -> None:
        agent, call = self._endpoint.agent, event.call
        visit = self._visits.get(call)
        if visit is None:
            return
        if visit.citizen.behaviour is Behaviour.DECLINES:
            del self._visits[call]
            agent.reject(call, 603, now, q850=21, text="call rejected")
            return
        try:
            local = self._endpoint.open_media(call, _CODECS, visit.hear)
        except NoPorts:
            del self._visits[call]
            agent.reject(call, 503, now, q850=34, text="no circuit")
            return
        self._endpoint.answer(call, local, event.source[0])
        match visit.citizen.behaviour:
            case Behaviour.MACHINE:
                self._later(GREETING_AFTER, lambda _then: self._greet(call))
                self._hang_up_after(GREETING_AFTER + machine_greeting().seconds, call)
            case Behaviour.SILENT:
                self._hang_up_after(0.0, call)

    def _hang_up_after(self, seconds: float, call: str) -> None:
        """And so long as a silent one stays."""
        if self._settings.silent_for:
            silent = seconds + self._settings.silent_for
            self._later(silent, lambda then: self._endpoint.agent.bye(call, then, q850=16))

    # -- the citizen

    def _listen(self, now: float) -> None:
        for call, visit in self._visits.items():
            impatient = visit.citizen.behaviour is Behaviour.HANGS_UP
            if impatient and visit.ear.heard >= self._settings.hears_before_hangup:
                self._endpoint.agent.bye(call, now, q850=16)
            elif visit.ear.beep_ended(now):
                self._leave_message(call, visit)
            elif visit.ear.prompt_ended(now):
                self._after_prompt(call, visit)

    def _after_prompt(self, call: str, visit: Visit) -> None:
        key = visit.citizen.key_after(visit.prompts)
        if key is not None:
            self._later(self._settings.reaction, lambda then: self._press(call, key))
        visit.prompts += 1

    def _greet(self, call: str) -> None:
        if session := self._endpoint.media(call):
            session.play("greeting", machine_greeting())

    def _leave_message(self, call: str, visit: Visit) -> None:
        session = self._endpoint.media(call)
        if session is not None and visit.citizen.behaviour is Behaviour.ANSWERS:
            seconds = self._settings.message_seconds
            session.play("message", mumble(seconds))
            self._later(seconds, lambda then: self._press(call, "#"))

    def _press(self, call: str, key: str) -> None:
        if session := self._endpoint.media(call):
            session.press(key, self._settings.key_length)

    def _later(self, delay: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._plan, (time.monotonic() + delay, next(self._order), act))


def run_city_trunk(settings: CitySettings, stop: Stop, ready: Callable[[int], None] | None = None) -> None:
    """Run the trunk until `stop` is set; `ready` is told its port once it listens."""
    city = CityTrunk(settings)
    try:
        _log.info("city_trunk_ready", host=settings.host, port=city.port)
        if ready is not None:
            ready(city.port)
        while not stop.is_set():
            city.run_once(0.1)
    finally:
        city.close()
