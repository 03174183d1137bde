"""Months: the worked example of domain.md §4.3 through the service to the published table, and what stays."""

from __future__ import annotations

import json
from datetime import timedelta
from fractions import Fraction as F
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, Callback, Rating
from callbacks.privacy import Privacy
from callbacks.vocabulary import UnitGroup
from scoring import posting
from scoring.adjustments import decide
from scoring.assessment import compute_month
from scoring.commands import assess_command
from scoring.decisions import AdjustmentKind, ObjectionKind
from scoring.models import MonthState, ScoreEntry, ScoreMonth
from scoring.models_decisions import Adjustment
from scoring.models_items import Appeal, DissatisfactionItem
from scoring.month_closing import (
    MonthRefused,
    Refusal,
    freeze_month,
    inputs_text,
    inputs_writer,
    publish_month,
)
from scoring.months import counting_month
from scoring.moving import move_rating
from scoring.objections import BadObjection, NewObjection, ObjectionFault, decide_objection, object_to
from scoring.posting import post_missing
from scoring.queries import Scope
from scoring.queries_months import count_corrections, read_corrections
from scoring.queries_ranking import Rate, read_below, read_period, read_roots
from scoring.removal import sums
from scoring.rules import Counts, percent, satisfaction_rate, show
from scoring.settings import ScoringSettings
from scoring.settings_toml import read_scoring, write_scoring
from tests.integration.months_city import ZONE, Months, at, november
from tests.integration.office import make_desk

DECEMBER_3, DECEMBER_9 = at("2026-12-03"), at("2026-12-09")


@pytest.fixture
def city(sessions: sessionmaker[Session], privacy: Privacy) -> Months:
    return Months.of(make_desk(sessions, privacy).ctx)


def deduct(city: Months, unit: str, points: str, when, number: int = 1) -> None:
    """An approved deduction, as `scoring.adjustments` enters it."""

    def work(session: Session) -> None:
        session.add(
            ScoreEntry(
                unit_id=city.units[unit],
                month=counting_month(session, f"{when:%Y-%m}", decided=True),
                kind="adjustment",
                source=f"adjustment:{number}",
                changes={"deductions": points},
                provenance={},
                at=when,
            )
        )

    city.ctx.run(work)


def close(city: Months, month: str, frozen, published) -> None:
    freeze_month(city.ctx, month, "head", frozen, city.settings, frozen + timedelta(days=5))
    publish_month(city.ctx, month, "head", published)


def test_the_worked_example_through_the_service(city: Months) -> None:
    november(city)
    deduct(city, "B", "2", at("2026-11-21"))
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)
    records = city.records("2026-11")
    rows = {
        code: (
            record.score,
            show(F(record.score)),
            show(F(record.item_points)),
            record.rank,
            percent(satisfaction_rate(Counts.of(record.counts))),
            [part["value"] for part in record.components["parts"]],
        )
        for code, record in records.items()
    }
    assert rows == {
        "A": ("179", "179.00", "35.80", 1, "87.50%", ["70", "35", "36", "18", "20"]),
        "B": ("140", "140.00", "35.00", 2, "87.50%", ["60", "30", "32", "20", "0"]),
        "C": ("1346/7", "192.29", "48.07", 1, "100.00%", ["520/7", "40", "40", "18", "20"]),
    }
    counts = {code: Counts.of(record.counts) for code, record in records.items()}
    assert [(c.closed, c.due, c.rated_raw, c.removed, c.rated) for c in counts.values()] == [
        (10, 9, 8, 0, 8),
        (10, 10, 9, 1, 8),
        (10, 9, 7, 0, 7),
    ]
    assert [(c.contacted, c.unreached) for c in counts.values()] == [(8, 1), (9, 1), (7, 2)]
    assert records["A"].components["nonresponse_bounds"] == ["7/9", "8/9"]
    assert records["B"].components["shrunk"] == str((6 + F(25, 6)) / 13)
    assert [round(bound, 3) for bound in records["A"].components["wilson"]] == [0.529, 0.978]


