"""What the API says that each row did is what the intake did, whatever the rows are."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.case_results import known_cases, results_of
from callbacks.api.rows import read_row
from callbacks.intake import read_border, store_rows
from callbacks.intake_rows import CaseRow
from callbacks.models import Unit
from callbacks.privacy import Privacy
from callbacks.vocabulary import UnitGroup, UnitLevel
from tests.integration.api_world import case
from tests.integration.office import NOON, Desk, make_desk

# Few values each, so that rows often meet what is there already.
TIMES = [None, "2026-11-20T10:00:00+08:00", "2026-11-21T02:00:00Z"]
CHOICES: dict[str, list[Any]] = {
    "signed_at": TIMES,
    "replied_at": TIMES,
    "assigned_at": TIMES,
    "due_at": TIMES,
    "summary": ["", "停水"],
    "enterprise": [False, True],
    "exclusion": [None, "duplicate"],
}


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    since = NOON - timedelta(days=99)
    with sessions.begin() as session:
        session.add(
            Unit(code="u1", name="市供水集团", level=UnitLevel.CITY, group=UnitGroup.DEPT, valid_from=since)
        )
    return desk


def some_row(luck: random.Random) -> dict[str, Any]:
    row = case(f"LD-{luck.randrange(4)}")
    for name in luck.sample(sorted(CHOICES), luck.randrange(3)):
        row[name] = luck.choice(CHOICES[name])
    if luck.random() < 0.4:
        row |= {"closed_at": "2026-11-23T10:00:00+08:00", "closing_no": luck.choice([None, 1, 2, 3])}
    return row


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("most", [1, 5])  # row by row, and several steps of a case at once
def test_the_results_are_what_the_intake_counts(desk: Desk, seed: int, most: int):
    luck, border, seen = random.Random(seed), read_border(desk.ctx), Counter()
    for _ in range(60):
        items = [some_row(luck) for _ in range(luck.randint(1, most))]
        rows = {line: read_row(line, item, border) for line, item in enumerate(items)}
        assert all(isinstance(row, CaseRow) for row in rows.values())
        known = known_cases(desk.ctx.sessions, {row.number for row in rows.values()})
        told = Counter(result.value for result in results_of(rows, known).values())
        assert told == store_rows(desk.ctx, rows.values(), desk.later(minutes=1))
        seen += told
    assert set(seen) == {"created", "updated", "closed", "reopened", "unchanged"}
