"""The port to the telephone's dialogues: what the desk shows and replaces, and the telephone keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FlowOnShelf", "FlowRefused", "FlowShelf"]


@dataclass(frozen=True, slots=True)
class FlowOnShelf:
    """A flow as it holds. `own` is the city's, else it came with the program; a faulty one has no nodes."""

    name: str
    version: str
    nodes: int
    own: bool
    faults: tuple[str, ...] = ()


class FlowRefused(Exception):
    """A flow that doesn't hold: each of `faults` as `file:line: place: what`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class FlowShelf(Protocol):
    """All flows by name. A KeyError is a name that there isn't."""

    @property
    def writable(self) -> bool:
        """Whether a flow can be replaced."""

    def flows(self) -> list[FlowOnShelf]:
        """Every flow, by name."""

    def svg(self, name: str) -> str:
        """Its picture, for a page; FlowRefused where it's faulty."""

    def text(self, name: str) -> str:
        """Who hears what, and which keys lead where, in Chinese; FlowRefused."""

    def source(self, name: str) -> bytes:
        """The file, to change and bring back."""

    def replace(self, name: str, content: bytes) -> FlowOnShelf:
        """Takes another in its place. FlowRefused tells all that is wrong, and then nothing is changed."""

    def restore(self, name: str) -> FlowOnShelf:
        """The one that came with the program holds again."""
