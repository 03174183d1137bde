"""Rows for the desk's pages, made directly: a city with two groups of units and cases in every state.

`build(session, privacy, now)` makes the whole; the numbers below are what the tests expect of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from copy import copy
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.security import generate_password_hash

from callbacks.alarms import AlarmKind
from callbacks.models import (
    Attempt,
    AttemptCallback,
    AttemptState,
    Callback,
    CallbackMove,
    Case,
    CaseNode,
    CasePhone,
    Closing,
    Rating,
    Reply,
    TextKind,
    TextMessage,
    TextState,
    Unit,
)
from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.models_office import Alarm
from callbacks.models_voice import VoiceMessage
from callbacks.numbers import kind_of, mask
from callbacks.privacy import Privacy
from callbacks.recording_file import recording_name
from callbacks.settings import OfficeSettings, PolicySettings
from callbacks.states import TERMINAL, State, Trigger
from callbacks.vocabulary import (
    Channel,
    Disposition,
    Exclusion,
    LegKind,
    NodeKind,
    Role,
    SourceChannel,
    UnitGroup,
    UnitLevel,
)
from ivr.flow_shelf import FolderShelf
from scoring.models import AssessmentRecord, ScoreEntry, User
from scoring.models_items import DissatisfactionItem
from scoring.rules import Component, Counts, assess, band, nonresponse_bounds, wilson
from scoring.settings import ScoringSettings
from scoring.web.desk import DeskDeps
from tests.integration.kept_rows import KeptRows

MONTH = "2026-11"
NOW = datetime.fromisoformat("2026-11-23T10:02:15+08:00")
PASSWORD = "a-password-of-the-test"

UNITS = (
    # code, name, name_en, group, level
    ("C01", "涧东区", "Jiandong District", UnitGroup.COUNTY, UnitLevel.COUNTY),
    ("C02", "伊阳县", "Yiyang County", UnitGroup.COUNTY, UnitLevel.COUNTY),
    ("C03", "洛滨新区", "Luobin New Area", UnitGroup.COUNTY, UnitLevel.COUNTY),
    ("D01", "市城市管理局", "City Management Bureau", UnitGroup.DEPT, UnitLevel.CITY),
    (
        "D02",
        "市人力资源和社会保障局",
        "Human Resources Bureau",
        UnitGroup.DEPT,
        UnitLevel.CITY,
    ),
    ("D03", "市水务集团", "Water Supply Group", UnitGroup.DEPT, UnitLevel.CITY),
    ("D04", "市环境保护局", "Environmental Protection Bureau", UnitGroup.DEPT, UnitLevel.CITY),
)


class Town:
    """Makes rows with what they need, and keeps them by name."""

    def __init__(self, session: Session, privacy: Privacy, now: datetime = NOW) -> None:
        self.session = session
        self.privacy = privacy
        self.now = now
        self.units: dict[str, Unit] = {}
        self._serial = count(1)

    def again(self, session: Session) -> Town:
        """The same town, whose rows are in another database."""
        town = Town(session, self.privacy, self.now)
        town.units = {unit.code: unit for unit in session.scalars(select(Unit))}
        town._serial = copy(self._serial)
        return town

    def add(self, row: object) -> None:
        self.session.add(row)
        self.session.flush()

    def unit(
        self,
        code: str,
        name: str,
        name_en: str,
        group: UnitGroup,
        level: UnitLevel,
        parent: str | None = None,
    ) -> Unit:
        row = Unit(
            code=code,
            name=name,
            name_en=name_en,
            group=group,
            level=level,
            parent_id=None if parent is None else self.units[parent].id,
            valid_from=self.now - timedelta(days=900),
        )
        self.add(row)
        self.units[code] = row
        return row

    def case(
        self,
        number: str,
        unit: str,
        category: str,
        phone: str | None,
        closed_days_ago: float = 3,
        *,
        summary: str = "",
        reply: str = "",
        days_for_it: float = 7,
        enterprise: bool = False,
        exclusion: Exclusion | None = None,
        nodes: bool = True,
    ) -> Case:
        closed = self.now - timedelta(days=closed_days_ago)
        accepted = closed - timedelta(days=6, hours=2)
        row = Case(
            number=number,
            source_channel=SourceChannel.PHONE,
            platform="市民热线平台",
            category=category,
            enterprise=enterprise,
            lead_unit_id=self.units[unit].id,
            summary=summary,
            reply=reply,
            accepted_at=accepted,
            signed_at=accepted + timedelta(hours=5),
            due_at=accepted + timedelta(days=days_for_it),
            closed_at=closed,
            closing_no=1,
            exclusion=exclusion,
        )
        self.add(row)
        if phone is not None:
            self.add(CasePhone(case_id=row.id, position=0, kind=kind_of(phone), **self._number(phone)))
        if nodes:
            office = self.units[unit].name
            for kind, at, by in (
                (NodeKind.ASSIGN, accepted + timedelta(hours=1), "联动办"),
                (NodeKind.SIGN, row.signed_at, office),
                (NodeKind.REPLY, closed - timedelta(minutes=20), office),
                (NodeKind.CLOSE, closed, office),
            ):
                self.add(CaseNode(case_id=row.id, kind=kind, at=at, by=by))
        self.add(
            Closing(
                case_id=row.id,
                closing_no=1,
                unit_id=row.lead_unit_id,
                accepted_at=accepted,
                signed_at=row.signed_at,
                due_at=row.due_at,
                closed_at=closed,
                reply=reply,
                exclusion=exclusion,
            )
        )
        return row

    def _number(self, phone: str) -> dict[str, str]:
        return {
            "number_encrypted": self.privacy.encrypt(phone),
            "number_index": self.privacy.index(phone),
            "number_masked": mask(phone),
        }

    def callback(self, case: Case, state: State, deadline_days: float = 5) -> Callback:
        assert case.closed_at is not None
        deadline = self.now + timedelta(days=deadline_days)
        row = Callback(
            case_id=case.id,
            closing_no=1,
            round=1,
            unit_id=case.lead_unit_id,
            state=state,
            state_since=case.closed_at + timedelta(hours=26),
            next_at=deadline if state is State.AGENT_QUEUE else self.now + timedelta(hours=1),
            deadline=deadline,
            closed_at=case.closed_at,
            ended_at=case.closed_at + timedelta(hours=26) if state in TERMINAL else None,
            exclusion=case.exclusion if state is State.EXCLUDED else None,
        )
        if state is State.AGENT_QUEUE:
            row.handed_over = "exhausted"
        self.add(row)
        return row

    def move(self, callback: Callback, at: datetime, trigger: Trigger, source: State, to: State) -> None:
        row = CallbackMove(callback_id=callback.id, at=at, trigger=trigger, from_state=source, to_state=to)
        self.add(row)

    def call(
        self,
        callback: Callback,
        phone: str,
        at: datetime,
        disposition: Disposition,
        *,
        sip_status: int | None = None,
        q850: int | None = None,
        talked: float | None = None,
    ) -> Attempt:
        rang = at + timedelta(seconds=2)
        answered = rang + timedelta(seconds=8) if talked is not None else None
        row = Attempt(
            channel=Channel.VOICE,
            state=AttemptState.ENDED,
            **self._number(phone),
            trunk="city",
            token=1,
            claimed_at=at,
            invited_at=at,
            rang_at=rang,
            answered_at=answered,
            ended_at=answered + timedelta(seconds=talked or 0) if answered else at + timedelta(seconds=20),
            disposition=disposition,
            counts=True,
            sip_status=sip_status,
            q850=q850,
            provider_call_id=f"call-{next(self._serial)}",
            flow="satisfaction_survey",
        )
        self.add(row)
        self.add(AttemptCallback(attempt_id=row.id, callback_id=callback.id, position=0, live=False))
        return row

    def text(
        self, callback: Callback, phone: str, at: datetime, body: str, state: TextState = TextState.DELIVERED
    ) -> TextMessage:
        attempt = Attempt(
            channel=Channel.SMS,
            state=AttemptState.ENDED,
            **self._number(phone),
            trunk="smpp",
            token=1,
            claimed_at=at,
            invited_at=at,
            ended_at=at + timedelta(seconds=3),
        )
        self.add(attempt)
        self.add(AttemptCallback(attempt_id=attempt.id, callback_id=callback.id, position=0, live=False))
        row = TextMessage(
            kind=TextKind.EVAL,
            callback_id=callback.id,
            attempt_id=attempt.id,
            **self._number(phone),
            sender_code="10690000110",
            body=body,
            state=state,
            open=False,
            answerable_until=at + timedelta(hours=72),
            not_before=at,
            created_at=at,
            submitted_at=at + timedelta(seconds=1),
            ended_at=at + timedelta(seconds=4),
        )
        self.add(row)
        return row

    def reply(
        self,
        callback: Callback | None,
        phone: str,
        at: datetime,
        body: str,
        rating: int | None,
        *,
        comment: str = "",
        emergency: bool = False,
    ) -> Reply:
        serial = next(self._serial)
        row = Reply(
            gateway="smpp",
            digest=f"{serial:064d}",
            delivery=f"delivery-{serial}",
            **self._number(phone),
            sender_code="10690000110",
            body=body,
            received_at=at,
            callback_id=None if callback is None else callback.id,
            rating=rating,
            emergency=emergency,
            unclear=rating is None,
            comment=comment,
        )
        self.add(row)
        return row

    def rating(
        self,
        callback: Callback,
        value: int,
        at: datetime,
        *,
        attempt: Attempt | None = None,
        reply: Reply | None = None,
        reason: str | None = None,
        resolved: bool | None = None,
    ) -> Rating:
        row = Rating(
            callback_id=callback.id,
            attempt_id=None if attempt is None else attempt.id,
            reply_id=None if reply is None else reply.id,
            channel=Channel.SMS if reply is not None else Channel.VOICE,
            scale="cn3",
            value=value,
            raw=str(value) if reply is None else reply.body,
            prompt_id="q_rating" if reply is None else None,
            ms_since_prompt_end=1240 if reply is None else None,
            at=at,
            counted=True,
            reason=reason,
            resolved=resolved,
            comment="" if reply is None else reply.comment,
            settled_at=at + timedelta(minutes=30),
        )
        self.add(row)
        self.add(
            ScoreEntry(
                unit_id=callback.unit_id,
                month=MONTH,
                kind="rated",
                source=f"rating:{row.id}",
                callback_id=callback.id,
                rating_id=row.id,
                changes={"rated_raw": "1", "rated": "1"}
                | ({"positive": "1", "weight_first": "1" if value == 1 else "1/2"} if value < 3 else {}),
                provenance={
                    "attempt": row.attempt_id,
                    "reply": row.reply_id,
                    "channel": row.channel.value,
                    "raw": row.raw,
                    "prompt_id": row.prompt_id,
                    "ms_since_prompt_end": row.ms_since_prompt_end,
                    "scale": "cn3",
                    "value": value,
                },
                at=at,
            )
        )
        return row

    def alarm(self, kind: AlarmKind, subject: str, at: datetime, **detail: object) -> Alarm:
        row = Alarm(kind=kind, subject=subject, detail=detail, raised_at=at, last_at=at, times=1)
        self.add(row)
        return row

    def item(self, callback: Callback, rating: Rating, opened_at: datetime) -> DissatisfactionItem:
        row = DissatisfactionItem(
            callback_id=callback.id, rating_id=rating.id, unit_id=callback.unit_id, opened_at=opened_at
        )
        self.add(row)
        return row

    def record(self, unit: str, month: str = MONTH, **values: object) -> AssessmentRecord:
        row = AssessmentRecord(
            unit_id=self.units[unit].id,
            month=month,
            computed_at=self.now,
            **values,
        )
        self.add(row)
        return row


EVAL = (
    "【示例市110联动】您11月18日反映的事项（编号尾号0001）已办理答复。"
    "请回复数字评价：1满意，2基本满意，3不满意。3日内有效。"
)


def desk_deps(
    sessions: sessionmaker[Session],
    read_sessions: sessionmaker[Session],
    privacy: Privacy,
    now: Callable[[], datetime] = lambda: NOW,
) -> DeskDeps:
    """What a desk over the test's database gets."""
    return DeskDeps(
        sessions=sessions,
        read_sessions=read_sessions,
        privacy=privacy,
        office=OfficeSettings(
            name="示例市110联动办",
            area_code="0379",
            signature="示例市110联动",
            sender_code="10690000110",
            caller_number="037963110110",
        ),
        policy=PolicySettings(),
        scoring=ScoringSettings(),
        demo=True,
        secret_key=b"the key of the test's sessions 12",
        now=now,
        flows=FolderShelf(None),
        transfers={"12": "unit-water", "2": "hotline-12345"},
    )


