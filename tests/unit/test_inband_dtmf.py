"""Keys as tones: what Q.24 accepts and refuses, what is no key, and how sound comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.events import Codec
from ivr.media import g711
from ivr.media.dtmf import KEYS
from ivr.media.inband_dtmf import HIGH, LOW, DtmfEars, tones_of
from ivr.media.tones import key_tones, ringback
from prompts.render import AUDIO
from prompts.sound import read_wav
from tests.far_ends import (
    RATE,
    Sound,
    hybrid,
    noise,
    octets,
    one_after_another,
    our_prompts,
    quiet,
    spoken,
    tone,
)

ZERO_DBM0 = -6.15  # dBov, of a sine: full scale is at 3.14 dBm0, and its power half of a square's


def key(
    name: str,
    seconds: float,
    *,
    low: float = -11.0,
    high: float = -9.0,
    off: tuple[float, float] = (0.0, 0.0),
) -> Sound:
    """A key with its two tones' levels, dBm0, and how far their frequencies are off."""
    hertz = tones_of(name)
    return tone(hertz[0] * (1 + off[0]), seconds, low + ZERO_DBM0) + tone(
        hertz[1] * (1 + off[1]), seconds, high + ZERO_DBM0
    )


def heard(
    *parts: Sound | float,
    codec: Codec = "pcma",
    frame: int = 160,
    lost: tuple[int, ...] = (),
    marked: tuple[int, ...] = (),
) -> list[tuple[str, float]]:
    """The keys in what is said, each with when it went down; packets of `lost` don't come, those of `marked`
    say that what is missing before them was silence.
    """
    said = octets(one_after_another(*parts, 0.2), codec)
    ears: DtmfEars[str] = DtmfEars()
    ear, found = ears.open("call"), []
    for number, at in enumerate(range(0, len(said), frame)):
        packet = said[at : at + frame]
        if number not in lost:
            now = 5.0 + (at + len(packet)) / RATE
            ear.take(packet, codec, now, at, after_silence=number in marked)
        found += [(each.key, each.began_at - 5.0) for _, each in ears.look()]
    return found


def names(*parts: Sound | float) -> str:
    return "".join(name for name, _ in heard(*parts))


# What Q.24 asks for


def test_every_key_with_its_time() -> None:
    found = heard(0.3, *(part for name in KEYS for part in (key(name, 0.06), 0.09)))
    assert "".join(name for name, _ in found) == KEYS
    for number, (_, began) in enumerate(found):
        assert began == pytest.approx(0.3 + 0.15 * number, abs=0.011)


@pytest.mark.parametrize(
    ("sound", "told"),
    [
        (key("5", 0.040), "5"),  # 40 ms is a key
        (key("5", 0.023), ""),  # 23 ms isn't
        (key("5", 2.0), "5"),  # held for long: once
        (key("5", 0.1, off=(0.015, 0.015)), "5"),
        (key("5", 0.1, off=(-0.015, 0.015)), "5"),
        (key("5", 0.1, off=(0.035, 0.0)), ""),
        (key("5", 0.1, off=(0.0, -0.035)), ""),
        (key("5", 0.1, low=-13, high=-9), "5"),  # 4 dB of twist, and 8 dB the other way
        (key("5", 0.1, low=-6, high=-14), "5"),
        (key("5", 0.1, low=-18, high=-6), ""),
        (key("5", 0.1, low=-3, high=-18), ""),
        (key("5", 0.1, low=-27, high=-27), "5"),  # soft
        (key("5", 0.1, low=-3, high=-3), "5"),  # as loud as a line can be
        (key("5", 0.1, low=-40, high=-40), ""),  # crosstalk
        (tone(770, 0.1), ""),  # one of the two
        (tone(770, 0.1) + tone(941, 0.1), ""),  # two of one group
        (key("5", 0.1) + tone(1633, 0.1), ""),  # three
        (key("5", 0.1) + tone(1540, 0.1, -20.0), ""),  # with a second harmonic: a voice
    ],
)
def test_what_is_a_key(sound: Sound, told: str) -> None:
    assert names(0.1, sound) == told


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((key("5", 0.05), 0.04, key("5", 0.05)), "55"),  # a pause of 40 ms parts them
        ((key("5", 0.05), 0.01, key("5", 0.05)), "5"),  # 10 ms are bridged
        ((key("5", 0.05), key("6", 0.05)), "56"),  # another key needs no pause
        ((key("1", 0.05), 0.05, key("1", 0.02), 0.05, key("2", 0.05)), "12"),
    ],
)
def test_what_parts_two_keys(parts: tuple[Sound | float, ...], told: str) -> None:
    assert names(0.1, *parts) == told


