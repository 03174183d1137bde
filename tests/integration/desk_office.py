"""One office with something on every page: the town of desk_data, with what watches and decides over it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind
from callbacks.models import (
    Attempt,
    AttemptState,
    Callback,
    Case,
    CaseNode,
    Rating,
    TextKind,
    TextMessage,
    TextState,
)
from callbacks.models_office import (
    AgentCall,
    AgentCallState,
    AgentClaim,
    AgentContact,
    ContactOutcome,
    GapKind,
    IntakeGap,
    Pause,
    PauseScope,
    PolicyVersion,
    Reminder,
    ReminderStage,
    TextTemplate,
)
from callbacks.numbers import mask
from callbacks.policy_toml import write_policy
from callbacks.privacy import Privacy
from callbacks.service.audit_links import link_all
from callbacks.service.core import audit
from callbacks.service.proofs import take_proof
from callbacks.settings import PolicySettings
from callbacks.states import State, Trigger
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Channel, Disposition, NodeKind, SourceChannel
from scoring.evidence import store_evidence
from scoring.item_states import ItemState, ItemTrigger
from scoring.models_items import Appeal, AppealDecision, DissatisfactionItem, HardCaseMeeting, ItemStep
from scoring.web.context import DeskDeps
from tests.integration.desk_data import USERS, Town, add_users, build
from tests.integration.desk_decisions import decide_things
from tests.integration.desk_months import close_months
from tests.integration.kept_rows import KeptRows

TARGETS = {
    "desk-1": TargetSettings(number="8001", logins=("agent",)),
    "desk-2": TargetSettings(number="8002", logins=("agent", "head")),
}
CALLED = "LD20261118-0003"  # rated in a person's call
ON_THE_WEB = "LD20261118-0004"  # rated on the web, in words
ACCEPTED_LONG_AGO = "LD20261110-0005"
_HANDLER = "13803795555"
_DAYS = (date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22))


def furnish(session: Session, town: Town) -> None:
    """What every page has to show, beside `build`'s cases."""
    add_users(town, {login for login, *_ in USERS})
    _called(town)
    _answered_on_the_web(town)
    _being_worked_on(town)
    _items(session, town)
    _queue(session, town)
    _alarms(session, town)
    _pauses(town)
    _changed(town)
    close_months(session, town)
    _audited(session, town)


def take_proofs(deps: DeskDeps) -> None:
    """The nightly proofs of the last days, as the clock's role takes them."""
    for day in _DAYS:
        taken_at = datetime.fromisoformat(f"{day + timedelta(days=1)}T00:05:00+08:00")
        take_proof(deps.writer, deps.read_sessions, day, taken_at)


_built: dict[tuple[Privacy, datetime], KeptRows] = {}


def build_office(sessions: sessionmaker[Session], deps: DeskDeps) -> None:
    """Done once a run, through the services; its rows are kept for every later database."""
    kept = _built.get((deps.privacy, deps.now()))
    if kept is not None:
        with sessions.begin() as session:
            kept.put(session)
        return
    with sessions.begin() as session:
        furnish(session, build(session, deps.privacy))
    decide_things(deps)
    take_proofs(deps)
    with sessions() as session:
        _built[deps.privacy, deps.now()] = KeptRows(session)


# -- stories


def _called(town: Town) -> None:
    """Nobody answered by day; a person called in the evening and stored what the citizen said."""
    phone = "13603790003"
    case = town.case(
        CALLED, "D02", "labour", phone, 3, summary="餐馆拖欠两个月工资。", reply="已责令餐馆三日内付清。"
    )
    callback = town.callback(case, State.RATED)
    assert case.closed_at is not None
    town.call(callback, phone, case.closed_at + timedelta(hours=18), Disposition.NO_ANSWER, sip_status=480)
    handed = case.closed_at + timedelta(hours=24)
    town.move(callback, handed, Trigger.HAND_OVER, State.RETRY_WAIT, State.AGENT_QUEUE)
    at = handed + timedelta(hours=3)
    attempt = town.call(callback, phone, at, Disposition.ANSWERED, sip_status=200, q850=16, talked=96)
    attempt.channel = Channel.AGENT
    asked = {"phone_id": case.phones[0].id, "target": "desk-1", "asked_at": at - timedelta(seconds=9)}
    town.add(
        AgentCall(
            callback_id=callback.id,
            login="agent",
            state=AgentCallState.ENDED,
            attempt_id=attempt.id,
            ended_at=attempt.ended_at,
            **asked,
        )
    )
    stored = at + timedelta(minutes=3)
    note = "说工资只付了一半，语气平和。"
    town.add(
        AgentContact(
            callback_id=callback.id,
            login="agent",
            at=stored,
            outcome=ContactOutcome.RATED,
            note=note,
            attempt_id=attempt.id,
        )
    )
    rating = town.rating(callback, 3, stored, attempt=attempt, reason="not_solved", resolved=False)
    _by(rating, Channel.AGENT, "3", "只给了一个月的，还差一半。")
    town.move(callback, stored, Trigger.RATE, State.AGENT_QUEUE, State.RATED)
    town.item(callback, rating, stored + timedelta(minutes=30))


