"""Twilio's calls over the whole way: claimed, dialled by REST at a stub, then webhooks at the web role."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from twilio.request_validator import RequestValidator

import app
from callbacks.models import Attempt, AttemptState, Line, Rating
from callbacks.service import provider_calls
from callbacks.states import State
from callbacks.stopping import Stop
from callbacks.vocabulary import Disposition
from ivr.dialplan import DialPlan
from ivr.twilio_line import CAPABILITIES, TRUNK
from ivr.twilio_settings import PREFIX
from tests.integration.http_provider import Asked, Told
from tests.integration.office import LANDLINE, OFFICE
from tests.integration.twilio_world import (
    ACCOUNT,
    CITY,
    SID,
    TOKEN,
    Office,
    account,
    action_of,
    call_shown,
    refused,
    snapshot,
    twilio_office,
    worker_of,
)

OTHER = "037963110002"
pytestmark = [
    pytest.mark.contract_cant(
        "join two calls",
        "a bridge carries keys and tells them",
        "a bridge ends with either call and leaves the other up",
        "a bridge is ended or made anew",
        "bridges that cant be are harmless",
        "three hear one another until one leaves",
    ),
    pytest.mark.contract_cant(
        "take an order before a step is over",
        "a replaced prompt starts and does not finish",
        "a stopped prompt does not finish",
        "a recording in place of another finishes it",
    ),
    pytest.mark.contract_cant(
        "tell when a key went down", "a key began after its prompt and time never runs back"
    ),
    pytest.mark.contract_cant(
        "hear a key while something is said, not asked", "a key within a prompt is told"
    ),
    pytest.mark.contract_cant(
        "tell a machine that took the call",
        "a machine that took the call is told once",
        "no machine is told of a person or unasked",
    ),
    pytest.mark.contract_cant(
        "hand on what is said",
        "who taps a call hears what is said",
        "taps that cant be are harmless",
    ),
    pytest.mark.contract_cant(
        "hear what comes before an answer", "a busy tone before an answer ends the call"
    ),
    pytest.mark.contract_cant("say how keys come", "keys are tones where nothing else was agreed"),
    pytest.mark.contract_cant("choose the codec", "codecs are offered in the orders order"),
    pytest.mark.contract_cant("count packets", "how the voice went is told with the end"),
    pytest.mark.contract_cant("be called", "callers"),  # the whole of that suite
]


@pytest.fixture
def office(sessions: Any, privacy: Any) -> Iterator[Office]:
    with twilio_office(sessions, privacy) as found:
        yield found


@pytest.mark.contract("no answer is cancelled after the ring time")
def test_the_order_is_a_call(office: Office) -> None:
    office.call()
    [asked] = office.stub.asked
    key = office.attempt().provider_call_id
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert asked.form == {
        "To": f"+86{LANDLINE[1:]}",
        "From": "+15005550006",
        "Url": f"{CITY}{PREFIX}{key}/0#rc=5&rp=5xx,ct,rt",
        "Method": "POST",
        "StatusCallback": f"{CITY}{PREFIX}{key}/status#rc=5&rp=5xx,ct,rt",
        "StatusCallbackEvent": "initiated",
        "StatusCallbackMethod": "POST",
        "Timeout": "30",
        "TimeLimit": "630",
    }
    assert asked.body.decode().count("StatusCallbackEvent=") == 4
    assert office.attempt().trunk == TRUNK


@pytest.mark.contract("a whole call")
def test_a_whole_survey(office: Office) -> None:
    step = office.call()
    assert office.tell("initiated").status_code == 204
    assert office.tell("ringing").status_code == 204
    assert office.attempt().state is AttemptState.RINGING
    step = action_of(office.post(step))
    assert office.attempt().state is AttemptState.TALKING
    step = action_of(office.post(step, Digits="3"))
    assert office.ratings() == [(3, "3", None, None)]
    office.restart()
    step = action_of(office.post(step, Digits=""))  # the read-back, heard out
    step = action_of(office.post(step, Digits="2"))
    beep = office.post(step, Digits="2")
    step = str(ElementTree.fromstring(beep.text).find("Redirect").text)
    end = office.post(step)  # no message
    assert "<Hangup" in end.text and "thanks_bad" in end.text
    assert office.ratings() == [(3, "3", False, "too_slow")]
    assert office.tell("completed", CallDuration="21").status_code == 204
    attempt = office.attempt()
    assert (attempt.disposition, attempt.sip_status, attempt.q850) == (Disposition.ANSWERED, None, None)
    assert attempt.cause_raw == "Twilio completed"
    assert attempt.sip_call_id == SID and attempt.talk_seconds is not None
    assert office.desk.callback(office.callback_id).state is State.RATED
    office.worker.look(1e12)
    assert not office.worker._live


def test_a_key_has_no_time(office: Office) -> None:
    office.post(action_of(office.post(office.call())), Digits="1")
    with office.desk.session() as session:
        assert session.scalars(select(Rating)).one().ms_since_prompt_end is None


@pytest.mark.contract("calls that nobody takes")
@pytest.mark.parametrize(
    ("status", "disposition", "counts"),
    [
        ("busy", Disposition.BUSY, True),
        ("no-answer", Disposition.NO_ANSWER, True),
        ("failed", Disposition.NETWORK_FAIL, False),
        ("canceled", Disposition.CANCELLED, False),
    ],
)
def test_what_a_status_means(office: Office, status: str, disposition: Disposition, counts: bool) -> None:
    office.call()
    assert office.tell(status).status_code == 204
    attempt = office.attempt()
    assert (attempt.state, attempt.disposition, attempt.counts) == (AttemptState.ENDED, disposition, counts)


def test_key_0_asks_for_a_person(office: Office) -> None:
    office.post(action_of(office.post(office.call())), Digits="0")
    office.tell("completed")
    assert office.desk.callback(office.callback_id).state is State.AGENT_QUEUE


@pytest.mark.contract("they hang up in the prompt")
def test_they_hang_up_in_the_greeting(office: Office) -> None:
    office.post(office.call())
    assert office.tell("completed").status_code == 204
    attempt = office.attempt()
    assert (attempt.state, attempt.disposition) == (AttemptState.ENDED, Disposition.ANSWERED)
    assert office.ratings() == []


@pytest.mark.contract("a silent one hangs up at last")
def test_a_silent_one_is_asked_again_and_then_let_go(office: Office) -> None:
    step = action_of(office.post(office.call()))
    again = office.post(step)
    assert "no_input" in again.text and "q_rating_slow" in again.text
    end = office.post(action_of(again))
    assert "no_input_final" in end.text and "<Hangup" in end.text
    office.tell("completed")
    assert (office.attempt().disposition, office.ratings()) == (Disposition.ANSWERED, [])


def withdraw(office: Office) -> list[dict[str, str]]:
    """The desk calls it off; what Twilio is ordered."""
    before = len(office.stub.asked)
    with office.desk.ctx.sessions.begin() as session:
        session.scalars(select(Attempt).order_by(Attempt.id.desc())).first().cancel_requested = True  # type: ignore[union-attr]
    for live in office.worker._live.values():
        live.until = 1e13
    office.worker.look(1e12)
    return [asked.form for asked in office.stub.asked[before:]]


@pytest.mark.contract("we give up at once", "we give up while it rings", "we hang up in the prompt")
@pytest.mark.parametrize(
    ("before", "last", "disposition"),
    [
        ([], "canceled", Disposition.CANCELLED),
        (["initiated", "ringing"], "canceled", Disposition.NO_ANSWER),  # they heard it ring
        (["initiated", "ringing", "in-progress"], "completed", Disposition.ANSWERED),
    ],
    ids=["at once", "while it rings", "in the prompt"],
)
def test_what_is_called_off_is_ended(
    office: Office, before: list[str], last: str, disposition: Disposition
) -> None:
    step = office.call()
    for status in before:
        office.tell(status)
    if "in-progress" in before:
        office.post(step)
    assert withdraw(office) == [{"Status": "completed"}]
    assert office.tell(last).status_code == 204
    assert office.attempt().disposition is disposition


@pytest.mark.contract("the times of a call end with it")
def test_a_call_that_is_over_isnt_ended_again(office: Office) -> None:
    office.call()
    office.tell("busy")
    ordered = len(office.stub.asked)
    office.worker.look(1e12)  # long after its longest time
    stop = Stop()
    stop.set()
    office.worker.run(stop, 0.5)
    assert len(office.stub.asked) == ordered


@pytest.mark.contract("many calls at once don't mix")
def test_two_calls_at_once_dont_mix(office: Office) -> None:
    sids = iter([SID, "CA" + "b" * 32])
    office.stub.answer = lambda _: call_shown(sid=next(sids))
    first = office.call()
    second = office.call(OTHER)
    asked = {first: SID, second: "CA" + "b" * 32}
    steps = {each: action_of(office.post(each, sid=sid)) for each, sid in asked.items()}
    office.post(steps[first], Digits="1")
    office.post(steps[second], sid=asked[second], Digits="3")
    assert sorted(office.ratings()) == [(1, "1", None, None), (3, "3", None, None)]
    assert office.post(steps[first], sid=asked[second], Digits="2").status_code == 403


@pytest.mark.contract("orders for an unknown call are harmless")
def test_a_webhook_of_an_unknown_call_changes_nothing(office: Office) -> None:
    zero = office.call()
    key = office.attempt().provider_call_id
    assert key is not None
    before = snapshot(office)
    for path in ("0", "1", "status"):
        unknown = zero.replace(f"{key}/0", f"99-0abc/{path}")
        assert office.post(unknown, Digits="1", CallStatus="completed").status_code == 403
    assert snapshot(office) == before


@pytest.mark.contract("a calls id serves once at a time")
def test_a_calls_key_serves_once(office: Office) -> None:
    office.call()
    attempt = office.attempt()
    before = snapshot(office)
    with pytest.raises(IntegrityError):
        provider_calls.begin_call(
            office.desk.ctx, str(attempt.provider_call_id), attempt.id, {}, datetime.now(UTC)
        )
    assert snapshot(office) == before


@pytest.mark.contract("capabilities are told")
def test_what_the_line_cant_tell_is_left_out(office: Office) -> None:
    """Never invented (`ivr.line.Capabilities`)."""
    office.post(action_of(office.post(office.call())), Digits="1")
    office.tell("completed", SipResponseCode="200")
    attempt = office.attempt()
    assert (CAPABILITIES.sip_status, attempt.sip_status) == (False, None)
    assert (CAPABILITIES.q850, attempt.q850) == (False, None)
    assert not CAPABILITIES.early_media
    with office.desk.session() as session:
        assert session.scalars(select(Rating)).one().ms_since_prompt_end is None
    assert not CAPABILITIES.key_time
    assert CAPABILITIES.recording and CAPABILITIES.transfer


# -- forged, replayed, repeated


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("another's token", {"token": "another-token"}),
        ("another call's id", {"sid": "CA" + "b" * 32}),  # a webhook of another call, replayed here
        ("no call's id", {"sid": ""}),
        ("another account", {"AccountSid": "AC" + "9" * 32}),
    ],
)
def test_a_forged_webhook_changes_nothing(office: Office, what: str, changes: dict[str, str]) -> None:
    step = action_of(office.post(office.call()))
    before = snapshot(office)
    assert office.post(step, Digits="3", **changes).status_code == 403, what
    assert (
        office.post(office.stub.asked[0].form["StatusCallback"], CallStatus="busy", **changes).status_code
        == 403
    )
    assert snapshot(office) == before
    assert office.attempt().state is AttemptState.TALKING


def test_what_is_signed_is_the_whole_form_and_address(office: Office) -> None:
    step = action_of(office.post(office.call())).partition("#")[0]
    before = snapshot(office)
    form = {"AccountSid": ACCOUNT, "CallSid": SID, "Digits": "1"}
    good = RequestValidator(TOKEN).compute_signature(step, form)
    for path, fields, signature in (
        (step, {**form, "Digits": "3"}, good),  # another key
        (step, form, ""),  # none
        (step.replace("/1", "/2"), form, good),  # another step
        (f"{step}?x=1", form, good),
        (
            step,
            form,
            RequestValidator(TOKEN).compute_signature(f"http://127.0.0.1{urlsplit(step).path}", form),
        ),
    ):
        url = urlsplit(path)
        where = url.path + (f"?{url.query}" if url.query else "")
        answer = office.client.post(where, data=fields, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 403
    assert snapshot(office) == before
    assert (
        office.client.post(urlsplit(step).path, data=form, headers={"X-Twilio-Signature": good}).status_code
        == 200
    )


def test_the_same_step_again_is_answered_alike_and_stored_once(office: Office) -> None:
    first = action_of(office.post(office.call()))
    answer = office.post(first, Digits="3")
    before = snapshot(office)
    office.restart()
    for _ in range(3):
        again = office.post(first, Digits="3")
        assert (again.status_code, again.text) == (200, answer.text)
    assert office.post(first, Digits="1").text == answer.text  # the first that came counts
    assert snapshot(office) == before
    assert office.ratings() == [(3, "3", None, None)]


def test_the_same_step_by_several_at_a_time(office: Office) -> None:
    first = action_of(office.post(office.call()))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: office.post(first, Digits="3"), range(4)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert office.ratings() == [(3, "3", None, None)]
    assert action_of(answers[0]).partition("#")[0].endswith("/2")


def test_a_step_out_of_order_gets_the_present_one(office: Office) -> None:
    zero = office.call()
    first = action_of(office.post(zero))
    second = office.post(first, Digits="2")
    before = snapshot(office)
    for step in (zero, first.replace("/1#", "/7#")):
        assert office.post(step, Digits="1").text == second.text
    assert snapshot(office) == before


def test_a_step_before_the_first_is_sent_to_the_first(office: Office) -> None:
    zero = office.call()
    later = office.post(zero.replace("/0#", "/1#"), Digits="1")
    assert ElementTree.fromstring(later.text).find("Redirect").text == zero
    assert office.ratings() == []


def test_after_the_end_only_the_key_that_was_due_is_taken(office: Office) -> None:
    """The end may be told before the last key: the citizen pressed it."""
    zero = office.call()
    first = action_of(office.post(zero))
    assert office.tell("completed").status_code == 204
    assert office.tell("completed").status_code == 204  # told again
    assert office.tell("ringing").status_code == 403
    assert office.post(zero).status_code == 403
    assert office.ratings() == []
    assert office.post(first, Digits="1").status_code == 200
    assert office.post(first, Digits="1").status_code == 403
    assert [value for value, *_ in office.ratings()] == [1]


@pytest.mark.contract("what is played before the answer is not heard")
def test_a_call_that_nobody_took_has_no_first_step(office: Office) -> None:
    zero = office.call()
    office.tell("no-answer")
    before = snapshot(office)
    assert office.post(zero).status_code == 403
    assert snapshot(office) == before


def test_a_key_whose_process_died_before_it_was_stored(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = action_of(office.post(office.call()))
    with monkeypatch.context() as dying:
        dying.setattr(provider_calls, "play_pending", killed)
        with pytest.raises(KeyboardInterrupt):
            office.post(first, Digits="3")
    assert office.ratings() == []
    office.restart()
    assert action_of(office.post(first, Digits="3"))
    assert office.ratings() == [(3, "3", None, None)]


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_absent_database_is_told_to_come_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    step = office.call()

    def gone(*_: object) -> None:
        raise OperationalError("SELECT", {}, OSError("gone"))

    with monkeypatch.context() as away:
        away.setattr(provider_calls, "find_call", gone)
        assert office.post(step).status_code == 503
    assert office.post(step).status_code == 200


# -- prompts


def test_a_prompt_is_a_wav(office: Office) -> None:
    answer = office.post(office.call())
    sound = ElementTree.fromstring(answer.text).find("Play").text
    url = urlsplit(sound)
    assert url.path == f"{PREFIX}prompt/v1/greeting_plain.wav"
    heard = office.client.get(f"{url.path}?{url.query}")
    assert heard.mimetype == "audio/wav" and "max-age" in heard.headers["Cache-Control"]
    with wave.open(io.BytesIO(heard.data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.getnframes() == 4000
    assert office.client.get(f"{PREFIX}prompt/v1/nothing.wav").status_code == 404


# -- what the API answers


@pytest.mark.parametrize(
    ("told", "disposition"),
    [
        (refused(400, 21211), Disposition.UNALLOCATED),  # no valid number
        (refused(400, 21210), Disposition.TRUNK_REFUSED),  # our number isn't verified
        (refused(401, 20003), Disposition.TRUNK_REFUSED),  # the token is wrong
        (refused(429, 20429), Disposition.NETWORK_FAIL),  # too fast
        (Told(403, "<html>"), Disposition.TRUNK_REFUSED),
        (refused(503, 20503), None),  # it may have dialled: the webhooks will tell
        (Told(201, "no JSON"), None),
        (Told(how="drop"), None),
        (Told(how="stall"), None),
    ],
)
def test_an_order_that_isnt_taken(office: Office, told: Told, disposition: Disposition | None) -> None:
    office.stub.answer = lambda _: told
    office.call()
    attempt = office.attempt()
    assert attempt.disposition is disposition
    assert (attempt.state is AttemptState.SUBMITTING) == (disposition is None)
    if disposition is None:  # it did dial
        action_of(office.post(office.stub.asked[0].form["Url"]))
        assert office.attempt().state is AttemptState.TALKING


def test_nobody_there_costs_nothing(office: Office) -> None:
    worker = worker_of(office.desk, account("http://127.0.0.1:1"))
    office.worker = worker
    office.call()
    attempt = office.attempt()
    assert (attempt.disposition, attempt.counts) == (Disposition.NETWORK_FAIL, False)
    assert attempt.cause_raw == "Twilio can't be reached"
    worker._twilio.close()


def test_a_number_that_isnt_dialled(office: Office) -> None:
    office.worker._plan = DialPlan(OFFICE.area_code, frozenset({LANDLINE}))
    office.call()
    assert office.stub.asked == []
    assert office.attempt().disposition is Disposition.CANCELLED


@pytest.mark.contract("hanging up twice is harmless")
def test_what_is_withdrawn_is_hung_up_once(office: Office) -> None:
    office.call()
    with office.desk.ctx.sessions.begin() as session:
        session.scalars(select(Attempt)).one().cancel_requested = True
    for at in (1e11, 1e11 + 5):
        for live in office.worker._live.values():
            live.until = 1e12
        office.worker.look(at)
    ends = [asked for asked in office.stub.asked if asked.path.endswith(f"/Calls/{SID}.json")]
    assert [asked.form for asked in ends] == [{"Status": "completed"}]


def test_the_role_ends_when_its_calls_are_over(office: Office) -> None:
    office.call()
    stop = Stop()
    stop.set()
    office.worker.run(stop, 0.5)
    ends: list[Asked] = [asked for asked in office.stub.asked if asked.form.get("Status") == "completed"]
    assert len(ends) == 1


def test_the_voice_role_is_wired_to_it(office: Office, tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "city.toml"
    path.write_text(f"""
language = "zh-CN"
[office]
name = "示例市110联动办"
area_code = "0379"
signature = "示例市110联动"
sender_code = "106380110"
caller_number = "037963110110"
[database]
url = "{database_url}"
key_file = "{tmp_path}/huifang.key"
[voice]
line = "twilio"
lines = 3
[voice.twilio]
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
number = "+15005550006"
public_url = "{CITY}"
base_url = "{office.stub.url}"
""")
    house = app.open_office(app.load_settings(path))
    stop = Stop()
    stop.set()
    app.run_role(house, "voice", stop)
    house.close()
    with office.desk.session() as session:
        lines = session.scalars(select(Line.no).where(Line.trunk == TRUNK).order_by(Line.no)).all()
    assert list(lines) == [1, 2, 3]


def test_old_calls_are_forgotten(office: Office) -> None:
    office.call()
    office.tell("busy")
    provider_calls.forget_calls(office.desk.ctx, datetime.now(UTC))
    assert provider_calls.find_call(office.desk.ctx, office.attempt().provider_call_id) is not None
    provider_calls.forget_calls(office.desk.ctx, datetime.fromtimestamp(4e9, UTC))
    assert provider_calls.find_call(office.desk.ctx, office.attempt().provider_call_id) is None
