"""What recorders write is read, and what isn't a sound is named: no file brings more than a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts.decoding import MOST_OCTETS, decode, ffmpeg_is_there
from prompts.recording_faults import MESSAGES, BadRecording, Fault
from tests.voices import voice, wav

SOUND = voice(0.5)

# bits, channels, floating, extensible; the largest error of one sample
KINDS = [
    (8, 1, False, False, 0.01),  # an old telephone system
    (16, 1, False, False, 1e-4),  # most recorders
    (16, 2, False, True, 1e-4),
    (24, 2, False, True, 1e-6),  # a field recorder
    (24, 1, False, False, 1e-6),
    (32, 6, False, True, 1e-6),  # all channels of an editor
    (32, 1, True, False, 1e-6),  # an editor's own
    (64, 2, True, True, 1e-12),
]


@pytest.mark.parametrize(("bits", "channels", "floating", "extensible", "error"), KINDS)
@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_every_usual_wav_is_read(
    bits: int, channels: int, floating: bool, extensible: bool, error: float, rate: int
) -> None:
    content = wav(SOUND, rate=rate, bits=bits, channels=channels, floating=floating, extensible=extensible)
    found = decode(content)
    assert found.rate == rate and len(found.samples) == len(SOUND)
    assert np.abs(found.samples - SOUND).max() < error


def test_one_ear_alone_and_opposite_ears_are_heard() -> None:
    """A microphone in one of two channels, and a cable that turns one around."""
    for other in (np.zeros(len(SOUND)), -SOUND):
        both = np.stack([SOUND, other], axis=1).reshape(-1)
        content = bytearray(wav(both))
        content[22:24] = (2).to_bytes(2, "little")
        found = decode(bytes(content)).samples
        assert np.abs(found).max() > np.abs(SOUND).max() / 2.1


def test_a_recorder_that_never_wrote_the_length_is_read() -> None:
    for length in (0, 0xFFFFFFFF):
        content = wav(SOUND)
        place = content.index(b"data") + 4
        untold = content[:place] + length.to_bytes(4, "little") + content[place + 4 :]
        assert len(decode(untold).samples) == len(SOUND)


GOOD = wav(SOUND)
FORMAT = GOOD.index(b"fmt ") + 8


def with_field(at: int, value: int, size: int = 2) -> bytes:
    return GOOD[: FORMAT + at] + value.to_bytes(size, "little") + GOOD[FORMAT + at + size :]


# content, why it isn't taken
BAD = [
    (b"", Fault.EMPTY),  # zero length
    ("您好，这里是".encode(), Fault.NO_SOUND),  # a text that was renamed
    (b"%PDF-1.7 and so on", Fault.NO_SOUND),
    (b"OggS\0\2" + bytes(40), Fault.NO_SOUND),  # a sound, but none of the three
    (b"\xff", Fault.NO_SOUND),
    (b"RIFF", Fault.BROKEN),
    (GOOD[:30], Fault.BROKEN),  # cut off within its head
    (GOOD[:-9], Fault.BROKEN),  # and within its sound
    (GOOD[:12] + GOOD[GOOD.index(b"data") :], Fault.BROKEN),  # no format
    (GOOD[: GOOD.index(b"data")], Fault.BROKEN),  # no sound
    (wav(np.zeros(0)), Fault.EMPTY),  # a head alone
    (with_field(0, 6), Fault.FORM),  # A-law
    (with_field(14, 20), Fault.FORM),  # 20 bit
    (with_field(2, 0), Fault.CHANNELS),
    (with_field(2, 9), Fault.CHANNELS),
    (with_field(4, 4000, 4), Fault.RATE),  # too low for a voice
    (with_field(4, 4_000_000, 4), Fault.RATE),
    (wav(np.zeros(125 * 8000), rate=8000), Fault.TOO_LONG),
    (wav(np.full(400, np.nan), bits=32, floating=True), Fault.BROKEN),
    (b"RIFF" + bytes(MOST_OCTETS), Fault.TOO_BIG),
]


@pytest.mark.parametrize(("content", "fault"), BAD, ids=[f"{n}-{fault}" for n, (_, fault) in enumerate(BAD)])
def test_what_is_no_recording_is_named(content: bytes, fault: Fault) -> None:
    with pytest.raises(BadRecording) as error:
        decode(content)
    assert error.value.fault is fault
    assert str(error.value) == MESSAGES[fault].format_map(error.value.values)


@pytest.mark.parametrize("form", ["MP3", "M4A"])
def test_what_needs_ffmpeg_says_so(form: str) -> None:
    """With ffmpeg this is a broken file; without, the reason is that it isn't there."""
    content = b"ID3\4\0\0\0\0\0\0" + bytes(400) if form == "MP3" else b"\0\0\0\x18ftypM4A " + bytes(400)
    with pytest.raises(BadRecording, match=form) as error:
        decode(content)
    assert error.value.fault is (Fault.BROKEN if ffmpeg_is_there() else Fault.NEEDS_FFMPEG)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=4), st.integers(0, len(GOOD)))
def test_a_damaged_file_is_read_or_named(damage: list[tuple[int, int]], length: int) -> None:
    raw = bytearray(GOOD)
    for place, octet in damage:
        raw[place] = octet
    try:
        found = decode(bytes(raw[:length]))
    except BadRecording as error:
        assert str(error)
    else:
        assert np.isfinite(found.samples).all() and 8000 <= found.rate <= 192_000
