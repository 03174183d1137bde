"""The rules of the ear that tells a machine: 4 s of speech, a beep, our own echo, and how sound comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.vocabulary import MachineSign
from ivr.events import Codec
from ivr.media.machine import LISTENS, MachineEar
from ivr.media.tones import beep
from tests.far_ends import (
    FRAME,
    RATE,
    Sample,
    Sound,
    hybrid,
    loudspeaker,
    noise,
    octets,
    one_after_another,
    our_prompts,
    quiet,
    spoken,
    told,
    tone,
)
from tests.voices import voice

SPEECH, BEEP = MachineSign.SPEECH, MachineSign.BEEP


def talks(seconds: float) -> Sound:
    """Speech-like, so long to the sample."""
    return voice(seconds, rate=RATE, loudness=0.2)


def verdict(*parts: Sound | float, said: Sound | None = None, codec: Codec = "pcma") -> MachineSign | None:
    """What is told of a far end that says `parts` one after another, while we are silent."""
    sample = Sample("machine", "", one_after_another(*parts))
    return told(sample, quiet(1.0) if said is None else said, codec)


# Speech


@pytest.mark.parametrize(
    ("parts", "sign"),
    [
        ((1.0, talks(3.8)), None),
        ((1.0, talks(4.3)), SPEECH),
        ((1.0, talks(2.5), 0.4, talks(2.5)), SPEECH),  # sentences of a greeting
        ((1.0, talks(3.5), 0.6, talks(3.5), 0.6, talks(3.5)), None),  # somebody who waits for an answer
        ((1.0, *([talks(0.2), 0.4] * 30)), None),  # words one by one: not dense
    ],
)
def test_four_seconds_without_a_pause(parts: tuple[Sound | float, ...], sign: MachineSign | None) -> None:
    assert verdict(*parts) is sign


def test_how_loud_speech_must_be() -> None:
    greeting = "您好，我现在不方便接听您的电话。请在滴声之后留下您的姓名和电话。"
    assert verdict(0.5, spoken(greeting, level=-38.0)) is SPEECH
    assert verdict(0.5, spoken(greeting, level=-55.0)) is None


def test_a_noise_that_goes_on_is_the_lines() -> None:
    greeting = spoken("您好，我现在不方便接听您的电话。请在滴声之后留下您的姓名和电话。")
    assert verdict(noise(-35.0)) is None
    assert (
        told(Sample("machine", "", noise(-45.0) + np.pad(greeting, (4000, 28 * RATE))[: 28 * RATE])) is SPEECH
    )


# Beeps


@pytest.mark.parametrize(
    ("parts", "sign"),
    [
        ((1.0, tone(1000, 0.16)), BEEP),
        ((1.0, tone(1000, 0.1)), None),  # a click, a key's tone
        ((1.0, tone(1000, 1.9)), BEEP),
        ((1.0, tone(1000, 2.6)), None),  # no beep is so long
        ((1.0, tone(360, 0.3)), BEEP),
        ((1.0, tone(2590, 0.3)), BEEP),
        ((1.0, tone(300, 0.3)), None),
        ((1.0, tone(2800, 0.3)), None),
        ((1.0, tone(1100, 0.5)), BEEP),  # a fax that calls; who is called sends none
        ((1.0, tone(2100, 3.0)), None),  # a fax that answers
        ((1.0, tone(450, 0.35)), None),  # the network's own
        ((1.0, tone(425, 0.35)), None),
        ((1.0, tone(697, 0.3) + tone(1209, 0.3)), None),  # key 1
        ((1.0, tone(800, 0.3), tone(1000, 0.3)), None),  # notes
        ((1.0, tone(1000, 0.3, level=-30.0)), BEEP),
        ((1.0, tone(1000, 0.3, level=-50.0)), None),
        ((1.0, tone(1000, 0.3), 0.1, talks(0.5)), None),  # somebody goes on: it was no end
        ((1.0, talks(1.0), 0.2, tone(1000, 0.3)), BEEP),
    ],
)
def test_a_tone_that_stands_alone(parts: tuple[Sound | float, ...], sign: MachineSign | None) -> None:
    assert verdict(*parts) is sign


@given(offset=st.integers(0, 2 * FRAME), hertz=st.one_of(st.floats(360, 380), st.floats(490, 2550)))
@settings(max_examples=60)
def test_a_beep_of_150_ms_is_heard_wherever_it_begins(offset: int, hertz: float) -> None:
    assert verdict((5000 + offset) / RATE, tone(hertz, 0.15), 1.0) is BEEP


# Our own voice


def test_our_own_beep_that_comes_back_is_ours() -> None:
    ours = one_after_another(1.0, np.frombuffer(b"".join(beep().pcma), np.uint8) * 0.0, 1.0)
    sent = one_after_another(1.0, tone(1000, 0.4, level=-15.0), 2.0)
    for milliseconds in (0, 20, 77, 300):
        for attenuation in (0, 10, 20):
            sample = Sample("nobody", "", ours, hybrid(milliseconds, attenuation))
            assert told(sample, sent) is None, (milliseconds, attenuation)


@given(
    milliseconds=st.floats(0, 320),
    attenuation=st.floats(0, 40),
    path=st.sampled_from([hybrid, loudspeaker]),
    hello=st.booleans(),
)
@settings(max_examples=40)
def test_an_echo_is_never_their_speech(milliseconds: float, attenuation: float, path, hello: bool) -> None:
    says = one_after_another(0.4, spoken("喂，你好")) if hello else quiet(1.0)
    assert told(Sample("person", "", says, path(milliseconds, attenuation))) is None


@given(
    seed=st.integers(0, 10_000),
    lost=st.sampled_from([0.0, 0.02, 0.1]),
    burst=st.sampled_from([1, 3, 10]),
    jitter=st.sampled_from([0.0, 0.06, 0.15]),
)
@settings(max_examples=25)
def test_an_echo_over_a_network_that_jitters_and_loses(
    seed: int, lost: float, burst: int, jitter: float
) -> None:
    """Packets come late, overtake one another, and some, or several in a row, never; it stays an echo."""
    chance = np.random.default_rng(seed)
    ours = our_prompts()[: 28 * RATE // FRAME * FRAME]
    out, back = octets(ours), octets(loudspeaker(120, 8)(ours))
    things = [(at / RATE, "say", at) for at in range(0, len(out), FRAME)]
    for first in range(0, len(back), burst * FRAME):
        if chance.random() >= lost / burst * 2:
            for at in range(first, min(first + burst * FRAME, len(back)), FRAME):
                things.append(((at + FRAME) / RATE + chance.uniform(0, jitter), "hear", at))
    ear = MachineEar(0.0)
    for when, what, at in sorted(things):
        if what == "say":
            ear.say(out[at : at + FRAME], "pcma", when)
        else:
            assert ear.hear(back[at : at + FRAME], "pcma", when, (at + seed) & 0xFFFFFFFF) is None


# How it comes in

GREETING = one_after_another(0.4, talks(5.5), 0.3, tone(1000, 0.4), 1.5)
SHORT = one_after_another(0.4, talks(1.0), 0.3, tone(1000, 0.4), 1.5)


def cut(sound: Sound, sizes: list[int], codec: Codec) -> tuple[list[MachineSign], MachineEar]:
    """All signs that are told of a sound in packets of these sizes, over and over, while we talk."""
    ours, heard = octets(our_prompts()[: len(sound)], codec), octets(sound, codec)
    ear, signs, at, said, turn = MachineEar(0.0), [], 0, 0, 0
    while at < len(heard):
        packet = heard[at : at + sizes[turn % len(sizes)]]
        at, turn = at + len(packet), turn + 1
        while said + FRAME <= min(at + FRAME, len(ours)):
            ear.say(ours[said : said + FRAME], codec, said / RATE)
            said += FRAME
        if sign := ear.hear(packet, codec, at / RATE):
            signs.append(sign)
    return signs, ear


@given(
    sizes=st.lists(st.integers(1, 800), min_size=1, max_size=6),
    codec=st.sampled_from(["pcma", "pcmu"]),
    case=st.sampled_from([(GREETING, [SPEECH]), (SHORT, [BEEP]), (SHORT[: 2 * RATE], [])]),
)
@settings(max_examples=40)
def test_packets_of_any_size_lead_to_the_same(
    sizes: list[int], codec: Codec, case: tuple[Sound, list[MachineSign]]
) -> None:
    sound, signs = case
    assert cut(sound, sizes, codec)[0] == signs


@given(
    level=st.floats(-96, -46),
    seed=st.integers(0, 1000),
    sizes=st.lists(st.integers(1, 800), min_size=1, max_size=3),
)
@settings(max_examples=30)
def test_silence_is_never_a_sign(level: float, seed: int, sizes: list[int]) -> None:
    """Neither is the noise of a line, below what is audible, whatever we say meanwhile."""
    assert cut(noise(level, 8.0, seed=seed), sizes, "pcma")[0] == []


@given(st.lists(st.tuples(st.binary(max_size=400), st.floats(0, 40)), max_size=60))
@settings(max_examples=60)
def test_anything_may_come_and_one_sign_at_most_is_told(packets: list[tuple[bytes, float]]) -> None:
    ear = MachineEar(0.0)
    signs = []
    for payload, now in packets:
        ear.say(payload, "pcmu", now)
        signs.append(ear.hear(payload * 20, "pcma", now))
    assert len([sign for sign in signs if sign]) <= 1


def test_after_half_a_minute_nothing_is_heard() -> None:
    ear = MachineEar(0.0)
    quiet_frame, greeting = octets(quiet(0.02)), octets(talks(6.0))
    for at in range(round(LISTENS * 50)):
        assert ear.hear(quiet_frame, "pcma", (at + 1) * 0.02) is None
    assert ear.done
    for at in range(0, len(greeting), FRAME):
        assert ear.hear(greeting[at : at + FRAME], "pcma", LISTENS + (at + FRAME) / RATE) is None


def test_what_did_not_come_is_silence() -> None:
    """A far end that sends nothing while it's silent (RFC 3551 §4.1): its pauses are pauses."""
    ear, now = MachineEar(0.0), 0.0
    for _ in range(6):
        for at in range(0, 2 * RATE, FRAME):
            now += 0.02
            assert ear.hear(octets(talks(2.0))[at : at + FRAME], "pcma", now) is None
        now += 0.7