def test_the_share_without_a_number_is_a_months_too_and_sums_up(city: Months) -> None:
    """Published beside 回访率, so it may not change when a number is told after the closing."""
    city.unit("A", UnitGroup.COUNTY)
    city.unit("A-1", UnitGroup.COUNTY, parent="A")
    for unit, phone in (("A", True), ("A", True), ("A", False), ("A-1", False)):
        city.case(unit, at("2026-11-10"), phone=phone)
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)
    with city.ctx.sessions() as session:
        period = read_period(session, "2026-11", city.settings)
        [row] = read_roots(session, period)
        [below] = read_below(session, Scope(), row.unit.id, period)
    assert (row.without_number, below.without_number) == (Rate(2, 4), Rate(1, 1))


def test_the_two_months_after(city: Months) -> None:
    """A07's late answer counts in December; December's dissatisfied case is mended in January."""
    a = november(city)["A"]
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)

    december = at("2026-12-10")
    closed = [city.case("A", december, late=place == 3) for place in range(4)]
    open_case = city.case("A", None, accepted=at("2026-12-05"), due=at("2026-12-20"))
    city.rate(closed[0], 1, at("2026-12-12"), True)
    city.rate(closed[1], 3, at("2026-12-12"), False)
    city.rate(closed[2], 2, at("2026-12-12"), True)
    city.rate(a[6], 1, at("2026-12-14"), True)
    close(city, "2026-12", at("2027-01-04"), at("2027-01-10"))
    record = city.records("2026-12")["A"]
    assert (show(F(record.score)), show(F(record.item_points))) == ("144.00", "28.80")
    assert record.listed_apart == "small_sample"

    january = at("2027-01-12")
    for late in (False, True):
        city.rate(city.case("A", january, late=late), 1, at("2027-01-13"), True)
    city.again(closed[1], 1, at("2027-01-14"), True)
    assert open_case  # closed later still; none is open at January's end in the example
    with city.ctx.sessions.begin() as session:
        session.execute(text('UPDATE "case" SET closed_at = due_at WHERE id = :id'), {"id": open_case})
    close(city, "2027-01", at("2027-02-03"), at("2027-02-09"))
    record = city.records("2027-01")["A"]
    assert (show(F(record.score)), show(F(record.item_points))) == ("180.00", "36.00")


def test_a_published_month_never_changes(city: Months) -> None:
    callbacks = november(city)
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)
    before = {code: record.counts for code, record in city.records("2026-11").items()}
    city.rate(callbacks["B"][7], 3, at("2026-12-11"), False)  # a late answer
    city.case("C", at("2026-11-28"))  # a closing that came late
    deduct(city, "C", "5", at("2026-11-30"))
    assert compute_month(city.ctx.sessions, "2026-11", city.settings, ZONE, at("2026-12-12")) == 0
    assert {code: record.counts for code, record in city.records("2026-11").items()} == before
    compute_month(city.ctx.sessions, "2026-12", city.settings, ZONE, at("2026-12-12"))
    december = {code: Counts.of(record.counts) for code, record in city.records("2026-12").items()}
    assert (december["B"].rated, december["B"].contacted, december["B"].unreached) == (1, 1, 0)
    assert (december["C"].closed, december["C"].deductions) == (1, 5)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE assessment_record SET rank = 1",
        "DELETE FROM assessment_record",
        "UPDATE score_month SET state = 'draft'",
        "DELETE FROM score_month",
        "UPDATE score_entry SET month = '2026-10'",
        "INSERT INTO assessment_record (unit_id, month, counts, components, settings_version, computed_at) "
        "SELECT unit_id, '2026-11', '{}', '{}', 'x', computed_at FROM assessment_record",
        "INSERT INTO score_entry (unit_id, month, kind, source, changes, provenance, at) "
        "SELECT unit_id, '2026-11', 'rated', 'x', '{}', '{}', at FROM score_entry LIMIT 1",
        "INSERT INTO score_entry (unit_id, month, kind, source, changes, provenance, at) "
        "SELECT unit_id, '2026-11', 'objection', 'x', '{}', '{}', at FROM score_entry LIMIT 1",
    ],
)
def test_the_database_itself_keeps_it(city: Months, statement: str) -> None:
    city.unit("A", UnitGroup.COUNTY)
    city.rate(city.case("A", at("2026-11-10")), 1, at("2026-11-12"))
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)
    with pytest.raises(DBAPIError, match=r"stays as it is|append-only"), city.ctx.sessions.begin() as session:
        session.execute(text(statement))


