"""Keys as tones in the voice (ITU-T Q.23), heard of all calls at once. Pure.

What is a key is Q.24's: each of its two tones within 1.5 % of its frequency, and none at 3.5 %; the higher
4 dB louder to 8 dB softer than the lower; 40 ms of it, never 23 ms; the next key after 40 ms without, while
10 ms are bridged. Each window of 20 ms is looked at twice. Goertzel's sums at the eight frequencies, by one
matrix for every call's, leave few of them; these are fitted by two sinusoids whose frequencies are free. So
the frequencies are known to a hertz, and what the fit leaves tells speech, music and noise: harmonics, the
second one that detectors look for among them, are no part of two tones.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ivr.media.dtmf import Key
from ivr.media.g711 import LEVELS
from ivr.media.track import SAMPLES_A_SECOND, Track

__all__ = ["HIGH", "LOW", "DtmfEar", "DtmfEars", "tones_of"]

LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)  # Hz, of rows and columns (Q.23)
_PAD = "123A456B789C*0#D"

_BLOCK = 80  # samples: a window is two, and begins with each. A tone of 40 ms fills two of them wherever it
_WINDOW = 2 * _BLOCK  # begins, one of 23 ms never does.
_ENOUGH = 2  # windows of one key
_PAUSE = 4  # windows without it end a key: 10 ms without touch three at most, 40 ms five at least
_LOST = 20  # windows of which something didn't come: they tell nothing, but a key isn't held for ever
_LONGEST = 2 * SAMPLES_A_SECOND  # what waits longer than that came after a silence that wasn't sent

_OFF = 0.02  # of its frequency: between what Q.24 accepts and what it refuses
_LEAST = 10**-3.6  # each tone's power: -36 dBov is -30 dBm0
_TWIST = (-10.0, 6.0)  # dB, the higher tone over the lower; Q.24's are -8 and 4
_REST = 0.12  # of the power: a key is 9 dB above all else that is heard

_CANDIDATE = 0.4  # of the power in Goertzel's two sums: a tone 1.5 % off at 1633 Hz loses 4 dB by it
_ABOUT = 8.0  # Hz: how far the phases of two blocks may be off as a measure of the frequency
_TURNS = 2  # of the fit; its error is squared with each
_TINY = 1e-12

_HERTZ = np.array(LOW + HIGH, np.float64)
_PHASES = 2 * np.pi * np.outer(_HERTZ, np.arange(_WINDOW)) / SAMPLES_A_SECOND
# Cosines and sines of the eight, over a window's first block and, going on, over its second: 80 x 32.
_GOERTZEL = np.concatenate(
    [wave(_PHASES[:, half]) for half in (slice(_BLOCK), slice(_BLOCK, None)) for wave in (np.cos, np.sin)]
).T.astype(np.float32)
_AT_ONCE = 64  # blocks in one product: a larger one is spread over threads that wait for one another
_CENTRED = (np.arange(_WINDOW) - (_WINDOW - 1) / 2) / SAMPLES_A_SECOND

_NO_KEY, _UNKNOWN = -1, -2

Owner = TypeVar("Owner", bound=Hashable)
_Floats = NDArray[np.float64]
_Numbers = NDArray[np.int64]


def tones_of(key: str) -> tuple[int, int]:
    """The two frequencies of a key, Hz."""
    at = _PAD.index(key)
    return LOW[at // 4], HIGH[at % 4]


class DtmfEar:
    """One call's: takes its voice as it comes."""

    def __init__(self) -> None:
        self._track = Track()
        self.take = self._track.add
        self._octets, self._came = bytes(_BLOCK), bytes(_BLOCK)  # the block before; there was none
        self._at = -_BLOCK  # samples before it
        self._down = self._seen = _NO_KEY  # the key that is held; that of the window before
        self._seen_at = 0
        self._without = self._lost = 0  # windows

    @property
    def waits(self) -> bool:
        """Whether a block is there to look at."""
        return self._track.waiting >= _BLOCK

    @property
    def holds(self) -> bool:
        """Whether the next window matters even without a tone in it."""
        return self._down != _NO_KEY or self._seen != _NO_KEY

    def take_blocks(self) -> tuple[bytes, bytes]:
        """The last block of before, and all whole ones that wait: A-law octets, and which of them came."""
        if self._track.waiting > _LONGEST:
            self._skip()
        number = self._track.waiting // _BLOCK * _BLOCK
        fresh = self._track.take(number)
        octets, came = self._octets + fresh.octets, self._came + fresh.came
        self._octets, self._came = octets[-_BLOCK:], came[-_BLOCK:]
        self._at += number
        return octets, came

    def _skip(self) -> None:
        self._at += self._track.waiting // _BLOCK * _BLOCK - _BLOCK
        self._track.take(self._track.waiting // _BLOCK * _BLOCK - _BLOCK)
        self._came = bytes(_BLOCK)
        self._down = self._seen = _NO_KEY

    def keys(self, windows: list[int]) -> Iterator[Key]:
        """The keys of the windows whose blocks were taken, each a number of _PAD, _NO_KEY or _UNKNOWN."""
        first = self._at - len(windows) * _BLOCK
        for at, found in enumerate(windows):
            if (key := self._hear(found, first + at * _BLOCK)) is not None:
                yield key

    def _hear(self, found: int, at: int) -> Key | None:
        if found == _UNKNOWN:
            self._lost += 1
            if self._lost > _LOST:
                self._down = self._seen = _NO_KEY
            return None
        self._lost = 0
        if found == self._down:
            self._without = 0
            return None
        self._without += 1
        if self._without >= _PAUSE:
            self._down = _NO_KEY
        if found == _NO_KEY or found != self._seen:
            self._seen, self._seen_at = found, at
            return None
        self._down, self._seen, self._without = found, _NO_KEY, 0
        return Key(_PAD[found], self._track.start + self._seen_at / SAMPLES_A_SECOND)


class DtmfEars(Generic[Owner]):
    """Of those calls that listen, by whom they belong to. What one hears changes nothing of another's."""

    def __init__(self) -> None:
        self._ears: dict[Owner, DtmfEar] = {}

    def __len__(self) -> int:
        return len(self._ears)

    def open(self, owner: Owner) -> DtmfEar:
        """The ear of a call, which listens from now on."""
        return self._ears.setdefault(owner, DtmfEar())

    def close(self, owner: Owner) -> None:
        """Harmless without one."""
        self._ears.pop(owner, None)

    def look(self) -> list[tuple[Owner, Key]]:
        """The keys of all that came since the last look, each told once, in the order of each call's."""
        heard = [(owner, ear) for owner, ear in self._ears.items() if ear.waits]
        if not heard:
            return []
        blocks = [ear.take_blocks() for _, ear in heard]
        found = _windows(b"".join(octets for octets, _ in blocks), b"".join(came for _, came in blocks))
        some = np.flatnonzero(found >= 0)
        told, first = [], 0
        for (owner, ear), (octets, _) in zip(heard, blocks, strict=True):
            last = first + len(octets) // _BLOCK - 1  # the window that goes into the next call's is nobody's
            if ear.holds or _any_within(some, first, last):
                told += [(owner, key) for key in ear.keys(found[first:last].tolist())]
            first = last + 1
        return told


def _any_within(places: _Numbers, first: int, last: int) -> bool:
    at = int(np.searchsorted(places, first))
    return at < len(places) and bool(places[at] < last)


def _windows(octets: bytes, came: bytes) -> _Numbers:
    """Of each window of two blocks: the number of its key in _PAD, _NO_KEY, or _UNKNOWN."""
    samples = LEVELS.take(np.frombuffer(octets, np.uint8)).reshape(-1, _BLOCK)
    energy = np.einsum("ij,ij->i", samples, samples)
    energy = energy[:-1] + energy[1:]
    found = np.full(len(energy), _NO_KEY)
    if 0 in came:
        here = np.frombuffer(came, np.uint8).reshape(-1, _BLOCK).min(axis=1) > 0
        found[~(here[:-1] & here[1:])] = _UNKNOWN
    loud = (energy > 2 * _LEAST * _WINDOW) & (found == _NO_KEY)
    if not loud.any():
        return found
    sums = _sums(samples)
    first, second = sums[:16, :-1], sums[16:, 1:]
    squares = (first + second) ** 2
    power = squares[:8] + squares[8:]
    strength = (power[:4].max(axis=0) + power[4:].max(axis=0)) * np.float32(2 / _WINDOW)
    some = np.flatnonzero(loud & (strength > _CANDIDATE * energy))
    if not len(some):
        return found
    pair = np.stack([power[:4, some].argmax(axis=0), power[4:, some].argmax(axis=0) + 4], axis=1)
    turned = _complex(second, pair, some) * _complex(first, pair, some).conj()
    hertz = _HERTZ[pair] - np.angle(turned) * (SAMPLES_A_SECOND / (2 * np.pi * _BLOCK))
    near = (np.abs(hertz - _HERTZ[pair]) < _OFF * _HERTZ[pair] + _ABOUT).all(axis=1)
    some, pair = some[near], pair[near]
    window = np.concatenate([samples[some], samples[some + 1]], axis=1).astype(np.float64)
    keys = _are_keys(window, hertz[near], _HERTZ[pair])
    found[some[keys]] = (pair[:, 0] * 4 + pair[:, 1] - 4)[keys]
    return found


def _sums(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Goertzel's of each block, which are the columns."""
    whole = np.zeros((-(-len(samples) // _AT_ONCE), _AT_ONCE, _BLOCK), np.float32)
    whole.reshape(-1, _BLOCK)[: len(samples)] = samples
    return np.ascontiguousarray((whole @ _GOERTZEL).reshape(-1, 32)[: len(samples)].T)


def _complex(sums: NDArray[np.float32], pair: _Numbers, windows: _Numbers) -> NDArray[np.complex128]:
    """Of the frequencies of `pair` in each of `windows`: cosine and sine as one number."""
    return sums[pair, windows[:, None]] + 1j * sums[pair + 8, windows[:, None]].astype(np.float64)


def _are_keys(window: _Floats, hertz: _Floats, wanted: _Floats) -> NDArray[np.bool_]:
    """Which windows (a row each) are two sinusoids of about `hertz` and nothing else, as Q.24 wants them."""
    if not len(window):
        return np.zeros(0, np.bool_)
    hertz, power, rest = _fit(window, hertz)
    twist = 10 * np.log10((power[:, 1] + _TINY) / (power[:, 0] + _TINY))
    return (
        (np.abs(hertz - wanted) <= _OFF * wanted).all(axis=1)
        & (power > _LEAST).all(axis=1)
        & (twist >= _TWIST[0])
        & (twist <= _TWIST[1])
        & (rest <= _REST)
    )


def _fit(window: _Floats, hertz: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """The two sinusoids nearest to each row by least squares (Gauss and Newton): Hz and power of both, and
    what share of the row's power is left."""
    for _ in range(_TURNS):
        waves, parts = _waves(window, hertz)
        slopes = _CENTRED * (parts[:, 1::2, None] * waves[:, ::2] - parts[:, ::2, None] * waves[:, 1::2])
        step = _least_squares(np.concatenate([waves, slopes], axis=1), window)[:, 4:]
        hertz = hertz + np.clip(step / (2 * np.pi), -_ABOUT, _ABOUT)
    waves, parts = _waves(window, hertz)
    left = window - np.einsum("ij,ijk->ik", parts, waves)
    power = (parts[:, ::2] ** 2 + parts[:, 1::2] ** 2) / 2
    return hertz, power, np.einsum("ij,ij->i", left, left) / np.einsum("ij,ij->i", window, window)


def _waves(window: _Floats, hertz: _Floats) -> tuple[_Floats, _Floats]:
    """Cosine and sine of both frequencies, and how much of each is in the window."""
    phase = 2 * np.pi * hertz[:, :, None] * _CENTRED
    waves = np.stack([np.cos(phase), np.sin(phase)], axis=2).reshape(len(window), 4, -1)
    return waves, _least_squares(waves, window)


def _least_squares(waves: _Floats, window: _Floats) -> _Floats:
    square = waves @ waves.transpose(0, 2, 1)
    square += np.eye(square.shape[1]) * _TINY  # two that are one: any share of each will do
    return np.linalg.solve(square, waves @ window[:, :, None])[:, :, 0].astype(np.float64)
