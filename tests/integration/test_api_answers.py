"""What a source platform sends and takes: ratings, codes and outcomes of its own cases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Case
from callbacks.models_systems import Outcome
from callbacks.privacy import Privacy
from callbacks.service.web_codes import WebAnswer, answer_code
from callbacks.states import State
from tests.integration.api_world import ALL, Api, make_api, problem
from tests.integration.office import MOBILE, Desk, Exclusion, make_desk


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def api(desk: Desk) -> Api:
    return make_api(desk)


def rating(number: str = "110-0001", **more: Any) -> dict[str, Any]:
    return {"case": number, "rating": 1, "id": "r1"} | more


def rate(api: Api, **more: Any) -> str:
    answer = api.post("/ratings", rating(**more))
    assert answer.status_code == 200, answer.text
    result: str = answer.get_json()["result"]
    return result


def test_a_rating_counts_and_may_be_changed_once(api: Api):
    callback_id = api.desk.close(platform="city-forum")
    sent = rating(rating=3, resolved=False, comment="没有人来")
    answer = api.post("/ratings", sent)
    assert answer.get_json() == {"case": "110-0001", "closing_no": 1, "result": "rated"}
    assert api.desk.state(callback_id) is State.RATED
    assert api.post("/ratings", sent).get_json()["result"] == "rated"  # the same id: the same answer
    assert rate(api, id="r2", rating=3) == "same"
    assert rate(api, id="r3", rating=2) == "changed"
    assert rate(api, id="r4", rating=1) == "uncounted"
    kept = [(row.value, row.counted, row.resolved) for row in api.desk.ratings(callback_id)]
    assert kept == [(3, False, False), (2, True, False), (1, False, None)]
    assert api.desk.ratings(callback_id)[0].comment == "没有人来"


def test_an_id_is_for_one_rating(api: Api):
    api.desk.close()
    rate(api, id="r1", rating=3)
    with problem(api.post("/ratings", rating(id="r1", rating=2)), 422, "key_reused"):
        pass


def test_a_rating_that_failed_doesnt_use_up_its_id(api: Api):
    with problem(api.post("/ratings", rating()), 404, "not_found"):
        pass
    api.desk.close()
    assert rate(api) == "rated"


def test_a_rating_that_comes_many_times_at_once_counts_once(api: Api):
    callback_id = api.desk.close()
    api.token()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: api.post("/ratings", rating()), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(api.desk.ratings(callback_id)) == 1


def test_a_closing_may_be_named(api: Api):
    api.desk.close()
    assert rate(api, closing_no=1) == "rated"
    with problem(api.post("/ratings", rating(closing_no=2, id="r2")), 404, "not_found"):
        pass


def test_of_an_excluded_closing_a_rating_is_a_note(api: Api):
    callback_id = api.desk.close(exclusion=Exclusion.DUPLICATE)
    api.desk.plan()
    assert rate(api) == "uncounted"
    assert [row.counted for row in api.desk.ratings(callback_id)] == [False]


FORMS = [
    ({"rating": 0}, "rating"),
    ({"rating": 4}, "rating"),  # cn5 has it, cn3 hasn't
    ({"rating": "1"}, "rating"),
    ({"rating": True}, "rating"),
    ({"rating": 1.5}, "rating"),
    ({"case": ""}, "case"),
    ({"case": "a\0b"}, "case"),
    ({"comment": "好" * 501}, "comment"),
    ({"comment": "a\0b"}, "comment"),
    ({"id": "评价"}, "id"),
    ({"id": None}, "id"),
    ({"closing_no": 0}, "closing_no"),
    ({"resolved": "yes"}, "resolved"),
    ({"phone": MOBILE}, "phone"),
]


def test_a_rating_of_another_form_is_refused(api: Api):
    callback_id = api.desk.close()
    for more, field in FORMS:
        with problem(api.post("/ratings", rating(**more)), 422, "invalid") as body:
            assert [error["field"] for error in body["errors"]] == [field], more
    assert api.desk.ratings(callback_id) == []


def test_half_a_character_is_no_text(api: Api):
    api.desk.close()
    body = b'{"case":"110-0001","rating":1,"id":"r1","comment":"\\ud800"}'
    with problem(api.post("/ratings", body), 422, "invalid"):
        pass


def test_the_office_may_rate_by_five(desk: Desk):
    policy = desk.ctx.policy.model_copy(update={"scale": "cn5"})
    api = make_api(replace(desk, ctx=replace(desk.ctx, policy=policy)))
    api.desk.close()
    assert rate(api, rating=5) == "rated"


@pytest.mark.parametrize("path", ["/ratings", "/codes"])
def test_another_platforms_case_is_as_unknown_as_none(api: Api, path: str):
    api.desk.close(platform="another")
    token = api.token("city-forum", ALL, "city-forum")
    body = rating() if path == "/ratings" else {"case": "110-0001"}
    theirs = api.post(path, body, token)
    nobodys = api.post(path, body | {"case": "110-9999"}, token)
    with problem(theirs, 404, "not_found") as told:
        assert told == nobodys.get_json()


def test_the_platform_is_told_a_code_that_opens_the_question(api: Api):
    callback_id = api.desk.close(platform="city-forum")
    token = api.token("city-forum", ALL, "city-forum")
    told = api.post("/codes", {"case": "110-0001"}, token).get_json()
    assert told["url"] == f"https://callbacks.example.gov.cn/r/{told['code']}"
    assert told["expires_at"] == api.desk.callback(callback_id).deadline.isoformat()
    api.desk.later(hours=1)
    assert api.post("/codes", {"case": "110-0001"}, token).get_json() == told
    answer_code(api.desk.ctx, told["code"], WebAnswer(1), api.desk.now)
    with problem(api.post("/codes", {"case": "110-0001"}, token), 409, "no_open_question"):
        pass


def note(session: Session, number: str, seq: int | None, kind: str = "rated") -> None:
    case = session.scalars(select(Case).where(Case.number == number)).one()
    at, callback_id = case.closed_at, case.id  # the office's callbacks have their cases' ids
    row = Outcome(case_id=case.id, callback_id=callback_id, kind=kind, ordinal=seq or 0, payload={"n": seq})
    row.at, row.seq = at, seq
    session.add(row)


@pytest.fixture
def told(api: Api) -> Api:
    """Outcomes 1 to 6, of two platforms in turn, and one that has no number yet."""
    api.desk.close(platform="city-forum")
    api.desk.close(platform="another")
    with api.desk.ctx.sessions.begin() as session:
        for seq in range(6, 0, -1):
            note(session, f"110-000{1 + seq % 2}", seq)
        note(session, "110-0001", None, "code")
    return api


def test_outcomes_come_in_their_order_and_none_twice(told: Api):
    seen, after = [], 0
    for expected in (4, 6, 6):
        page = told.get(f"/outcomes?after={after}&limit=4").get_json()
        seen += [row["seq"] for row in page["outcomes"]]
        after = page["next"]
        assert after == expected
    assert seen == [1, 2, 3, 4, 5, 6]
    first = told.get("/outcomes").get_json()["outcomes"][0]
    assert first == {
        "seq": 1,
        "case": "110-0002",
        "kind": "rated",
        "at": told.desk.now.isoformat(),
        "payload": {"n": 1},
    }


def test_a_platform_reads_its_own_and_goes_over_the_others(told: Api):
    token = told.token("city-forum", ALL, "city-forum")
    page = told.get("/outcomes?limit=2", token).get_json()
    assert ([row["seq"] for row in page["outcomes"]], page["next"]) == ([2, 4], 4)
    page = told.get("/outcomes?after=4", token).get_json()
    assert ([row["seq"] for row in page["outcomes"]], page["next"]) == ([6], 6)
    page = told.get("/outcomes?after=0&limit=3", told.token("another", ALL, "another")).get_json()
    assert [row["seq"] for row in page["outcomes"]] == [1, 3, 5]


def test_who_is_ahead_stays_there(told: Api):
    assert told.get("/outcomes?after=99").get_json() == {"outcomes": [], "next": 99}


QUERIES = [
    "after=-1",
    "after=x",
    "after=",
    "after=1&after=2",
    "after=2147483648",
    "limit=0",
    "limit=1001",
    "x=1",
]


def test_a_query_of_another_form_is_refused(api: Api):
    for query in QUERIES:
        with problem(api.get(f"/outcomes?{query}"), 422, "invalid"):
            pass