def _answered_on_the_web(town: Town) -> None:
    case = town.case(ON_THE_WEB, "C01", "traffic", None, 2, summary="路口红绿灯不亮。", reply="已修复。")
    case.source_channel, case.platform = SourceChannel.WEBSITE, "市政务网"
    callback = town.callback(case, State.RATED)
    assert case.closed_at is not None
    at = case.closed_at + timedelta(hours=5)
    _by(town.rating(callback, 2, at, resolved=True), Channel.WEB, "2", "修好了，就是慢了点。")
    town.move(callback, at, Trigger.RATE, State.AWAIT_REPLY, State.RATED)


def _by(rating: Rating, channel: Channel, raw: str, comment: str) -> None:
    rating.channel, rating.raw, rating.comment = channel, raw, comment
    rating.prompt_id = rating.ms_since_prompt_end = None


def _being_worked_on(town: Town) -> None:
    """Two open cases: a fresh one, and one past its time whose handler was urged."""
    _open(town, "LD20261123-0006", timedelta(hours=2), "C02", due_in=timedelta(days=5))
    late = _open(
        town, ACCEPTED_LONG_AGO, timedelta(days=8), "D01", due_in=-timedelta(days=1, hours=3), signed=True
    )
    for kind, days in ((NodeKind.ASSIGN, 8), (NodeKind.URGE, 2), (NodeKind.URGE, 1.5)):
        town.add(CaseNode(case_id=late.id, kind=kind, at=town.now - timedelta(days=days), by="联动办"))
    sent = town.now - timedelta(days=2)
    _reminded(town, late, ReminderStage.URGE, sent, _urging(town, sent))
    _reminded(town, late, ReminderStage.SUPERVISE, town.now - timedelta(days=1), None)


def _open(
    town: Town, number: str, ago: timedelta, unit: str, *, due_in: timedelta, signed: bool = False
) -> Case:
    accepted = town.now - ago
    case = Case(
        number=number,
        source_channel=SourceChannel.PHONE,
        category="water",
        lead_unit_id=town.units[unit].id,
        accepted_at=accepted,
        signed_at=accepted + timedelta(hours=12) if signed else None,
        due_at=town.now + due_in,
        closing_no=0,
    )
    town.add(case)
    return case


def _urging(town: Town, at: datetime) -> TextMessage:
    row = TextMessage(
        kind=TextKind.HANDLER_URGE,
        number_encrypted=town.privacy.encrypt(_HANDLER),
        number_index=town.privacy.index(_HANDLER),
        number_masked=mask(_HANDLER),
        sender_code="10690000110",
        body="【示例市110联动】催办：0005号群众诉求将于11月22日到期，请抓紧办理。",
        state=TextState.DELIVERED,
        not_before=at,
        created_at=at,
        submitted_at=at,
        ended_at=at + timedelta(seconds=4),
    )
    town.add(row)
    return row


def _reminded(town: Town, case: Case, stage: ReminderStage, at: datetime, text: TextMessage | None) -> None:
    text_id = None if text is None else text.id
    town.add(
        Reminder(case_id=case.id, period=1, stage=stage, due_at=case.due_at, made_at=at, text_id=text_id)
    )


# -- the dissatisfaction list, an item in each part of its life

_LIVES = (
    # state, hours to its clock, its last step
    (ItemState.VERIFYING, -3.0, ItemTrigger.VERIFY),
    (ItemState.REWORKING, 50.0, ItemTrigger.SIGN),
    (ItemState.APPEALED, 20.0, ItemTrigger.APPEAL),
    (ItemState.HARD_CASE, 300.0, ItemTrigger.DISSATISFIED_AGAIN),
    (ItemState.CHECKING, 6.0, ItemTrigger.SUBMIT),
    (ItemState.ASSIGNED, -30.0, ItemTrigger.UPHOLD),
)