def test_in_a_draft_only_what_is_decided_counts(city: Months) -> None:
    city.unit("A", UnitGroup.COUNTY)
    callback = city.case("A", at("2026-11-28"))
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    city.rate(callback, 1, at("2026-12-04"))
    deduct(city, "A", "5", at("2026-11-30"))  # proposed in November, decided in the days for objections
    with city.ctx.sessions() as session:
        months = {entry.kind: entry.month for entry in session.scalars(select(ScoreEntry))}
    assert months == {"closed": "2026-11", "due": "2026-12", "rated": "2026-12", "adjustment": "2026-11"}


def test_a_rating_that_is_removed_or_moved_in_the_days_for_objections_is_so_in_the_draft(
    city: Months,
) -> None:
    """An appeal that is upheld before the month is published: there's nothing to correct afterwards."""
    for code in ("A", "B"):
        city.unit(code, UnitGroup.COUNTY)
    removed, moved, told_later = (
        city.rate(city.case("A", at("2026-11-10")), 3, at("2026-11-12")) for _ in "abc"
    )
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    city.remove(removed, at("2026-12-04"))

    def move(session: Session) -> None:
        move_rating(session, session.get_one(Rating, moved), city.units["B"], "head", at("2026-12-04"))

    city.ctx.run(move)
    compute_month(city.ctx.sessions, "2026-11", city.settings, ZONE, at("2026-12-05"))
    publish_month(city.ctx, "2026-11", "head", DECEMBER_9)
    city.remove(told_later, at("2026-12-10"))
    counts = {code: Counts.of(record.counts) for code, record in city.records("2026-11").items()}
    assert {code: (c.rated, c.removed) for code, c in counts.items()} == {"A": (1, 1), "B": (1, 0)}
    with city.ctx.sessions() as session:
        assert [(row.kind, row.of_month) for row in read_corrections(session, "2026-12", None).rows] == [
            ("removed", "2026-11")
        ]


def test_an_appeal_that_nobody_has_decided_holds_publishing_up(city: Months) -> None:
    city.unit("A", UnitGroup.COUNTY)
    callback = city.case("A", at("2026-11-10"))
    rating = city.rate(callback, 3, at("2026-11-12"))
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    with city.ctx.sessions.begin() as session:
        item = session.scalars(select(DissatisfactionItem)).one()
        assert item.rating_id == rating
        appeal = Appeal(item_id=item.id, unit_id=item.unit_id, grounds="misrated", reason="误评")
        appeal.by, appeal.at = "unit", at("2026-12-08")
        session.add(appeal)
    with refused(Refusal.UNDECIDED):
        publish_month(city.ctx, "2026-11", "head", DECEMBER_9)
    publish_month(city.ctx, "2026-11", "head", DECEMBER_9, leave_undecided=True)


def refused(reason: Refusal):
    return pytest.raises(MonthRefused, check=lambda error: error.reason is reason)


def test_months_are_closed_in_order_and_in_time(city: Months) -> None:
    city.unit("A", UnitGroup.COUNTY)
    city.case("A", at("2026-10-10"))
    city.case("A", at("2026-11-10"))
    until = DECEMBER_9

    def freeze(month: str, now=DECEMBER_3) -> None:
        freeze_month(city.ctx, month, "head", now, city.settings, until)

    with refused(Refusal.NOT_OVER):  # November still has an hour, by the city's clock
        freeze("2026-11", at("2026-11-30", 15))
    with refused(Refusal.EARLIER_OPEN):
        freeze("2026-11")
    freeze("2026-10")
    with refused(Refusal.CLOSED):
        freeze("2026-10")
    freeze("2026-11")
    with refused(Refusal.NO_DRAFT):
        publish_month(city.ctx, "2026-12", "head", until)
    with refused(Refusal.OBJECTION_DAYS):
        publish_month(city.ctx, "2026-10", "head", until - timedelta(seconds=1))
    with refused(Refusal.EARLIER_DRAFT):
        publish_month(city.ctx, "2026-11", "head", until)
    publish_month(city.ctx, "2026-10", "head", until)
    with refused(Refusal.CLOSED):
        publish_month(city.ctx, "2026-10", "head", until)


