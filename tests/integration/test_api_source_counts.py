"""POST /source-counts: a source's own daily count, kept, changed, refused."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models_office import SourceCount
from callbacks.privacy import Privacy
from tests.integration.api_world import Api, make_api, problem
from tests.integration.office import make_desk


@pytest.fixture
def api(sessions: sessionmaker[Session], privacy: Privacy) -> Api:
    return make_api(make_desk(sessions, privacy))


def count(number: object = 12, source: object = "forum", day: object = "2026-11-23") -> dict[str, object]:
    return {"source": source, "day": day, "number": number}


def test_a_count_is_kept_and_may_be_changed(api: Api) -> None:
    results = [api.post("/source-counts", count(number)).get_json() for number in (12, 12, 13)]
    assert [told["result"] for told in results] == ["stored", "unchanged", "changed"]
    assert results[0] == {"source": "forum", "day": "2026-11-23", "number": 12, "result": "stored"}
    with api.desk.session() as session:
        [row] = session.scalars(select(SourceCount))
        assert (row.source, row.day, row.number) == ("forum", "2026-11-23", 13)


def test_a_platform_tells_of_its_own_source_alone(api: Api) -> None:
    mine = api.token("mine", platform="论坛")
    assert api.post("/source-counts", count(), mine).status_code == 200
    with problem(api.post("/source-counts", count(source="WX"), mine), 404, "not_found"):
        pass
    with problem(api.post("/source-counts", count(source="fax")), 404, "not_found"):
        pass


def test_reading_outcomes_is_no_right_to_tell_counts(api: Api) -> None:
    reader = api.token("reader", scopes=("outcomes:read",))
    assert api.post("/source-counts", count(), reader).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        count(day="2026-11-31"),  # no day
        count(day="2026-11-24"),  # yet to come
        count(day="23.11.2026"),
        count(number=-1),
        count(number="12"),
        count(number=10_000_001),
        {"source": "forum", "day": "2026-11-23"},
    ],
)
def test_a_count_that_makes_no_sense_is_refused(api: Api, body: dict[str, object]) -> None:
    with problem(api.post("/source-counts", body), 422, "invalid") as told:
        assert told["errors"]
