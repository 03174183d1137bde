"""A small office for tests of the service: units, cases and a context with a policy that a test can bend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.events import Event
from callbacks.models import Attempt, Callback, Case, CasePhone, Closing, Rating, TextMessage, Unit
from callbacks.numbers import kind_of, mask
from callbacks.privacy import Privacy
from callbacks.service.claims import ClaimedCall, begin_invite, claim_calls, ensure_lines
from callbacks.service.closing import close_case
from callbacks.service.core import Context
from callbacks.service.planning import plan_due
from callbacks.settings import (
    CapSettings,
    OfficeSettings,
    PolicySettings,
    RetriesSettings,
    RetrySettings,
    Span,
    WindowSettings,
)
from callbacks.states import State
from callbacks.vocabulary import Exclusion, SourceChannel, UnitGroup, UnitLevel

ALWAYS = (Span(start="00:00", end="00:00"),)
OPEN_WINDOWS = WindowSettings(voice=ALWAYS, voice_weekend=ALWAYS, sms=ALWAYS)
SOON = RetrySettings(delay=timedelta(0))
FREE = PolicySettings(
    windows=OPEN_WINDOWS,
    caps=CapSettings(enabled=False),
    two_day_rule=False,
    first_step_delay=timedelta(0),
    retries=RetriesSettings(
        **{cause: SOON for cause in RetriesSettings.model_fields if cause != "longest_backoff"}
        | {"network_fail": RetrySettings(delay=timedelta(seconds=10))}
    ),
)
OFFICE = OfficeSettings(
    name="示例市110联动办",
    area_code="0379",
    signature="示例市110联动",
    sender_code="106380110",
    caller_number="037963110110",
)
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Monday, 12:00 in the city
FLOW = ("satisfaction_survey", "1", "p1")
MOBILE = "13803790001"
LANDLINE = "037963110001"


@dataclass
class Desk:
    """The office under test and its clock."""

    ctx: Context
    now: datetime = NOON
    events: list[Event] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))

    def later(self, **delta: float) -> datetime:
        self.now += timedelta(**delta)
        return self.now

    def session(self) -> Session:
        return self.ctx.sessions()

    def close(self, *numbers: str, **case: Any) -> int:
        """A closed case with these telephone numbers; returns the callback's id."""

        def work(session: Session) -> int:
            row = self._case(session, numbers, case)
            closing = Closing(
                case_id=row.id,
                closing_no=1,
                unit_id=row.lead_unit_id,
                accepted_at=row.accepted_at,
                closed_at=self.now,
                exclusion=case.get("exclusion"),
            )
            return close_case(self.ctx, session, row, closing, self.now).id

        return self.ctx.run(work)

    def _case(self, session: Session, numbers: tuple[str, ...], given: dict[str, Any]) -> Case:
        unit = session.scalar(select(Unit)) or self._unit(session)
        case = Case(
            number=f"110-{next(self._numbers):04}",
            source_channel=SourceChannel.PHONE,
            category="water",
            lead_unit_id=unit.id,
            accepted_at=self.now - timedelta(days=3),
            closed_at=self.now,
            closing_no=1,
            **given,
        )
        session.add(case)
        session.flush()
        for position, number in enumerate(numbers):
            session.add(
                CasePhone(
                    case_id=case.id,
                    position=position,
                    kind=kind_of(number),
                    number_encrypted=self.ctx.privacy.encrypt(number),
                    number_index=self.ctx.privacy.index(number),
                    number_masked=mask(number),
                )
            )
        session.flush()
        return case

    def _unit(self, session: Session) -> Unit:
        unit = Unit(
            code="u1", name="市供水集团", level=UnitLevel.CITY, group=UnitGroup.DEPT, valid_from=self.now
        )
        session.add(unit)
        session.flush()
        return unit

    def plan(self) -> None:
        plan_due(self.ctx, self.now)

    def claim(self, limit: int = 5, owner: str = "voice:test:1") -> list[ClaimedCall]:
        ensure_lines(self.ctx, "city", 5)
        return claim_calls(self.ctx, owner, {"city": limit}, self.now, FLOW)

    def call(self, *numbers: str, **case: Any) -> tuple[int, ClaimedCall]:
        """A closed case whose call is invited."""
        callback_id = self.close(*(numbers or (LANDLINE,)), **case)
        self.plan()
        call = self.claim()[0]
        assert begin_invite(self.ctx, call.attempt_id, call.token, f"c{call.attempt_id}", self.now)
        return callback_id, call

    def state(self, callback_id: int) -> State:
        with self.session() as session:
            return session.get_one(Callback, callback_id).state

    def callback(self, callback_id: int) -> Callback:
        with self.session() as session:
            return session.get_one(Callback, callback_id)

    def attempt(self, attempt_id: int) -> Attempt:
        with self.session() as session:
            return session.get_one(Attempt, attempt_id)

    def ratings(self, callback_id: int) -> list[Rating]:
        with self.session() as session:
            query = select(Rating).where(Rating.callback_id == callback_id).order_by(Rating.id)
            return list(session.scalars(query))

    def texts(self, callback_id: int | None = None) -> list[TextMessage]:
        with self.session() as session:
            query = select(TextMessage).order_by(TextMessage.id)
            if callback_id is not None:
                query = query.where(TextMessage.callback_id == callback_id)
            return list(session.scalars(query))


def make_desk(sessions: sessionmaker[Session], privacy: Privacy, policy: PolicySettings = FREE) -> Desk:
    """A desk whose context tells its events to `desk.events`."""
    events: list[Event] = []
    ctx = Context(sessions, policy, OFFICE, privacy, (lambda _session, event: events.append(event),))
    return Desk(ctx, events=events)


__all__ = ["FREE", "LANDLINE", "MOBILE", "NOON", "Desk", "Exclusion", "make_desk"]