def test_whoever_doubts_computes_it_again(city: Months, tmp_path: Path) -> None:
    november(city)
    city.unit("B-1", UnitGroup.DEPT, parent="B")
    city.rate(city.case("B-1", at("2026-11-11")), 2, at("2026-11-12"))
    deduct(city, "B", "2", at("2026-11-21"))
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)
    with city.ctx.sessions() as session:
        month = session.get_one(ScoreMonth, "2026-11")
        content = "".join(inputs_text(session, "2026-11", inputs_writer(session, "2026-11")))
        settings = ScoringSettings.model_validate(month.settings)
    inputs, toml = tmp_path / "inputs.csv", tmp_path / "settings.toml"
    inputs.write_bytes(content.encode())
    toml.write_text(write_scoring(settings), encoding="utf-8")
    result = CliRunner().invoke(
        assess_command, ["--inputs", str(inputs), "--settings", str(toml), "--json"], catch_exceptions=False
    )
    again = json.loads(result.output)
    assert again["inputs"] == {"sha256": month.inputs_hash, "entries": month.entries}
    assert again["settings_version"] == month.settings_version
    assert again["settings_sha256"] == settings.digest
    records = city.records("2026-11")
    assert {unit["unit"]: (unit["score"], unit["item_points"], unit["rank"]) for unit in again["units"]} == {
        code: (record.score, record.item_points, record.rank) for code, record in records.items()
    }
    for unit in again["units"]:
        printed = records[unit["unit"]].components
        assert unit["rates"] == {name: printed[name] for name in unit["rates"]}
        assert unit["rates"]["satisfaction_rate"] and unit["rates"]["wilson"]
    # B's sums have its subordinate unit's case in them, which is ranked below B, not beside it.
    assert Counts.of(records["B"].counts).closed == 11
    assert (records["B-1"].rank, records["B-1"].listed_apart) == (None, "small_sample")


def test_what_is_about_a_closed_month_is_named_where_it_counts(city: Months) -> None:
    for code in ("A", "B"):
        city.unit(code, UnitGroup.COUNTY)
    waiting, rated, moved, removed, late_end = (city.case("A", at("2026-11-10")) for _ in range(5))
    city.unreached(waiting, at("2026-11-21"))
    ratings = [city.rate(each, 3, at("2026-11-12"), False) for each in (rated, moved, removed)]
    with city.ctx.sessions.begin() as session:  # due in November, and nobody ended it
        query = text("UPDATE callback SET deadline = :at WHERE id = :id")
        session.execute(query, {"at": "2026-11-20 02:00:00+00:00", "id": late_end})
        given = {
            "kind": AdjustmentKind.FALSE_CLOSING,
            "unit_id": city.units["A"],
            "points": "5",
            "reason": "属实",
        }
        of = session.get_one(Callback, rated).case_id
        deduction = Adjustment(
            **given, subject=f"case:{of}", case_id=of, proposed_by="one", proposed_at=at("2026-11-25")
        )
        session.add(deduction)
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    publish_month(city.ctx, "2026-11", "head", DECEMBER_9, leave_undecided=True)

    city.rate(waiting, 1, at("2026-12-10"), True)  # a late answer
    city.case("A", at("2026-11-30"))  # a closing that came when its month was closed
    city.unreached(late_end, at("2026-12-11"))
    city.remove(ratings[2], at("2026-12-12"))

    def move(session: Session) -> None:
        move_rating(session, session.get_one(Rating, ratings[1]), city.units["B"], "head", at("2026-12-13"))

    city.ctx.run(move)
    decide(city.ctx, ZONE, deduction.id, True, "属实", "other", at("2026-12-14"))
    # December's own: none of it is named.
    city.rate(city.case("B", at("2026-12-05")), 1, at("2026-12-06"), True)
    city.unreached(city.case("B", at("2026-12-05")), at("2026-12-12"))

    with city.ctx.sessions() as session:
        found = read_corrections(session, "2026-12", None).rows
        assert read_corrections(session, "2026-11", None).rows == ()
        assert count_corrections(session, "2026-12") == {"2026-11": len(found)}
        assert count_corrections(session, "2026-11") == {}
        numbers = {
            id_: session.get_one(Callback, id_).case.number for id_ in (waiting, rated, moved, removed)
        }
        numbers[late_end] = session.get_one(Callback, late_end).case.number
    assert {row.of_month for row in found} == {"2026-11"}
    assert [row.at for row in found] == sorted((row.at for row in found), reverse=True)
    assert sorted((row.kind, row.case) for row in found) == sorted(
        [
            ("rated", numbers[waiting]),
            ("resolution", numbers[waiting]),
            ("closed", "M-00006"),
            ("ended", numbers[late_end]),
            ("removed", numbers[removed]),
            ("moved_away", numbers[moved]),
            ("moved_in", numbers[moved]),
            ("adjustment", numbers[rated]),
        ]
    )


