"""Deductions, objections, accountability and remarks: who may, once, and what they change."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit
from callbacks.privacy import Privacy
from callbacks.service.core import Context
from scoring.accountability import BadRecord, NewRecord, RecordFault, record
from scoring.adjustments import (
    AdjustmentDecided,
    AdjustmentFault,
    BadAdjustment,
    NewAdjustment,
    decide,
    propose,
    propose_for_item,
)
from scoring.decisions import AdjustmentKind, Measure, ObjectionKind
from scoring.evidence import File
from scoring.models import MonthState, ScoreEntry, ScoreMonth, User
from scoring.models_decisions import Adjustment
from scoring.models_items import DissatisfactionItem, Evidence
from scoring.objections import (
    BadObjection,
    NewObjection,
    ObjectionFault,
    ObjectionMoved,
    decide_objection,
    object_to,
)
from scoring.remarks import BadRemark, remarks_of, sign_remark
from scoring.settings import AdjustmentSettings
from tests.integration.desk_data import MONTH, NOW, Town, desk_deps

CASE = "LD20261117-0002"  # of D01, with an item
FILE = File("核查报告.txt", "现场核查：未整改。".encode())
FALSE = NewAdjustment(AdjustmentKind.FALSE_CLOSING, "现场核查与答复不符", case=CASE, files=(FILE,))
ZONE = "Asia/Shanghai"
POINTS = AdjustmentSettings()


@pytest.fixture
def ctx(
    town: Town, sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
) -> Context:
    return desk_deps(sessions, read_sessions, privacy).writer


def proposed(ctx: Context, wanted: NewAdjustment = FALSE, by: str = "supervisor") -> int:
    return propose(ctx, POINTS, wanted, by, NOW)


def entries(sessions: sessionmaker[Session], kind: str) -> list[ScoreEntry]:
    with sessions() as session:
        return list(session.scalars(select(ScoreEntry).where(ScoreEntry.kind == kind)))


def close_month(sessions: sessionmaker[Session], state: MonthState) -> None:
    with sessions.begin() as session:
        session.merge(
            ScoreMonth(
                month=MONTH,
                state=state,
                frozen_at=NOW,
                frozen_by="head",
                objections_until=NOW + timedelta(days=3),
                settings_version="v",
                settings={},
                units={},
            )
        )


def test_a_deduction_takes_two_people_and_then_the_score_has_it(
    ctx: Context, sessions: sessionmaker[Session]
) -> None:
    made = proposed(ctx)
    assert entries(sessions, "adjustment") == []
    with pytest.raises(BadAdjustment, match=AdjustmentFault.OWN):
        decide(ctx, ZONE, made, True, "属实", "supervisor", NOW)
    decide(ctx, ZONE, made, True, "属实", "head", NOW)
    [entry] = entries(sessions, "adjustment")
    assert (entry.source, entry.changes, entry.month) == (f"adjustment:{made}", {"deductions": "5"}, MONTH)
    assert entry.provenance["decided_by"] == "head"
    with pytest.raises(AdjustmentDecided):
        decide(ctx, ZONE, made, False, "不属实", "head", NOW)
    with sessions() as session:
        assert session.scalars(select(Evidence.subject)).all() == [f"adjustment:{made}"]
        actions = session.scalars(select(Audit.action)).all()
        assert "propose_adjustment" in actions and "adjustment_approved" in actions


def test_the_database_itself_wants_two_people(ctx: Context, sessions: sessionmaker[Session]) -> None:
    made = proposed(ctx)
    with pytest.raises(DBAPIError), sessions.begin() as session:
        session.execute(
            update(Adjustment).where(Adjustment.id == made).values(decided_by="supervisor", decided_at=NOW)
        )


# what is proposed, what is wrong with it
@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        (replace(FALSE, files=()), AdjustmentFault.EVIDENCE),  # people show what it stands on
        (replace(FALSE, case="LD0"), AdjustmentFault.CASE),
        (replace(FALSE, case=""), AdjustmentFault.CASE),  # only praise may be without one
        (replace(FALSE, reason="  "), AdjustmentFault.REASON),
        (
            replace(FALSE, kind=AdjustmentKind.SECOND_DISSATISFIED, case="LD20261115-0900"),
            AdjustmentFault.ITEM,
        ),
        (
            NewAdjustment(AdjustmentKind.COMMENDATION, "锦旗", unit="X9", files=(FILE,)),
            AdjustmentFault.UNIT,
        ),
    ],
)
def test_a_proposal_that_makes_no_sense_is_refused(
    ctx: Context, wanted: NewAdjustment, fault: AdjustmentFault
) -> None:
    with pytest.raises(BadAdjustment, match=fault):
        proposed(ctx, wanted)


def test_once_per_kind_and_case_but_again_after_a_rejection(ctx: Context) -> None:
    first = proposed(ctx)
    with pytest.raises(BadAdjustment, match=AdjustmentFault.TWICE):
        proposed(ctx, by="head")
    proposed(ctx, replace(FALSE, kind=AdjustmentKind.WRONGFUL_REFUSAL))  # another kind is another matter
    decide(ctx, ZONE, first, False, "证据不足", "head", NOW)
    proposed(ctx)


def test_a_commendation_is_a_bonus_and_its_letter_counts_once(
    ctx: Context, sessions: sessionmaker[Session]
) -> None:
    praise = NewAdjustment(AdjustmentKind.COMMENDATION, "群众送锦旗", unit="D03", files=(FILE,))
    made = proposed(ctx, praise)
    with pytest.raises(BadAdjustment, match=AdjustmentFault.TWICE):
        proposed(ctx, praise)
    decide(ctx, ZONE, made, True, "属实", "head", NOW)
    assert entries(sessions, "adjustment")[0].changes == {"bonus": "1"}


def test_the_system_proposes_once_and_a_person_decides(ctx: Context, sessions: sessionmaker[Session]) -> None:
    kind = AdjustmentKind.SECOND_DISSATISFIED
    with sessions.begin() as session:
        item = session.scalars(select(DissatisfactionItem)).first()
        assert item is not None
        made = propose_for_item(session, POINTS, kind, item, "二次回访仍不满意", NOW)
        assert made is not None
        assert propose_for_item(session, POINTS, kind, item, "二次回访仍不满意", NOW) is None
    decide(ctx, ZONE, made.id, True, "属实", "head", NOW)
    assert entries(sessions, "adjustment")[0].changes == {"deductions": "2"}


# how the month stands → where an approved deduction counts
@pytest.mark.parametrize(
    ("state", "month"), [(MonthState.DRAFT, "2026-11"), (MonthState.PUBLISHED, "2026-12")]
)
def test_what_is_decided_late_counts_in_the_draft_or_in_the_next_month(
    ctx: Context, sessions: sessionmaker[Session], state: MonthState, month: str
) -> None:
    made = proposed(ctx)
    close_month(sessions, state)
    decide(ctx, ZONE, made, True, "属实", "head", NOW)
    assert entries(sessions, "adjustment")[0].month == month


# -- objections


@pytest.fixture
def lines(ctx: Context, town: Town, sessions: sessionmaker[Session]) -> dict[str, str]:
    """Sources of lines of D01: one late, one signed late, two open and overdue, one deduction."""
    made = proposed(ctx, by="proposer")
    decide(ctx, ZONE, made, True, "属实", "approver", NOW)
    with sessions.begin() as session:
        for source, changes in (
            ("closing:901:1", {"closed": "1", "signed_on_time": "1"}),
            ("closing:902:1", {"closed": "1", "closed_on_time": "1"}),
            (f"open:{MONTH}:903", {"open": "1", "overdue_open": "1", "signed_on_time": "1"}),
            (f"open:{MONTH}:904", {"open": "1", "overdue_open": "1"}),
            (f"open:{MONTH}:905", {"open": "1"}),
        ):
            session.add(
                ScoreEntry(
                    unit_id=town.units["D01"].id,
                    month=MONTH,
                    kind="open" if source.startswith("open:") else "closed",
                    source=source,
                    changes=changes,
                    provenance={},
                    at=NOW,
                )
            )
    return {
        "late": "closing:901:1",
        "signed": "closing:902:1",
        "open": f"open:{MONTH}:903",
        "open and signed late": f"open:{MONTH}:904",
        "in time": f"open:{MONTH}:905",
        "deduction": f"adjustment:{made}",
    }


def objected(
    ctx: Context, town: Town, kind: ObjectionKind, subject: str, unit: str = "D01", by: str = "city"
) -> int:
    wanted = NewObjection(kind, subject, "系统故障，实际按时")
    return object_to(ctx, wanted, {town.units[unit].id}, by, NOW)


# what is objected to, what the upheld objection gives back
@pytest.mark.parametrize(
    ("kind", "line", "changes"),
    [
        (ObjectionKind.ON_TIME, "late", {"closed_on_time": "1"}),
        (ObjectionKind.SIGNED, "signed", {"signed_on_time": "1"}),
        (ObjectionKind.DEDUCTION, "deduction", {"deductions": "-5"}),
        (ObjectionKind.ON_TIME, "open", {"overdue_open": "-1", "signed_on_time": "-1"}),  # in A as in T
        (ObjectionKind.ON_TIME, "open and signed late", {"overdue_open": "-1"}),  # never in A's signed
        (ObjectionKind.SIGNED, "open and signed late", {"signed_on_time": "1"}),  # overdue, but in A's signed
    ],
)
def test_two_of_one_mind_correct_a_line(
    ctx: Context,
    town: Town,
    sessions: sessionmaker[Session],
    lines: dict[str, str],
    kind: ObjectionKind,
    line: str,
    changes: dict[str, str],
) -> None:
    made = objected(ctx, town, kind, lines[line])
    assert decide_objection(ctx, made, True, "属实", "supervisor", NOW, 0) is None
    with pytest.raises(BadObjection, match=ObjectionFault.AGAIN):
        decide_objection(ctx, made, True, "属实", "supervisor", NOW, 1)
    with pytest.raises(ObjectionMoved):  # its page is older than the first word
        decide_objection(ctx, made, True, "属实", "head", NOW, 0)
    assert decide_objection(ctx, made, False, "不属实", "head", NOW, 1) is None
    assert entries(sessions, "objection") == []
    assert decide_objection(ctx, made, True, "属实", "third", NOW, 2) is True
    [entry] = entries(sessions, "objection")
    assert (entry.source, entry.changes, entry.month) == (f"objection:{made}", changes, MONTH)
    assert entry.provenance["upheld_by"] == ["supervisor", "third"]
    with pytest.raises(ObjectionMoved):
        decide_objection(ctx, made, True, "属实", "fourth", NOW, 3)


def test_who_made_a_deduction_has_no_word_on_the_objection_to_it(
    ctx: Context, town: Town, lines: dict[str, str]
) -> None:
    made = objected(ctx, town, ObjectionKind.DEDUCTION, lines["deduction"])
    for own in ("proposer", "approver"):
        with pytest.raises(BadObjection, match=ObjectionFault.OWN):
            decide_objection(ctx, made, False, "扣分属实", own, NOW, 0)
    assert decide_objection(ctx, made, False, "扣分属实", "supervisor", NOW, 0) is None  # nothing was kept
    other = objected(ctx, town, ObjectionKind.ON_TIME, lines["late"])
    assert decide_objection(ctx, other, True, "属实", "approver", NOW, 0) is None  # of another line, they may


def test_an_office_too_small_to_decide_is_told_so(
    ctx: Context, town: Town, sessions: sessionmaker[Session], lines: dict[str, str]
) -> None:
    """Of three people who decide, one proposed and one approved: the third can't agree with anybody."""
    made = objected(ctx, town, ObjectionKind.DEDUCTION, lines["deduction"])
    with sessions.begin() as session:
        session.execute(update(User).where(User.login == "head").values(active=False))
    for own in ("proposer", "approver"):
        with pytest.raises(BadObjection, match=ObjectionFault.TOO_FEW):
            decide_objection(ctx, made, False, "扣分属实", own, NOW, 0)


