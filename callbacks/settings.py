"""What a city sets for its office, database and policy. Defaults are domain.md §1's; `office` has none."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from callbacks.rating import SCALES, Scale


class Section(BaseModel):
    """A section of the configuration: unknown keys are errors, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _local(at: time) -> time:
    """As it's written: a bare 22 would be 22 seconds past midnight in UTC."""
    if at.tzinfo is not None:
        raise ValueError('a local time is written "21:30", without a zone')
    return at


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; e.g. Asia/Shanghai") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
LocalTime = Annotated[time, AfterValidator(_local)]


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
    extension_codes: int = Field(
        0, ge=0, le=99, description="how many of 01–99 may be appended to sender_code, for a second question"
    )
    caller_number: str = Field(pattern=r"^0\d{9,11}$", description="the full local number shown as caller")
    hotline_name: str = Field("110联动热线", max_length=20)

    @property
    def own_numbers(self) -> frozenset[str]:
        """Numbers that are ours and so never dialled or texted."""
        return frozenset({self.caller_number, self.sender_code})

    @property
    def sender_codes(self) -> tuple[str, ...]:
        """The sender code, and after it each with an extension, in the order in which they're used."""
        extended = (f"{self.sender_code}{number:02}" for number in range(1, self.extension_codes + 1))
        return (self.sender_code, *extended)


class DatabaseSettings(Section):
    url: str = Field(
        "sqlite:///data/huifang.db", description="SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://…"
    )
    key_file: Path = Field(
        Path("data/huifang.key"), description="keys of the stored numbers, made at the first start"
    )
    spool: Path | None = Field(
        None, description="folder of what comes while the database is away; else `spool` beside the key file"
    )

    @property
    def spool_folder(self) -> Path:
        return self.spool or self.key_file.parent / "spool"


class Span(Section):
    """A part of a day, local time; `end` is outside it. 00:00–00:00 is the whole day."""

    start: LocalTime
    end: LocalTime

    @model_validator(mode="after")
    def _ordered(self) -> Span:
        if self.end != time(0) and self.end <= self.start:
            raise ValueError(f"end {self.end} is not after start {self.start}")
        return self


def _span(start: str, end: str) -> Span:
    return Span(start=time.fromisoformat(start), end=time.fromisoformat(end))


class DayWindows(Section):
    """The windows of one weekday; what isn't given is as on other days."""

    voice: tuple[Span, ...] | None = None
    sms: tuple[Span, ...] | None = None


class WeekWindows(Section):
    """Windows of single weekdays, where one differs."""

    mon: DayWindows = DayWindows()
    tue: DayWindows = DayWindows()
    wed: DayWindows = DayWindows()
    thu: DayWindows = DayWindows()
    fri: DayWindows = DayWindows()
    sat: DayWindows = DayWindows()
    sun: DayWindows = DayWindows()


class WindowSettings(Section):
    """When we may begin a call or a text (domain.md §1).

    A day's windows: a holiday's where it's one, else its weekday's own, else the weekend's or the workday's.
    An empty list means none at all.
    """

    timezone: TimeZone = "Asia/Shanghai"
    voice: tuple[Span, ...] = (_span("09:00", "12:00"), _span("14:00", "20:30"))
    voice_weekend: tuple[Span, ...] = (_span("09:30", "12:00"), _span("14:00", "20:30"))
    voice_holiday: tuple[Span, ...] | None = Field(None, description="not given: as at weekends; []: none")
    sms: tuple[Span, ...] = (_span("08:00", "21:00"),)
    sms_weekend: tuple[Span, ...] | None = Field(None, description="not given: as on workdays")
    sms_holiday: tuple[Span, ...] | None = Field(None, description="not given: as at weekends; []: none")
    weekday: WeekWindows = WeekWindows()
    evening: Span = _span("18:00", "20:30")
    calendar: Literal["cn", "none"] = Field(
        "cn", description="China's public holidays and make-up workdays, as far as they are announced"
    )
    holidays: frozenset[date] = Field(frozenset(), description="further days off; stands over the calendar")
    workdays: frozenset[date] = Field(frozenset(), description="days that are worked; over the calendar too")

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
    apart: timedelta = Field(timedelta(hours=2), ge=timedelta(0))