@pytest.mark.parametrize("published", [False, True])
def test_an_open_case_that_wasn_t_overdue_after_all_leaves_t_and_a(city: Months, published: bool) -> None:
    """The line of an overdue case is there when the month is closed; upheld, the rates are as without it."""
    city.unit("A", UnitGroup.COUNTY)
    for month in ("2026-11", "2026-12"):
        for late in (False, False, False, True):
            city.rate(city.case("A", at(f"{month}-10"), late=late), 1, at(f"{month}-12"), True)
    overdue = city.case("A", None, accepted=at("2026-11-05"), due=at("2026-11-20"))
    line = f"open:2026-11:{overdue}"
    wanted = NewObjection(ObjectionKind.ON_TIME, line, "期限经批准延长到12月31日")
    own = {city.units["A"]}
    with pytest.raises(BadObjection, match=ObjectionFault.LINE):  # the month is open: nothing is entered yet
        object_to(city.ctx, wanted, own, "unit", at("2026-11-25"))
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    assert _rates(city, "2026-11") == {"T": F(3, 5), "A": F(1)}
    if published:
        publish_month(city.ctx, "2026-11", "head", DECEMBER_9)
    when = at("2026-12-10") if published else at("2026-12-04")
    made = object_to(city.ctx, wanted, own, "unit", when)
    for seen, by in enumerate(("supervisor", "head")):
        decide_objection(city.ctx, made, True, "批准文件属实", by, when, seen)
    if published:  # what was published stays, the next month has the correction
        assert _rates(city, "2026-11") == {"T": F(3, 5), "A": F(1)}
        with city.ctx.sessions() as session:
            [entry] = session.scalars(select(ScoreEntry).where(ScoreEntry.kind == "objection"))
        assert entry.month == "2026-12"
        assert entry.changes == {"overdue_open": "-1", "signed_on_time": "-1"}
        compute_month(city.ctx.sessions, "2026-12", city.settings, ZONE, at("2026-12-20"))
        # 4 closed and the case, overdue still at December's end, less the one that is taken back.
        assert _rates(city, "2026-12") == {"T": F(3, 4), "A": F(1)}
    else:
        compute_month(city.ctx.sessions, "2026-11", city.settings, ZONE, when)
        publish_month(city.ctx, "2026-11", "head", DECEMBER_9)
        assert _rates(city, "2026-11") == {"T": F(3, 4), "A": F(1)}
        found = city.records("2026-11")["A"]
        assert (Counts.of(found.counts).open, Counts.of(found.counts).overdue_open) == (1, 0)


def _rates(city: Months, month: str) -> dict[str, F]:
    parts = city.records(month)["A"].components["parts"]
    return {part["name"]: F(part["rate"]) for part in parts if part["name"] in ("T", "A")}


def test_publishing_says_who_when_and_from_what(city: Months) -> None:
    november(city)
    close(city, "2026-11", DECEMBER_3, DECEMBER_9)
    with city.ctx.sessions() as session:
        month = session.get_one(ScoreMonth, "2026-11")
        lines = session.scalars(
            select(Audit).where(Audit.subject == "month:2026-11").order_by(Audit.id)
        ).all()
    assert (month.state, month.frozen_by, month.published_by) == (MonthState.PUBLISHED, "head", "head")
    assert month.published_at == DECEMBER_9
    assert [line.action for line in lines] == ["close_month", "publish_month"]
    assert lines[1].detail == {
        "inputs": month.inputs_hash,
        "entries": month.entries,
        "settings": city.settings.digest,
    }
    assert len(month.audit_head or "") == 64


def test_a_removed_rating_is_as_one_that_never_came(city: Months) -> None:
    city.unit("A", UnitGroup.COUNTY)
    callback = city.case("A", at("2026-11-10"))
    rating = city.rate(callback, 3, at("2026-11-12"), False)
    city.again(callback, 1, at("2026-11-20"))
    city.remove(rating, at("2026-11-25"))
    city.remove(rating, at("2026-11-26"))  # once
    with city.ctx.sessions() as session:
        entries = session.scalars(select(ScoreEntry).where(ScoreEntry.kind != "closed")).all()
    found = {name: value for name, value in sums(entries).items() if value}
    assert found == {"due": 1, "ended": 1, "contacted": 1, "rated_raw": 1, "removed": 1}


