"""What a city sets for its office, database and policy. Defaults are domain.md §1's; `office` has none."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from callbacks.rating import SCALES, Scale


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfficeSettings(Section):
    name: str = Field(
        min_length=2, max_length=24, description="the office as citizens hear it, e.g. 示例市110联动办"
    )
    area_code: str = Field(pattern=r"^0(10|2\d|[3-9]\d{2})$", description="with its leading 0, e.g. 0379")
    signature: str = Field(
        min_length=2, max_length=16, description="the SMS signature without brackets, e.g. 示例市110联动"
    )
    sender_code: str = Field(
        pattern=r"^\d{3,20}$", description="the number that texts come from and replies go to"
    )
    caller_number: str = Field(pattern=r"^0\d{9,11}$", description="the full local number shown as caller")
    hotline_name: str = Field("110联动热线", max_length=20)

    @property
    def own_numbers(self) -> frozenset[str]:
        """Numbers that are ours and so never dialled or texted."""
        return frozenset({self.caller_number, self.sender_code})


class DatabaseSettings(Section):
    url: str = Field(
        "sqlite:///data/huifang.db", description="SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://…"
    )
    key_file: Path = Field(
        Path("data/huifang.key"), description="keys of the stored numbers, made at the first start"
    )


class Span(Section):
    """A part of a day, local time; `end` is outside it. 00:00–00:00 is the whole day."""

    start: time
    end: time

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.end != time(0) and self.end <= self.start:
            raise ValueError(f"end {self.end} is not after start {self.start}")
        return self


def _span(start: str, end: str) -> Span:
    return Span(start=time.fromisoformat(start), end=time.fromisoformat(end))


class WindowSettings(Section):
    """When we may begin a call or a text (domain.md §1)."""

    timezone: str = "Asia/Shanghai"
    voice: tuple[Span, ...] = (_span("09:00", "12:00"), _span("14:00", "20:30"))
    voice_weekend: tuple[Span, ...] = (_span("09:30", "12:00"), _span("14:00", "20:30"))
    sms: tuple[Span, ...] = (_span("08:00", "21:00"),)
    evening: Span = _span("18:00", "20:30")
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no time zone; e.g. Asia/Shanghai") from None
        return name

    @model_validator(mode="after")
    def _leave_time(self) -> WindowSettings:
        if not self.sms:
            raise ValueError("sms has no span; texts are switched off by policy.texts = false")
        if not self.voice and not self.voice_weekend:
            raise ValueError("voice and voice_weekend have no span: nobody could ever be called")
        return self


class CapSettings(Section):
    """Calls to one number over all cases. `enabled = false` is for tests and the demo alone."""

    enabled: bool = True
    per_half_day: int = Field(1, ge=1)
    per_day: int = Field(2, ge=1)
    per_30_days: int = Field(10, ge=1)
    apart: timedelta = timedelta(hours=2)


class PolicySettings(Section):
    """Who is asked when and how often (domain.md §1, §5)."""

    scale: Literal["cn3", "cn5"] = "cn3"
    texts: bool = True
    attempts_per_round: int = Field(3, ge=1, le=10)
    two_day_rule: bool = True
    first_step_delay: timedelta = timedelta(hours=2)
    reply_wait: timedelta = timedelta(hours=24)
    text_answerable: timedelta = timedelta(hours=72)
    open_text_wait: timedelta = timedelta(hours=24)
    round_deadline: timedelta = timedelta(days=10)
    agent_deadline: timedelta = timedelta(days=7)
    change_window: timedelta = timedelta(minutes=30)
    network_backoff: timedelta = timedelta(minutes=10)
    network_fail_alarm: int = Field(5, ge=1)
    unknown_rest: timedelta = timedelta(hours=2)
    text_unknown_wait: timedelta = timedelta(minutes=10)
    text_transient_tries: int = Field(3, ge=1)
    ungated_answer: timedelta = timedelta(minutes=10)
    reply_dedupe: timedelta = timedelta(minutes=10)
    exhausted: Literal["agent", "unreached"] = "agent"
    sensitive: Literal["agent", "exclude"] = "agent"
    after_opt_out: Literal["refused", "call"] = "refused"
    cases_per_call: int = Field(3, ge=1, le=3)
    lease: timedelta = timedelta(seconds=15)
    windows: WindowSettings = WindowSettings()
    caps: CapSettings = CapSettings()

    @property
    def rating_scale(self) -> Scale:
        return SCALES[self.scale]
