"""Keys of SRTP in session descriptions: a=crypto (RFC 4568; GCM by RFC 7714 §14). Pure."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Crypto", "SrtpKeys", "Suite", "cryptos_of", "new_cryptos"]

Suite = Literal["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_32"]
_OCTETS: dict[str, tuple[Suite, int]] = {  # of a master key and its salt; in the order that we prefer
    "AES_CM_128_HMAC_SHA1_80": ("AES_CM_128_HMAC_SHA1_80", 16 + 14),
    "AEAD_AES_128_GCM": ("AEAD_AES_128_GCM", 16 + 12),
    "AES_CM_128_HMAC_SHA1_32": ("AES_CM_128_HMAC_SHA1_32", 16 + 14),
}
# One key, which lives as long as the call whatever lifetime it's given; no MKI (§6.1).
_INLINE = re.compile(r"inline:([A-Za-z0-9+/]+)={0,2}(?:\|(?:2\^\d{1,2}|\d{1,15}))?", re.ASCII)
_TAG = re.compile(r"[1-9]\d{0,8}|0", re.ASCII)
_HARMLESS = re.compile(r"WSH=\d+|-.*", re.ASCII)  # §6.3.7: "-" is what needs not be understood


@dataclass(frozen=True, slots=True)
class Crypto:
    """One line: `key` is the master key with its salt, by which its writer sends (§6.1)."""

    tag: int
    suite: Suite
    key: bytes = field(repr=False)

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What both ends agreed: `ours` is the key that we send by, `theirs` that by which they do."""

    suite: Suite
    ours: bytes = field(repr=False)
    theirs: bytes = field(repr=False)


def new_cryptos(random: Callable[[int], bytes]) -> tuple[Crypto, ...]:
    """A line for each suite, each with a key of its own; `random` gives so many octets (§6.1: it must be)."""
    return tuple(Crypto(tag, suite, random(size)) for tag, (suite, size) in enumerate(_OCTETS.values(), 1))


def cryptos_of(values: Iterable[str]) -> list[Crypto]:
    """The lines that we can take, in their order; one that isn't understood is passed over (§5.1.2)."""
    return [crypto for value in values if (crypto := _crypto(value)) is not None]


def _crypto(value: str) -> Crypto | None:
    words = value.split()
    if len(words) < 3 or not all(_HARMLESS.fullmatch(param) for param in words[3:]):
        return None
    found, inline = _OCTETS.get(words[1]), _INLINE.fullmatch(words[2])
    if found is None or inline is None or not _TAG.fullmatch(words[0]):
        return None
    suite, size = found
    try:
        key = b64decode(inline[1] + "=" * (-len(inline[1]) % 4))
    except binascii.Error:
        return None
    return Crypto(int(words[0]), suite, key) if len(key) == size else None
