"""A city's announcements are known again whatever the line did to them, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.media import g711
from ivr.media.announcements import LEAST_SECONDS, MARGIN, Announcement, Announcements
from ivr.media.early import EarlyEar
from ivr.media.fingerprint import print_of
from ivr.media.tones import ringback
from tests.announced import TEXTS, book, music, over_a_line, said
from tests.far_ends import RATE, Sound, labelled_set, octets, one_after_another, our_prompts, quiet

MEANINGS = {name: meaning for name, (meaning, *_) in TEXTS.items()}


def last_of(sound: np.ndarray, seconds: float = 8.0) -> np.ndarray:
    return sound[-round(seconds * RATE) :].astype(np.float32)


def name_of(sound: np.ndarray) -> str | None:
    match = book().match(last_of(sound))
    return match.announcement.name if match else None


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"codec": "pcmu"},
        {"gain": -10.0},
        {"gain": 10.0},  # its loudest moments are cut off
        {"lost": 0.05},
        {"snr": 15.0},
        {"snr": 15.0, "lost": 0.05, "gain": -10.0, "codec": "pcmu"},  # and all that at once
    ],
)
def test_each_is_known_after_a_line(line: dict[str, object]) -> None:
    for seed, name in enumerate(TEXTS):
        assert name_of(over_a_line(said(name)[37 * seed :], seed=seed, **line)) == name


@pytest.mark.parametrize("before", [1.3, 4.0])
def test_after_music(before: float) -> None:
    for seed, name in enumerate(TEXTS):
        heard = one_after_another(music(before, seed), 0.2, said(name))
        assert name_of(over_a_line(heard, snr=20.0, lost=0.02)) == name


def test_of_one_that_is_said_again_and_again() -> None:
    """The last 8 s begin in its middle."""
    for name in TEXTS:
        assert name_of(over_a_line(one_after_another(said(name), 0.7, said(name)[: 4 * RATE]))) == name


@given(
    name=st.sampled_from(list(TEXTS)),
    offset=st.integers(0, 2000),
    gain=st.floats(-10, 6),
    snr=st.floats(15, 40),
    lost=st.floats(0, 0.05),
    codec=st.sampled_from(["pcma", "pcmu"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_at_any_sample(
    name: str, offset: int, gain: float, snr: float, lost: float, codec, seed: int
) -> None:
    heard = over_a_line(said(name)[offset:], gain=gain, snr=snr, lost=lost, codec=codec, seed=seed)
    assert name_of(heard) == name


def test_one_that_was_cut_short_is_never_another() -> None:
    """The network may release the call within what they have in common: then it's none."""
    told = {}
    for name, tenths in product(TEXTS, range(10, 80, 5)):
        heard = over_a_line(
            one_after_another(music(1.0), said(name)[: tenths * RATE // 10]), snr=20.0, seed=tenths
        )
        match = book().match(last_of(heard))
        if match is not None:
            told[name, tenths] = match.announcement.meaning
    assert all(meaning == MEANINGS[name] for (name, _), meaning in told.items())
    assert len(told) > 50  # of 112, of which 24 are shorter than what is needed


def test_what_they_have_in_common_is_none() -> None:
    """您好，您拨打的用户…, and then the call is over."""
    beginning = said("关机")[: round(1.7 * RATE)]
    alike = [
        each.announcement.name for each in book().heard(last_of(one_after_another(music(3.0), beginning)))
    ]
    assert name_of(one_after_another(music(3.0), beginning)) is None
    assert len(alike) != 1


def others() -> Iterator[tuple[str, Sound]]:
    for each in labelled_set():
        if each.echo is None and "announcement" not in each.name:
            yield each.name, each.says
    for seed in range(20):
        yield f"music {seed}", music(8.0, seed)
    for at in range(0, 20, 2):
        yield f"prompts from {at} s", our_prompts()[at * RATE :]
    yield "ring-back", g711.decode(b"".join(ringback().pcma) * 2, "pcma") / 32768
    yield "nothing", quiet(0.0)


def test_nothing_else_is_one() -> None:
    """The same voice says 您好 and 请 in our own prompts too; it takes more than a few words."""
    longest = ("", 0.0)
    for name, sound in others():
        heard = last_of(sound[: 8 * RATE])
        assert book().match(heard) is None, name
        found = book().heard(heard)
        longest = max(longest, (name, found[0].seconds if found else 0.0), key=lambda each: each[1])
    assert longest[1] < LEAST_SECONDS - 0.5, longest


def test_each_is_told_from_the_others_by_more_than_is_needed() -> None:
    for name in TEXTS:
        best, *others = book().heard(last_of(over_a_line(said(name), snr=20.0, lost=0.02)))
        assert best.announcement.name == name
        other = [each.seconds for each in others if each.announcement.meaning != MEANINGS[name]]
        assert best.seconds - max(other, default=0.0) > MARGIN + 0.5


def test_two_of_the_same_sound_and_another_meaning_are_none() -> None:
    twice = Announcements(
        [(Announcement(name, MEANINGS[name]), said("空号").astype(np.float32)) for name in ("空号", "关机")]
    )
    assert twice.match(last_of(said("空号"))) is None
    one, other = twice.heard(last_of(said("空号")))
    assert one.seconds == other.seconds > LEAST_SECONDS


def test_without_any_there_is_none() -> None:
    assert Announcements().match(last_of(said("空号"))) is None
    assert len(Announcements()) == 0


@pytest.mark.parametrize("samples", [0, 1, 1023, 1024, 1663, 1664, 1665])
def test_what_is_too_short_has_no_print(samples: int) -> None:
    assert len(print_of(np.ones(samples, np.float32))) == max(0, (samples - 1024) // 320 + 1 - 2)


def test_the_last_eight_seconds_are_kept_with_what_was_lost_in_its_place() -> None:
    ear, sound = EarlyEar(), octets(one_after_another(music(11.0), said("停机")))
    for number, at in enumerate(range(0, len(sound), 160)):
        if number % 20:  # five packets of a hundred don't come
            ear.hear(sound[at : at + 160], "pcma", 5.0 + (at + 160) / RATE, 160_000 + at)
    heard = ear.last()
    assert len(heard) == 8 * RATE
    assert name_of(heard) == "停机"