class RetrySettings(Section):
    """When to try again after one cause: not before `delay`, spread over `jitter`, on another day if so."""

    delay: timedelta = Field(ge=timedelta(0))
    jitter: timedelta = Field(timedelta(0), ge=timedelta(0), le=timedelta(days=1))
    another_day: bool = False


def _hours(hours: float, jitter: float = 0.5, *, another_day: bool = False) -> RetrySettings:
    delay, spread = timedelta(hours=hours), timedelta(hours=jitter)
    return RetrySettings(delay=delay, jitter=spread, another_day=another_day)


class RetriesSettings(Section):
    """Retries by cause (domain.md §2). The caps and the round's two days stand over them."""

    busy: RetrySettings = _hours(2)
    no_answer: RetrySettings = _hours(3)
    powered_off: RetrySettings = _hours(4, 1)
    rejected: RetrySettings = _hours(4, 1, another_day=True)
    unallocated: RetrySettings = _hours(12, 1, another_day=True)
    machine: RetrySettings = _hours(3)
    media_lost: RetrySettings = _hours(2)
    answered: RetrySettings = _hours(4, 1)  # and nobody rated
    unknown: RetrySettings = _hours(2)
    network_fail: RetrySettings = RetrySettings(delay=timedelta(minutes=10), jitter=timedelta(minutes=5))
    trunk_refused: RetrySettings = RetrySettings(delay=timedelta(minutes=10), jitter=timedelta(minutes=5))
    longest_backoff: timedelta = Field(
        timedelta(hours=4), gt=timedelta(0), description="what doesn't count backs off twofold up to this"
    )


Length = Annotated[timedelta, Field(ge=timedelta(0))]


class PolicySettings(Section):
    """Who is asked when and how often (domain.md §1, §5)."""

    scale: Literal["cn3", "cn5"] = "cn3"
    texts: bool = True
    attempts_per_round: int = Field(3, ge=1, le=10)
    two_day_rule: bool = True
    first_step_delay: Length = timedelta(hours=2)
    reply_wait: Length = timedelta(hours=24)
    text_answerable: Length = timedelta(hours=72)
    open_text_wait: Length = timedelta(hours=24)
    round_deadline: timedelta = Field(timedelta(days=10), gt=timedelta(0))
    agent_deadline: Length = timedelta(days=7)
    change_window: Length = timedelta(minutes=30)
    network_fail_alarm: int = Field(5, ge=1)
    unknown_rest: Length = timedelta(hours=2)
    other_numbers: bool = Field(True, description="a case's further numbers take their turn")
    sensitive_categories: frozenset[str] = Field(
        frozenset({"informant", "domestic_violence", "minors", "suicide"}),
        description="to a person, or excluded; never more than the date is said",
    )
    text_unknown_wait: Length = timedelta(minutes=10)
    text_transient_tries: int = Field(3, ge=1)
    ungated_answer: Length = timedelta(minutes=10)
    reply_dedupe: Length = timedelta(minutes=10)
    exhausted: Literal["agent", "unreached"] = "agent"
    sensitive: Literal["agent", "exclude"] = "agent"
    after_opt_out: Literal["refused", "call"] = "refused"
    cases_per_call: int = Field(3, ge=1, le=3)
    lease: timedelta = Field(timedelta(seconds=15), ge=timedelta(seconds=1))
    retries: RetriesSettings = RetriesSettings()
    windows: WindowSettings = WindowSettings()
    caps: CapSettings = CapSettings()

    @property
    def rating_scale(self) -> Scale:
        return SCALES[self.scale]