USERS = (
    # login, name, role, unit
    ("agent", "坐席一", Role.AGENT, None),
    ("supervisor", "督办一", Role.SUPERVISOR, None),
    ("head", "负责人", Role.OFFICE_HEAD, None),
    ("inspector", "纪检一", Role.INSPECTOR, None),
    ("admin", "管理员", Role.ADMINISTRATOR, None),
    ("city", "城管用户", Role.UNIT_USER, "D01"),
    ("county", "涧东用户", Role.UNIT_USER, "C01"),
)


@cache
def _hash() -> str:
    return generate_password_hash(PASSWORD, method="pbkdf2:sha256:1")


def add_users(town: Town, logins: Iterable[str]) -> None:
    """Some of USERS, with PASSWORD under a cheap hash: what signing in costs is no matter of these tests."""
    for login, name, role, unit in USERS:
        if login in logins:
            unit_id = None if unit is None else town.units[unit].id
            user = User(login=login, name=name, role=role, unit_id=unit_id, created_at=town.now)
            user.password_hash = _hash()
            town.add(user)


_built: dict[tuple[Privacy, datetime], tuple[Town, KeptRows]] = {}


def build(session: Session, privacy: Privacy, now: datetime = NOW) -> Town:
    """The town: units, two whole stories, a list of items over all ages, and a month's records.

    Its first rows of a run are made one by one, and kept for every later database.
    """
    if (privacy, now) not in _built:
        town = _build(session, privacy, now)
        _built[privacy, now] = town.again(session), KeptRows(session)
        return town
    first, rows = _built[privacy, now]
    rows.put(session)
    return first.again(session)


