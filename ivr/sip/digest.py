"""Digest authentication of a client (RFC 2617, RFC 7616). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Credentials"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account on a trunk."""

    username: str
    password: str = field(repr=False)
