"""A line without a telephone: what is typed are the keys. Virtual time, or the wall clock's."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from itertools import count

from callbacks.vocabulary import Disposition
from ivr.events import (
    Answered,
    Ended,
    EndedBy,
    KeyPressed,
    LineEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
)
from ivr.line import Capabilities, Dial
from ivr.media import g711
from ivr.media.audio import FRAME_MS, RATE, Audio
from ivr.media.remote import Hear

__all__ = ["KeypadLine", "Reader"]

Reader = Callable[[float | None], str | None]
"""Reads a typed line within seconds, or without end: "" where there is none, None at the end of the input."""

_KEYS = frozenset("0123456789*#")
_SECONDS_A_LETTER = 0.25  # as long as a letter of a message is spoken


class KeypadLine:
    """One call, which is answered at once.

    In virtual time prompts last no time, and an empty line is silence until the next deadline. By the wall
    clock they last, and a key can be typed into them. `others` takes the lines that are no keys, and tells
    whether it did; `tell` prints what isn't heard: the beep, and a line that nobody takes.
    """

    capabilities = Capabilities(
        early_media=False, sip_status=False, q850=False, key_time=True, recording=True
    )

    def __init__(
        self, read: Reader, others: Callable[[str], bool], tell: Callable[[str], None], *, wall: bool = False
    ) -> None:
        self._read, self._others, self._tell, self._wall = read, others, tell, wall
        self._virtual = 0.0
        self._call: str | None = None
        self._plan: list[tuple[float, int, LineEvent]] = []
        self._order = count()
        self._keys: list[str] = []
        self._told: list[LineEvent] = []
        self._recording: tuple[str, float, float] | None = None  # token, since when, seconds at most
        self.message = ""  # the words of the last message, as they were typed

    @property
    def now(self) -> float:
        return time.monotonic() if self._wall else self._virtual

    # -- orders

    def dial(self, order: Dial) -> None:
        self._call = order.call
        self._told.append(Answered(order.call, self.now, "pcma"))

    def play(self, call: str, token: str, frames: Audio) -> None:
        self._plan.clear()
        if call == self._call:
            self._at(self.now + FRAME_MS / 1000, lambda at: PlaybackStarted(call, at, token))
            self._at(self.now + frames.seconds, lambda at: PlaybackFinished(call, at, token))

    def _at(self, when: float, event: Callable[[float], LineEvent]) -> None:
        heapq.heappush(self._plan, (when, next(self._order), event(when)))

    def stop(self, call: str) -> None:
        self._plan.clear()

    def sip_call_id(self, call: str) -> str | None:
        """Nothing of it is SIP."""
        return None

    def ring(self, call: str) -> None:
        """Nobody calls a terminal: like the next three."""

    def answer(self, call: str) -> None:
        pass

    def redirect(self, call: str, uris: Sequence[str]) -> None:
        pass

    def reject(self, call: str, status: int) -> None:
        pass

    def bridge(self, call: str, *others: str) -> None:
        """There is no other call."""

    def unbridge(self, call: str) -> None:
        """Nor a bridge."""

    def refer(self, call: str, uri: str) -> None:
        """Nor anybody to ask."""

    def refer_result(self, call: str, status: int) -> None:
        """Nor anybody who asks."""

    def record(self, call: str, token: str, seconds: float) -> None:
        if call == self._call:
            self.stop_recording(call)
            self._recording, self.message = (token, self.now, seconds), ""
            self._tell(f"嘀——（录音，最长 {seconds:g} 秒）")

    def stop_recording(self, call: str) -> None:
        """What stands for it is silence, as long as it would take to say what was typed."""
        done, self._recording = self._recording, None
        if done is None:
            return
        token, began, most = done
        spoken = len(self.message) * _SECONDS_A_LETTER
        seconds = min(most, max(spoken, self.now - began if self._wall else 0.0))
        payload = bytes([g711.SILENCE["pcma"]]) * round(seconds * RATE)
        self._told.append(RecordingFinished(call, self.now, token, payload, "pcma", len(payload) / RATE))

    def tap(self, call: str, hear: Hear | None) -> None:
        """Nobody speaks at a terminal."""

    def hangup(self, call: str) -> None:
        self._end("us")

    def _end(self, by: EndedBy) -> None:
        if self._call is None:
            return
        self.stop_recording(self._call)
        self._told.append(Ended(self._call, self.now, Disposition.ANSWERED, None, None, "", by))
        self._call = None

    # -- turning

    def run_once(self, timeout: float) -> list[LineEvent]:
        if not self._told:
            self._turn(timeout)
        told, self._told = self._told, []
        return told

    def _turn(self, timeout: float) -> None:
        due = self._plan[0][0] if self._plan else None
        if self._wall:
            wait = timeout if due is None else max(0.0, min(timeout, due - self.now))
            self._type(self._read(wait))
        elif due is None and not self._keys:
            line = self._read(None)
            self._type(line)
            self._virtual += timeout if line == "" else 0.0
        while self._plan and (not self._wall or self._plan[0][0] <= self.now):
            when, _, event = heapq.heappop(self._plan)
            self._virtual = max(self._virtual, when)
            self._told.append(event)
        if self._keys and self._call is not None and not self._told:
            self._virtual += 0.1
            self._told.append(KeyPressed(self._call, self.now, self._keys.pop(0), self.now))

    def _type(self, line: str | None) -> None:
        if line is None:
            self._end("them")
        elif set(line) <= _KEYS:
            self._keys += line
        elif self._others(line):
            return
        elif self._recording is not None:
            self.message, self._keys = line, ["#"]
        else:
            self._tell(f"{line!r}？")

    def wake(self) -> None:
        """Whoever types wakes it."""

    def close(self) -> None:
        self._end("us")