def _build(session: Session, privacy: Privacy, now: datetime) -> Town:
    town = Town(session, privacy, now)
    for row in UNITS:
        town.unit(*row)
    town.unit("C0101", "涧东区南关街道", "Nanguan Sub-district", UnitGroup.COUNTY, UnitLevel.TOWNSHIP, "C01")
    _story_by_key(town)
    _story_by_text(town)
    _others(town)
    _records(town)
    _calls_to_110(session, town)
    return town


def _calls_to_110(session: Session, town: Town) -> None:
    """One talks, one waits, one was answered, one gave up, one was sent on to the emergency desk."""
    told: tuple[tuple[str, str | None, int, dict[str, object]], ...] = (
        # token, number, seconds ago, what came of it
        ("in-answered", "13803790001", 900, {"talked_at": 4, "ended_at": 95, "target": "seat-1"}),
        ("in-gave-up", "13603790003", 600, {"queued_at": 1, "ended_at": 38, "ended_by": "caller"}),
        ("in-withheld", None, 500, {"redirected_at": 0, "ended_at": 0, "ended_by": "us"}),
        ("in-talks", "037963119999", 60, {"queued_at": 1, "talked_at": 21, "target": "seat-2"}),
        ("in-waits", "13703790007", 9, {"queued_at": 1}),
    )
    for token, number, ago, came_of_it in told:
        came = town.now - timedelta(seconds=ago)
        times = {name: came + timedelta(seconds=n) for name, n in came_of_it.items() if isinstance(n, int)}
        words = {name: word for name, word in came_of_it.items() if isinstance(word, str)}
        call = InboundCall(
            token=token,
            seq=1,
            service="emergency",
            trunk="city",
            called="110",
            asserted=number is not None,
            private=number is None,
            access_network="3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=4600012345" if number else "",
            geolocation=[],
            came_at=came,
            **times,
            **words,
        )
        if number is not None:
            call.number_encrypted = town.privacy.encrypt(number)
            call.number_index, call.number_masked = town.privacy.index(number), mask(number)
        session.add(call)
        session.flush()
        if target := words.get("target"):
            leg = {"answered_at": times["talked_at"], "ended_at": times.get("ended_at")}
            row = InboundLeg(call_id=call.id, token=f"{token}-1", target=target, began_at=came, **leg)
            session.add(row)
            _record(call, row)
        if token == "in-talks":  # and a unit is in it
            rung, answered = (came + timedelta(seconds=at) for at in (41, 48))
            leg = {"kind": LegKind.THREE_WAY, "began_at": rung, "answered_at": answered}
            session.add(InboundLeg(call_id=call.id, token=f"{token}-2", target="unit-water", **leg))


