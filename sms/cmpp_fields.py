"""The kinds of field in a CMPP packet: each packs a value and unpacks it from a place in the bytes. No I/O.

A value that doesn't fit, and bytes that end too soon, are ValueErrors.
"""

from __future__ import annotations

from dataclasses import dataclass

NUMBER = 21  # bytes of a telephone number


@dataclass(frozen=True, slots=True)
class Unsigned:
    size: int

    def pack(self, value: int) -> bytes:
        if not 0 <= value < 1 << 8 * self.size:
            raise ValueError(f"{value} doesn't fit into {self.size} bytes")
        return value.to_bytes(self.size, "big")

    def unpack(self, raw: bytes, at: int) -> tuple[int, int]:
        return int.from_bytes(_cut(raw, at, self.size), "big"), at + self.size


@dataclass(frozen=True, slots=True)
class Raw:
    size: int

    def pack(self, value: bytes) -> bytes:
        if len(value) != self.size:
            raise ValueError(f"{len(value)} bytes instead of {self.size}")
        return value

    def unpack(self, raw: bytes, at: int) -> tuple[bytes, int]:
        return _cut(raw, at, self.size), at + self.size


@dataclass(frozen=True, slots=True)
class Text:
    size: int

    def pack(self, value: str) -> bytes:
        if len(value) > self.size or not value.isascii() or "\0" in value:
            raise ValueError(f"{value!r} isn't at most {self.size} ASCII characters")
        return value.encode("ascii").ljust(self.size, b"\0")

    def unpack(self, raw: bytes, at: int) -> tuple[str, int]:
        value = _cut(raw, at, self.size).partition(b"\0")[0]
        return value.decode("latin-1").rstrip(" "), at + self.size  # some gateways fill up with blanks


@dataclass(frozen=True, slots=True)
class Numbers:
    """A byte that counts, and so many telephone numbers (DestUsr_tl, Dest_terminal_Id)."""

    most: int = 99

    def pack(self, value: tuple[str, ...]) -> bytes:
        if not 1 <= len(value) <= self.most:
            raise ValueError(f"{len(value)} numbers instead of 1 to {self.most}")
        return bytes([len(value)]) + b"".join(Text(NUMBER).pack(number) for number in value)

    def unpack(self, raw: bytes, at: int) -> tuple[tuple[str, ...], int]:
        start, count = at + 1, _cut(raw, at, 1)[0]
        numbers = (Text(NUMBER).unpack(raw, start + NUMBER * each)[0] for each in range(count))
        return tuple(numbers), start + NUMBER * count


@dataclass(frozen=True, slots=True)
class Content:
    """A byte that states the length, and so many bytes (Msg_Length, Msg_Content)."""

    def pack(self, value: bytes) -> bytes:
        if len(value) > 255:
            raise ValueError(f"{len(value)} bytes are more than 255")
        return bytes([len(value)]) + value

    def unpack(self, raw: bytes, at: int) -> tuple[bytes, int]:
        length = _cut(raw, at, 1)[0]
        return _cut(raw, at + 1, length), at + 1 + length


def _cut(raw: bytes, at: int, size: int) -> bytes:
    if at + size > len(raw):
        raise ValueError("cut off")
    return raw[at : at + size]
