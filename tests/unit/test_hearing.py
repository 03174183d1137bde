"""A gateway that sends no silence, as those who listen to a call hear it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ivr.events import Codec
from ivr.media.hearing import Hearing
from ivr.media.inband_dtmf import DtmfEars
from ivr.media.progress import Tone
from ivr.media.remote import ToneHeard
from ivr.media.rtp import RtpPacket
from ivr.media.tones import busy, key_tones
from tests.far_ends import RATE

FRAME = 160
Listen = Callable[[RtpPacket, Codec, float], None]


def say(listen: Listen, *parts: bytes | float, marks: bool) -> None:
    """A-law, and seconds of silence of which nothing is sent; the marker tells of them (RFC 3551 §4.1)."""
    at = sequence = 0
    begins = False
    for part in parts:
        if isinstance(part, float):
            at, begins = at + round(part * RATE), True
            continue
        for first in range(0, len(part), FRAME):
            octets = part[first : first + FRAME]
            packet = RtpPacket(8, begins and marks, sequence, at, 1, octets)
            at, sequence, begins = at + FRAME, sequence + 1, False
            listen(packet, "pcma", at / RATE)


@pytest.mark.parametrize(("marks", "told"), [(True, [Tone.BUSY]), (False, [])])
def test_a_tone_before_the_answer(marks: bool, told: list[Tone]) -> None:
    heard: list[object] = []
    hearing = Hearing("c1", heard.append, None)
    hearing.early(8.0)
    tone = b"".join(busy().frames("pcma"))[: round(0.35 * RATE)]
    say(hearing.before_answer, *(tone, 0.35) * 6, marks=marks)
    assert [event.tone for event in heard if isinstance(event, ToneHeard)] == told


@pytest.mark.parametrize(("marks", "told"), [(True, ["1", "1"]), (False, ["1"])])
def test_the_same_key_twice(marks: bool, told: list[str]) -> None:
    ears: DtmfEars[str] = DtmfEars()
    hearing = Hearing("c1", lambda _: None, None)
    hearing.tone_ear = ears.open("c1")
    tone = b"".join(key_tones("1", 0.1).frames("pcma"))[: round(0.1 * RATE)]
    say(hearing.voice, tone, 0.1, tone, bytes([0xD5]) * FRAME, marks=marks)
    assert [key.key for _, key in ears.look()] == told