def _items(session: Session, town: Town) -> None:
    found = session.scalars(select(DissatisfactionItem).order_by(DissatisfactionItem.id)).all()
    for item, (state, hours, trigger) in zip(found, _LIVES, strict=False):
        item.state, item.state_since, item.seq = state, town.now - timedelta(hours=20), 1
        item.due_at, item.assigned_at = town.now + timedelta(hours=hours), town.now - timedelta(hours=20)
        item.supervisor = "supervisor" if item.id % 2 else None
        file = store_evidence(
            session, f"item:{item.id}", "现场照片.jpg", b"\xff\xd8picture", "supervisor", town.now
        )
        _step(town, item, trigger, {"evidence": [file.sha256]})
        if state is ItemState.APPEALED:
            item.appealed = True
            _appealed(town, item)
        if state is ItemState.HARD_CASE:
            item.reworks, item.next_review = 2, date(2026, 11, 21)
            _met(town, item)


def _step(town: Town, item: DissatisfactionItem, trigger: ItemTrigger, detail: dict[str, list[str]]) -> None:
    town.add(
        ItemStep(
            item_id=item.id,
            seq=1,
            at=town.now - timedelta(hours=20),
            by="supervisor",
            trigger=trigger,
            from_state=ItemState.VERIFYING,
            to_state=item.state,
            reason="电话核实，群众说问题还在。",
            detail=detail,
        )
    )


def _appealed(town: Town, item: DissatisfactionItem) -> None:
    at = town.now - timedelta(hours=20)
    row = Appeal(item_id=item.id, unit_id=item.unit_id, grounds="misrated", reason="群众来电说按错了。")
    row.by, row.at = "city", at
    town.add(row)
    word = AppealDecision(appeal_id=row.id, by="supervisor", at=at, uphold=True, reason="录音属实。")
    word.claim_reasonable, word.conduct_proper = True, True
    town.add(word)


def _met(town: Town, item: DissatisfactionItem) -> None:
    row = HardCaseMeeting(item_id=item.id, held_on=date(2026, 10, 21), leader="王副市长")
    row.finding, row.next_review = "由两家共管，月底前拿出方案。", item.next_review
    row.by, row.at = "head", town.now - timedelta(days=33)
    town.add(row)


# -- the queue, and what is watched and decided


def _queue(session: Session, town: Town) -> None:
    """Of the four that wait: one that somebody works on, one whose citizen wants to be called at a time."""
    query = select(Callback).where(Callback.state == State.AGENT_QUEUE).order_by(Callback.next_at)
    _, held, agreed, *_ = session.scalars(query.order_by(Callback.id))
    until = town.now + timedelta(minutes=11)
    town.add(AgentClaim(callback_id=held.id, login="supervisor", at=town.now, until=until))
    at = town.now - timedelta(hours=1)
    note = "正在开会，请下午三点再打。"
    town.add(
        AgentContact(callback_id=agreed.id, login="agent", at=at, outcome=ContactOutcome.LATER, note=note)
    )
    three = town.now.replace(hour=15, minute=0, second=0)
    town.add(AgentClaim(callback_id=agreed.id, login="agent", at=three, until=three + timedelta(minutes=15)))