def test_what_an_earlier_version_left_without_an_entry_is_posted_once(
    city: Months, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "_SLICE", 1)
    quiet = Months(make_desk(city.ctx.sessions, city.ctx.privacy).ctx)  # nobody keeps its scores
    quiet.unit("A", UnitGroup.COUNTY)
    rated, waiting = quiet.case("A", at("2026-11-10")), quiet.case("A", at("2026-11-10"), late=True)
    quiet.rate(rated, 1, at("2026-11-12"))
    assert waiting != rated
    now = at("2026-11-20")
    quiet.rate(quiet.case("A", at("2026-11-10")), 1, at("2026-11-12"))
    assert post_missing(city.ctx.sessions, city.settings, ZONE, now) == 5
    assert post_missing(city.ctx.sessions, city.settings, ZONE, now) == 0
    with city.ctx.sessions() as session:
        found = sums(session.scalars(select(ScoreEntry)).all())
    assert found == {
        "closed": 3, "closed_on_time": 2, "signed_on_time": 3, "without_number": 3,
        "due": 2, "ended": 2, "contacted": 2,
    }  # fmt: skip


def test_what_a_close_entered_as_due_is_posted_as_ended(city: Months) -> None:
    quiet = Months(make_desk(city.ctx.sessions, city.ctx.privacy).ctx)
    quiet.unit("A", UnitGroup.COUNTY)
    callback = quiet.case("A", at("2026-11-10"))
    with city.ctx.sessions.begin() as session:
        session.execute(text("UPDATE callback SET deadline = :at"), {"at": "2026-11-20 02:00:00+00:00"})
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    quiet.unreached(callback, at("2026-12-04"))
    assert post_missing(city.ctx.sessions, city.settings, ZONE, at("2026-12-05")) == 1
    with city.ctx.sessions() as session:
        kinds = session.scalars(select(ScoreEntry.kind).where(ScoreEntry.source == f"callback:{callback}"))
        assert sorted(kinds) == ["due", "ended"]


def of_callback(city: Months, callback: int) -> dict[tuple[str, str], dict[str, str]]:
    """Its entries' changes, by month and kind."""
    with city.ctx.sessions() as session:
        entries = session.scalars(select(ScoreEntry).where(ScoreEntry.source == f"callback:{callback}"))
        return {(entry.month, entry.kind): entry.changes for entry in entries}


def test_due_in_the_month_of_the_deadline_though_it_ends_later(city: Months) -> None:
    city.unit("A", UnitGroup.COUNTY)
    callback = city.case("A", at("2026-11-10"))
    with city.ctx.sessions.begin() as session:  # nobody ended it in time: a breach, and still due
        session.execute(text("UPDATE callback SET deadline = :at"), {"at": "2026-11-20 02:00:00+00:00"})
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    city.unreached(callback, at("2026-12-04"))
    assert of_callback(city, callback) == {
        ("2026-11", "due"): {"due": "1"},
        ("2026-12", "ended"): {"ended": "1", "unreached": "1"},
    }


def test_an_answer_of_before_the_deadline_that_comes_after_the_month_was_closed(city: Months) -> None:
    """A key that waited in a spool: it was due when the month was closed, and isn't due twice."""
    city.unit("A", UnitGroup.COUNTY)
    callback = city.case("A", at("2026-11-10"))  # due on the 20th
    freeze_month(city.ctx, "2026-11", "head", DECEMBER_3, city.settings, DECEMBER_9)
    city.rate(callback, 1, at("2026-11-12"))
    assert of_callback(city, callback) == {
        ("2026-11", "due"): {"due": "1"},
        ("2026-12", "ended"): {"ended": "1", "contacted": "1"},
    }


def test_the_settings_survive_their_toml() -> None:
    settings = ScoringSettings.model_validate(
        {
            "rework_credit": "1/3",
            "rank_by": "shrunk",
            "unreached_policy": "assume_satisfied",
            "sign_within": "PT8H",
        }
    )
    assert read_scoring(write_scoring(settings)) == settings
    assert read_scoring(write_scoring(settings)).version == settings.version
