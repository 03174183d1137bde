"""The flag of a machine that took a call: kept with the attempt, shown, counted, and without any effect."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Literal

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.metrics import OfficeCollector, office_registry
from callbacks.models import Attempt, AttemptCallback, AttemptState, Callback, Case
from callbacks.privacy import Privacy
from callbacks.service import calls
from callbacks.service.calls import CallOutcome, MachineAdvice
from callbacks.vocabulary import Channel, Disposition, MachineSign
from ivr.dialplan import DialPlan
from tests.integration.desk_pages import SignIn, token
from tests.integration.office import LANDLINE, OFFICE, Desk, make_desk
from tests.integration.voice_role import voice_role
from tests.loopback_city import quick_city, quick_voice, running_city

SPEECH, BEEP = MachineSign.SPEECH, MachineSign.BEEP


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


def ended(desk: Desk, machine: MachineAdvice | None, number: str = LANDLINE) -> tuple[int, Attempt]:
    """A call that was answered and came to nothing; its callback, and its attempt."""
    callback, call = desk.call(number)
    calls.answered(desk.ctx, call.attempt_id, call.token, desk.now)
    outcome = CallOutcome(Disposition.ANSWERED, 200, machine=machine)
    assert calls.ended(desk.ctx, call.attempt_id, call.token, outcome, desk.now)
    return callback, desk.attempt(call.attempt_id)


@pytest.mark.parametrize("is_machine", [True, False])
def test_the_flag_is_kept_with_its_sign_and_time(desk: Desk, is_machine: bool) -> None:
    """False where a key came all the same: the sign stays, for who tests the advice."""
    _, attempt = ended(desk, MachineAdvice(is_machine, BEEP, desk.now))
    assert (attempt.machine, attempt.machine_sign, attempt.machine_at) == (is_machine, BEEP, desk.now)


def test_it_changes_nothing(desk: Desk) -> None:
    """Two calls that differ in it alone lead to the same, at the same time."""
    found = []
    for machine in (None, MachineAdvice(True, SPEECH, desk.now)):
        callback, attempt = ended(desk, machine)
        row = desk.callback(callback)
        found.append((row.state, row.next_at, attempt.disposition, attempt.counts, attempt.machine))
        with desk.ctx.sessions.begin() as session:  # the next one begins where this one did
            session.get_one(Callback, callback).next_at = desk.now.replace(year=2030)
    assert found[0][:4] == found[1][:4]
    assert [each[4] for each in found] == [None, True]


def test_the_metrics_tell_how_often_a_key_disproved_it(
    desk: Desk, read_sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    for last, machine in enumerate(
        [
            MachineAdvice(True, SPEECH, desk.now),
            MachineAdvice(True, SPEECH, desk.now),
            MachineAdvice(False, SPEECH, desk.now),
            MachineAdvice(True, BEEP, desk.now),
            MachineAdvice(False),
            None,
        ]
    ):
        ended(desk, machine, f"03796311001{last}")
    registry = office_registry(OfficeCollector(read_sessions, tmp_path, lambda: desk.now))
    found = {
        (sign, key): registry.get_sample_value("huifang_machines_heard_total", {"sign": sign, "key": key})
        for sign in ("speech", "beep")
        for key in ("no", "yes")
    }
    assert found == {
        ("speech", "no"): 2.0,
        ("speech", "yes"): 1.0,
        ("beep", "no"): 1.0,
        ("beep", "yes"): 0.0,
    }


# The voice role, over SIP and RTP, against a city with a machine


def first_calls(desk: Desk) -> dict[str, Attempt]:
    """Of each number that was called to the end: the first one."""
    found: dict[str, Attempt] = {}
    with desk.session() as session:
        query = select(Attempt).where(Attempt.state == AttemptState.ENDED).order_by(Attempt.id)
        for row in session.scalars(query):
            found.setdefault(row.number_masked[-2:], row)
    return found


@pytest.mark.parametrize("setting", ["advice", "off"])
def test_the_voice_role_notes_a_machine_and_a_person(
    desk: Desk, tmp_path: Path, setting: Literal["advice", "off"]
) -> None:
    desk.close("037963110077")
    desk.close("037963110001")
    desk.plan()
    city_settings = quick_city(machines=("77",), silent_for=1.0)
    plan = DialPlan("0379", OFFICE.own_numbers)
    with (
        running_city(city_settings) as city,
        voice_role(desk, quick_voice(city.port, machine=setting), tmp_path, plan),
    ):
        deadline = time.monotonic() + 60
        while len(rows := first_calls(desk)) < 2:
            assert time.monotonic() < deadline, rows
            time.sleep(0.05)
    machine, person = rows["77"], rows["01"]
    flags = [(row.machine, row.machine_sign) for row in (machine, person)]
    if setting == "advice":
        assert flags == [(True, SPEECH), (False, None)]
        heard_at, answered_at = machine.machine_at, machine.answered_at
        assert heard_at is not None and answered_at is not None and heard_at > answered_at
    else:
        assert flags == [(None, None), (None, None)]
    assert machine.disposition is Disposition.ANSWERED


# The desk


@pytest.fixture
def supervisor(sign_in: SignIn) -> FlaskClient:
    return sign_in("supervisor")


def flag(sessions: sessionmaker[Session], case: str, machine: bool) -> None:
    """The last call of that case."""
    with sessions.begin() as session:
        query = select(Attempt).join(AttemptCallback).join(AttemptCallback.callback).join(Callback.case)
        query = query.where(Case.number == case, Attempt.channel == Channel.VOICE).order_by(Attempt.id.desc())
        row = session.scalars(query).first()
        assert row is not None
        row.machine, row.machine_sign, row.machine_at = machine, SPEECH, row.answered_at


CASE = "LD20261116-0001"


def test_the_story_says_what_was_heard(supervisor: FlaskClient, sessions: sessionmaker[Session]) -> None:
    assert "留言机" not in supervisor.get(f"/cases/{CASE}").text
    flag(sessions, CASE, True)
    assert "可能是留言机/语音信箱：持续讲话" in supervisor.get(f"/cases/{CASE}").text
    flag(sessions, CASE, False)  # a key came
    assert "留言机" not in supervisor.get(f"/cases/{CASE}").text


def test_it_says_so_in_english_too(supervisor: FlaskClient, sessions: sessionmaker[Session]) -> None:
    flag(sessions, CASE, True)
    supervisor.post("/language", data={"csrf_token": token(supervisor, "/"), "lang": "en"})
    story, progress = (supervisor.get(page).text for page in (f"/cases/{CASE}", "/progress"))
    assert "May be an answering machine or voice-mail: speech that went on and on" in story
    assert "perhaps answered by a machine or voice-mail: 1 (advice only" in progress


def test_the_progress_page_counts_them(supervisor: FlaskClient, sessions: sessionmaker[Session]) -> None:
    assert "留言机" not in supervisor.get("/progress").text
    flag(sessions, CASE, True)
    assert re.search(r"其中可能是留言机/语音信箱：1次", supervisor.get("/progress").text)
    assert "留言机" not in supervisor.get("/progress?unit=C01").text
