"""What a city sets for the sources that cases come from, so that what is missing from one shows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from callbacks.folder_settings import FolderSettings
from callbacks.settings import Section
from callbacks.vocabulary import SourceChannel


class SourceSettings(Section):
    """A source: the cases of a platform, of a source channel, or whose numbers are of its sequence."""

    name: str = Field(pattern=r"^[\w-]{1,80}$", description="as gaps and the source's own counts name it")
    platform: str | None = Field(None, min_length=1, max_length=80)
    source_channel: SourceChannel | None = None
    sequence: str | None = Field(
        None,
        max_length=200,
        description="a pattern of the whole case number whose last group is the running number, e.g. "
        r"'WX(\d{8})(\d{4})': what stands before it is the run, and each run begins anew",
    )
    first_serial: int | None = Field(
        None,
        ge=0,
        description="where a run begins; not given: 1 where a group tells runs, else the least seen",
    )

    @field_validator("sequence")
    @classmethod
    def _ends_in_a_number(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"no pattern: {error}") from None
        if not groups or not re.search(r"\)\$?$", value):
            raise ValueError(r"its last group, at its end, is the running number: 'WX(\d{8})(\d{4})'")
        return value

    @model_validator(mode="after")
    def _tells_cases_apart(self) -> SourceSettings:
        if self.platform is None and self.source_channel is None and self.sequence is None:
            raise ValueError("a source needs a platform, a source_channel or a sequence")
        return self


def _names_once(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise ValueError("two sources have the same name")
    return sources


class IntakeSettings(FolderSettings):
    """The watched folder, and how gaps at intake are found."""

    sources: Annotated[tuple[SourceSettings, ...], AfterValidator(_names_once)] = ()
    grace: timedelta = Field(
        timedelta(hours=2), ge=timedelta(0), description="how late a case may come before it's missed"
    )
    look_back: timedelta = Field(
        timedelta(days=60), ge=timedelta(days=1), description="older cases' numbers are looked at no more"
    )

    def source(self, name: str) -> SourceSettings | None:
        return next((source for source in self.sources if source.name == name), None)