def _record(call: InboundCall, leg: InboundLeg) -> None:
    """The caller's is whole, or goes on; of the leg's the disk took half."""
    for row, began in ((call, call.talked_at), (leg, leg.answered_at)):
        assert began is not None
        row.recording, row.recorded_at = recording_name(row.token, began), began
        row.recorded_seconds = None if call.ended_at is None else (call.ended_at - began).total_seconds()
    if leg.ended_at is not None and leg.recorded_seconds is not None:
        leg.recorded_seconds, leg.recording_failed = leg.recorded_seconds / 2, "No space left on device"


def _story_by_key(town: Town) -> None:
    """A text that nobody answered, a busy line, then key 3 and a reason: number 1."""
    phone = "13803790001"
    case = town.case(
        "LD20261116-0001",
        "D03",
        "water",
        phone,
        4.5,
        summary="家属院3号楼自11月2日起停水，已有两周，物业和水务集团互相推诿，老人孩子用水困难。联系电话13803790001。",
        reply="经查，该小区二次供水泵房电机损坏，我单位已于11月18日更换电机并恢复供水，已电话告知反映人。",
    )
    callback = town.callback(case, State.RATED)
    closed = case.closed_at
    assert closed is not None
    begun = closed + timedelta(hours=2)
    town.move(callback, begun, Trigger.TEXT, State.PENDING, State.SMS_QUEUED)
    town.text(callback, phone, begun + timedelta(seconds=5), EVAL)
    town.move(callback, begun + timedelta(seconds=6), Trigger.TEXT_SENT, State.SMS_QUEUED, State.AWAIT_REPLY)
    called = closed + timedelta(hours=26)
    town.move(callback, called, Trigger.CALL, State.AWAIT_REPLY, State.CALL_QUEUED)
    town.call(callback, phone, called + timedelta(minutes=1), Disposition.BUSY, sip_status=486, q850=17)
    town.move(callback, called + timedelta(minutes=2), Trigger.RETRY, State.DIALING, State.RETRY_WAIT)
    again = called + timedelta(hours=6)
    attempt = town.call(callback, phone, again, Disposition.ANSWERED, sip_status=200, q850=16, talked=41.3)
    rated = again + timedelta(seconds=31)
    rating = town.rating(callback, 3, rated, attempt=attempt, reason="not_solved", resolved=False)
    town.move(callback, rated, Trigger.RATE, State.IN_IVR, State.RATED)
    _after_the_beep(town, callback, attempt, rated + timedelta(seconds=40))
    town.item(callback, rating, rated + timedelta(minutes=30))


