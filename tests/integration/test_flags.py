"""Gaming flags of a month with their cases, what the intake keeps of other numbers, and who sees them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.intake import import_cases
from callbacks.intake_phones import PHONES_DIFFER
from callbacks.models import Audit, Case, CasePhone, Closing, Rating
from callbacks.privacy import Privacy
from callbacks.service.core import audit
from callbacks.states import State
from callbacks.vocabulary import Channel, Exclusion
from scoring.models import MonthState, ScoreMonth
from scoring.queries_flags import (
    changed_phones,
    exclusions,
    loops,
    quick_keys,
    same_phones,
    together,
    unit_phones,
)
from scoring.settings import FlagSettings, ScoringSettings
from scoring.web.present import month_span
from tests.integration.desk_data import MONTH, NOW, Town
from tests.integration.desk_pages import sign_in_to
from tests.integration.office import make_desk
from tests.integration.test_intake import ROW, write

PHONE = "13803798888"


@pytest.fixture
def session(sessions: sessionmaker[Session], town: Town) -> Iterator[Session]:
    with sessions.begin() as session:
        town.session = session
        yield session


USUAL = FlagSettings()


def span() -> tuple[datetime, datetime]:
    return month_span(MONTH, ZoneInfo("Asia/Shanghai"))


def test_the_town_has_nothing_odd(session: Session) -> None:
    month = span()
    for found in (unit_phones, changed_phones):
        assert list(found(session, month)) == []
    for measured in (same_phones, exclusions, loops):
        assert list(measured(session, month, USUAL)) == []
    assert list(quick_keys(session, month, USUAL, {"q_rating": 9.5})) == []


def test_a_number_with_four_cases_and_a_handlers_own(town: Town, session: Session) -> None:
    cases = [town.case(f"FL-{n}", "D01", "water", PHONE, 2, nodes=False) for n in range(3)]
    assert list(same_phones(session, span(), USUAL)) == []  # three are no flag
    cases.append(town.case("FL-3", "D01", "water", PHONE, 2, nodes=False))
    [found] = same_phones(session, span(), USUAL)
    assert (found.number, found.cases) == ("138****8888", 4)
    other = session.scalars(select(Case).where(Case.number == "LD20261116-0001")).one()  # of D03
    other.handler_phone_index = town.privacy.index(PHONE)
    session.flush()
    assert list(unit_phones(session, span())) == []  # another unit's handler may be a citizen
    cases[0].handler_phone_index = town.privacy.index(PHONE)
    session.flush()
    assert sorted(row.case for row in unit_phones(session, span())) == ["FL-0", "FL-1", "FL-2", "FL-3"]


def test_a_unit_that_leaves_out_far_more_than_its_group(town: Town, session: Session) -> None:
    for n in range(25):
        left_out = Exclusion.ANONYMOUS if n < 20 else None
        case = town.case(f"EX-{n}", "D04", "water", None, 2, exclusion=left_out, nodes=False)
        town.callback(case, State.EXCLUDED if left_out else State.UNREACHED)
    for n in range(30):
        town.callback(town.case(f"OK-{n}", "D02", "water", None, 2, nodes=False), State.UNREACHED)
    [found] = exclusions(session, span(), USUAL)
    assert (found.unit_code, found.excluded) == ("D04", 20)
    assert found.share > 2 * found.mean


def test_quick_keys_come_together_and_a_case_goes_round(town: Town, session: Session) -> None:
    day = NOW.replace(hour=9, minute=0) - timedelta(days=20)  # on which nobody else rates
    for n in range(3):
        case = town.case(f"QK-{n}", "C03", "water", None, 3, nodes=False)
        rating = town.rating(town.callback(case, State.RATED), 1, day + timedelta(seconds=20 * n))
        rating.ms_since_prompt_end = -8701 if n == 0 else -8700
    for rating in session.scalars(select(Rating).where(Rating.channel == Channel.VOICE)):
        assert rating.prompt_id == "q_rating"
    session.flush()
    [quick] = quick_keys(session, span(), USUAL, {"q_rating": 9.5})
    assert (quick.case, quick.number) == ("QK-0", "799")
    found = {row.unit_code: row for row in together(session, span(), USUAL)}
    assert found["C03"].cases == ("QK-0", "QK-1", "QK-2")
    for number in (2, 3):
        closing = session.get_one(Closing, (case.id, 1))
        names = ("case_id", "unit_id", "accepted_at", "closed_at")
        session.add(Closing(**{name: getattr(closing, name) for name in names}, closing_no=number))
    session.flush()
    assert [(row.case, row.number) for row in loops(session, span(), USUAL)] == [("QK-2", "3")]


def test_other_numbers_for_a_closed_case_are_kept_once_and_not_taken_over(
    sessions: sessionmaker[Session], privacy: Privacy, tmp_path: Path
) -> None:
    desk = make_desk(sessions, privacy)
    with sessions.begin() as session:
        desk._unit(session)
    path = tmp_path / "cases.csv"
    import_cases(desk.ctx, write(path, ROW), desk.now)
    import_cases(desk.ctx, write(path, ROW), desk.now)  # the same again is nothing
    other = ROW | {"citizen_phone": "13803790001;13803797777"}
    for _ in range(2):
        import_cases(desk.ctx, write(path, other), desk.now)
    with sessions() as session:
        [line] = session.scalars(select(Audit).where(Audit.action == PHONES_DIFFER))
        assert (line.detail["added"], line.detail["removed"]) == (1, 1)
        assert "1380379" not in str(line.detail)
        assert len(session.scalars(select(CasePhone)).all()) == 2
        [found] = changed_phones(session, (desk.now - timedelta(days=1), desk.now + timedelta(days=1)))
        assert found.case == "SL0001"


def test_the_page_says_that_nothing_is_applied_and_is_the_offices(
    app: Flask, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        case = session.scalars(select(Case).where(Case.number == "LD20261117-0002")).one()
        audit(session, NOW, "intake", PHONES_DIFFER, f"case:{case.id}", digest="x", added=1, removed=0)
    for login, status in (("supervisor", 200), ("inspector", 200), ("city", 403), ("agent", 403)):
        page = sign_in_to(app, login).get("/flags")
        assert page.status_code == status
        if status == 200:
            assert "不会自动影响" in page.text and "LD20261117-0002" in page.text
    assert "LD20261117-0002" not in sign_in_to(app, "head").get("/flags?month=2026-10").text


def test_a_closed_month_is_flagged_by_the_settings_it_was_closed_with(
    app: Flask, town: Town, sessions: sessionmaker[Session]
) -> None:
    """Three cases of a number: odd by the month's own settings, not by today's."""
    with sessions.begin() as session:
        town.session = session
        for n in range(3):
            town.case(f"FL-{n}", "D01", "water", PHONE, 2, nodes=False)
    supervisor = sign_in_to(app, "supervisor")
    assert "138****8888" not in supervisor.get(f"/flags?month={MONTH}").text
    settings = ScoringSettings(flags=FlagSettings(same_phone_cases=2))
    with sessions.begin() as session:
        row = ScoreMonth(month=MONTH, state=MonthState.DRAFT, frozen_at=NOW, frozen_by="head")
        row.objections_until, row.settings_version = NOW, settings.version
        row.settings, row.units = settings.model_dump(mode="json"), {}
        session.add(row)
    page = supervisor.get(f"/flags?month={MONTH}").text
    assert "138****8888" in page and "多于2件" in page
    assert "138****8888" in supervisor.get(f"/flags.csv?month={MONTH}").text
