"""Gaps at intake: found after their grace, told to a seat once, closed by themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.intake_settings import IntakeSettings, SourceSettings
from callbacks.models import Audit, Case
from callbacks.models_office import Alarm, IntakeGap
from callbacks.privacy import Privacy
from callbacks.service.gaps import find_gaps
from callbacks.service.source_counts import BadCount, Told, tell_count
from callbacks.vocabulary import SourceChannel
from tests.integration.office import Desk, make_desk

WX = SourceSettings(name="WX", sequence=r"^WX(\d{8})(\d{4})$")
FORUM = SourceSettings(name="forum", platform="论坛", sequence=r"F(\d+)")
WEB = SourceSettings(name="web", source_channel=SourceChannel.WEBSITE)
SETTINGS = IntakeSettings(sources=(WX, FORUM, WEB))


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    found = make_desk(sessions, privacy)
    found.close()  # makes a unit; its case is of no source
    return found


@pytest.fixture
def look(desk: Desk, read_sessions: sessionmaker[Session]) -> Callable[[], int]:
    return lambda: find_gaps(desk.ctx, read_sessions, SETTINGS, desk.now)


def came(
    desk: Desk,
    *numbers: str,
    at: datetime | None = None,
    platform: str | None = None,
    channel: SourceChannel = SourceChannel.PHONE,
) -> None:
    with desk.ctx.sessions.begin() as session:
        for number in numbers:
            case = Case(
                number=number, source_channel=channel, platform=platform, category="water", lead_unit_id=1
            )
            case.accepted_at = at or desk.now
            session.add(case)


def gaps(desk: Desk) -> list[tuple[str, str, str, int, int, bool]]:
    with desk.session() as session:
        rows = session.scalars(select(IntakeGap).order_by(IntakeGap.first))
        return [(g.source, g.first, g.last, g.expected, g.found, g.closed_at is None) for g in rows]


def alarms(desk: Desk) -> list[Alarm]:
    with desk.session() as session:
        return list(session.scalars(select(Alarm).order_by(Alarm.id)))


def test_missing_numbers_are_found_after_the_grace_and_close_by_themselves(
    desk: Desk, look: Callable[[], int]
) -> None:
    came(desk, "WX202611230002", "WX202611230003", "WX202611230007", "WX202611240001")
    assert look() == 0 and gaps(desk) == []  # they may be on their way
    desk.later(hours=2, seconds=1)
    assert look() == 2
    before = [
        ("WX", "WX202611230001", "WX202611230001", 1, 0, True),
        ("WX", "WX202611230004", "WX202611230006", 3, 0, True),
    ]
    assert gaps(desk) == before
    [alarm] = alarms(desk)
    assert (alarm.kind, alarm.subject, alarm.times) == ("intake_gap", "source:WX", 1)
    assert alarm.detail == {"gaps": 2, "missing": 4, "of": "missing_numbers"}
    assert look() == 0 and alarms(desk)[0].times == 1  # told once
    came(desk, "WX202611230005")
    assert look() == 1
    assert gaps(desk)[1] == ("WX", "WX202611230004", "WX202611230006", 3, 1, True)
    came(desk, "WX202611230001", "WX202611230004", "WX202611230006", at=desk.now - timedelta(days=90))
    assert look() == 2
    assert [gap[4:] for gap in gaps(desk)] == [(1, False), (3, False)]
    assert look() == 0


def test_a_case_that_came_by_another_source_isnt_missing(desk: Desk, look: Callable[[], int]) -> None:
    came(desk, "F7", "F12", platform="论坛")
    came(desk, "F8", "F9", "F11")  # the hotline took them
    desk.later(hours=3)
    look()
    assert gaps(desk) == [("forum", "F10", "F10", 1, 0, True)]


def test_a_number_far_above_is_one_gap(desk: Desk, look: Callable[[], int]) -> None:
    came(desk, "F7", "F99999999999999999999", platform="论坛")
    desk.later(hours=3)
    assert look() == 1
    assert gaps(desk) == [("forum", "F8", "F99999999999999999998", 2**31 - 1, 0, True)]


def test_the_sources_own_count_shows_what_is_missing(desk: Desk, look: Callable[[], int]) -> None:
    day = date(2026, 11, 23)
    came(desk, "A1", "A2", channel=SourceChannel.WEBSITE)
    came(desk, "A3", channel=SourceChannel.WEBSITE, at=desk.now - timedelta(days=1))
    assert tell_count(desk.ctx, SETTINGS, "web", day, 4, "cli:chief", desk.now) is Told.STORED
    assert look() == 0  # the day isn't over
    desk.later(hours=15)
    assert look() == 1
    assert gaps(desk) == [("web", "2026-11-23", "2026-11-23", 4, 2, True)]
    assert [alarm.subject for alarm in alarms(desk)] == ["source:web"]
    came(desk, "A4", channel=SourceChannel.WEBSITE, at=desk.now - timedelta(hours=15))
    assert look() == 1 and gaps(desk)[0][4:] == (3, True)
    assert tell_count(desk.ctx, SETTINGS, "web", day, 3, "cli:chief", desk.now) is Told.CHANGED
    assert look() == 0  # a new count has its own grace
    desk.later(hours=3)
    assert look() == 1 and gaps(desk)[0][3:] == (3, 3, False)
    with desk.session() as session:
        audits = session.scalars(select(Audit).where(Audit.action == "source_count").order_by(Audit.id))
        assert [(row.actor, row.detail["was"], row.detail["number"]) for row in audits] == [
            ("cli:chief", None, 4),
            ("cli:chief", 4, 3),
        ]


def test_a_source_that_is_known_by_its_numbers_is_counted_by_them(
    desk: Desk, look: Callable[[], int]
) -> None:
    came(desk, "WX202611230001", "WX202611230002", "LD-1")
    tell_count(desk.ctx, SETTINGS, "WX", date(2026, 11, 23), 3, "x", desk.now)
    desk.later(days=1)
    look()
    assert gaps(desk) == [("WX", "2026-11-23", "2026-11-23", 3, 2, True)]


@pytest.mark.parametrize(
    ("source", "day", "number", "told"),
    [
        ("fax", date(2026, 11, 23), 1, "no source is named 'fax'; there is WX, forum, web"),
        ("web", date(2026, 11, 24), 1, "2026-11-24 is yet to come"),
        ("web", date(2026, 11, 23), -1, "-1; a whole number from 0"),
    ],
)
def test_a_wrong_count_is_named(desk: Desk, source: str, day: date, number: int, told: str) -> None:
    with pytest.raises(BadCount, match=told):
        tell_count(desk.ctx, SETTINGS, source, day, number, "x", desk.now)


def test_the_same_count_again_changes_nothing(desk: Desk) -> None:
    results = [tell_count(desk.ctx, SETTINGS, "web", date(2026, 11, 23), 4, "x", desk.now) for _ in range(2)]
    assert results == [Told.STORED, Told.UNCHANGED]
