"""What a call is played, frame by frame. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ivr.events import Codec, PlaybackFinished, PlaybackStarted
from ivr.media.audio import Audio

__all__ = ["Player"]


class Player:
    """Plays one sound at a time; tells when its first frame leaves, and its last.

    `frames`, `index` and `last` are for the media session's hot path: while `0 < index < last` the next
    frame is `frames[index]`, and nothing is told.
    """

    __slots__ = ("_audio", "_call", "_emit", "_token", "frames", "index", "last")

    def __init__(self, call: str, emit: Callable[[PlaybackStarted | PlaybackFinished], None]) -> None:
        self._call, self._emit = call, emit
        self._token = ""
        self._audio: Audio | None = None
        self.frames: tuple[bytes, ...] = ()
        self.index = self.last = 0

    def play(self, token: str, audio: Audio, codec: Codec) -> None:
        """Replace what plays."""
        self._token, self._audio, self.index, self.last = token, audio, 0, len(audio) - 1
        self.speak(codec)

    def stop(self) -> None:
        self._audio, self.index, self.last = None, 0, 0

    def speak(self, codec: Codec) -> None:
        """Give the frames in this law from the next one on."""
        self.frames = () if self._audio is None else self._audio.frames(codec)

    def frame(self, now: float) -> bytes | None:
        """The next 20 ms, None where nothing plays."""
        if self._audio is None:
            return None
        index = self.index
        self.index = index + 1
        voice = self.frames[index] if index <= self.last else None
        if index == 0:
            self._emit(PlaybackStarted(self._call, now, self._token))
        if index >= self.last:
            self.stop()
            self._emit(PlaybackFinished(self._call, now, self._token))
        return voice
