"""A line that needs no network and no patience: the city's citizens in virtual time.

`run_once` moves the clock to the next thing that happens, at most `timeout` seconds on.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import count

from callbacks.vocabulary import MachineSign
from ivr.citizen import MACHINE, Behaviour, citizen_of
from ivr.disposition import CallFacts, disposition_of
from ivr.events import (
    Answered,
    Codec,
    Ended,
    EndedBy,
    Incoming,
    KeyPressed,
    LineEvent,
    MachineHeard,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    Ringing,
    TransferAnswered,
    TransferAsked,
)
from ivr.line import Capabilities, Dial, LineError
from ivr.media import g711
from ivr.media.audio import FRAME_MS, FRAME_SAMPLES, RATE, Audio
from ivr.media.recorder import LONGEST
from ivr.media.remote import Hear
from ivr.media.rtp import RtpPacket
from ivr.media.tones import mumble
from ivr.settings import CitySettings
from ivr.simulated_call import SimulatedCall, SimulatedRecording

__all__ = ["SimulatedLine"]

_GREETING, _TOLD_AFTER = 7.0, 5.0  # seconds of a machine's greeting; until it has gone on for long enough
_NETWORK = 0.05  # seconds from an order to the far end's word
_TALKED = CallFacts(200, 16, rang=True, answered=True)


class SimulatedLine:
    """Every number is answered as its last digit says (`ivr.citizen`); every trunk's name is known."""

    capabilities = Capabilities(
        early_media=False,
        sip_status=True,
        q850=True,
        key_time=True,
        recording=True,
        tap=True,
        refer=True,
        machine=True,
        key_tones=True,
    )

    def __init__(self, city: CitySettings | None = None, codec: Codec = "pcma") -> None:
        self._city, self._codec = city or CitySettings(), codec
        self.now = 0.0
        self._calls: dict[str, SimulatedCall] = {}
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._told: list[LineEvent] = []
        self._keys_heard: list[tuple[str, str]] = []
        self.refer_status = 200  # what the network says to `refer`
        self.refer_results: list[tuple[str, int]] = []
        self._callers_told: list[tuple[str, str]] = []

    @property
    def keys_heard(self) -> list[tuple[str, str]]:
        """The keys that reached somebody over a bridge: (number, key), oldest first."""
        return list(self._keys_heard)

    @property
    def callers_told(self) -> list[tuple[str, str]]:
        """What callers heard of us, oldest first: (number, a SIP status, or "BYE" when we hung up)."""
        return list(self._callers_told)

    def calls_of(self, number: str) -> list[str]:
        """The calls to that number, and of that caller, which ring or are up."""
        return [name for name, call in self._calls.items() if call.order.number == number]

    # -- orders

    def dial(self, order: Dial) -> None:
        if order.call in self._calls:
            raise LineError(f"call {order.call} is already up")
        machine = order.number.endswith(self._city.machines)
        citizen = MACHINE if machine else citizen_of(order.number)
        call = self._calls[order.call] = SimulatedCall(order, citizen)
        self._later(order.total_timeout, call, lambda: self._time_out(call))
        match call.citizen.behaviour:
            case Behaviour.BUSY:
                self._later(_NETWORK, call, lambda: self._fail(call, 486, 17))
            case Behaviour.UNALLOCATED:
                self._later(_NETWORK, call, lambda: self._fail(call, 404, 1))
            case _:
                self._later(_NETWORK, call, lambda: self._ring(call))

    def sip_call_id(self, call: str) -> str | None:
        return f"{call}@city" if call in self._calls else None

    # -- who calls us

    def comes(
        self,
        call: str,
        caller: str,
        uri: str,
        trunk: str = "city",
        codecs: tuple[Codec, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
        place: bytes = b"",
    ) -> None:
        """Somebody calls now, offering `codecs` (none: the line's): for whoever drives the city."""
        known = SimulatedCall(Dial(call, caller, trunk), citizen_of(caller), incoming=True)
        known.codec = codecs[0] if codecs else self._codec
        self._calls[call] = known
        self._told.append(Incoming(call, self.now, trunk, uri, caller, known.codec, headers, place))

    def gives_up(self, call: str) -> None:
        """The caller hangs up, or the telephone that was called does."""
        if known := self._calls.get(call):
            if not known.answered:
                self._tell_caller(known, 487)
            facts = _TALKED if known.answered else CallFacts(487, rang=known.rang)
            self._end(known, facts, "them")

    def ring(self, call: str) -> None:
        if known := self._waiting(call):
            known.rang = True
            self._tell_caller(known, 180)

    def answer(self, call: str) -> None:
        if known := self._waiting(call):
            self._later(_NETWORK, known, lambda: self._take(known))

    def redirect(self, call: str, uris: Sequence[str]) -> None:
        if uris:
            self.reject(call, 302)

    def reject(self, call: str, status: int) -> None:
        if known := self._waiting(call):
            self._tell_caller(known, status)
            self._end(known, CallFacts(status), "us")

    def _tell_caller(self, call: SimulatedCall, status: int) -> None:
        if call.incoming:
            self._callers_told.append((call.order.number, str(status)))

    def _waiting(self, call: str) -> SimulatedCall | None:
        known = self._calls.get(call)
        return known if known is not None and known.incoming and not known.answered else None

    def _take(self, call: SimulatedCall) -> None:
        if not call.answered:
            call.answered = True
            self._tell_caller(call, 200)
            self._told.append(Answered(call.order.call, self.now, call.codec))

    def play(self, call: str, token: str, frames: Audio) -> None:
        known = self._calls.get(call)
        if known is None or not known.answered:
            return
        known.turn += 1
        turn = known.turn
        self._later(FRAME_MS / 1000, known, lambda: self._start(known, token), turn)
        self._later(frames.seconds + FRAME_MS / 1000, known, lambda: self._finish(known, token), turn)

    def stop(self, call: str) -> None:
        if known := self._calls.get(call):
            known.turn += 1

    def bridge(self, call: str, *others: str) -> None:
        wanted = dict.fromkeys((call, *others))
        found = [self._calls[each] for each in wanted if each in self._calls and self._calls[each].answered]
        if len(found) < 1 + len(others):
            return
        for each in wanted:
            self.unbridge(each)
        for known in found:
            known.bridged = [other for other in found if other is not known]

    def unbridge(self, call: str) -> None:
        if known := self._calls.get(call):
            others, known.bridged = known.bridged, []
            for other in others:
                other.bridged.remove(known)

    def refer(self, call: str, uri: str) -> None:
        """The network takes it, and is done with the call once the other answers."""
        if (known := self._calls.get(call)) and known.answered:
            self._later(_NETWORK, known, lambda: self._referred(known))

    def _referred(self, call: SimulatedCall) -> None:
        self._told.append(TransferAnswered(call.order.call, self.now, self.refer_status))

    def refer_result(self, call: str, status: int) -> None:
        if call in self._calls:
            self.refer_results.append((call, status))

    def asks_transfer(self, call: str, uri: str) -> None:
        """Somebody's telephone asks for it now: for whoever drives the city."""
        self._told.append(TransferAsked(call, self.now, uri))

    def presses(self, call: str, keys: str) -> None:
        """Keys of somebody who is on the line, one after the other: for whoever drives the city."""
        for key in keys:
            self._press(self._calls[call], key)

    def record(self, call: str, token: str, seconds: float) -> None:
        known = self._calls.get(call)
        if known is None or not known.answered:
            return
        self._finish_recording(known)
        speaks = self._city.message_seconds if known.citizen.behaviour is Behaviour.ANSWERS else 0.0
        running = known.recording = SimulatedRecording(token, self.now, speaks, min(seconds, LONGEST))
        known.turn += 1  # the beep is nothing to press a key after
        self._later(running.most, known, lambda: self._full(known, running))
        if known.hear is not None:
            for number, frame in enumerate(mumble(speaks).frames(known.codec)):
                self._say(known, number, frame)
        if 0 < speaks < running.most:
            self._later(speaks, known, lambda: self._press(known, "#"), known.turn)

    def stop_recording(self, call: str) -> None:
        if known := self._calls.get(call):
            self._finish_recording(known)

    def tap(self, call: str, hear: Hear | None) -> None:
        known = self._calls.get(call)
        if known is not None and known.answered:
            known.hear = hear

    def _say(self, call: SimulatedCall, number: int, frame: bytes) -> None:
        """A frame of what is said from now on comes to whoever taps the call."""

        def say() -> None:
            if call.hear is not None:
                samples = number * FRAME_SAMPLES
                packet = RtpPacket(g711.PAYLOAD_TYPES[call.codec], number == 0, number, samples, 1, frame)
                call.hear(packet, call.codec, self.now)

        self._later((number + 1) * FRAME_MS / 1000, call, say)

    def hangup(self, call: str) -> None:
        known = self._calls.get(call)
        if known is not None and known.answered:
            if known.incoming:
                self._callers_told.append((known.order.number, "BYE"))
            self._end(known, _TALKED, "us")
        elif known is not None and known.incoming:
            self.reject(call, 480)
        elif known is not None:
            self._end(known, CallFacts(487, rang=known.rang, withdrawn=True), "us")

    # -- turning

    def run_once(self, timeout: float) -> list[LineEvent]:
        until = self.now + timeout
        if not self._told and self._plan and self._plan[0][0] <= until:
            self.now = max(self.now, self._plan[0][0])
            while self._plan and self._plan[0][0] <= self.now:
                heapq.heappop(self._plan)[2]()
        elif not self._told:
            self.now = until
        told, self._told = self._told, []
        return told

    def wake(self) -> None:
        """Nothing ever waits here."""

    def close(self) -> None:
        for call in list(self._calls):
            self.hangup(call)
        self._plan.clear()

    def _later(
        self, delay: float, call: SimulatedCall, act: Callable[[], None], turn: int | None = None
    ) -> None:
        def still() -> None:
            if self._calls.get(call.order.call) is call and turn in (None, call.turn):
                act()

        heapq.heappush(self._plan, (self.now + delay, next(self._order), still))

    # -- what happens

    def _ring(self, call: SimulatedCall) -> None:
        call.rang = True
        self._told.append(Ringing(call.order.call, self.now))
        self._later(call.order.ring_timeout, call, lambda: self._time_out(call))
        if call.citizen.behaviour is Behaviour.DECLINES:
            self._later(self._city.pickup_after, call, lambda: self._fail(call, 603, 21))
        elif call.citizen.behaviour is not Behaviour.RINGS_ON:
            self._later(self._city.pickup_after, call, lambda: self._pick_up(call))

    def _pick_up(self, call: SimulatedCall) -> None:
        call.answered = True
        call.codec = call.order.codecs[0] if call.order.codecs else self._codec
        self._told.append(Answered(call.order.call, self.now, call.codec))
        match call.citizen.behaviour:
            case Behaviour.MACHINE:
                if call.order.detect_machine:
                    self._later(_TOLD_AFTER, call, lambda: self._greeted(call))
                self._hang_up_after(_GREETING, call)
            case Behaviour.SILENT:
                self._hang_up_after(0.0, call)

    def _hang_up_after(self, seconds: float, call: SimulatedCall) -> None:
        """And so long as a silent one stays."""
        if self._city.silent_for:
            self._later(seconds + self._city.silent_for, call, lambda: self._end(call, _TALKED, "them"))

    def _greeted(self, call: SimulatedCall) -> None:
        self._told.append(MachineHeard(call.order.call, self.now, MachineSign.SPEECH))

    def _start(self, call: SimulatedCall, token: str) -> None:
        self._told.append(PlaybackStarted(call.order.call, self.now, token))
        if call.citizen.behaviour is Behaviour.HANGS_UP:
            self._later(self._city.hears_before_hangup, call, lambda: self._end(call, _TALKED, "them"))

    def _finish(self, call: SimulatedCall, token: str) -> None:
        self._told.append(PlaybackFinished(call.order.call, self.now, token))
        self._later(self._city.pause + self._city.reaction, call, lambda: self._after_prompt(call), call.turn)

    def _after_prompt(self, call: SimulatedCall) -> None:
        key = call.citizen.key_after(call.prompts)
        if key is not None:
            self._press(call, key)
        call.prompts += 1

    def _press(self, call: SimulatedCall, key: str) -> None:
        self._told.append(KeyPressed(call.order.call, self.now, key, self.now))
        self._keys_heard += [(other.order.number, key) for other in call.bridged]

    def _full(self, call: SimulatedCall, running: SimulatedRecording) -> None:
        if call.recording is running:
            self._finish_recording(call)

    def _finish_recording(self, call: SimulatedCall) -> None:
        """What was heard since its beginning: the voice, then silence."""
        done, call.recording = call.recording, None
        if done is None:
            return
        seconds = min(self.now - done.began, done.most)
        voice = mumble(min(seconds, done.speaks)).frames(call.codec)
        size = round(seconds * RATE)
        payload = b"".join(voice)[:size].ljust(size, bytes([g711.SILENCE[call.codec]]))
        self._told.append(
            RecordingFinished(call.order.call, self.now, done.token, payload, call.codec, size / RATE)
        )

    def _fail(self, call: SimulatedCall, status: int, q850: int) -> None:
        self._end(call, CallFacts(status, q850, rang=call.rang), "them")

    def _time_out(self, call: SimulatedCall) -> None:
        if not call.answered:
            self._end(call, CallFacts(487, rang=call.rang, we_cancelled=True), "us")

    def _end(self, call: SimulatedCall, facts: CallFacts, by: EndedBy) -> None:
        self.unbridge(call.order.call)
        self._finish_recording(call)
        del self._calls[call.order.call]
        silent = call.incoming and not call.answered
        disposition = None if silent else disposition_of(facts)
        self._told.append(Ended(call.order.call, self.now, disposition, facts.sip_status, facts.q850, "", by))
