"""The lines of a CSV file: their encoding, and taking back what a stray quote has swallowed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path

_ENCODINGS = ("utf-8-sig", "gb18030")


def encoding_of(path: Path) -> str | None:
    """The encoding of the heading, where that isn't ASCII and is right in one; else the one in which at least
    half of the lines that aren't ASCII are right; None where neither is.

    UTF-8, with or without BOM, is asked first, then GB18030, which old office software writes. Chinese in the
    one is hardly ever right in the other, so one broken line doesn't turn all the rest to other words. A
    single character may be: 元 of GB18030 is a letter of UTF-8, and stands in each line of a bill.
    """
    broken: Counter[str] = Counter()
    telling = 0
    with path.open("rb") as file:
        heading = file.readline()
        for encoding in _ENCODINGS:
            if not heading.isascii() and _is_right(heading, encoding):
                return encoding
        file.seek(0)
        for line in file:
            if line.isascii():
                continue
            telling += 1
            for encoding in _ENCODINGS:
                if _is_right(line, encoding):
                    break
                broken[encoding] += 1
    return next((encoding for encoding in _ENCODINGS if broken[encoding] * 2 <= telling), None)


def _is_right(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


class Lines:
    """A file's lines, counted; those of a record that came to nothing are given back but for the first."""

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._waiting: deque[str] = deque()
        self._record: list[str] = []
        self._number = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._file)
        self._record.append(line)
        self._number += 1
        return line

    def begin(self) -> int:
        """Begins a record; the number of its first line, from 1."""
        self._record.clear()
        return self._number + 1

    def give_back(self) -> None:
        """Gives back all lines of the record but its first."""
        later = self._record[1:]
        self._waiting.extendleft(reversed(later))
        self._number -= len(later)
