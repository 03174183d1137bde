"""The node monitor: who is late and by how much, who was urged and whether the text arrived."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Case, CaseNode, Closing, TextKind, TextMessage, TextState
from callbacks.models_office import Reminder, ReminderStage
from callbacks.numbers import mask
from callbacks.privacy import Privacy
from callbacks.vocabulary import NodeKind, SourceChannel
from scoring.queries import Scope
from scoring.queries_filter import Filter
from scoring.queries_nodes import count_late, nodes_of, read_nodes
from scoring.web.desk import create_desk
from tests.integration.desk_data import NOW, USERS, Town, add_users, build, desk_deps
from tests.integration.desk_pages import SignIn, numbers_in, sign_in_to, walk

DAY = timedelta(hours=24)
HANDLER = "13803795555"


def ago(**length: float) -> datetime:
    return NOW - timedelta(**length)


@pytest.fixture
def town(sessions: sessionmaker[Session], privacy: Privacy) -> Town:
    with sessions.begin() as session:
        town = build(session, privacy)
        add_users(town, {login for login, *_ in USERS})
        _open_cases(town)
    return town


@pytest.fixture
def app(
    town: Town, sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
) -> Flask:
    return create_desk(desk_deps(sessions, read_sessions, privacy))


@pytest.fixture
def supervisor(app: Flask) -> FlaskClient:
    return sign_in_to(app, "supervisor")


def _case(
    town: Town,
    number: str,
    accepted: datetime,
    *,
    signed: datetime | None = None,
    due: datetime | None = None,
    closing_no: int = 0,
    unit: str = "D01",
) -> Case:
    case = Case(
        number=number,
        source_channel=SourceChannel.PHONE,
        category="water",
        lead_unit_id=town.units[unit].id,
        accepted_at=accepted,
        signed_at=signed,
        due_at=due,
        closing_no=closing_no,
    )
    town.add(case)
    return case


def _node(town: Town, case: Case, kind: NodeKind, at: datetime, by: str = "联动办") -> None:
    town.add(CaseNode(case_id=case.id, kind=kind, at=at, by=by))


def _open_cases(town: Town) -> None:
    _case(town, "OPEN-FRESH", ago(hours=2), due=ago(days=-5))
    _case(town, "OPEN-UNSIGNED", ago(hours=30), due=ago(days=-5))
    overdue = _case(town, "OPEN-OVERDUE", ago(days=8), signed=ago(days=7.5), due=ago(days=1, hours=3))
    _node(town, overdue, NodeKind.ASSIGN, ago(days=8))
    _node(town, overdue, NodeKind.URGE, ago(days=2))
    _node(town, overdue, NodeKind.URGE, ago(days=1.5))
    _reminded(town, overdue, ReminderStage.URGE, ago(days=2), TextState.DELIVERED)
    _reminded(town, overdue, ReminderStage.SUPERVISE, ago(days=1), None)
    # Opened again: its old due time and its old signing belong to the closing before.
    again = _case(town, "OPEN-AGAIN", ago(days=20), signed=ago(days=19), due=ago(days=15), closing_no=1)
    town.add(
        Closing(
            case_id=again.id,
            closing_no=1,
            unit_id=again.lead_unit_id,
            accepted_at=ago(days=20),
            closed_at=ago(days=14),
        )
    )
    _node(town, again, NodeKind.ASSIGN, ago(days=20))
    _node(town, again, NodeKind.CLOSE, ago(days=14))
    _node(town, again, NodeKind.ASSIGN, ago(hours=3))


def _reminded(town: Town, case: Case, stage: ReminderStage, at: datetime, state: TextState | None) -> None:
    text = None
    if state is not None:
        text = TextMessage(
            kind=TextKind.HANDLER_URGE,
            number_encrypted=town.privacy.encrypt(HANDLER),
            number_index=town.privacy.index(HANDLER),
            number_masked=mask(HANDLER),
            sender_code="10690000110",
            body="催办",
            state=state,
            not_before=at,
            created_at=at,
            submitted_at=at,
            ended_at=at + timedelta(seconds=4),
        )
        town.add(text)
    town.add(
        Reminder(
            case_id=case.id,
            period=case.closing_no + 1,
            stage=stage,
            due_at=case.due_at,
            made_at=at,
            text_id=text.id if text else None,
        )
    )


def row_of(html: str, number: str) -> str:
    """A case's row as a reader hears it."""
    found = html.partition(f"/cases/{number}")[2].partition("</tr>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found))


# case, what its line says
@pytest.mark.parametrize(
    ("number", "said", "unsaid"),
    [
        ("OPEN-FRESH", ("限", "还剩22小时0分"), ("超期", "晚了")),
        ("OPEN-UNSIGNED", ("签收 限 2026-11-23 04:02 超期6小时0分",), ("晚了",)),
        (
            "OPEN-OVERDUE",
            (
                "催办 2次",
                "办结 限 2026-11-22 07:02 超期1天3小时",
                "催办提醒",
                "138****5555",
                "已送达",
                "督办提醒",
                "没有经办人手机号，未发短信",
            ),
            ("晚了",),
        ),
        ("OPEN-AGAIN", ("还剩21小时0分",), ("超期", "晚了", "催办提醒")),
    ],
)
def test_a_line_says_what_is_done_due_and_late(
    supervisor: FlaskClient, number: str, said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    row = row_of(supervisor.get("/nodes").text, number)
    for words in said:
        assert words in row
    for words in unsaid:
        assert words not in row


def test_late_only_is_what_the_lines_call_late(town: Town, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        every = read_nodes(session, Scope(), Filter(), DAY, NOW).rows
        late = read_nodes(session, Scope(), Filter(late=True), DAY, NOW)
        # Signed for too late, yet signed: the line says it, the list of what to chase doesn't.
        chased = {row.number for row in every if _chased(row)}
        assert {row.number for row in late.rows} == chased
        assert {"OPEN-UNSIGNED", "OPEN-OVERDUE"} <= chased
        assert not {"OPEN-FRESH", "OPEN-AGAIN"} & chased
        assert count_late(session, Scope(), Filter(late=True), DAY, NOW) == (len(every), late.total)


def _chased(row) -> bool:
    steps = {step.kind: step for step in row.steps}
    sign, close = steps[NodeKind.SIGN], steps[NodeKind.CLOSE]
    unsigned = not row.closed and sign.at is None and sign.late(NOW) is not None
    return unsigned or close.late(NOW) is not None


def test_the_filter_stands_in_the_address(supervisor: FlaskClient) -> None:
    page = supervisor.get("/nodes?unit=D01&late=1").text
    assert set(numbers_in(page)) >= {"OPEN-UNSIGNED", "OPEN-OVERDUE"}
    assert 'href="/nodes?unit=D01&amp;late=1" aria-current="true"' in page
    assert numbers_in(supervisor.get("/nodes?q=FRESH&late=1").text) == []
    assert supervisor.get("/nodes?late=maybe").status_code == 400


def test_the_list_is_walked_page_by_page(
    supervisor: FlaskClient, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        town.session = session
        for n in range(60):
            _case(town, f"MORE-{n:03}", ago(hours=3, minutes=n))
    found = [number for numbers, _ in walk(supervisor, "/nodes", "next") for number in numbers]
    assert len(found) == len(set(found)) > 100
    assert [number for number in found if number.startswith("MORE")] == [f"MORE-{n:03}" for n in range(60)]


def test_a_unit_sees_its_own_and_no_handlers_number(sign_in: SignIn) -> None:
    page = sign_in("city").get("/nodes").text
    assert "OPEN-OVERDUE" in page and "****" not in page
    assert "OPEN-OVERDUE" not in sign_in("county").get("/nodes").text


def test_the_line_is_in_the_case_story_too(supervisor: FlaskClient) -> None:
    story = supervisor.get("/cases/OPEN-OVERDUE").text
    assert "超期1天3小时" in story and "催办提醒" in story


def test_a_closed_cases_line_is_its_last_closings(town: Town, sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        case = session.get_one(Case, 2)  # closed late
        steps = {step.kind: step for step in nodes_of(session, Scope(), case, DAY).steps}
    assert steps[NodeKind.CLOSE].late(NOW) == timedelta(days=1, hours=2)
    assert steps[NodeKind.SIGN].late(NOW) is None
    assert steps[NodeKind.URGE].at is None
