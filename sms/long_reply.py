"""Replies longer than one text: their parts are put together before anybody reads them. Pure.

A part is one deliver_sm. It says what it belongs to by a user data header (3GPP TS 23.040 §9.2.3.24.1 and
.8), or by the sar_* parameters of SMPP 3.4 §5.3.2.22–24. All parts stay unacknowledged until the whole is
stored; whoever redelivers one meanwhile brings nothing new.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

_Name = tuple[tuple[str, str, int], int, int]  # key, reference, total

_UDH_INDICATOR = 0x40
MEMORY = 120.0  # seconds in which a part of a whole that was put together is known again
PATIENCE = 10.0  # seconds for the parts that are missing; an SMSC that waits for each answer sends no other


@dataclass(frozen=True, slots=True)
class Part:
    """`number` of `total` parts; `raw` is its text's bytes without the header."""

    reference: int
    total: int
    number: int
    raw: bytes


@dataclass(slots=True)
class _Growing:
    """A reply's parts, and which delivery brought which; `until` is when it's finished, or forgotten."""

    until: float
    parts: dict[int, bytes] = field(default_factory=dict)
    brought: dict[int, int] = field(default_factory=dict)  # by sequence


@dataclass(frozen=True, slots=True)
class Whole:
    """What was put together: `key` as it was given, and every delivery that it answers."""

    key: tuple[str, str, int]
    raw: bytes
    sequences: tuple[int, ...]


class LongReplies:
    """The replies of which parts are still missing, and for a while those that were put together.

    A part that comes again after its whole, because its answer got lost, brings the same whole again; one
    that comes too late to be waited for brings the whole that it was missing in.
    """

    def __init__(self) -> None:
        self._growing: dict[_Name, _Growing] = {}
        self._finished: dict[_Name, _Growing] = {}

    def add(self, key: tuple[str, str, int], part: Part, sequence: int, now: float) -> Whole | None:
        """Takes a part of the reply of `key` (source, destination, data coding); the whole with its last."""
        name = (key, part.reference, part.total)
        growing = self._growing.get(name) or self._remembered(name, part, now)
        growing = self._growing.setdefault(name, growing or _Growing(now + PATIENCE))
        growing.parts[part.number] = part.raw
        growing.brought[sequence] = part.number
        return self._finish(name, now) if len(growing.parts) == part.total else None

    def _remembered(self, name: _Name, part: Part, now: float) -> _Growing | None:
        """What was put together under this name, unless the telephone means another text by it now."""
        for old in [old for old, finished in self._finished.items() if now >= finished.until]:
            del self._finished[old]
        finished = self._finished.pop(name, None)
        if finished is None or finished.parts.get(part.number, part.raw) != part.raw:
            return None
        return _Growing(now + PATIENCE, finished.parts)

    @property
    def deadline(self) -> float:
        """When the next one has waited long enough; infinite where none waits."""
        return min((growing.until for growing in self._growing.values()), default=float("inf"))

    def overdue(self, now: float) -> list[Whole]:
        """Those that have waited long enough, of what came."""
        names = [name for name, growing in self._growing.items() if now >= growing.until]
        return [self._finish(name, now) for name in names]

    def forget(self, sequences: Collection[int]) -> None:
        """Their link is gone: what they brought is delivered anew, and waited for until then."""
        for name, growing in list(self._growing.items()):
            gone = {growing.brought.pop(each) for each in sequences if each in growing.brought}
            for number in gone - set(growing.brought.values()):
                del growing.parts[number]
            if not growing.brought:
                del self._growing[name]

    def clear(self) -> None:
        """The only link is gone; all of them are delivered anew."""
        self._growing.clear()

    def _finish(self, name: _Name, now: float) -> Whole:
        growing = self._growing.pop(name)
        raw = b"".join(growing.parts[number] for number in sorted(growing.parts))
        self._finished[name] = _Growing(now + MEMORY, growing.parts)
        return Whole(name[0], raw, tuple(growing.brought))


def part_of(
    esm_class: int, raw: bytes, sar: tuple[int | None, int | None, int | None]
) -> tuple[Part | None, bytes]:
    """The part that a delivery is, or None for a whole text, and its bytes without a user data header.

    `sar` are its reference, total and number where the SMSC tells them apart from the text.
    """
    found = None
    if esm_class & _UDH_INDICATOR and raw and raw[0] < len(raw):
        header, raw = raw[1 : raw[0] + 1], raw[raw[0] + 1 :]
        found = _concatenation(header)
    elif None not in sar:
        found = (sar[0] or 0, sar[1] or 0, sar[2] or 0)
    if found is None or not 1 <= found[2] <= found[1] or found[1] < 2:
        return None, raw
    return Part(*found, raw), raw


def _concatenation(header: bytes) -> tuple[int, int, int] | None:
    """Reference, total and number out of the header's elements (IEI 0: 8-bit reference, 8: 16-bit)."""
    while len(header) >= 2:
        kind, value = header[0], header[2 : 2 + header[1]]
        if kind == 0 and len(value) == 3:
            return value[0], value[1], value[2]
        if kind == 8 and len(value) == 4:
            return value[0] << 8 | value[1], value[2], value[3]
        header = header[2 + header[1] :]
    return None
