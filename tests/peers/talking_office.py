"""An office that talks and listens: for peers that say again what they hear."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ivr.events import Answered, Ended, Incoming, LineEvent, PlaybackFinished
from ivr.settings import VoiceSettings
from ivr.sip.hop import Hop
from ivr.sip_line import SipLine
from tests.loopback_city import PROMPT

__all__ = ["TalkingOffice", "talking_office"]


class TalkingOffice:
    """A line that takes every call, plays the prompt over and over, and keeps what it hears."""

    def __init__(self, voice: VoiceSettings) -> None:
        self.sip: list[str] = []
        self.line = SipLine(voice, takes_calls=True, on_message=self._on_message)
        self.told: list[LineEvent] = []
        self.heard: list[bytes] = []

    def _on_message(self, is_ours: bool, data: bytes, hop: Hop) -> None:
        self.sip.append(data.decode())

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.line.counters)
            self.turn(0.02)

    def turn(self, timeout: float = 0.0) -> None:
        for event in self.line.run_once(timeout):
            self.told.append(event)
            match event:
                case Incoming(call):
                    self.line.answer(call)
                case Answered(call):
                    self.line.tap(call, lambda packet, codec, now: self.heard.append(packet.payload))
                    self.line.play(call, "p", PROMPT)
                case PlaybackFinished(call):
                    self.line.play(call, "p", PROMPT)

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def is_echoed(self) -> bool:
        """A tenth of a second of it, as it left us: on a busy machine Baresip leaves some of it out."""
        heard = b"".join(self.heard)
        return any(b"".join(PROMPT.pcma[at : at + 5]) in heard for at in range(0, len(PROMPT), 5))

    def hang_up(self, call: str) -> Ended:
        self.line.hangup(call)
        self.until(lambda: self.of(Ended) and " BYE\r\n" in self.sip[-1] and "200" in self.sip[-1][:12])
        end = self.of(Ended)[0]
        assert isinstance(end, Ended)
        return end


@contextmanager
def talking_office(voice: VoiceSettings) -> Iterator[TalkingOffice]:
    made = TalkingOffice(voice)
    try:
        yield made
    finally:
        made.line.close()
