"""The alarms as a seat reads them: what is wrong, of which case, said by whom; emergencies first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind
from callbacks.models import AttemptCallback, Callback, Case, Reply
from callbacks.models_office import Alarm, IntakeGap
from callbacks.service.gaps import alarm_subject
from scoring.queries import Page, Scope, one_page
from scoring.queries_filter import Filter

MOST = 200  # open ones on a page; how many there are is told


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm with what it leads to. `words` are a citizen's own, `number` is masked, `day` a ledger's.

    `cases` are at most a few of those that it names. `came`: all that a gap at intake missed has come since.
    """

    id: int
    kind: str
    subject: str
    detail: Mapping[str, Any]
    raised_at: datetime
    last_at: datetime
    times: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    cases: tuple[str, ...] = ()
    words: str = ""
    number: str = ""
    day: str = ""
    came: bool = False

    @property
    def is_emergency(self) -> bool:
        return self.kind == AlarmKind.EMERGENCY_REPLY

    @property
    def name(self) -> str:
        """What the subject names beside its kind: a trunk, a role, a webhook, a source."""
        return self.subject.partition(":")[2] or self.subject


@dataclass(frozen=True, slots=True)
class OpenAlarms:
    """How many wait for somebody."""

    emergencies: int = 0
    others: int = 0

    def __bool__(self) -> bool:
        return bool(self.emergencies or self.others)


@dataclass
class _Found:
    """What the subjects and details of some alarms lead to, each asked for once."""

    replies: dict[int, tuple[str, str, str | None]] = field(default_factory=dict)  # words, number, case
    callbacks: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, list[str]] = field(default_factory=dict)
    cases: dict[int, str] = field(default_factory=dict)
    gaps: set[str] = field(default_factory=set)  # subjects of the sources of which something is missing


def count_open(session: Session) -> OpenAlarms:
    """By the index of open alarms alone."""
    query = select(Alarm.kind, func.count()).where(Alarm.acknowledged_at.is_(None)).group_by(Alarm.kind)
    kinds: dict[str, int] = dict(session.execute(query).all())
    emergencies = kinds.pop(AlarmKind.EMERGENCY_REPLY, 0)
    return OpenAlarms(emergencies, sum(kinds.values()))


def read_open(session: Session, scope: Scope, most: int | None = MOST) -> tuple[AlarmRow, ...]:
    """The open ones, at most so many: cries for help first, then what came last."""
    query = select(Alarm).where(Alarm.acknowledged_at.is_(None))
    emergency = Alarm.kind == AlarmKind.EMERGENCY_REPLY
    found = session.scalars(query.order_by(emergency.desc(), Alarm.last_at.desc(), Alarm.id).limit(most))
    return _rows(session, scope, found.all())


def read_seen(session: Session, scope: Scope, chosen: Filter) -> Page[AlarmRow]:
    """Those that were acknowledged, the last first."""
    seen = Alarm.acknowledged_at.is_not(None)
    key = Alarm.acknowledged_at, Alarm.id
    query: Any = select(*key, Alarm).where(seen)
    found, before, after = one_page(session, query, key, chosen.page, newest_first=True)
    total = session.scalar(select(func.count(Alarm.id)).where(seen)) or 0
    return Page(_rows(session, scope, [row[2] for row in found]), total, before, after)


def read_emergencies(session: Session, scope: Scope, most: int) -> tuple[AlarmRow, ...]:
    """The open cries for help, the newest first. For the office alone: some belong to no unit."""
    if scope.units is not None:
        return ()
    query = select(Alarm).where(Alarm.acknowledged_at.is_(None), Alarm.kind == AlarmKind.EMERGENCY_REPLY)
    return _rows(session, scope, session.scalars(query.order_by(Alarm.last_at.desc()).limit(most)).all())


def _rows(session: Session, scope: Scope, alarms: Sequence[Alarm]) -> tuple[AlarmRow, ...]:
    found = _look_up(session, alarms)
    return tuple(_row(scope, alarm, found) for alarm in alarms)


def _row(scope: Scope, alarm: Alarm, found: _Found) -> AlarmRow:
    words, number, case = found.replies.get(_id(alarm, "reply"), ("", "", None))
    return AlarmRow(
        id=alarm.id,
        kind=alarm.kind,
        subject=alarm.subject,
        detail=alarm.detail,
        raised_at=alarm.raised_at,
        last_at=alarm.last_at,
        times=alarm.times,
        acknowledged_at=alarm.acknowledged_at,
        acknowledged_by=alarm.acknowledged_by,
        cases=tuple(dict.fromkeys([*([case] if case else []), *_cases(alarm, found)])),
        words=words,
        number=number if scope.numbers else "",
        day=str(alarm.detail.get("day", "")) if alarm.kind == AlarmKind.LEDGER_BROKEN else "",
        came=alarm.kind == AlarmKind.INTAKE_GAP and alarm.subject not in found.gaps,
    )


def _cases(alarm: Alarm, found: _Found) -> list[str]:
    detail = alarm.detail
    told = [each for each in (detail.get("case"), *_list(detail.get("cases"))) if isinstance(each, str)]
    told += found.attempts.get(_whole(detail.get("attempt")), [])
    for table, key in (
        (found.callbacks, _id(alarm, "callback")),
        (found.cases, _whole(detail.get("case_id"))),
    ):
        told += [table[key]] if key in table else []
    return told


def _look_up(session: Session, alarms: Sequence[Alarm]) -> _Found:
    found = _Found()
    replies = (
        select(Reply.id, Reply.body, Reply.number_masked, Case.number)
        .outerjoin(Callback, Callback.id == Reply.callback_id)
        .outerjoin(Case, Case.id == Callback.case_id)
    )
    for id_, body, number, case in session.execute(replies.where(Reply.id.in_(_ids(alarms, "reply")))):
        found.replies[id_] = (body, number, case)
    callbacks = select(Callback.id, Case.number).select_from(Callback).join(Callback.case)
    wanted = _ids(alarms, "callback")
    found.callbacks |= dict(session.execute(callbacks.where(Callback.id.in_(wanted))).all())
    attempts = select(AttemptCallback.attempt_id, Case.number).select_from(AttemptCallback)
    attempts = attempts.join(AttemptCallback.callback).join(Callback.case)
    of = {_whole(alarm.detail.get("attempt")) for alarm in alarms}
    for attempt, number in session.execute(attempts.where(AttemptCallback.attempt_id.in_(of))):
        found.attempts.setdefault(attempt, []).append(number)
    if any(alarm.kind == AlarmKind.INTAKE_GAP for alarm in alarms):
        sources = select(IntakeGap.source).where(IntakeGap.closed_at.is_(None)).distinct()
        found.gaps = {alarm_subject(source) for source in session.scalars(sources)}
    ids = {_whole(alarm.detail.get("case_id")) for alarm in alarms}
    found.cases |= dict(session.execute(select(Case.id, Case.number).where(Case.id.in_(ids))).all())
    return found


def _ids(alarms: Iterable[Alarm], what: str) -> set[int]:
    return {_id(alarm, what) for alarm in alarms}


def _id(alarm: Alarm, what: str) -> int:
    """Of `reply:7` or of the detail's `reply`; 0, which no row has, where there is none."""
    name, _, number = alarm.subject.partition(":")
    if name == what and number.isdecimal():
        return _whole(int(number))
    return _whole(alarm.detail.get(what))


def _whole(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 2**31 else 0


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
