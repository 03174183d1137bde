"""The network's tones before an answer: by their cadences alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.events import Codec
from ivr.media import g711
from ivr.media.audio import Audio, join
from ivr.media.early import EarlyEar
from ivr.media.progress import Tone
from ivr.media.tones import busy, congestion, ringback, unobtainable
from tests.announced import music, said
from tests.far_ends import RATE, Sound, noise, octets, one_after_another, tone

SILENT_PACKET = bytes([g711.SILENCE["pcma"]]) * 160
BUSY, CONGESTION, NUMBER = (0.35, 0.35), (0.7, 0.7), (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.4)


def cadence(
    lengths: tuple[float, ...], *, hertz: float = 450.0, level: float = -16.0, seconds: float = 9.0
) -> Sound:
    """Tone, pause, tone … of those lengths."""
    turn = one_after_another(
        *(tone(hertz, length, level) if at % 2 == 0 else length for at, length in enumerate(lengths))
    )
    return one_after_another(*[turn] * round(seconds / sum(lengths)))


def told(sound: Sound, codec: Codec = "pcma", lost: tuple[int, ...] = ()) -> list[tuple[Tone, float]]:
    """What is told of it, and after how many seconds."""
    ear, found, said_so = EarlyEar(), [], octets(sound, codec)
    for number, at in enumerate(range(0, len(said_so), 160)):
        if number not in lost:
            heard = ear.hear(said_so[at : at + 160], codec, 7.0 + (at + 160) / RATE, at)
            found += [(heard, at / RATE)] if heard else []
    return found


def kind(sound: Sound) -> Tone | None:
    found = told(sound)
    assert len(found) <= 1
    return found[0][0] if found else None


@pytest.mark.parametrize(
    ("lengths", "meant", "within"),
    [
        (BUSY, Tone.BUSY, 2.3),  # the third tone's end, and 400 ms that are looked at together
        (CONGESTION, Tone.CONGESTION, 4.1),
        (NUMBER, Tone.UNOBTAINABLE, 3.0),
        ((1.0, 4.0), None, 0),  # ring-back
        ((0.4, 4.0), None, 0),  # call waiting
        ((0.5, 0.5), None, 0),  # a PBX's busy tone, elsewhere
        ((0.25, 0.25), None, 0),
        ((3.0, 0.0), None, 0),  # a dial tone
        ((0.35, 0.7), None, 0),
        ((0.1, 0.1), None, 0),
    ],
)
def test_each_by_its_cadence(lengths: tuple[float, ...], meant: Tone | None, within: float) -> None:
    found = told(one_after_another(0.123, cadence(lengths)))
    assert [each for each, _ in found] == ([meant] if meant else [])
    assert all(at < 0.123 + within for _, at in found)


@pytest.mark.parametrize(
    ("hertz", "meant"),
    [(425, Tone.BUSY), (450, Tone.BUSY), (475, Tone.BUSY), (400, None), (500, None), (1000, None)],
)
def test_how_far_its_pitch_may_be_off(hertz: float, meant: Tone | None) -> None:
    assert kind(cadence(BUSY, hertz=hertz)) is meant


@pytest.mark.parametrize(("level", "meant"), [(-8.0, Tone.BUSY), (-35.0, Tone.BUSY), (-45.0, None)])
def test_how_loud_it_must_be(level: float, meant: Tone | None) -> None:
    assert kind(cadence(BUSY, level=level)) is meant


@given(
    which=st.sampled_from([(BUSY, Tone.BUSY), (CONGESTION, Tone.CONGESTION), (NUMBER, Tone.UNOBTAINABLE)]),
    slower=st.floats(0.9, 1.1),  # E.180 lets an exchange be a tenth off
    begins=st.floats(0, 0.4),
    hiss=st.floats(-60, -40),
    lost=st.sets(st.integers(0, 400), max_size=12),
)
@settings(max_examples=40)
def test_over_a_line_that_is_noisy_and_loses(
    which: tuple[tuple[float, ...], Tone], slower: float, begins: float, hiss: float, lost: set[int]
) -> None:
    lengths, meant = which
    sound = one_after_another(begins, cadence(tuple(each * slower for each in lengths), seconds=12.0))
    sound = sound + noise(hiss, len(sound) / RATE + 1)[: len(sound)]
    assert [each for each, _ in told(sound, lost=tuple(lost))] == [meant]


@pytest.mark.parametrize(
    ("lengths", "meant"), [(BUSY, Tone.BUSY), (CONGESTION, Tone.CONGESTION), (NUMBER, Tone.UNOBTAINABLE)]
)
@pytest.mark.parametrize("marks", [True, False])
def test_from_a_gateway_that_sends_no_silence(lengths: tuple[float, ...], meant: Tone, marks: bool) -> None:
    """The marker tells that what is missing was silence (RFC 3551 §4.1); without it, it may be lost."""
    ear, found, was_silent = EarlyEar(), [], False
    said_so = octets(cadence(lengths, seconds=12.0))
    for at in range(0, len(said_so), 160):
        packet = said_so[at : at + 160]
        if is_silent := packet == SILENT_PACKET:
            was_silent = is_silent
            continue
        heard = ear.hear(packet, "pcma", 7.0 + (at + 160) / RATE, at, after_silence=was_silent and marks)
        found += [heard] if heard else []
        was_silent = False
    assert found == ([meant] if marks else [])


def test_after_speech_and_music() -> None:
    assert kind(one_after_another(music(2.0), said("停机"), 0.5, cadence(BUSY))) is Tone.BUSY


@pytest.mark.parametrize(
    "sound",
    [
        music(20.0),
        one_after_another(*([said("关机"), 0.3] * 2)),
        noise(-20.0, 8.0),
        # A melody's steady A, in quavers of 350 ms: no pause is silent enough where an instrument rings on.
        cadence(BUSY)
        + cadence((0.35, 0.35), level=-24.0, hertz=220.0)
        + noise(-30.0, 9.1)[: len(cadence(BUSY))],
    ],
)
def test_what_is_none(sound: Sound) -> None:
    assert kind(sound) is None


def test_a_tone_that_speech_interrupts_begins_anew() -> None:
    two = cadence(BUSY, seconds=1.4)
    assert kind(one_after_another(two, said("停机")[:RATE], two)) is None


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
@pytest.mark.parametrize(
    ("audio", "meant"),
    [
        (join([busy()] * 2), Tone.BUSY),
        (congestion(), Tone.CONGESTION),
        (unobtainable(), Tone.UNOBTAINABLE),
        (join([ringback()] * 3), None),
    ],
)
def test_our_own_tones(audio: Audio, meant: Tone | None, codec: Codec) -> None:
    sound = g711.decode(b"".join(audio.frames(codec)), codec) / 32768
    assert [each for each, _ in told(sound, codec)] == ([meant] if meant else [])
