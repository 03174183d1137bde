"""Key 0 within hours: a citizen who was called talks with an agent within the same call, over SIP and RTP."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Attempt, Line
from callbacks.models_trunks import PersonLeg
from callbacks.privacy import Privacy
from callbacks.service.claims import ensure_lines
from callbacks.service.transfer_lines import keep_lines, take_lines
from callbacks.states import State
from callbacks.vocabulary import Disposition
from callbacks.writer import Writer
from ivr.put_through import People, Telephone
from ivr.simulated_line import SimulatedLine
from ivr.survey_transfers import SurveyTransfers
from tests.integration.office import Desk, make_desk
from tests.integration.test_agent_calls_sip import serving, trunk  # noqa: F401 (a fixture)
from tests.phones import Phone, Trunk

CITIZEN = "037963110001"  # a landline is called, not texted
SEATS = (Telephone("desk-1", "8001", "city"), Telephone("desk-2", "8002", "city"))


def to_be_called(sessions: sessionmaker[Session], privacy: Privacy) -> tuple[Desk, int]:
    desk = make_desk(sessions, privacy)
    desk.now = datetime.now(UTC)  # the voice role's own clock
    callback = desk.close(CITIZEN)
    desk.plan()
    return desk, callback


def held(desk: Desk) -> int:
    with desk.session() as session:
        return len(session.scalars(select(Line).where(Line.inbound_owner.is_not(None))).all())


def there(desk: Desk, trunk: Trunk, spool: Path, *seats: Telephone):  # type: ignore[no-untyped-def] # noqa: F811
    people = People({"agents": seats}, 12.0)
    return serving(desk, trunk, spool, people=people, in_hours=lambda _now: True)


def asks_for_a_person(trunk: Trunk) -> Phone:  # noqa: F811
    """Answers, and presses 0 when the question has been asked."""
    trunk.until(lambda: CITIZEN in trunk.phones)
    citizen = trunk.phones[CITIZEN]
    citizen.answer()
    trunk.until(lambda: len(citizen.heard) > 60)  # in the greeting no key counts
    citizen.press("0")
    return citizen


def test_a_citizen_is_put_through_and_both_talk(
    sessions: sessionmaker[Session],
    privacy: Privacy,
    trunk: Trunk,  # noqa: F811
    tmp_path: Path,
) -> None:
    """The first telephone is busy, the second answers. Its line is held as long as they talk."""
    desk, callback = to_be_called(sessions, privacy)
    trunk.on_invite = lambda phone: phone.reject(486) if phone.number == "8001" else phone.ring()
    with there(desk, trunk, tmp_path, *SEATS):
        citizen = asks_for_a_person(trunk)
        trunk.until(lambda: "8002" in trunk.phones)
        agent = trunk.phones["8002"]
        assert trunk.log.index("INVITE 8001") < trunk.log.index("INVITE 8002")
        agent.answer()
        trunk.until(lambda: citizen.voice.count(agent.says) > 10 and agent.voice.count(citizen.says) > 10)
        assert held(desk) == 1
        assert len({packet.ssrc for packet in citizen.heard}) == 1  # from the greeting on
        agent.hang_up()
        trunk.until(lambda: f"BYE {CITIZEN}" in trunk.log)
        trunk.until(lambda: desk.state(callback) is State.AGENT_QUEUE)
        trunk.until(lambda: held(desk) == 0)
    busy, talked = legs(desk)
    assert (busy.target, busy.disposition, busy.sip_status) == ("desk-1", Disposition.BUSY, 486)
    assert (talked.target, talked.dialled, talked.trunk) == ("desk-2", "8002", "city")
    assert talked.rang_at <= talked.answered_at <= talked.ended_at
    assert talked.talk_seconds >= 1 and "@" in talked.sip_call_id
    assert (busy.lost_percent, talked.lost_percent) == (None, 0.0)
    [attempt] = attempts(desk)
    assert (attempt.sip_status, attempt.lost_percent) == (200, 0.0)
    assert attempt.talk_seconds >= talked.talk_seconds and "@" in attempt.sip_call_id


def attempts(desk: Desk) -> list[Attempt]:
    with desk.session() as session:
        return list(session.scalars(select(Attempt)))


def legs(desk: Desk) -> list[PersonLeg]:
    with desk.session() as session:
        return list(session.scalars(select(PersonLeg).order_by(PersonLeg.began_at)))


NOT_PUT_THROUGH = [
    # the telephones, whether lines are free
    (SEATS[:1], True),  # it's busy
    (SEATS[:1], False),  # the trunk has no line for it: it isn't rung
    ((), True),
]


@pytest.mark.parametrize(("seats", "free"), NOT_PUT_THROUGH)
def test_who_cant_be_put_through_is_called_by_a_person_later(
    sessions: sessionmaker[Session],
    privacy: Privacy,
    trunk: Trunk,  # noqa: F811
    tmp_path: Path,
    seats: tuple[Telephone, ...],
    free: bool,
) -> None:
    desk, callback = to_be_called(sessions, privacy)
    trunk.on_invite = lambda phone: phone.reject(486) if phone.number == "8001" else phone.ring()
    with there(desk, trunk, tmp_path, *seats):
        trunk.until(lambda: CITIZEN in trunk.phones)
        if not free:
            with desk.session() as session:
                session.execute(update(Line).where(Line.attempt_id.is_(None)).values(reserved=True))
                session.commit()
        asks_for_a_person(trunk)
        trunk.until(lambda: desk.state(callback) is State.AGENT_QUEUE)
        assert ("INVITE 8001" in trunk.log) is bool(seats and free)


def test_a_citizen_who_hangs_up_takes_the_ringing_back(
    sessions: sessionmaker[Session],
    privacy: Privacy,
    trunk: Trunk,  # noqa: F811
    tmp_path: Path,
) -> None:
    desk, callback = to_be_called(sessions, privacy)
    trunk.on_invite = lambda phone: phone.ring()
    with there(desk, trunk, tmp_path, *SEATS):
        citizen = asks_for_a_person(trunk)
        trunk.until(lambda: "8001" in trunk.phones)
        citizen.hang_up()
        trunk.until(lambda: "CANCEL 8001" in trunk.log)
        trunk.until(lambda: held(desk) == 0)
    assert "INVITE 8002" not in trunk.log
    assert desk.state(callback) is not State.RATED


def test_lines_are_taken_only_where_one_is_free_and_held_as_many_as_are_wanted(
    sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    desk = make_desk(sessions, privacy)
    ensure_lines(desk.ctx, "city", 4, 2)  # two are kept for 110
    assert take_lines(desk.ctx, "v1", {"city", "elsewhere"}) == {"city"}
    assert take_lines(desk.ctx, "v2", {"city"}) == {"city"}
    assert take_lines(desk.ctx, "v1", {"city"}) == frozenset()
    keep_lines(desk.ctx, "v1", {"city": 1})
    assert held(desk) == 2
    keep_lines(desk.ctx, "v1", {})
    assert held(desk) == 1
    assert take_lines(desk.ctx, "v2", {"city"}) == {"city"}


def test_a_keeping_that_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that fails by a fault of ours is never heard of again; the line isn't to be lost by that."""
    kept: list[object] = []

    def keep(_ctx: object, _owner: str, wanted: object) -> None:
        kept.append(wanted)
        if len(kept) == 1:
            raise RuntimeError("a fault")

    monkeypatch.setattr("ivr.survey_transfers.keep_lines", keep)
    monkeypatch.setattr("ivr.survey_transfers.take_lines", lambda _ctx, _owner, trunks: frozenset(trunks))
    line, writer = SimulatedLine(), Writer(lambda: None)
    people = People({"agents": SEATS}, 12.0)
    transfers = SurveyTransfers(None, line, people, writer, "v1", lambda _call, _told: None)  # type: ignore[arg-type]

    def turn(now: float) -> None:
        done = threading.Event()
        transfers.keep(now)
        writer.submit(done.set)
        assert done.wait(10)
        writer.deliver()

    transfers.begin("c1", "agents", CITIZEN, None)
    turn(0.0)
    for now in (1.0, 2.0, 5.0, 12.0):
        turn(now)
    assert kept == [{"city": 1}] * 2
    writer.close(5.0)
    line.close()
