"""Texts to handlers: made by the clock, taken back when their case is settled, never a citizen's question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Case, CaseNode, Closing, TextKind, TextMessage, TextState, Unit
from callbacks.models_office import Pause, PauseScope, Reminder
from callbacks.numbers import mask
from callbacks.privacy import Privacy
from callbacks.reminder_settings import ReminderSettings
from callbacks.reminders import Stage
from callbacks.service import reminder_clocks, reminders
from callbacks.service.closing import close_case
from callbacks.service.reminders import Walk, cancel_reminders, remind, remind_due
from callbacks.service.replies import IncomingReply, reply_came
from callbacks.service.submits import submitted
from callbacks.service.templates import save
from callbacks.service.texts import claim_texts
from callbacks.vocabulary import NodeKind, SourceChannel, UnitGroup, UnitLevel
from tests.integration.office import MOBILE, OFFICE, Desk, make_desk

CITY = ZoneInfo("Asia/Shanghai")
HANDLER = "13803799001"


def at(text: str) -> datetime:
    """`"11-23 10:00"` in the city's time; 2026-11-23 is a Monday."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY).astimezone(UTC)


ASSIGNED, DUE = at("11-23 09:00"), at("11-30 09:00")


@dataclass
class Yard(Desk):
    """The desk with open cases at their handlers."""

    def __post_init__(self) -> None:
        self._cases = count(1)

    def open_case(
        self, phone: str | None = HANDLER, assigned: datetime | None = ASSIGNED, **given: Any
    ) -> int:
        def work(session: Session) -> int:
            unit = session.scalar(select(Unit)) or self._some_unit(session)
            case = Case(
                number=f"110-2026-{next(self._cases):04}",
                source_channel=SourceChannel.PHONE,
                category="water",
                lead_unit_id=unit.id,
                accepted_at=at("11-23 08:40"),
                **{"due_at": DUE, **given},
            )
            if phone is not None:
                case.handler_phone_encrypted = self.ctx.privacy.encrypt(phone)
                case.handler_phone_index = self.ctx.privacy.index(phone)
                case.handler_phone_masked = mask(phone)
            session.add(case)
            session.flush()
            if assigned is not None:
                session.add(CaseNode(case_id=case.id, kind=NodeKind.ASSIGN, at=assigned, by="联动办"))
            return case.id

        return self.ctx.run(work)

    def _some_unit(self, session: Session) -> Unit:
        unit = Unit(
            code="u1", name="市供水集团", level=UnitLevel.CITY, group=UnitGroup.DEPT, valid_from=ASSIGNED
        )
        session.add(unit)
        session.flush()
        return unit

    def change(self, case_id: int, **values: Any) -> None:
        def work(session: Session) -> None:
            case = session.get_one(Case, case_id)
            for name, value in values.items():
                setattr(case, name, value)

        self.ctx.run(work)

    def close_it(self, case_id: int, when: datetime) -> None:
        def work(session: Session) -> None:
            case = session.get_one(Case, case_id)
            case.closed_at, case.closing_no = when, case.closing_no + 1
            closing = Closing(
                case_id=case_id,
                closing_no=case.closing_no,
                unit_id=case.lead_unit_id,
                accepted_at=case.accepted_at,
                closed_at=when,
            )
            close_case(self.ctx, session, case, closing, when)

        self.ctx.run(work)

    def remind(self, now: datetime, **settings: Any) -> int:
        return remind_due(self.ctx, now, settings=ReminderSettings(**settings))

    def claimed(self, now: datetime, limit: int = 20) -> list[str]:
        return [claimed.body for claimed in claim_texts(self.ctx, "sms:1", "city", limit, 15, now)]

    def made(self, case_id: int) -> list[tuple[str, int]]:
        with self.session() as session:
            query = select(Reminder).where(Reminder.case_id == case_id).order_by(Reminder.id)
            return [(reminder.stage.value, reminder.period) for reminder in session.scalars(query)]

    def nodes(self, case_id: int) -> list[tuple[str, datetime]]:
        with self.session() as session:
            query = select(CaseNode).where(CaseNode.case_id == case_id).order_by(CaseNode.at, CaseNode.id)
            return [
                (node.kind.value, node.at)
                for node in session.scalars(query)
                if node.kind is not NodeKind.ASSIGN
            ]

    def text_of(self, case_id: int, stage: str = "todo") -> TextMessage | None:
        with self.session() as session:
            query = select(Reminder).where(Reminder.case_id == case_id, Reminder.stage == stage)
            reminder = session.scalars(query).one()
            return session.get(TextMessage, reminder.text_id) if reminder.text_id else None