def _after_the_beep(town: Town, callback: Callback, attempt: Attempt, at: datetime) -> None:
    """Seven seconds of A-law: a hum, as nobody's voice is in here."""
    octets = bytes([0xD5, 0xC5, 0xF5, 0xC5] * 14_000)
    digest = hashlib.sha256(octets).hexdigest()
    told = {"codec": "pcma", "seconds": 7.0, "sha256": digest, "content": octets}
    town.add(VoiceMessage(callback_id=callback.id, attempt_id=attempt.id, at=at, **told))


def _story_by_text(town: Town) -> None:
    """Rated 3 by text, with words and a number in them: number 2."""
    phone = "13903790002"
    case = town.case(
        "LD20261117-0002",
        "D01",
        "市容",
        phone,
        2.2,
        summary="早市占道经营，垃圾无人清理，气味难闻。",
        reply="我局已安排执法队员巡查，劝离流动摊贩6处。",
        days_for_it=5,
    )
    callback = town.callback(case, State.RATED)
    assert case.closed_at is not None
    sent = case.closed_at + timedelta(hours=2)
    town.text(callback, phone, sent, EVAL)
    at = sent + timedelta(minutes=17)
    words = "根本没人来管，第二天又摆上了，打我电话13903790002细说"
    reply = town.reply(callback, phone, at, f"3，{words}", 3, comment=words)
    rating = town.rating(callback, 3, at, reply=reply)
    town.item(callback, rating, at + timedelta(minutes=30))


_STATES = (
    State.RATED,
    State.RATED,
    State.RATED,
    State.RATED,
    State.UNREACHED,
    State.AWAIT_REPLY,
    State.RETRY_WAIT,
    State.AGENT_QUEUE,
    State.INVALID_NUMBER,
    State.REFUSED,
)
_MATTERS = ("water", "市容", "labour", "pollution", "traffic", "agriculture")


