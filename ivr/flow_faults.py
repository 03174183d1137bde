"""What is wrong with a flow's file, and where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Fault", "FlowError", "Place"]

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """`place` is the way to the value in the file: ("nodes", "q_rating", "keys", "1")."""

    place: Place
    what: str

    @property
    def where(self) -> str:
        return ".".join(str(part) for part in self.place)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.place else self.what


class FlowError(Exception):
    """A flow is wrong; each of `faults` names file, line, place and what would be right."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