@pytest.fixture
def yard(sessions: sessionmaker[Session], privacy: Privacy) -> Yard:
    desk = make_desk(sessions, privacy)
    return Yard(desk.ctx, events=desk.events)


def test_from_to_do_to_supervision(yard: Yard) -> None:
    case = yard.open_case(enterprise=True)
    assert yard.remind(at("11-23 09:00")) == 1
    assert yard.remind(at("11-23 09:01")) == 0  # once
    assert yard.claimed(at("11-23 09:01")) == [
        "【示例市110联动】待办：诉求0001（企业诉求），请于11月24日9时前签收，11月30日前办结。"
    ]
    yard.change(case, signed_at=at("11-23 15:00"))
    assert yard.remind(at("11-27 17:00")) == 0
    assert yard.remind(at("11-29 10:00")) == 0  # a Sunday: the urge is due, the handler's window isn't open
    assert yard.remind(at("11-30 08:30")) == 1
    assert yard.claimed(at("11-30 08:30")) == [
        "【示例市110联动】催办：诉求0001将于24小时内到期，请尽快办结并反馈。"
    ]
    assert yard.remind(at("11-30 09:00")) == 1
    assert len(yard.claimed(at("11-30 09:00"))) == 1
    assert yard.remind(at("12-02 09:00")) == 0
    assert yard.made(case) == [("todo", 1), ("urge", 1), ("supervise", 1)]
    assert yard.nodes(case) == [("urge", at("11-30 08:30")), ("supervise", at("11-30 09:00"))]


def test_delivery_is_known_of_a_reminder(yard: Yard) -> None:
    case = yard.open_case()
    yard.remind(ASSIGNED)
    claimed = claim_texts(yard.ctx, "sms:1", "city", 5, 15, ASSIGNED)[0]
    assert (claimed.kind, claimed.number) == (TextKind.HANDLER_TODO, HANDLER)
    assert submitted(yard.ctx, claimed.text_id, claimed.token, "city", ["m1"], ASSIGNED)
    found = yard.text_of(case)
    assert found is not None
    assert (found.state, found.callback_id, found.attempt_id) == (TextState.SUBMITTED, None, None)
    assert found.number_masked == "138****9001"


NO_TEXT = [
    # handler's number
    None,
    "037963110001",  # a landline takes no texts
    OFFICE.sender_code,
]


@pytest.mark.parametrize("phone", NO_TEXT)
def test_without_a_number_the_reminder_is_kept_without_a_text(yard: Yard, phone: str | None) -> None:
    case = yard.open_case(phone)
    yard.change(case, signed_at=ASSIGNED)
    assert yard.remind(DUE) == 1
    assert yard.text_of(case, "supervise") is None
    assert yard.nodes(case) == [("supervise", DUE)]  # the monitor shows it
    assert yard.texts() == []


def test_what_has_not_left_when_the_case_is_signed_for_is_taken_back(yard: Yard) -> None:
    case = yard.open_case()
    yard.remind(ASSIGNED)
    yard.change(case, signed_at=at("11-23 09:05"))
    assert yard.claimed(at("11-23 09:06")) == []
    left = yard.text_of(case)
    assert left is not None
    assert (left.state, left.error) == (TextState.CANCELLED, "no longer due")


def test_what_has_not_left_when_the_case_is_closed_is_taken_back(yard: Yard) -> None:
    case = yard.open_case(due_at=at("11-23 17:00"))
    yard.remind(at("11-23 17:00"))
    assert yard.nodes(case) == [("supervise", at("11-23 17:00"))]
    yard.close_it(case, at("11-23 17:01"))
    assert yard.claimed(at("11-23 17:02")) == []
    assert yard.nodes(case) == []  # nobody was supervised


