"""The recording of a call's leg on the disk: how it's named, and how its WAV file begins. Pure.

A file lies in the folder of its day in UTC, so that what is too old goes by whole folders, whether anybody
still knows of its files or not.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, date, datetime

__all__ = ["HEAD", "RATE", "day_of", "recording_name", "seconds_of", "wav_head"]

RATE = 8000  # octets a second: G.711, one channel
HEAD = 58  # octets before the voice
_FORMATS = {"pcma": 6, "pcmu": 7}  # of RIFF: A-law, µ-law


def recording_name(token: str, began_at: datetime) -> str:
    """`2026-11-23/TOKEN.wav`, below the folder of recordings."""
    day = began_at.astimezone(UTC).date().isoformat()
    return f"{day}/{re.sub(r'[^A-Za-z0-9_-]', '_', token)[:100]}.wav"


def day_of(folder: str) -> date | None:
    """The day of a folder of that name; None where it's none of ours."""
    try:
        day = date.fromisoformat(folder)
    except ValueError:
        return None
    return day if day.isoformat() == folder else None


def seconds_of(size: int) -> float:
    """How long a file of `size` octets is."""
    return max(0, size - HEAD) / RATE


def wav_head(octets: int, codec: str) -> bytes:
    """Of a RIFF file of so many octets of G.711 in `codec` (pcma, pcmu): eight bits, 8 kHz, one channel.

    An odd number is followed by an octet more that fills up. Formats but PCM tell their samples in `fact`.
    """
    form = struct.pack("<HHIIHHH", _FORMATS[codec], 1, RATE, RATE, 1, 8, 0)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"fact" + struct.pack("<II", 4, octets) + b"data" + struct.pack("<I", octets)
    return b"RIFF" + struct.pack("<I", len(body) + octets + octets % 2) + body