def _others(town: Town) -> None:
    """Forty cases over all units and states; every tenth rating is a 3."""
    codes = [code for code, *_ in UNITS]
    for n in range(40):
        phone = f"1370379{1000 + n}"
        case = town.case(
            f"LD20261115-{100 + n:04d}",
            codes[n % len(codes)],
            _MATTERS[n % len(_MATTERS)],
            phone,
            1 + n / 4,
            summary="反映事项。",
            reply="已办理并答复。",
            enterprise=n % 9 == 0,
            days_for_it=5 if n % 6 == 0 else 7,
            nodes=False,
        )
        callback = town.callback(case, _STATES[n % len(_STATES)], 0.5 if n % 20 == 7 else 5)
        assert case.closed_at is not None
        if callback.state is State.RATED:
            at = case.closed_at + timedelta(hours=20)
            attempt = town.call(callback, phone, at, Disposition.ANSWERED, sip_status=200, talked=30)
            value = 3 if n % 10 == 3 else 1 + n % 2
            rating = town.rating(
                callback, value, at, attempt=attempt, reason="too_slow" if value == 3 else None
            )
            if value == 3:
                town.item(callback, rating, at + timedelta(minutes=30))
        elif callback.state in (State.RETRY_WAIT, State.UNREACHED):
            town.call(callback, phone, case.closed_at + timedelta(hours=26), Disposition.NO_ANSWER)
        elif callback.state is State.AWAIT_REPLY:
            town.text(callback, phone, case.closed_at + timedelta(hours=2), EVAL, TextState.SUBMITTED)
    nobody = town.case(
        "LD20261115-0900", "C02", "agriculture", None, 3, exclusion=Exclusion.ANONYMOUS, nodes=False
    )
    town.callback(nobody, State.EXCLUDED)
    moved = town.case("LD20261115-0901", "C01", "traffic", "13703799901", 3, nodes=False)
    town.callback(moved, State.CANCELLED)
    at = town.now - timedelta(hours=1)
    cry = town.reply(None, "13703799902", at, "救命 我要报警", None, emergency=True)
    town.alarm(AlarmKind.EMERGENCY_REPLY, f"reply:{cry.id}", at, number=cry.number_masked)


def _records(town: Town) -> None:
    """Two departments share the first rank; one has too few ratings, one none."""
    month_of_unit(town, "D01", 1, rated=8, positive=7)
    month_of_unit(town, "D02", 1, rated=8, positive=7)
    month_of_unit(town, "D03", 3, rated=9, positive=6, late=3)
    month_of_unit(town, "D04", None, rated=3, positive=3)
    month_of_unit(town, "C01", 1, rated=7, positive=7)
    month_of_unit(town, "C02", 2, rated=6, positive=5, late=1)
    month_of_unit(town, "C03", None, rated=0, positive=0)
    month_of_unit(town, "D03", 2, "2026-10", rated=9, positive=8)


def month_of_unit(
    town: Town, unit: str, rank: int | None, month: str = MONTH, *, rated: int, positive: int, late: int = 0
) -> None:
    """Ten closings; half of the positive ratings are a 2."""
    counts = Counts(
        closed=Fraction(10),
        closed_on_time=Fraction(10 - late),
        signed_on_time=Fraction(10),
        due=Fraction(10),
        ended=Fraction(10),
        contacted=Fraction(max(rated, 8)),
        unreached=Fraction(10 - max(rated, 8)),
        rated_raw=Fraction(rated),
        rated=Fraction(rated),
        positive=Fraction(positive),
        weight_first=Fraction(positive) - Fraction(positive // 2, 2),
        resolved=Fraction(positive),
        resolved_answered=Fraction(rated),
    )
    settings = ScoringSettings()
    found = assess(counts, settings)
    points = found.item_points(settings.item_points[town.units[unit].group])
    bounds = nonresponse_bounds(counts)
    assert bounds is not None
    town.record(
        unit,
        month,
        rank=rank,
        score=None if found.score is None else str(found.score),
        item_points=None if points is None else str(points),
        listed_apart=found.listed_apart,
        counts=counts.as_texts(),
        components={
            "parts": [_stored(part) for part in found.components],
            "wilson": wilson(counts.positive, counts.rated),
            "nonresponse_bounds": [str(bound) for bound in bounds],
            "band": None if found.score is None else band(found.score),
        },
        settings_version=settings.version,
    )


def _stored(part: Component) -> dict[str, str | None]:
    texts = {
        name: str(getattr(part, name)) for name in ("name", "numerator", "denominator", "points", "value")
    }
    return {**texts, "rate": None if part.rate is None else str(part.rate)}
