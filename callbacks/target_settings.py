"""`[targets]`: desks, operators and agents that may be rung, by name. Case data can't reach them (§1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from callbacks.numbers import is_emergency
from callbacks.settings import Section

__all__ = ["TargetName", "TargetSettings", "Targets", "telephones_of", "trunk_faults"]

TargetName = Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,40}$")]


class TargetSettings(Section):
    """A telephone of ours, dialled as it is written here."""

    number: str = Field(
        pattern=r"^\+?[0-9*]{1,32}$", description="number or extension, as its trunk wants it dialled"
    )
    trunk: str | None = Field(None, max_length=40, description="one of voice.trunks; none is the first")
    logins: tuple[str, ...] = Field(
        (), description="users of the desk who are rung there; none: it is no agent's telephone"
    )

    @model_validator(mode="after")
    def _an_agent_is_no_emergency_desk(self) -> TargetSettings:
        if self.logins and is_emergency(self.number):
            raise ValueError(f"{self.number} is an emergency number, not the telephone of {self.logins[0]}")
        return self


Targets = Mapping[str, TargetSettings]


def telephones_of(targets: Targets, login: str) -> tuple[str, ...]:
    """The names of the telephones on which this user may be rung, in the order of the settings."""
    return tuple(name for name, target in targets.items() if login in target.logins)


def trunk_faults(targets: Targets, trunks: tuple[str, ...]) -> list[str]:
    """What is wrong with the targets' trunks: `targets.desk-1.trunk: …`, one line each."""
    known = ", ".join(trunks) or "none"
    return [
        f"targets.{name}.trunk: no trunk is named {target.trunk!r}; there is {known}"
        for name, target in targets.items()
        if target.trunk is not None and target.trunk not in trunks
    ]
