"""A WAV file of any usual kind as samples: 8 to 32 bit, whole or floating numbers, up to 8 channels.

The standard library's reader knows neither floats nor, in Python 3.11, WAVE_FORMAT_EXTENSIBLE, which most
recorders write for 24 bit. Pure numpy.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompts.recording_faults import BadRecording, Fault

Floats = npt.NDArray[np.float64]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KNOWN = {6: "A-law", 7: "µ-law", 2: "ADPCM", 17: "ADPCM", 85: "MP3"}
_MOST_CHANNELS = 8
_UNTOLD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Form:
    floating: bool
    channels: int
    rate: int
    octets: int  # of one sample


def read_wav_content(content: bytes) -> tuple[Floats, int]:
    """Samples (frames × channels, 1.0 is full scale) and their rate in Hz; BadRecording."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise _broken()
    form, data = _chunks(content)
    whole = len(data) - len(data) % (form.octets * form.channels)
    return _samples(data[:whole], form).reshape(-1, form.channels), form.rate


def _chunks(content: bytes) -> tuple[_Form, bytes]:
    """The form, and the sound; a recorder that was cut off leaves 0 or 2³² − 1 as the sound's length."""
    at, form = 12, None
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = _form(body)
        elif name == b"data":
            if form is None or (size not in (0, _UNTOLD) and len(body) < size):
                raise _broken()
            return form, body or content[at + 8 :]
        at += 8 + size + size % 2
    raise _broken()


def _form(body: bytes) -> _Form:
    if len(body) < 16:
        raise _broken()
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if kind == _EXTENSIBLE and len(body) >= 26:
        kind = int.from_bytes(body[24:26], "little")  # the first two octets of the sub-format's GUID
    if kind not in (_PCM, _FLOAT):
        raise BadRecording(Fault.FORM, form=_KNOWN.get(kind, f"WAV {kind}"))
    if bits not in ((8, 16, 24, 32) if kind == _PCM else (32, 64)):
        raise BadRecording(Fault.FORM, form=f"{bits} bit")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise BadRecording(Fault.CHANNELS, channels=channels, most=_MOST_CHANNELS)
    return _Form(kind == _FLOAT, channels, rate, bits // 8)


def _broken() -> BadRecording:
    return BadRecording(Fault.BROKEN, form="WAV")


def _samples(data: bytes, form: _Form) -> Floats:
    if form.floating:
        found = np.frombuffer(data, dtype=f"<f{form.octets}").astype(np.float64)
        if not np.isfinite(found).all():
            raise _broken()
        return found
    if form.octets == 1:
        return (np.frombuffer(data, dtype=np.uint8).astype(np.float64) - 128.0) / 128.0
    if form.octets == 3:
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float64) / 2.0**31
    return np.frombuffer(data, dtype=f"<i{form.octets}").astype(np.float64) / 2.0 ** (8 * form.octets - 1)
