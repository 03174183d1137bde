"""The text of a message on the wire: UCS-2 both ways, parts by UTF-16 units. Pure."""

from __future__ import annotations

ONE_PART = 70
OF_SEVERAL = 67
UCS2 = 8


class BrokenText(ValueError):
    """Bytes that are no text in their data coding."""


def units(text: str) -> int:
    """UTF-16 units: what a text is cut and billed by."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def parts(text: str) -> list[str]:
    """The text in parts of at most 70 units, or 67 where there are several (six bytes of UDH each).

    A character outside the BMP is two units and is never cut in two.
    """
    if units(text) <= ONE_PART:
        return [text]
    found, part, length = [], "", 0
    for character in text:
        size = units(character)
        if length + size > OF_SEVERAL:
            found.append(part)
            part, length = "", 0
        part, length = part + character, length + size
    return [*found, part]


def udh(reference: int, total: int, number: int) -> bytes:
    """The user data header of part `number` of `total` (3GPP TS 23.040 §9.2.3.24.1)."""
    return bytes((5, 0, 3, reference & 0xFF, total, number))


def encode(text: str) -> bytes:
    """UCS-2, as data coding 8 wants it."""
    return text.encode("utf-16-be")


def decode(raw: bytes, data_coding: int) -> str:
    """The text of a delivery: UCS-2 for 8, Latin-1 for 3, else the gateway's default alphabet as ASCII.

    BrokenText for an odd number of bytes, half a surrogate pair, bytes outside the alphabet, or a zero.
    """
    try:
        if data_coding == UCS2:
            return without_zeros(raw.decode("utf-16-be"))
        return without_zeros(raw.decode("latin-1" if data_coding == 3 else "ascii"))
    except UnicodeDecodeError as error:
        raise BrokenText(f"data coding {data_coding}: {error.reason} at byte {error.start}") from None


def without_zeros(text: str) -> str:
    """Without the zeros by which some gateways end or fill up a text. BrokenText for one within it.

    PostgreSQL keeps no zero in a text.
    """
    text = text.rstrip("\0")
    if "\0" in text:
        raise BrokenText(f"a zero at character {text.index(chr(0))}")
    return text
