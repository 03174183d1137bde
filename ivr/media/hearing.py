"""Everybody who listens to a call's far end: each packet's voice goes to all of them. Pure."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ivr.events import Codec, EarlyMedia, MachineHeard, RecordingFinished
from ivr.media.early import EarlyEar
from ivr.media.inband_dtmf import DtmfEar
from ivr.media.machine import MachineEar
from ivr.media.recorder import Recorder
from ivr.media.remote import Hear, ToneHeard
from ivr.media.rtp import RtpPacket

__all__ = ["Hearing"]

Heard = EarlyMedia | ToneHeard | MachineHeard | RecordingFinished
_NEVER = float("inf")


class Hearing:
    """`listener` hears every octet. What comes of it is told by `emit`."""

    __slots__ = (
        "_call",
        "_early",
        "_early_ear",
        "_emit",
        "_listener",
        "_machine",
        "_recorder",
        "_tap",
        "tone_ear",
    )

    def __init__(
        self,
        call: str,
        emit: Callable[[Heard], None],
        listener: Callable[[bytes, Codec, float], None] | None,
    ) -> None:
        self._call, self._emit, self._listener = call, emit, listener
        self._early = False
        self._early_ear: EarlyEar | None = None
        self._machine: MachineEar | None = None
        self._recorder: Recorder | None = None
        self._tap: Hear | None = None
        self.tone_ear: DtmfEar | None = None  # the loop's, which looks at all calls' at once

    @property
    def anybody(self) -> bool:
        """Whether anybody, once the call is answered, wants to know what is said, and not only that it is."""
        everybody = self._recorder, self._machine, self.tone_ear, self._tap, self._listener
        return any(each is not None for each in everybody)

    @property
    def knows_us(self) -> bool:
        """Whether what we say is to be told, by `said`."""
        return self._machine is not None

    @property
    def recorded_until(self) -> float:
        return _NEVER if self._recorder is None else self._recorder.ends_at

    # -- who listens

    def answered(self) -> None:
        self._early_ear = None

    def early(self, seconds: float) -> None:
        """Listen to what comes before an answer: for the network's tones, and to keep the last of it."""
        self._early_ear = EarlyEar(seconds)

    def heard_early(self) -> NDArray[np.float32]:
        return np.zeros(0, np.float32) if self._early_ear is None else self._early_ear.last()

    def machine(self, now: float) -> None:
        """Listen whether a machine took the call; a sign is told once."""
        self._machine = MachineEar(now)

    def person(self) -> None:
        """It's none: somebody pressed a key."""
        self._machine = None

    def record(self, token: str, seconds: float, now: float, codec: Codec) -> None:
        self.stop_recording(now)
        self._recorder = Recorder(token, seconds, now, codec)

    def stop_recording(self, now: float) -> None:
        """Tell what was recorded; harmless without."""
        done, self._recorder = self._recorder, None
        if done is not None:
            told = RecordingFinished(self._call, now, done.token, done.payload, done.codec, done.seconds)
            self._emit(told)

    def tap(self, hear: Hear | None) -> None:
        self._tap = hear

    # -- what they hear

    def before_answer(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        if not self._early:
            self._early = True
            self._emit(EarlyMedia(self._call, now))
        if self._early_ear is not None:
            tone = self._early_ear.hear(
                packet.payload, codec, now, packet.timestamp, after_silence=packet.marker
            )
            if tone is not None:
                self._emit(ToneHeard(self._call, now, tone))

    def voice(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        if self._recorder is not None:
            self._recorder.take(packet, codec, now)
        if self._machine is not None:
            self._screen(self._machine, packet, codec, now)
        if self.tone_ear is not None:
            self.tone_ear.take(packet.payload, codec, now, packet.timestamp, after_silence=packet.marker)
        if self._tap is not None:
            self._tap(packet, codec, now)
        if self._listener is not None:
            self._listener(packet.payload, codec, now)

    def _screen(self, ear: MachineEar, packet: RtpPacket, codec: Codec, now: float) -> None:
        sign = ear.hear(packet.payload, codec, now, packet.timestamp)
        if sign is not None:
            self._emit(MachineHeard(self._call, now, sign))
        if ear.done:
            self._machine = None

    def said(self, voice: bytes, codec: Codec, now: float, timestamp: int) -> None:
        """What we say: its echo is no voice of theirs."""
        if self._machine is not None:
            self._machine.say(voice, codec, now, timestamp)
