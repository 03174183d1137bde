"""The transactions of RFC 3261 §17 with RFC 6026. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Timers"]


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds: round-trip estimate, longest pause between retransmissions, life of a message."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