def test_a_due_time_that_is_put_off_begins_its_stage_anew(yard: Yard) -> None:
    case = yard.open_case(signed_at=ASSIGNED)
    yard.remind(at("11-30 08:30"))
    yard.change(case, due_at=at("12-04 17:00"))
    assert yard.claimed(at("11-30 08:31")) == []  # the urge was for another day
    assert yard.remind(at("12-03 16:59")) == 0
    assert yard.remind(at("12-03 17:00")) == 1
    assert len(yard.claimed(at("12-03 17:00"))) == 1
    assert yard.made(case) == [("urge", 1)]
    assert yard.nodes(case) == [("urge", at("12-03 17:00"))]


def test_a_reopened_case_has_clocks_of_its_own(yard: Yard) -> None:
    case = yard.open_case()
    yard.remind(ASSIGNED)
    yard.claimed(ASSIGNED)
    yard.close_it(case, at("12-01 10:00"))
    yard.change(case, closed_at=None)  # opened again, with what the first closing left
    assert yard.remind(at("12-01 11:00")) == 0  # its old due time isn't this closing's
    again = CaseNode(case_id=case, kind=NodeKind.ASSIGN, at=at("12-01 14:00"), by="联动办")
    yard.ctx.run(lambda session: session.add(again))
    yard.change(case, due_at=at("12-08 14:00"))
    assert yard.remind(at("12-01 14:00")) == 1
    assert yard.made(case) == [("todo", 1), ("todo", 2)]


def test_outside_the_window_it_waits(yard: Yard) -> None:
    """Held back when it's claimed, however it came into the queue."""
    case = yard.open_case()
    yard.close_it(case, at("11-27 17:59"))

    def order(session: Session) -> None:
        remind(yard.ctx, session, case, Stage.RECTIFY, None, at("11-27 19:00"))

    yard.ctx.run(order)
    assert yard.claimed(at("11-27 19:00")) == []
    yard.ctx.run(lambda session: session.execute(text("UPDATE text_message SET not_before = created_at")))
    assert yard.claimed(at("11-28 10:00")) == []  # Saturday, open to citizens alone
    assert len(yard.claimed(at("11-30 08:30"))) == 1


def test_rework_is_reminded_of_once_a_closing(yard: Yard) -> None:
    case = yard.open_case()
    yard.close_it(case, at("11-25 10:00"))
    now = at("11-26 10:00")

    def order(stage: Stage, due: datetime | None) -> bool:
        return yard.ctx.run(lambda s: remind(yard.ctx, s, case, stage, due, now) is not None)

    assert order(Stage.RECTIFY, None)
    assert not order(Stage.RECTIFY, None)
    assert order(Stage.SUPERVISE, at("11-26 09:00"))
    assert yard.made(case) == [("rectify", 2), ("supervise", 2)]
    assert yard.remind(now) == 0  # the clock leaves closed cases alone
    assert [body[10:13] for body in yard.claimed(now)] == ["整改通", "督办："]
    yard.ctx.run(lambda s: s.execute(text("UPDATE reminder SET period = 3")))  # another closing's
    assert order(Stage.RECTIFY, None)
    assert yard.ctx.run(lambda s: cancel_reminders(s, case, now, [Stage.RECTIFY])) == 1
    assert yard.claimed(now) == []
    assert order(Stage.RECTIFY, None)  # it never left, so it may be made


def test_a_number_has_a_cap_a_day(yard: Yard) -> None:
    cases = [yard.open_case() for _ in range(12)]
    other = yard.open_case("13803799002")
    monday = at("11-23 10:00")
    assert yard.remind(monday) == 11
    assert yard.made(other) == [("todo", 1)]
    assert len(yard.claimed(monday)) == 11
    assert yard.remind(at("11-23 16:00")) == 0
    assert yard.remind(at("11-24 08:30")) == 2  # the rest, the next day
    assert all(yard.made(case) for case in cases)


def test_the_cap_holds_for_what_others_queued(yard: Yard) -> None:
    """Orders to rectify are queued whatever the day has seen; they leave within the cap."""
    cases = [yard.open_case() for _ in range(12)]
    for case in cases:
        yard.close_it(case, at("11-23 09:30"))
    now = at("11-23 10:00")
    for case in cases:
        yard.ctx.run(lambda s, case=case: remind(yard.ctx, s, case, Stage.RECTIFY, None, now))
    assert len(yard.claimed(now)) == 10
    assert yard.claimed(at("11-23 17:00")) == []
    assert len(yard.claimed(at("11-24 08:30"))) == 2


