"""Voice that says which frame of whom it is, and says it still after the other law and back."""

from __future__ import annotations

from ivr.events import Codec
from ivr.media import g711

__all__ = ["LAWS", "STAMPED", "read", "stamped"]

LAWS: tuple[Codec, Codec] = ("pcma", "pcmu")
STAMPED = 160  # octets of 20 ms
_HEX = b"0123456789abcdef"
_DIGITS = 7  # three of the telephone, four of its frame


def _alphabet() -> dict[Codec, bytes]:
    """Sixteen octets of each law, the same sounds in both, that become one another and come back."""
    alaw = []
    for octet in range(256):
        one = bytes([octet])
        there = g711.other_law(one, "pcmu")
        silent = one == g711.SILENT_FRAMES["pcma"][:1] or there == g711.SILENT_FRAMES["pcmu"][:1]
        if g711.other_law(there, "pcma") == one and not silent:
            alaw.append(octet)
    chosen = bytes(alaw[:: len(alaw) // 16][:16])
    return {"pcma": chosen, "pcmu": g711.other_law(chosen, "pcmu")}


def _reader(alphabet: bytes) -> bytes:
    """A table from octets to what they say, x for those that aren't of the alphabet."""
    table = bytearray(b"x" * 256)
    for digit, octet in zip(_HEX, alphabet, strict=True):
        table[octet] = digit
    return bytes(table)


_ALPHABET = _alphabet()
_WRITE = {law: bytes.maketrans(_HEX, _ALPHABET[law]) for law in LAWS}
_READ = {
    law: bytes(
        _HEX[_ALPHABET[law].index(octet)] if octet in _ALPHABET[law] else ord("x") for octet in range(256)
    )
    for law in LAWS
}
_REST = {law: (_ALPHABET[law] * 10)[: STAMPED - _DIGITS] for law in LAWS}


def stamped(telephone: int, frame: int, law: Codec) -> bytes:
    """20 ms of `law` that say their telephone (below 4096) and frame (modulo 65536)."""
    return f"{telephone:03x}{frame & 0xFFFF:04x}".encode().translate(_WRITE[law]) + _REST[law]


def read(datagram: bytes, at: int, law: Codec) -> tuple[int, int] | None:
    """(telephone, frame) of the voice that begins at octet `at`; None where an octet isn't as it was said."""
    try:
        both = int(datagram[at : at + _DIGITS].translate(_READ[law]), 16)
    except ValueError:
        return None
    if datagram[at + _DIGITS :] != _REST[law]:
        return None
    return both >> 16, both & 0xFFFF
