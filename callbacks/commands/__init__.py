"""Commands of `huifang` that need more than a line; `app.py` adds each to its command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from callbacks.intake_settings import IntakeSettings
from callbacks.service.core import Context
from callbacks.settings import OfficeSettings, PolicySettings

T = TypeVar("T")


class App(Protocol):
    """What the command line gives a command: `click.pass_obj` hands it over."""

    def policy(self) -> PolicySettings:
        """The configured policy; without a configuration, the stock one."""

    def office(self) -> OfficeSettings:
        """The configured office; without a configuration, an example."""

    def intake(self) -> IntakeSettings:
        """The configured sources of cases; without a configuration, none."""

    def survey_scale(self) -> str:
        """The scale on which the callbacks' survey asks."""

    def with_context(self, work: Callable[[Context], T]) -> T:
        """Runs `work` on the office's database, and closes it."""
