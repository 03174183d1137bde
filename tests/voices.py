"""Sounds like speech, and files as recorders write them: what tests hand in as recordings."""

from __future__ import annotations

import struct

import numpy as np

RATE = 48000


def voice(
    seconds: float, *, loudness: float = 0.2, rate: int = RATE, pause: float = 0.0, around: float = 0.0
) -> np.ndarray:
    """A buzz of 140 Hz with a syllable's rise and fall four times a second; `pause` in its middle, `around`
    seconds of a quiet room before and after."""
    at = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * n * at + n * n) / n for n in range(1, 20))
    made = buzz * (0.55 + 0.45 * np.cos(2 * np.pi * 4 * at + np.pi))
    made *= loudness / np.abs(made).max()
    if pause:
        middle = len(made) // 2
        made = np.concatenate([made[:middle], np.zeros(round(pause * rate)), made[middle:]])
    room = np.zeros(round(around * rate))
    whole = np.concatenate([room, made, room])
    return whole + np.random.default_rng(3).standard_normal(len(whole)) * loudness * 1e-4


def wav(
    sound: np.ndarray,
    *,
    rate: int = RATE,
    bits: int = 16,
    channels: int = 1,
    floating: bool = False,
    extensible: bool = False,
) -> bytes:
    """A WAV file's content; all channels alike."""
    frames = np.repeat(np.clip(sound, -1.0, 1.0), channels)
    kind = 3 if floating else 1
    head = struct.pack(
        "<HHIIHH",
        0xFFFE if extensible else kind,
        channels,
        rate,
        rate * channels * bits // 8,
        channels * bits // 8,
        bits,
    )
    if extensible:
        guid = kind.to_bytes(2, "little") + bytes.fromhex("000000001000800000aa00389b71")
        head += struct.pack("<HHI", 22, bits, 0) + guid
    data = _octets(frames, bits, floating)
    chunks = b"fmt " + len(head).to_bytes(4, "little") + head
    chunks += b"odd " + (3).to_bytes(4, "little") + b"abc\0"  # a chunk that nobody needs, of an odd length
    chunks += b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + (4 + len(chunks)).to_bytes(4, "little") + b"WAVE" + chunks


def _octets(frames: np.ndarray, bits: int, floating: bool) -> bytes:
    if floating:
        return frames.astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return np.round(frames * 127 + 128).astype(np.uint8).tobytes()
    whole = np.round(frames * (2.0 ** (bits - 1) - 1)).astype("<i4")
    if bits == 24:
        return whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return whole.astype(f"<i{bits // 8}").tobytes()