def test_nobody_of_the_unit_and_not_who_objects_decides(
    ctx: Context, town: Town, lines: dict[str, str]
) -> None:
    made = objected(ctx, town, ObjectionKind.ON_TIME, lines["late"], by="changed-sides")
    with pytest.raises(BadObjection, match=ObjectionFault.OWN_UNIT):
        decide_objection(ctx, made, True, "属实", "city", NOW, 0)
    with pytest.raises(BadObjection, match=ObjectionFault.OWN):  # a supervisor by now
        decide_objection(ctx, made, True, "属实", "changed-sides", NOW, 0)


# which of the two is upheld first, what each changes; the case is in neither rate in the end
@pytest.mark.parametrize(
    ("first", "changes"),
    [
        (
            ObjectionKind.SIGNED,
            [{"signed_on_time": "1"}, {"overdue_open": "-1", "signed_on_time": "-1"}],
        ),
        (ObjectionKind.ON_TIME, [{"overdue_open": "-1"}]),
    ],
)
def test_both_objections_to_an_open_case(
    ctx: Context,
    town: Town,
    sessions: sessionmaker[Session],
    lines: dict[str, str],
    first: ObjectionKind,
    changes: list[dict[str, str]],
) -> None:
    subject = lines["open and signed late"]
    both = {
        kind: objected(ctx, town, kind, subject) for kind in (ObjectionKind.SIGNED, ObjectionKind.ON_TIME)
    }
    for made in sorted(both.values(), key=lambda id_: id_ != both[first]):
        for seen, by in enumerate(("supervisor", "head")):
            decide_objection(ctx, made, True, "属实", by, NOW, seen)
    assert [entry.changes for entry in entries(sessions, "objection")] == changes


