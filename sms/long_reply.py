"""Replies longer than one text: their parts are put together before anybody reads them. Pure.

A part is one deliver_sm. It says what it belongs to by a user data header (3GPP TS 23.040 §9.2.3.24.1 and
.8), or by the sar_* parameters of SMPP 3.4 §5.3.2.22–24. All parts stay unacknowledged until the whole is
stored; whoever redelivers one meanwhile brings nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_UDH_INDICATOR = 0x40
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
    deadline: float
    total: int
    parts: dict[int, bytes] = field(default_factory=dict)
    sequences: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Whole:
    """What was put together: `key` as it was given, and every delivery that it answers."""

    key: tuple[str, str, int]
    raw: bytes
    sequences: tuple[int, ...]


class LongReplies:
    """The replies of which parts are still missing."""

    def __init__(self) -> None:
        self._growing: dict[tuple[tuple[str, str, int], int, int], _Growing] = {}

    def add(self, key: tuple[str, str, int], part: Part, sequence: int, now: float) -> Whole | None:
        """Takes a part of the reply of `key` (source, destination, data coding); the whole with its last."""
        name = (key, part.reference, part.total)
        growing = self._growing.setdefault(name, _Growing(now + PATIENCE, part.total))
        growing.parts[part.number] = part.raw
        growing.sequences.append(sequence)
        return self._finish(name) if len(growing.parts) == part.total else None

    @property
    def deadline(self) -> float:
        """When the next one has waited long enough; infinite where none waits."""
        return min((growing.deadline for growing in self._growing.values()), default=float("inf"))

    def overdue(self, now: float) -> list[Whole]:
        """Those that have waited long enough, of what came."""
        names = [name for name, growing in self._growing.items() if now >= growing.deadline]
        return [self._finish(name) for name in names]

    def clear(self) -> None:
        """The link is gone; all of them are delivered anew."""
        self._growing.clear()

    def _finish(self, name: tuple[tuple[str, str, int], int, int]) -> Whole:
        growing = self._growing.pop(name)
        raw = b"".join(growing.parts[number] for number in sorted(growing.parts))
        return Whole(name[0], raw, tuple(growing.sequences))


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
