"""G.711 by tables: 16-bit linear samples to and from A-law and µ-law octets (ITU-T G.711). Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ivr.events import Codec

__all__ = ["LEVELS", "PAYLOAD_TYPES", "SILENCE", "SILENT_FRAMES", "decode", "encode", "mix", "other_law"]

PAYLOAD_TYPES: dict[Codec, int] = {"pcmu": 0, "pcma": 8}  # RFC 3551 §6
SILENCE: dict[Codec, int] = {"pcmu": 0xFF, "pcma": 0xD5}  # the octet of sample 0
SILENT_FRAMES = {codec: bytes([octet]) * 160 for codec, octet in SILENCE.items()}  # 20 ms

_MULAW_BIAS = 0x84
_MULAW_CLIP = 32635


def _mulaw_decoder() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = codes >> 4 & 7, codes & 0x0F
    magnitude = (((mantissa << 3) + _MULAW_BIAS) << exponent) - _MULAW_BIAS
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decoder() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = codes >> 4 & 7, codes & 0x0F
    magnitude = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


def _segment(magnitude: NDArray[np.int32], first_bit: int) -> NDArray[np.int32]:
    """The chord, 0 to 7: how many bits `magnitude` has above `first_bit`."""
    chord = np.zeros_like(magnitude)
    for bit in range(first_bit, first_bit + 7):
        chord += magnitude >= (1 << bit)
    return chord


def _mulaw_encoder() -> NDArray[np.uint8]:
    samples = np.arange(65536, dtype=np.int32).astype(np.int16).astype(np.int32)
    magnitude = np.minimum(np.abs(samples), _MULAW_CLIP) + _MULAW_BIAS
    chord = _segment(magnitude, 8)
    code = chord << 4 | magnitude >> (chord + 3) & 0x0F
    return (~(code | np.where(samples < 0, 0x80, 0)) & 0xFF).astype(np.uint8)


def _alaw_encoder() -> NDArray[np.uint8]:
    samples = np.arange(65536, dtype=np.int32).astype(np.int16).astype(np.int32)
    # A-law mirrors -1, -2 … onto 0, 1 …: one's complement keeps each side's 128 steps alike.
    magnitude = np.where(samples < 0, ~samples, samples)
    chord = _segment(magnitude, 8)
    code = chord << 4 | magnitude >> np.maximum(chord + 3, 4) & 0x0F
    return ((code | np.where(samples < 0, 0, 0x80)) ^ 0x55).astype(np.uint8)


_DECODERS: dict[Codec, NDArray[np.int16]] = {"pcma": _alaw_decoder(), "pcmu": _mulaw_decoder()}
_ENCODERS: dict[Codec, NDArray[np.uint8]] = {"pcma": _alaw_encoder(), "pcmu": _mulaw_encoder()}


def encode(samples: NDArray[np.int16], codec: Codec) -> bytes:
    """One octet a sample."""
    return _ENCODERS[codec][samples.view(np.uint16)].tobytes()


def decode(octets: bytes, codec: Codec) -> NDArray[np.int16]:
    """One 16-bit sample an octet."""
    return _DECODERS[codec][np.frombuffer(octets, dtype=np.uint8)]


def mix(frames: Sequence[bytes], codec: Codec) -> bytes:
    """Frames of one length, in `codec`, heard at once: their sum, no louder than the law can say."""
    total = sum((decode(frame, codec).astype(np.int32) for frame in frames), np.int32(0))
    return encode(np.clip(total, -32768, 32767).astype(np.int16), codec)


def other_law(octets: bytes, codec: Codec) -> bytes:
    """Octets of the other law in `codec`, octet by octet."""
    return octets.translate(_FROM_OTHER[codec])


_FROM_OTHER: dict[Codec, bytes] = {
    "pcma": encode(decode(bytes(range(256)), "pcmu"), "pcma"),
    "pcmu": encode(decode(bytes(range(256)), "pcma"), "pcmu"),
}

LEVELS = (decode(bytes(range(256)), "pcma") / np.float32(32768)).astype(np.float32)
"""The sample of each A-law octet, 1.0 at full scale: what listens indexes it by octets."""