@pytest.mark.parametrize(
    ("kind", "line", "unit", "fault"),
    [
        (ObjectionKind.SIGNED, "late", "D01", ObjectionFault.FINE),  # it was signed on time
        (ObjectionKind.ON_TIME, "late", "D02", ObjectionFault.LINE),  # another's
        (ObjectionKind.DEDUCTION, "late", "D01", ObjectionFault.LINE),
        (ObjectionKind.ON_TIME, "in time", "D01", ObjectionFault.FINE),  # open, and not due yet
        (ObjectionKind.SIGNED, "open", "D01", ObjectionFault.FINE),  # it was signed on time
        (ObjectionKind.SIGNED, "in time", "D01", ObjectionFault.FINE),  # so it isn't in A at all
    ],
)
def test_an_objection_to_what_is_fine_or_anothers_is_refused(
    ctx: Context, town: Town, lines: dict[str, str], kind: ObjectionKind, line: str, unit: str, fault: str
) -> None:
    with pytest.raises(BadObjection, match=fault):
        objected(ctx, town, kind, lines[line], unit)


def test_an_objection_is_heard_once_within_its_days_and_after_publication(
    ctx: Context, town: Town, sessions: sessionmaker[Session], lines: dict[str, str]
) -> None:
    close_month(sessions, MonthState.DRAFT)
    late = NewObjection(ObjectionKind.ON_TIME, lines["late"], "系统故障")
    own = {town.units["D01"].id}
    with pytest.raises(BadObjection, match=ObjectionFault.LATE):
        object_to(ctx, late, own, "city", NOW + timedelta(days=3))
    close_month(sessions, MonthState.PUBLISHED)
    made = object_to(ctx, late, own, "city", NOW + timedelta(days=9))
    with pytest.raises(BadObjection, match=ObjectionFault.TWICE):
        object_to(ctx, late, own, "city", NOW + timedelta(days=9))
    for place, by in enumerate(("supervisor", "head")):
        decide_objection(ctx, made, True, "属实", by, NOW + timedelta(days=10), place)
    assert entries(sessions, "objection")[0].month == "2026-12"  # a correction


