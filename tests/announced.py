"""For tests: what carriers say before a call fails, as synthetic speech, and what a line does to it.

As real ones do, they begin and end alike and are said in two languages. The voice is one, and says the same
words in the same way: these are harder to tell apart than people's.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from callbacks.vocabulary import Disposition
from ivr.events import Codec
from ivr.media import g711
from ivr.media.announcements import Announcement, Announcements
from tests.far_ends import FRAME, RATE, Sound, noise, octets, one_after_another, spoken

TEXTS = {
    "关机": (
        Disposition.POWERED_OFF,
        "您好，您拨打的用户已关机，请稍后再拨。",
        "Sorry, the subscriber you dialed is powered off. Please redial later.",
    ),
    "不在服务区": (
        Disposition.POWERED_OFF,
        "您好，您拨打的用户不在服务区，请稍后再拨。",
        "Sorry, the subscriber you dialed is not in the service area.",
    ),
    "正在通话中": (
        Disposition.BUSY,
        "您好，您拨打的用户正在通话中，请稍后再拨。",
        "Sorry, the subscriber you dialed is busy now. Please redial later.",
    ),
    "空号": (
        Disposition.UNALLOCATED,
        "您好，您拨打的号码是空号，请核对后再拨。",
        "Sorry, the number you dialed does not exist. Please check it and dial again.",
    ),
    "停机": (
        Disposition.UNALLOCATED,
        "您好，您拨打的号码已停机。",
        "Sorry, the number you dialed is out of service.",
    ),
    "无人接听": (
        Disposition.NO_ANSWER,
        "您好，您拨打的电话暂时无人接听，请稍后再拨。",
        "Sorry, the subscriber you dialed is not available now.",
    ),
    "暂时无法接通": (
        Disposition.NO_ANSWER,
        "您好，您拨打的用户暂时无法接通，请稍后再拨。",
        "Sorry, the subscriber you dialed cannot be connected for the moment. Please redial later.",
    ),
    "线路忙": (
        Disposition.NETWORK_FAIL,
        "对不起，您所呼叫的方向线路忙，请稍后再试。",
        "All circuits are busy. Please try again later.",
    ),
}


@cache
def said(name: str) -> Sound:
    """The announcement of that name, in Chinese and then in English."""
    _, chinese, english = TEXTS[name]
    return one_after_another(spoken(chinese), 0.4, spoken(english, "en"))


@cache
def book() -> Announcements:
    """All of them."""
    return Announcements(
        (Announcement(name, meaning), said(name).astype(np.float32)) for name, (meaning, *_) in TEXTS.items()
    )


def music(seconds: float, seed: int = 1) -> Sound:
    """Chords of one to three notes with their harmonics, none longer than half a second."""
    chance, parts, length = np.random.default_rng(seed), [], 0
    while length < seconds * RATE:
        at = np.arange(round(chance.uniform(0.1, 0.5) * RATE)) / RATE
        notes = 220 * 2 ** (chance.integers(0, 30, chance.integers(1, 4)) / 12)
        chord = [
            np.sin(2 * np.pi * hertz * n * at + n) / n
            for hertz in notes
            for n in range(1, 6)
            if hertz * n < 3800
        ]
        parts.append(0.05 * np.sum(chord, axis=0))
        length += len(at)
    return np.concatenate(parts)[: round(seconds * RATE)]


def over_a_line(
    sound: Sound,
    *,
    codec: Codec = "pcma",
    gain: float = 0.0,
    snr: float | None = None,
    lost: float = 0.0,
    seed: int = 1,
) -> np.ndarray:
    """Samples as they come: so much louder (dB), with white noise, through a law, some packets lost."""
    chance = np.random.default_rng(seed)
    sound = sound * 10 ** (gain / 20)
    if snr is not None:
        level = 10 * np.log10(np.mean(sound**2)) - snr
        sound = sound + noise(level, len(sound) / RATE, seed=seed)[: len(sound)]
    came = g711.decode(octets(sound, codec), codec) / np.float32(32768)
    for at in range(0, len(came), FRAME):
        if chance.random() < lost:
            came[at : at + FRAME] = 0
    return came.astype(np.float32)