@given(
    name=st.sampled_from(KEYS),
    begins=st.integers(800, 1000),
    seconds=st.floats(0.04, 0.12),
    off=st.tuples(st.floats(-0.014, 0.014), st.floats(-0.014, 0.014)),
    level=st.floats(-20.0, -6.0),
    twist=st.floats(-8.0, 4.0),
    snr=st.floats(15.0, 40.0),
    codec=st.sampled_from(["pcma", "pcmu"]),
)
@settings(max_examples=150)
def test_a_key_is_heard_wherever_it_begins(
    name: str,
    begins: int,
    seconds: float,
    off: tuple[float, float],
    level: float,
    twist: float,
    snr: float,
    codec: Codec,
) -> None:
    made = key(name, seconds, low=level - max(twist, 0.0), high=level + min(twist, 0.0), off=off)
    hiss = noise(10 * np.log10(np.mean(made**2)) - snr, 0.5, seed=begins)
    said = np.concatenate([np.zeros(begins), made, np.zeros(2000)])
    ((told, began),) = heard(said + np.resize(hiss, len(said)), codec=codec)
    assert told == name
    assert abs(began - begins / RATE) < 0.03


@given(name=st.sampled_from(KEYS), begins=st.integers(0, 200), seconds=st.floats(0.001, 0.023))
@settings(max_examples=60)
def test_what_is_too_short_is_none(name: str, begins: int, seconds: float) -> None:
    assert heard(0.1, np.zeros(begins), key(name, seconds)) == []


@given(packets=st.lists(st.sampled_from([40, 80, 160, 240, 480]), min_size=1, max_size=4))
@settings(max_examples=20)
def test_how_packets_cut_it_changes_nothing(packets: list[int]) -> None:
    """A call that is looked at each 10 ms hears what one hears that is looked at each 60 ms."""
    said = octets(one_after_another(0.107, key("7", 0.05), 0.06, key("7", 0.05), 0.2))
    ears: DtmfEars[str] = DtmfEars()
    ear, at, found = ears.open("call"), 0, []
    while at < len(said):
        size = packets[at % len(packets)]
        ear.take(said[at : at + size], "pcma", 5.0 + min(at + size, len(said)) / RATE, at)
        at += size
        found += [each.key for _, each in ears.look()]
    assert found == ["7", "7"]


# What is lost, silent, or another call's


@pytest.mark.parametrize("lost", [(), (5,), (6,), (7,), (8,), (6, 7), (9, 10)])
def test_a_key_of_which_packets_are_lost_is_told_once(lost: tuple[int, ...]) -> None:
    assert [name for name, _ in heard(0.1, key("3", 0.15), lost=lost)] == ["3"]


@pytest.mark.parametrize(("marked", "told"), [((), "1"), ((10,), "11")])
def test_a_short_silence_that_isnt_sent_ends_a_key_where_it_is_told(
    marked: tuple[int, ...], told: str
) -> None:
    """1 twice within 300 ms, and between them 100 ms of nothing: lost, or silent by the marker."""
    found = heard(key("1", 0.1), 0.1, key("1", 0.1), lost=(5, 6, 7, 8, 9), marked=marked)
    assert "".join(name for name, _ in found) == told