# -- accountability and remarks


def test_accountability_is_recorded_with_its_document(ctx: Context, sessions: sessionmaker[Session]) -> None:
    wanted = NewRecord(Measure.TALK, "D01", date(2026, 11, 20), "整改不力", CASE, (FILE,))
    made = record(ctx, wanted, "head", NOW, NOW.date())
    with sessions() as session:
        assert session.scalars(select(Evidence.subject)).all() == [f"accountability:{made}"]
    for bad, fault in (
        (replace(wanted, files=()), RecordFault.FILE),
        (replace(wanted, on_day=date(2026, 11, 24)), RecordFault.DAY),
        (replace(wanted, unit=""), RecordFault.UNIT),
        (replace(wanted, case="LD0"), RecordFault.CASE),
        (replace(wanted, reason=""), RecordFault.REASON),
    ):
        with pytest.raises(BadRecord, match=fault):
            record(ctx, bad, "head", NOW, NOW.date())


def test_a_remark_stands_on_something_that_there_is(ctx: Context, sessions: sessionmaker[Session]) -> None:
    made = proposed(ctx)
    sign_remark(ctx, f"adjustment:{made}", "已抽查，证据充分。", "inspector", NOW)
    sign_remark(ctx, "month:2026-11", "同意发布。", "inspector", NOW)
    with sessions() as session:
        assert [row.body for row in remarks_of(session, f"adjustment:{made}")] == ["已抽查，证据充分。"]
    for subject, body in (("adjustment:99", "x"), ("house:1", "x"), ("month:2026-13", "x"), ("item:1", " ")):
        with pytest.raises(BadRemark):
            sign_remark(ctx, subject, body, "inspector", NOW)
