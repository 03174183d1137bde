"""Which of a city's announcements was heard before a call failed: the most like it, or none. Pure.

Carriers put announcements together from phrases, so several begin and end alike: what counts is for how
long one was heard, and the others that mean something else for how much shorter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from callbacks.vocabulary import Disposition
from ivr.media.fingerprint import BITS, HOP, Print, print_of
from ivr.media.track import SAMPLES_A_SECOND

__all__ = ["LEAST_SECONDS", "Announcement", "Announcements", "Match"]

LEAST_SECONDS = 2.4  # of speech that must be heard of an announcement
MARGIN = 0.8  # seconds: what means something else must have been heard for so much less
_FINE = HOP // 2  # samples between the frames of an announcement: what comes is 10 ms beside one at most
_COARSE = 4  # frames: each so many are compared at first, everywhere
_WINDOW = 12  # of these, 1.9 s
_WORTH = 0.38  # of the bits of such a window differ, at most, where more is to be looked at
_ALIKE = 0.35  # of the bits of a second differ, at most, where it's the same sound: half would by chance
_SMOOTH = 25  # frames, 1 s
_PLACES = 2  # of one announcement, by half its length apart: two phrases of another are nearer
_AROUND = 1  # fine frames to both sides of a coarse place
_SECONDS = HOP / SAMPLES_A_SECOND


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a carrier says, and what it means for a call."""

    name: str
    meaning: Disposition


@dataclass(frozen=True, slots=True)
class Match:
    """For how many `seconds` it was heard, pauses left out, how many of them `in_one` go, and what share of
    the bits of all these differed. One that is said again and again is heard from two places on.
    """

    announcement: Announcement
    seconds: float
    in_one: float
    differs: float


class Announcements:
    """Those that there are, each with its samples at 8 kHz, 1.0 at full scale."""

    def __init__(self, known: Iterable[tuple[Announcement, NDArray[np.float32]]] = ()) -> None:
        self._known: list[Announcement] = []
        self._prints: list[Print] = []
        bits, sounds = [np.zeros(0, np.uint32)], [np.zeros(0, np.bool_)]  # each HOP, one after another
        starts, within = [0], [np.zeros(0, np.int64)]
        for announcement, samples in known:
            found = print_of(samples, _FINE)
            self._known.append(announcement)
            self._prints.append(found)
            bits.append(found.bits[::2])
            sounds.append(found.sounds[::2])
            within.append(np.arange(len(bits[-1])))
            starts.append(starts[-1] + len(bits[-1]))
        self._bits, self._pauses, self._starts = np.concatenate(bits), ~np.concatenate(sounds), starts
        self._too_early = np.concatenate(within) < _WINDOW * _COARSE

    def __len__(self) -> int:
        return len(self._known)

    def sounds(self, announcement: Announcement) -> float:
        """How many seconds of it are more than a pause."""
        return float(self._prints[self._known.index(announcement)].sounds.sum() * _SECONDS / 2)

    def match(self, samples: NDArray[np.float32]) -> Match | None:
        """The announcement in what was heard, at 8 kHz; None where there is none, or it could be another."""
        found = self.heard(samples)
        if not found or found[0].in_one < LEAST_SECONDS:
            return None
        best, *others = found
        nearly = [each for each in others if each.seconds > best.seconds - MARGIN]
        if any(each.announcement.meaning != best.announcement.meaning for each in nearly):
            return None
        return best

    def heard(self, samples: NDArray[np.float32]) -> list[Match]:
        """Each announcement of which something may have been heard, the longest first."""
        came = print_of(samples)
        if not len(self._bits) or len(came) < _WINDOW * _COARSE:
            return []
        found = [self._compare(number, came, places) for number, places in self._places(came).items()]
        return sorted((each for each in found if each.seconds), key=lambda each: -each.seconds)

    def _places(self, came: Print) -> dict[int, list[int]]:
        """Of each announcement, which of its frames the first that came may be: where to look closer."""
        coarse = came.bits[::_COARSE]
        differ = np.bitwise_count(self._bits[None, :] ^ coarse[:, None]).astype(np.int32)
        differ[:, self._pauses] = BITS // 2
        for row in range(1, len(coarse)):  # along each diagonal: what came up to there, and the frames to it
            differ[row, _COARSE:] += differ[row - 1, :-_COARSE]
        span = _WINDOW * _COARSE
        windows = differ[_WINDOW:, span:] - differ[:-_WINDOW, :-span]
        if not windows.size:
            return {}
        windows[:, self._too_early[span:]] = BITS * _WINDOW
        best = windows.min(axis=0)  # of those that end with each frame of the announcements
        good = np.flatnonzero(best <= _WORTH * BITS * _WINDOW)
        ends, rows = good + span, windows[:, good].argmin(axis=0) + _WINDOW
        whose = np.searchsorted(self._starts, ends, side="right") - 1
        firsts = ends - np.asarray(self._starts)[whose] - rows * _COARSE
        found = {}
        for number in np.unique(whose).tolist():
            its, half = whose == number, len(self._prints[number]) // 4
            found[number] = _apart(firsts[its], best[good[its]], half)
        return found

    def _compare(self, number: int, came: Print, places: list[int]) -> Match:
        """How much of announcement `number` was heard, where the first frame that came is one of `places`."""
        known = self._prints[number]
        covered, in_one, differ = np.zeros(len(came), np.bool_), 0, 0
        for place in places:
            ways = (_along(came, known, 2 * place + by) for by in range(-_AROUND, _AROUND + 1))
            here, bits = max(ways, key=lambda way: int(way[0].sum()))
            in_one = max(in_one, int(here.sum()))
            differ += int(bits[here & ~covered].sum())
            covered |= here
        count = int(covered.sum())
        share = differ / (count * BITS) if count else 1.0
        return Match(self._known[number], count * _SECONDS, in_one * _SECONDS, share)


def _apart(firsts: NDArray[np.int64], differ: NDArray[np.int32], least: int) -> list[int]:
    """The place of the least difference, and of the least of those that are so many frames away."""
    places: list[int] = []
    while len(places) < _PLACES and len(firsts):
        places.append(int(firsts[differ.argmin()]))
        others = np.abs(firsts - places[-1]) > least
        firsts, differ = firsts[others], differ[others]
    return places


def _along(came: Print, known: Print, first: int) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Of each frame that came: whether it's alike, and how many bits differ, where the first is `first`."""
    alike, bits = np.zeros(len(came), np.bool_), np.zeros(len(came), np.uint8)
    begin = max(0, -(first // 2))
    count = min(len(came) - begin, (len(known) - first + 1) // 2 - begin)
    if count < _SMOOTH:
        return alike, bits
    there = slice(first + 2 * begin, first + 2 * (begin + count), 2)
    sounds = begin + np.flatnonzero(known.sounds[there])
    if len(sounds) < _SMOOTH:
        return alike, bits
    bits[begin : begin + count] = np.bitwise_count(came.bits[begin : begin + count] ^ known.bits[there])
    sums = np.cumsum(np.concatenate([[0], bits[sounds]]))
    good = sums[_SMOOTH:] - sums[:-_SMOOTH] <= _ALIKE * BITS * _SMOOTH
    alike[sounds] = np.convolve(good, np.ones(_SMOOTH, np.int64)) > 0
    return alike, bits
