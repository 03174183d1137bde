"""Cases by the API: each row has its result, a bad one is named, and a key makes a request happen once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.idempotency import forget_requests
from callbacks.models import Callback, Case, CasePhone, Unit
from callbacks.models_systems import ApiRequest
from callbacks.privacy import Privacy
from callbacks.vocabulary import UnitGroup, UnitLevel
from tests.integration.api_world import ALL, Api, case, make_api, problem
from tests.integration.office import NOON, make_desk

CLOSED = {"closed_at": "2026-11-23T10:00:00+08:00"}


@pytest.fixture
def api(sessions: sessionmaker[Session], privacy: Privacy) -> Api:
    api = make_api(make_desk(sessions, privacy))
    with api.desk.ctx.sessions.begin() as session:
        unit = {"level": UnitLevel.CITY, "group": UnitGroup.DEPT, "valid_from": NOON - timedelta(days=99)}
        session.add_all(
            [Unit(code="u1", name="市供水集团", **unit), Unit(code="u2", name="市公安局", **unit)]
        )
    return api


def count(api: Api, table: Any) -> int:
    with api.desk.session() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def results(told: list[dict[str, Any]]) -> list[str]:
    return [row["result"] for row in told]


def test_a_case_goes_its_way_step_by_step(api: Api):
    steps = [
        ("created", case()),
        ("unchanged", case()),
        ("updated", case(signed_at="2026-11-20T10:00:00+08:00")),  # a node more
        ("updated", case(signed_at="2026-11-20T10:00:00+08:00", summary="停水")),
        ("closed", case(**CLOSED)),
        ("unchanged", case(**CLOSED)),
        ("unchanged", case(**CLOSED, summary="afterwards")),  # a closing is what it was
        ("unchanged", case()),  # says nothing of a closing
        ("reopened", case(closed_at=None)),
        ("unchanged", case(**CLOSED)),  # tells of the first closing still
        ("closed", case(**CLOSED, closing_no=2)),
    ]
    for expected, row in steps:
        assert results(api.send(row)) == [expected], row
    assert count(api, Callback) == 2


def test_two_steps_of_a_case_in_one_request(api: Api):
    told = api.send(case(**CLOSED), case("LD-2"), case(**CLOSED, closing_no=2), case("LD-2", **CLOSED))
    assert results(told) == ["created", "created", "closed", "closed"]
    assert [(row["line"], row["number"]) for row in told] == [
        (1, "LD-1"),
        (2, "LD-2"),
        (3, "LD-1"),
        (4, "LD-2"),
    ]
    assert count(api, Callback) == 3


def test_what_is_said_twice_is_stored_once(api: Api):
    told = api.send(case(), case(), case(summary="something else"))
    assert results(told) == ["created", "unchanged", "refused"]
    assert told[2]["faults"] == [
        {"field": "number", "fault": "row 1 says something else of the same closing"}
    ]


def test_the_types_of_json_are_the_texts_of_a_file(api: Api):
    row = case(
        enterprise=True,
        complex="是",
        sensitive=None,
        closing_no=1.0,
        citizen_phone=["13803790001", "0379-63110001"],
        assisting_units=["市公安局"],
        **CLOSED,
    )
    assert results(api.send(row)) == ["created"]
    with api.desk.session() as session:
        stored = session.scalars(select(Case)).one()
        phones = session.scalars(select(CasePhone.number_masked).order_by(CasePhone.position)).all()
        assert (stored.enterprise, stored.complex, stored.sensitive, stored.closing_no) == (
            True,
            True,
            False,
            1,
        )
    assert len(phones) == 2


BAD = [
    ("a text", ["-"]),
    (None, ["-"]),
    ([], ["-"]),
    ({}, ["number", "source_channel", "category", "lead_unit", "accepted_at"]),
    (case(lead_unit="nobody"), ["lead_unit"]),
    (case(citizen_phone="110"), ["citizen_phone"]),  # never called
    (case(summary={"text": "停水"}), ["summary"]),
    (case(citizen_phone=[["13803790001"]]), ["citizen_phone"]),
    (case(summary="a\0b"), ["summary"]),  # no database takes it
    (case(summary="\ud800"), ["summary"]),  # half a character
    (case(owner="张三", wish=1), ["owner", "wish"]),  # every unknown field
    (case(owner="张三", lead_unit="nobody"), ["owner", "lead_unit"]),  # all faults at once
    (case(number=None), ["number"]),
    (case(accepted_at=20261120), ["accepted_at"]),
    (case(closed_at="2026-11-01T10:00:00+08:00"), ["closed_at"]),  # before it was accepted
]


def test_a_bad_row_is_named_and_the_others_go_through(api: Api):
    rows = [case("LD-first"), *(row for row, _fields in BAD), case("LD-last")]
    told = api.post("/cases", json.dumps({"cases": rows}).encode()).get_json()["results"]
    assert results(told) == ["created", *("refused" for _ in BAD), "created"]
    for (row, fields), result in zip(BAD, told[1:-1], strict=True):
        assert sorted(fault["field"] for fault in result["faults"]) == sorted(fields), row
    assert told[0]["faults"] == []
    assert count(api, Case) == 2


def test_of_a_platforms_token_the_cases_are_that_platforms(api: Api):
    forum = api.token("city-forum", ALL, "city-forum")
    api.send(case("LD-1"), case("LD-2", platform="city-forum"))
    rows = [
        case("LD-1", summary="not theirs"),
        case("LD-2", summary="theirs", platform="city-forum"),
        case("LD-3"),  # theirs, without saying so
        case("LD-4", platform="another"),
    ]
    told = api.post("/cases", {"cases": rows}, forum).get_json()["results"]
    assert results(told) == ["refused", "updated", "created", "refused"]
    assert [row["faults"][0]["field"] for row in (told[0], told[3])] == ["number", "platform"]
    with api.desk.session() as session:
        kept = dict(session.execute(select(Case.number, Case.platform)).all())
    assert kept == {"LD-1": None, "LD-2": "city-forum", "LD-3": "city-forum"}


def test_a_thousand_rows_in_one_request(api: Api):
    told = api.send(*(case(f"LD-{number}") for number in range(1000)))
    assert set(results(told)) == {"created"}
    assert [row["line"] for row in told] == list(range(1, 1001))
    assert count(api, Case) == 1000


def test_the_same_request_with_its_key_has_its_first_answer(api: Api):
    first = api.send(case(), Idempotency_Key="k1")
    again = api.send(case(), Idempotency_Key="k1")
    assert results(first) == ["created"] and again == first
    assert results(api.send(case(), Idempotency_Key="k2")) == ["unchanged"]
    with problem(api.post("/cases", {"cases": [case("LD-2")]}, Idempotency_Key="k1"), 422, "key_reused"):
        pass
    assert count(api, Case) == 1


def test_a_key_is_the_tokens_own(api: Api):
    api.send(case(), Idempotency_Key="k1")
    other = api.token("another")
    answer = api.post("/cases", {"cases": [case("LD-2")]}, other, Idempotency_Key="k1")
    assert results(answer.get_json()["results"]) == ["created"]


KEYS = ["", "a b", "回访", "x" * 101]


def test_a_key_has_a_form(api: Api):
    for key in KEYS:
        headers = {"Idempotency_Key": key.encode().decode("latin-1")}
        with problem(api.post("/cases", {"cases": [case()]}, **headers), 400, "bad_key"):
            pass


def test_of_many_at_once_with_one_key_one_works(api: Api):
    api.token()

    def ask(_number: int) -> Any:
        return api.post("/cases", {"cases": [case()]}, Idempotency_Key="k1")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 409)
    assert {results(a.get_json()["results"])[0] for a in answers if a.status_code == 200} == {"created"}
    assert results(ask(0).get_json()["results"]) == ["created"]
    assert count(api, Case) == 1


def test_of_many_at_once_with_one_new_case_all_are_answered(api: Api):
    api.token()
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _number: api.send(case(**CLOSED)), range(8)))
    assert len(told) == 8
    assert (count(api, Case), count(api, Callback)) == (1, 1)


def test_a_key_whose_work_died_waits_and_is_then_taken_over(api: Api):
    api.send(case(), Idempotency_Key="k1")
    with api.desk.ctx.sessions.begin() as session:
        session.scalars(select(ApiRequest)).one().status = 0
    answer = api.post("/cases", {"cases": [case()]}, Idempotency_Key="k1")
    with problem(answer, 409, "under_way"):
        assert answer.headers["Retry-After"] == "5"
    api.desk.later(minutes=5)
    assert results(api.send(case(), Idempotency_Key="k1")) == ["unchanged"]  # it had done its work


def test_after_a_week_a_key_is_forgotten(api: Api):
    api.send(case(), Idempotency_Key="k1")
    assert forget_requests(api.desk.ctx, api.desk.later(days=7)) == 0
    assert forget_requests(api.desk.ctx, api.desk.later(seconds=1)) == 1
    assert count(api, ApiRequest) == 0