def test_a_pause_for_all_holds_them_back(yard: Yard) -> None:
    yard.open_case()
    yard.remind(ASSIGNED)
    pause = Pause(scope=PauseScope.ALL, reason="演练", by="head", at=ASSIGNED, until=at("11-23 12:00"))
    yard.ctx.run(lambda session: session.add(pause))
    assert yard.claimed(at("11-23 11:59")) == []
    assert len(yard.claimed(at("11-23 12:05"))) == 1


def test_a_handlers_reply_is_no_rating(yard: Yard) -> None:
    yard.open_case()
    yard.remind(ASSIGNED)
    yard.claimed(ASSIGNED)
    reply = IncomingReply("city", "d1", HANDLER, OFFICE.sender_code, "1", rating=1)
    assert reply_came(yard.ctx, reply, at("11-23 09:05")) == "unmatched"
    assert len(yard.texts()) == 1  # and nothing is said back


def test_citizens_questions_are_not_disturbed(yard: Yard) -> None:
    """A handler who is somebody's citizen too: the question stays open, the reply is its answer."""
    yard.now = at("11-23 09:00")
    callback = yard.close(MOBILE)
    yard.plan()
    yard.open_case(MOBILE)
    assert yard.remind(yard.now) == 1
    assert len(yard.claimed(yard.now)) == 2
    reply = IncomingReply("city", "d1", MOBILE, OFFICE.sender_code, "1", rating=1)
    assert reply_came(yard.ctx, reply, yard.later(minutes=5)) == "rated"
    assert len(yard.ratings(callback)) == 1


def test_saved_words_for_handlers(yard: Yard) -> None:
    save(yard.ctx, TextKind.HANDLER_URGE, "{unit}：{number}{clock}（{kind}）", False, "head", ASSIGNED)
    case = yard.open_case()
    assert yard.remind(at("11-24 09:00"), urge_unsigned=True) == 1
    found = yard.text_of(case, "urge")
    assert found is not None
    assert found.body == "【示例市110联动】市供水集团：110-2026-0001签收已超期（群众诉求）"


def test_switched_off(yard: Yard) -> None:
    yard.open_case()
    assert yard.remind(ASSIGNED, enabled=False) == 0


def test_the_walk_takes_a_slice_at_a_time(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look costs the same however many cases there are, and goes on where the last one ended."""
    monkeypatch.setattr(reminders, "SLICE", 4)
    monkeypatch.setattr(reminder_clocks, "SLICE", 4)
    for number in range(10):
        yard.open_case(f"1380379{number:04}")
    walk = Walk()
    made = [remind_due(yard.ctx, ASSIGNED, walk=walk) for _ in range(4)]
    assert made == [4, 4, 2, 0]
    assert walk.after == 4  # it has begun again


def test_a_limit_bounds_a_transaction(yard: Yard) -> None:
    for number in range(5):
        yard.open_case(f"1380379{number:04}")
    walk = Walk()
    assert [remind_due(yard.ctx, ASSIGNED, 2, walk=walk) for _ in range(3)] == [2, 2, 1]
    assert remind_due(yard.ctx, ASSIGNED, 2) == 0


def test_no_query_of_a_look_reads_a_whole_table(yard: Yard) -> None:
    """The plan that callbacks.service.reminder_clocks promises, as the database explains it."""
    engine = yard.ctx.sessions.kw["bind"]
    yard.open_case()
    asked: list[tuple[str, Any]] = []

    def keep(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM pause" not in statement:  # a table of few rows
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    remind_due(yard.ctx, ASSIGNED)
    claim_texts(yard.ctx, "sms:1", "city", 5, 15, ASSIGNED)
    event.remove(engine, "before_cursor_execute", keep)
    assert len(asked) > 8
    with engine.connect() as connection:
        for statement, parameters in asked:
            plan = explained(connection, statement, parameters)
            assert [line for line in plan if "Seq Scan" in line or line.startswith("SCAN")] == [], statement


def explained(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """The plan's lines; PostgreSQL's for large tables, as it reads small ones whole whatever there is."""
    if connection.dialect.name == "sqlite":
        lines = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        # The greatest primary key is one step to the right end, which SQLite calls a scan.
        return [] if statement.startswith("SELECT max(") else [line.detail for line in lines]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]
