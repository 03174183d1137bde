"""What the office's people decided, as the pages show it: through the services, as people do it."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from callbacks.intake_phones import PHONES_DIFFER
from callbacks.models import Case, Unit
from callbacks.service.core import audit
from scoring.accountability import NewRecord, record
from scoring.adjustments import NewAdjustment, decide, propose
from scoring.decisions import AdjustmentKind, Measure, ObjectionKind
from scoring.evidence import File
from scoring.models import ScoreEntry
from scoring.objections import NewObjection, decide_objection, object_to
from scoring.remarks import sign_remark
from scoring.web.context import DeskDeps
from tests.integration.desk_data import MONTH

_CASE = "LD20261117-0002"
_FILE = File("现场核查照片说明.txt", "11月20日现场核查：占道经营依旧。".encode())


def decide_things(deps: DeskDeps) -> None:
    """A deduction that stands, two things that wait, an objection with a word, a talk, a remark, flags."""
    ctx, points, now = deps.writer, deps.scoring.adjustments, deps.now()
    zone, earlier = deps.policy.windows.timezone, now - timedelta(hours=20)
    false = NewAdjustment(AdjustmentKind.FALSE_CLOSING, "现场核查与答复不符。", case=_CASE, files=(_FILE,))
    made = propose(ctx, points, false, "supervisor", earlier)
    decide(ctx, zone, made, True, "照片与答复不符，属实。", "head", earlier + timedelta(hours=1))
    refusal = NewAdjustment(
        AdjustmentKind.WRONGFUL_REFUSAL, "职责清单内事项两次退单。", case="LD20261116-0001", files=(_FILE,)
    )
    propose(ctx, points, refusal, "supervisor", now - timedelta(hours=2))
    letter = File("感谢信.txt", "感谢水务集团连夜抢修。".encode())
    praise = NewAdjustment(AdjustmentKind.COMMENDATION, "居民送来感谢信。", unit="D03", files=(letter,))
    propose(ctx, points, praise, "head", now - timedelta(hours=3))
    with ctx.sessions.begin() as session:
        unit = session.scalars(select(Unit).where(Unit.code == "D01")).one()
        case = session.scalars(select(Case).where(Case.number == _CASE)).one()
        case.handler_phone_index = case.phones[0].number_index
        audit(session, earlier, "intake", PHONES_DIFFER, f"case:{case.id}", digest="x", added=1, removed=1)
        late = ScoreEntry(
            unit_id=unit.id,
            month=MONTH,
            kind="closed",
            source=f"closing:{case.id}:1",
            changes={"closed": "1"},
            provenance={},
            at=earlier,
        )
        session.add(late)
    objection = NewObjection(
        ObjectionKind.ON_TIME, late.source, "平台11月18日故障，当日已办结并回复。", (_FILE,)
    )
    raised = object_to(ctx, objection, {unit.id}, "city", now - timedelta(hours=5))
    decide_objection(ctx, raised, True, "平台日志证实当日故障。", "supervisor", now - timedelta(hours=1), 0)
    talk = NewRecord(Measure.TALK, "D01", date(2026, 11, 20), "同一路段反复，整改不力。", _CASE, (_FILE,))
    record(ctx, talk, "head", earlier, now.date())
    sign_remark(ctx, f"adjustment:{made}", "已抽查证据，程序合规。", "inspector", now - timedelta(minutes=40))