def test_a_silence_that_isnt_sent_ends_a_key() -> None:
    """RTP's clock goes on over it (RFC 3551 §4.1)."""
    ears: DtmfEars[str] = DtmfEars()
    ear, found = ears.open("call"), []
    said = octets(key("8", 0.1))
    for begins in (0, 60 * RATE, 120 * RATE + 40):
        for at in range(begins, begins + len(said), 160):
            ear.take(said[at - begins :][:160], "pcma", 5.0 + (at + 160) / RATE, at)
            found += [(each.key, round(each.began_at - 5.0, 1)) for _, each in ears.look()]
    assert found == [("8", 0.0), ("8", 60.0), ("8", 120.0)]


def test_calls_that_are_looked_at_together_dont_mix() -> None:
    ears: DtmfEars[int] = DtmfEars()
    said = {
        number: octets(one_after_another(0.1 + number / 400, key(KEYS[number % 16], 0.05), 0.3))
        for number in range(120)
    }
    open_ears = {number: ears.open(number) for number in said}
    found: dict[int, str] = {}
    for at in range(0, 4000, 160):
        for number, ear in open_ears.items():
            if number % 7 != at // 160 % 7:  # some come late
                ear.take(said[number][at : at + 160], "pcma", 5.0 + at / RATE, at)
            else:
                ear.take(b"", "pcma", 5.0 + at / RATE, at)
                ear.take(said[number][at : at + 160], "pcma", 5.0 + at / RATE, at)
        for number, each in ears.look():
            found[number] = found.get(number, "") + each.key
        if at == 1600:
            ears.close(119)
    assert found == {number: KEYS[number % 16] for number in range(119)}
    assert len(ears) == 119


# What is no key


@pytest.mark.parametrize(
    ("what", "sound"),
    [
        ("our prompts", our_prompts()),
        ("our prompts, from a hybrid", hybrid(60, 6)(our_prompts())),
        ("ring-back", g711.decode(b"".join(ringback().pcma), "pcma") / 32768),
        ("speech", spoken("您好，您拨打的用户暂时无法接通，请稍后再拨。")),
        ("speech in English", spoken("Sorry, the subscriber you dialed cannot be connected.", "en")),
        ("the network's tones", np.tile(one_after_another(tone(450, 0.35), 0.35), 6)),
        ("a chord of 440, 880 and 1320 Hz", sum((tone(h, 2.0, -20) for h in (440, 880, 1320)), quiet(2.0))),
        ("a fax", tone(2100, 3.0)),
        ("noise", noise(-20, 5.0)),
        ("silence", quiet(3.0)),
    ],
)
def test_what_is_no_key(what: str, sound: Sound) -> None:
    assert heard(0.1, sound) == [], what


def test_no_prompt_is_a_key() -> None:
    """Nine minutes of speech: what we say comes back from a loudspeaker, whole."""
    files = sorted(AUDIO.rglob("*.wav"))
    said = np.concatenate([read_wav(path) for path in files]) / 32768
    assert len(said) > 500 * RATE
    assert heard(said, frame=1600) == []


def test_a_key_over_the_echo_of_our_prompt() -> None:
    echo = hybrid(60, 12)(our_prompts())[: 6 * RATE]
    for name, begins in (("1", 0.7), ("3", 2.3), ("#", 4.1)):
        at = round(begins * RATE)
        pressed = echo.copy()
        made = key(name, 0.1, low=-15, high=-13)
        pressed[at : at + len(made)] += made
        ((told, began),) = heard(pressed)
        assert (told, began) == (name, pytest.approx(begins, abs=0.03))


# What we send


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_the_keys_that_we_send_are_heard(codec: Codec) -> None:
    ears: DtmfEars[str] = DtmfEars()
    ear, found = ears.open("call"), ""
    for name in KEYS * 2:
        for frame in key_tones(name, 0.1).frames(codec):
            ear.take(frame, codec, 5.0)
            found += "".join(each.key for _, each in ears.look())
    assert found == KEYS * 2


def test_the_pad_is_q_23s() -> None:
    assert [tones_of(name) for name in "1#0D"] == [(697, 1209), (941, 1477), (941, 1336), (941, 1633)]
    assert {tones_of(name) for name in KEYS} == {(low, high) for low in LOW for high in HIGH}
