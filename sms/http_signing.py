"""Signatures over described strings: of our requests, and of providers' pushes. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from enum import StrEnum


class Algorithm(StrEnum):
    HMAC_SHA1 = "hmac-sha1"
    HMAC_SHA256 = "hmac-sha256"
    SHA256 = "sha256"  # without a key, which then stands in the string itself


class Written(StrEnum):
    """How the signature's bytes are written."""

    BASE64 = "base64"
    HEX = "hex"


def sign(algorithm: Algorithm, key: str, text: bytes, written: Written) -> str:
    """The signature of `text`."""
    digest = _digest(algorithm, key.encode(), text)
    return base64.b64encode(digest).decode() if written is Written.BASE64 else digest.hex()


def matches(expected: str, given: str, written: Written) -> bool:
    """Whether a signature is the one expected, in a time that tells nothing of it."""
    if written is Written.HEX:
        given = given.lower()
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def _digest(algorithm: Algorithm, key: bytes, text: bytes) -> bytes:
    match algorithm:
        case Algorithm.HMAC_SHA1:
            return hmac.digest(key, text, "sha1")
        case Algorithm.HMAC_SHA256:
            return hmac.digest(key, text, "sha256")
        case Algorithm.SHA256:
            return hashlib.sha256(text).digest()
