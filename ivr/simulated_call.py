"""What `simulated_line` knows of one call, from `dial` or its coming to its Ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ivr.citizen import Citizen
from ivr.events import Codec
from ivr.line import Dial
from ivr.media.remote import Hear

__all__ = ["SimulatedCall", "SimulatedRecording"]


@dataclass(slots=True)
class SimulatedCall:
    order: Dial
    citizen: Citizen
    rang: bool = False
    answered: bool = False
    incoming: bool = False
    turn: int = 0  # what was planned for an earlier prompt doesn't happen
    prompts: int = 0
    bridged: list[SimulatedCall] = field(default_factory=list)
    codec: Codec = "pcma"
    recording: SimulatedRecording | None = None
    hear: Hear | None = None


@dataclass(slots=True)
class SimulatedRecording:
    """What is being recorded: since when, and for how long somebody speaks, and is heard, at most."""

    token: str
    began: float
    speaks: float
    most: float
