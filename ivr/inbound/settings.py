"""`[inbound]`: the trunks that bring 110, and who answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from callbacks.settings import Section
from callbacks.target_settings import TargetName, TargetSettings
from callbacks.toll_settings import TollSettings
from ivr.inbound.operator_keys import CODE
from ivr.inbound.switchboard_data import Mode, Rules, SeatRule, Strategy
from ivr.settings import VoiceSettings
from ivr.trunk_settings import TrunkSettings

__all__ = [
    "InboundSettings",
    "InboundTrunk",
    "OperatorSettings",
    "TransferSettings",
    "rules_of",
    "target_faults",
]

GroupName = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,40}$")]
Number = Annotated[str, StringConstraints(pattern=r"^\+?\d{3,20}$")]


class InboundTrunk(TrunkSettings):
    """A trunk of the inbound group: it brings 110, and calls to desk and operators leave by it."""

    accepts_302: bool = Field(False, description="whether it sends a caller on where a 302 names")
    accepts_refer: bool = Field(False, description="whether it makes a transfer itself when a REFER asks")
    passes_place: bool = Field(
        True, description="whether a call by it carries where the caller is (PIDF-LO), which may be long"
    )


class OperatorSettings(Section):
    """An operator's telephone."""

    target: TargetName = Field(description="its name in [targets]")
    group: GroupName = Field("first", description="operators.first is rung first")


class TransferSettings(Section):
    """Whom an operator may bring in: `*CODE#` for the three of them, `**CODE#` to hand over."""

    code: Annotated[str, StringConstraints(pattern=CODE)] = Field(description="what is keyed in")
    target: TargetName = Field(description="its name in [targets]: a unit, 12345, another operator")


class InboundSettings(VoiceSettings):
    """The inbound role: sockets and timers of its own, so that no fault of the callbacks is one of 110."""

    sip_port: int = Field(5090, ge=0, le=65535, description="our SIP port over UDP; 0 takes any free one")
    rtp_port_min: int = Field(26000, ge=1024, le=65534, description="first media port, even")
    rtp_port_max: int = Field(29999, ge=1025, le=65535, description="last media port, RTCP among them")
    lines: int = Field(120, ge=2, le=2000, description="legs at once: a caller and a person are two")
    media_lost_after: float = Field(
        120.0, ge=0.2, le=120, description="seconds without a packet: who can't be heard may still hear"
    )
    trunks: tuple[InboundTrunk, ...] = Field((), description="[[inbound.trunks]], the first is preferred")
    mode: Mode = Field(Mode.REDIRECT, description="redirect to the emergency desk, or our own operators")
    callback_numbers: tuple[Number, ...] = Field(
        (), description="whoever calls another number than these is taken as calling 110"
    )
    desk: tuple[TargetName, ...] = Field((), description="the emergency desk's names in [targets], in order")
    operators: tuple[OperatorSettings, ...] = Field((), description="[[inbound.operators]]")
    strategy: Strategy = Field(Strategy.LEAST_RECENT, description="whom of a group a caller rings")
    ring_time: float = Field(15.0, ge=1, le=120, description="seconds that a telephone rings")
    wrap_up: float = Field(10.0, ge=0, le=600, description="seconds after a call for its notes")
    rest: float = Field(10.0, ge=1, le=600, description="seconds before one that didn't answer rings again")
    overflow: tuple[GroupName, ...] = Field(
        (), description="groups and [targets] that join in, step by step, for who waits"
    )
    overflow_after: float = Field(20.0, ge=1, le=600, description="seconds of waiting, for each step")
    overflow_at: int = Field(
        10, ge=1, le=1000, description="so many wait: they and the next overflow at once"
    )
    transfers: tuple[TransferSettings, ...] = Field((), description="[[inbound.transfers]]")
    transfer_ring_time: float = Field(30.0, ge=5, le=120, description="seconds that whom they name rings")
    pop_url: str = Field(
        "",
        max_length=200,
        pattern=r"^(https?://[^\s<>]*\{call\}[^\s<>]*)?$",
        description="what an operator's telephone opens as it rings: https://desk.example/inbound/{call}",
    )
    announce_every: float = Field(20.0, ge=5, le=300, description="seconds between announcements")
    drain_seconds: float = Field(300.0, ge=0, le=3600, description="how long calls may go on after SIGTERM")

    recordings: Path | None = Field(
        None, description="folder of what is said on 110, each leg a file; absent: nothing is recorded"
    )
    recordings_days: int = Field(90, ge=1, le=3650, description="how long recordings are kept")

    @property
    def enabled(self) -> bool:
        return bool(self.trunks)

    @property
    def codes(self) -> dict[str, str]:
        """Whom operators may bring in: code → target."""
        return {transfer.code: transfer.target for transfer in self.transfers}

    @model_validator(mode="after")
    def _nobody_is_counted(self) -> InboundSettings:
        if self.toll != TollSettings():
            raise ValueError("toll is a matter of [voice]: nobody who calls 110 waits for a limit")
        return self

    @model_validator(mode="after")
    def _somebody_answers(self) -> InboundSettings:
        if not self.trunks:
            return self
        if self.mode is Mode.REDIRECT and not self.desk:
            raise ValueError("mode redirect needs desk: where 110 goes")
        if self.mode is Mode.OPERATORS and not self.operators:
            raise ValueError("mode operators needs [[inbound.operators]]")
        names = [operator.target for operator in self.operators]
        if len(set(names)) < len(names):
            raise ValueError(f"an operator stands once: {', '.join(names)}")
        if len(self.codes) < len(self.transfers):
            codes = ", ".join(transfer.code for transfer in self.transfers)
            raise ValueError(f"transfers: a code names one target: {codes}")
        return self


def rules_of(settings: InboundSettings) -> Rules:
    """What the switchboard goes by. The first group is that of the first operator."""
    groups = tuple(dict.fromkeys(operator.group for operator in settings.operators))
    return Rules(
        mode=settings.mode,
        desk=settings.desk,
        seats=tuple(SeatRule(operator.target, operator.group) for operator in settings.operators),
        groups=groups,
        overflow=settings.overflow,
        strategy=settings.strategy,
        ring_time=settings.ring_time,
        wrap_up=settings.wrap_up,
        rest=settings.rest,
        overflow_after=settings.overflow_after,
        overflow_at=settings.overflow_at,
        announce_every=settings.announce_every,
        third_ring_time=settings.transfer_ring_time,
    )


def target_faults(settings: InboundSettings, targets: Mapping[str, TargetSettings]) -> list[str]:
    """What is named and isn't there: `inbound.desk: no target is named …`, one line each."""
    groups = {operator.group for operator in settings.operators}
    named = [("desk", name) for name in settings.desk]
    named += [("operators", operator.target) for operator in settings.operators]
    named += [("transfers", transfer.target) for transfer in settings.transfers]
    named += [("overflow", name) for name in settings.overflow if name not in groups]
    known = ", ".join(targets) or "none"
    faults = [
        f"inbound.{place}: no target is named {name!r}; there is {known}"
        for place, name in named
        if name not in targets
    ]
    trunks = tuple(trunk.name for trunk in settings.trunks)
    for name in dict.fromkeys(name for _, name in named if name in targets):
        trunk = targets[name].trunk
        if trunk is not None and trunk not in trunks:
            there = ", ".join(trunks)
            faults.append(f"targets.{name}.trunk: {trunk!r} is none of inbound.trunks; there is {there}")
    return faults
