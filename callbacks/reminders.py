"""待办 催办 督办 整改: of what a case's handler is reminded, and since when (domain.md §2, §6). Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callbacks.reminder_settings import ReminderSettings
from callbacks.settings import WeekWindows, WindowSettings
from callbacks.vocabulary import Channel
from callbacks.windows import local_day, next_open


class Stage(StrEnum):
    """In the order in which they come; a later one stands for those before it."""

    TODO = "todo"
    URGE = "urge"
    SUPERVISE = "supervise"
    RECTIFY = "rectify"


class Clock(StrEnum):
    """What a reminder is about."""

    SIGN = "sign"
    HANDLE = "handle"
    REWORK = "rework"


@dataclass(frozen=True, slots=True)
class CaseClocks:
    """The times of a case, as far as they belong to the closing that is being worked on."""

    assigned_at: datetime | None
    signed_at: datetime | None
    due_at: datetime | None
    closed_at: datetime | None = None

    @property
    def is_signed(self) -> bool:
        """A signing from before the case was assigned (anew) isn't one of it."""
        signed, assigned = self.signed_at, self.assigned_at
        return signed is not None and (assigned is None or signed >= assigned)


@dataclass(frozen=True, slots=True)
class Due:
    """A reminder whose time has come: due since `at`, about `deadline`."""

    stage: Stage
    at: datetime
    deadline: datetime | None
    clock: Clock


def sign_by(case: CaseClocks, settings: ReminderSettings) -> datetime | None:
    """Until when the case is to be signed for."""
    return None if case.assigned_at is None else case.assigned_at + settings.sign_within


def stages_due(case: CaseClocks, now: datetime, settings: ReminderSettings) -> tuple[Due, ...]:
    """The stages whose time has come, the earliest stage first. Nothing of a closed case.

    To-do: assigned and not signed for. Urge: `urge_before` the due time, yet not before half of the time is
    over, so that a case with two hours is a to-do first. Supervise: the due time is over.
    """
    if case.closed_at is not None:
        return ()
    found = (_todo(case), _urge(case, now, settings), _supervise(case))
    return tuple(due for due in found if due is not None and due.at <= now)


def _todo(case: CaseClocks) -> Due | None:
    if case.assigned_at is None or case.is_signed:
        return None
    return Due(Stage.TODO, case.assigned_at, case.due_at, Clock.SIGN)


def _urge(case: CaseClocks, now: datetime, settings: ReminderSettings) -> Due | None:
    unsigned_since = sign_by(case, settings)
    handling = _urge_handling(case, settings)
    if handling is not None and handling.at <= now:
        return handling
    if settings.urge_unsigned and unsigned_since is not None and not case.is_signed:
        return Due(Stage.URGE, unsigned_since, unsigned_since, Clock.SIGN)
    return handling


def _urge_handling(case: CaseClocks, settings: ReminderSettings) -> Due | None:
    if case.due_at is None:
        return None
    at = case.due_at - settings.urge_before
    if case.assigned_at is not None:
        at = max(at, case.assigned_at + (case.due_at - case.assigned_at) / 2)
    return Due(Stage.URGE, at, case.due_at, Clock.HANDLE)


def _supervise(case: CaseClocks) -> Due | None:
    return None if case.due_at is None else Due(Stage.SUPERVISE, case.due_at, case.due_at, Clock.HANDLE)


def reminder_due(
    case: CaseClocks, made: Collection[Stage], now: datetime, settings: ReminderSettings
) -> Due | None:
    """The reminder to make now: the furthest stage, if neither it nor a later one is made already.

    An overdue case that we hear of today is supervised, not first made a to-do and urged. What was due long
    ago isn't begun: the office that switches reminders on doesn't send years of them.
    """
    due = stages_due(case, now, settings)
    if not due:
        return None
    last = due[-1]
    order = list(Stage)
    done = max((order.index(stage) for stage in made if stage is not Stage.RECTIFY), default=-1)
    if order.index(last.stage) <= done or last.at < now - settings.stale_after:
        return None
    return last


def still_stands(case: CaseClocks, stage: Stage, now: datetime, settings: ReminderSettings) -> bool:
    """Whether a reminder of an open case that hasn't left yet is still worth sending.

    Not when the case was signed for or closed, its due time put off, or a further stage's time has come.
    """
    if stage is Stage.RECTIFY:
        return True
    due = stages_due(case, now, settings)
    return bool(due) and due[-1].stage is stage


def handler_windows(windows: WindowSettings, settings: ReminderSettings) -> WindowSettings:
    """The handlers' windows: by the city's calendar, on workdays alone, whatever citizens' windows are."""
    return windows.model_copy(
        update={"sms": settings.window, "sms_weekend": (), "sms_holiday": (), "weekday": WeekWindows()}
    )


def next_handler_time(now: datetime, windows: WindowSettings, settings: ReminderSettings) -> datetime:
    """`now` in a handler's window, else the next one's start."""
    return next_open(now, Channel.SMS, handler_windows(windows, settings))


def next_handler_day(now: datetime, windows: WindowSettings, settings: ReminderSettings) -> datetime:
    """The first opening of the handlers' window on another local day."""
    candidate = now
    while local_day(candidate, windows) == local_day(now, windows):
        candidate = next_handler_time(candidate + timedelta(hours=1), windows, settings)
    return candidate