def _alarms(session: Session, town: Town) -> None:
    """One of every kind, one that was seen; a gap that is open, one that has closed since."""
    at = town.now - timedelta(minutes=30)
    case = session.scalars(select(Case).order_by(Case.id)).first()
    assert case is not None
    lost = _lost_call(session, at)
    town.alarm(AlarmKind.ATTEMPT_UNKNOWN, f"attempt:{lost.id}", at, attempt=lost.id)
    town.alarm(AlarmKind.NETWORK_FAIL, "city", at, trunk="city", sip_status=503)
    day = _DAYS[-1].isoformat()
    town.alarm(AlarmKind.LEDGER_BROKEN, "ledger", at, day=day, cases=[case.number], number=1)
    town.alarm(AlarmKind.INTAKE_GAP, "source:forum", at, gaps=1, missing=3, of="missing_numbers")
    town.alarm(AlarmKind.INTAKE_GAP, "source:hotline", at, gaps=1, missing=2, of="daily_count")
    town.alarm(AlarmKind.INTAKE_FILE, "cases-20261122.csv", at, bad_rows=2, fault="")
    town.alarm(AlarmKind.SPOOL, "sms", at, played=4, refused=True)
    town.alarm(AlarmKind.WEBHOOK_GIVEN_UP, "city-platform", at, case_id=case.id, status=410)
    town.alarm(AlarmKind.AUDIT_BROKEN, "audit", at, fault="altered", line=17, link=12)
    town.alarm(
        AlarmKind.RECORDING_FAILED, "inbound", at, call="in-answered", reason="No space left on device"
    )
    seen = town.alarm(AlarmKind.GATEWAY_DOWN, "smsc", at - timedelta(days=1), reason="no bind", seconds=60)
    seen.acknowledged_at, seen.acknowledged_by = at, "admin"
    _gap(town, "forum", GapKind.MISSING_NUMBERS, "F0000012", "F0000014", 3, 0)
    closed = _gap(town, "hotline", GapKind.DAILY_COUNT, day, day, 120, 120)
    closed.closed_at = town.now - timedelta(minutes=5)


def _lost_call(session: Session, at: datetime) -> Attempt:
    """A call whose process died: it may have rung."""
    attempt = session.scalars(
        select(Attempt).where(Attempt.disposition == Disposition.NO_ANSWER).order_by(Attempt.id)
    ).first()
    assert attempt is not None
    attempt.disposition, attempt.state, attempt.ended_at = Disposition.UNKNOWN, AttemptState.ENDED, at
    return attempt


def _gap(
    town: Town, source: str, kind: GapKind, first: str, last: str, expected: int, found: int
) -> IntakeGap:
    row = IntakeGap(source=source, kind=kind, first=first, last=last, expected=expected, found=found)
    row.noticed_at = town.now - timedelta(minutes=30)
    town.add(row)
    return row


def _pauses(town: Town) -> None:
    """One that holds for a unit, one for a number, one that was lifted."""
    at = town.now - timedelta(hours=2)
    unit = Pause(scope=PauseScope.UNIT, unit_id=town.units["D03"].id, reason="供水系统切换，统一答复后再回访")
    unit.until = town.now + timedelta(hours=8)
    number = Pause(scope=PauseScope.NUMBER, reason="本人来电要求，住院期间不打扰")
    number.number_index, number.number_masked = town.privacy.index("13803790009"), mask("13803790009")
    lifted = Pause(scope=PauseScope.CATEGORY, category="labour", reason="专项行动期间")
    lifted.lifted_at, lifted.lifted_by = at + timedelta(hours=1), "head"
    for row in (unit, number, lifted):
        row.by, row.at = "supervisor", at
        town.add(row)


def _changed(town: Town) -> None:
    """A template in the office's own words and a policy that was saved."""
    body = "您{month}月{day}日反映的{tail}已办结，请回复1满意、2基本满意、3不满意。"
    at = town.now - timedelta(days=3)
    town.add(TextTemplate(kind=TextKind.EVAL, body=body, by="head", at=at, follows=0))
    stock = PolicySettings()
    policy = stock.model_copy(update={"two_day_rule": not stock.two_day_rule})
    reason = "办公会11月20日决定"
    town.add(PolicyVersion(id=1, body=write_policy(policy), by="head", reason=reason, at=at))


def _audited(session: Session, town: Town) -> None:
    """Deeds on a user and a unit, linked and verified in the night; one since, which waits for the clock."""
    at, night_at = town.now - timedelta(days=3), town.now - timedelta(hours=34)
    was = {"name": ["市水务公司", "市水务集团"], "valid_to": [None, "2027-12-31T16:00:00+00:00"]}
    audit(session, at, "admin", "change_unit", "unit:D03", **was)
    audit(session, at, "admin", "change_user", "user:city", role=["agent", "unit_user"], unit=[None, "D01"])
    audit(session, at, "head", "pause", "pause:1", reason="供水系统切换，统一答复后再回访")
    head = link_all(session, at + timedelta(seconds=3))
    night = {"whole": True, "verified": 3, "waiting": 0, "head": head}
    audit(session, night_at, "clock", "verify_audit", "audit", **night)
    link_all(session, night_at)
    audit(session, night_at + timedelta(hours=1), "agent", "reveal_number", "callback:3", phone=3)
