"""A prompt as a call sends it: cut into frames of 20 ms and encoded once in both laws.

A call then sends slices; nothing is mixed, resampled or encoded while calls are up.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ivr.events import Codec
from ivr.media import g711

__all__ = ["FRAME_MS", "FRAME_SAMPLES", "RATE", "Audio", "AudioError", "join"]

RATE = 8000
FRAME_MS = 20
FRAME_SAMPLES = RATE * FRAME_MS // 1000


class AudioError(Exception):
    """A sound file that a call can't send; the message names the file and what it should be."""


@dataclass(frozen=True, slots=True)
class Audio:
    """Frames of 160 octets, the same count in both laws; the last is filled up with silence."""

    pcma: tuple[bytes, ...]
    pcmu: tuple[bytes, ...]

    def frames(self, codec: Codec) -> tuple[bytes, ...]:
        return self.pcma if codec == "pcma" else self.pcmu

    def __len__(self) -> int:
        """How many frames."""
        return len(self.pcma)

    @property
    def seconds(self) -> float:
        return len(self.pcma) * FRAME_MS / 1000

    @classmethod
    def from_samples(cls, samples: NDArray[np.int16]) -> Audio:
        """From 16-bit samples at 8 kHz."""
        missing = -len(samples) % FRAME_SAMPLES
        whole = np.concatenate([samples.astype(np.int16), np.zeros(missing, dtype=np.int16)])
        return cls(pcma=_cut(g711.encode(whole, "pcma")), pcmu=_cut(g711.encode(whole, "pcmu")))

    @classmethod
    def silence(cls, seconds: float) -> Audio:
        count = round(seconds * 1000 / FRAME_MS)
        return cls(pcma=(g711.SILENT_FRAMES["pcma"],) * count, pcmu=(g711.SILENT_FRAMES["pcmu"],) * count)

    @classmethod
    def from_wav(cls, path: Path) -> Audio:
        """From a WAV file of 8 kHz, mono, 16 bit; AudioError names what is different."""
        try:
            with wave.open(str(path), "rb") as sound:
                shape = (sound.getframerate(), sound.getnchannels(), sound.getsampwidth() * 8)
                octets = sound.readframes(sound.getnframes())
        except (OSError, EOFError, wave.Error) as error:
            raise AudioError(f"{path}: {error or 'cut short'}") from error
        if shape != (RATE, 1, 16):
            rate, channels, bits = shape
            raise AudioError(f"{path}: {rate} Hz, {channels} channels, {bits} bit; 8000 Hz, 1, 16 needed")
        return cls.from_samples(np.frombuffer(octets, dtype="<i2").astype(np.int16))


def _cut(octets: bytes) -> tuple[bytes, ...]:
    return tuple(octets[at : at + FRAME_SAMPLES] for at in range(0, len(octets), FRAME_SAMPLES))


def join(pieces: Iterable[Audio]) -> Audio:
    """The pieces one after another."""
    parts = list(pieces)
    return Audio(
        pcma=tuple(frame for part in parts for frame in part.pcma),
        pcmu=tuple(frame for part in parts for frame in part.pcmu),
    )
