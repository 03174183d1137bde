"""Twilio's calls over the whole way: claimed, dialled by REST at a stub, then webhooks at the web role."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

import app
from callbacks.models import Attempt, AttemptState, Line, Rating
from callbacks.models_systems import ProviderCall
from callbacks.service import provider_calls
from callbacks.service.claims import ensure_lines
from callbacks.states import State
from callbacks.stopping import Stop
from callbacks.vocabulary import Disposition
from ivr.dialplan import DialPlan
from ivr.flow_events import Prompt
from ivr.media.audio import Audio
from ivr.settings import VoiceSettings
from ivr.twilio_app import create_webhooks
from ivr.twilio_dialogues import Dialogues
from ivr.twilio_line import TRUNK, TwilioWorker
from ivr.twilio_settings import PREFIX, TwilioVoiceSettings
from ivr.worker import Script
from tests.integration.http_provider import Asked, Provider, Told, provider_of
from tests.integration.office import LANDLINE, OFFICE, Desk, make_desk
from tests.unit.test_flow import SURVEY

ACCOUNT, SID = "AC" + "0" * 32, "CA" + "a" * 32
TOKEN, CITY = "token-of-the-account", "https://city.example"


class Tones:
    """Half a second a prompt; one that isn't in the catalogue is a KeyError, as it is with speech."""

    def audio(self, prompts: list[Prompt]) -> Audio:
        for prompt in prompts:
            if prompt.id not in SURVEY_PROMPTS:
                raise KeyError(prompt.id)
        return Audio.from_samples(np.full(4000 * len(prompts), 1000, dtype=np.int16))


SURVEY_PROMPTS = {option.prompt for node in SURVEY.nodes.values() for option in node.prompts} | {
    branch.say
    for node in SURVEY.nodes.values()
    for branch in (node.silent, node.invalid)
    if branch and branch.say
}


SCRIPT = Script(SURVEY, Tones(), "v1")


def call_shown(**changes: Any) -> Told:
    """A Call as the API shows one (2010-04-01)."""
    shown = {
        "account_sid": ACCOUNT,
        "annotation": None,
        "answered_by": None,
        "api_version": "2010-04-01",
        "caller_name": None,
        "date_created": "Mon, 23 Nov 2026 04:00:00 +0000",
        "date_updated": "Mon, 23 Nov 2026 04:00:00 +0000",
        "direction": "outbound-api",
        "duration": None,
        "end_time": None,
        "forwarded_from": None,
        "from": "+15005550006",
        "from_formatted": "(500) 555-0006",
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": SID,
        "start_time": None,
        "status": "queued",
        "subresource_uris": {},
        "to": "+8613803790001",
        "to_formatted": "+8613803790001",
        "trunk_sid": None,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{SID}.json",
    }
    return Told(201, json.dumps(shown | changes), headers={"Content-Type": "application/json"})


def account(base_url: str, **changes: Any) -> TwilioVoiceSettings:
    given: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "number": "+15005550006",
        "public_url": f"{CITY}/",
        "base_url": base_url,
        "answer_timeout": 1,
    }
    return TwilioVoiceSettings(**given | changes)


def worker_of(desk: Desk, settings: TwilioVoiceSettings) -> TwilioWorker:
    voice = VoiceSettings(line="twilio", lines=2, twilio=settings)
    plan = DialPlan(OFFICE.area_code)
    return TwilioWorker(desk.ctx, voice, SCRIPT, plan, owner="voice:test:1", poll_seconds=0.05)


@dataclass
class Office:
    """The desk, a stub of the API, the worker, and the web role's webhooks behind a proxy."""

    desk: Desk
    stub: Provider
    worker: TwilioWorker
    settings: TwilioVoiceSettings
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The web role anew: all it knows is in the database."""
        dialogues = Dialogues(self.desk.ctx, self.settings, lambda: SCRIPT)
        self.client = create_webhooks(dialogues).test_client()

    def call(self, *numbers: str) -> str:
        """A closed case whose call is dialled; the address of its first step."""
        self.callback_id = self.desk.close(*(numbers or (LANDLINE,)))
        self.desk.plan()
        self.worker.turn()
        return self.stub.asked[-1].form["Url"] if self.stub.asked else ""

    def post(self, address: str, sid: str = SID, token: str = TOKEN, **fields: str) -> TestResponse:
        """As Twilio posts: signed for the public address, at the proxy's own."""
        address = address.partition("#")[0]
        form = {"AccountSid": ACCOUNT, "CallSid": sid, "CallStatus": "in-progress", **fields}
        signature = RequestValidator(token).compute_signature(address, form)
        headers = {"X-Twilio-Signature": signature, "Host": "127.0.0.1:8110"}
        return self.client.post(urlsplit(address).path, data=form, headers=headers)

    def tell(self, status: str, **fields: str) -> TestResponse:
        address = self.stub.asked[0].form["StatusCallback"]
        return self.post(address, CallStatus=status, **fields)

    def attempt(self) -> Attempt:
        with self.desk.session() as session:
            return session.scalars(select(Attempt).order_by(Attempt.id.desc())).first()  # type: ignore[return-value]

    def ratings(self) -> list[tuple[int, str, bool | None, str | None]]:
        with self.desk.session() as session:
            rows = session.scalars(select(Rating).order_by(Rating.id))
            return [(row.value, row.raw, row.resolved, row.reason) for row in rows]


@pytest.fixture
def office(sessions: Any, privacy: Any) -> Iterator[Office]:
    desk = make_desk(sessions, privacy)
    desk.now = datetime.now(UTC)
    with provider_of(lambda _: call_shown()) as stub:
        settings = account(stub.url)
        worker = worker_of(desk, settings)
        ensure_lines(desk.ctx, TRUNK, 2)
        yield Office(desk, stub, worker, settings)
        worker._twilio.close()


def action_of(response: TestResponse) -> str:
    assert response.status_code == 200, response.text
    gather = ElementTree.fromstring(response.text).find("Gather")
    assert gather is not None, response.text
    return gather.attrib["action"]


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
        "TimeLimit": "570",
    }
    assert asked.body.decode().count("StatusCallbackEvent=") == 4
    assert office.attempt().trunk == TRUNK


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
    end = office.post(step, Digits="2")
    assert "<Hangup" in end.text and "thanks_bad" in end.text
    assert office.ratings() == [(3, "3", False, "too_slow")]
    assert office.tell("completed", CallDuration="21").status_code == 204
    attempt = office.attempt()
    assert (attempt.disposition, attempt.sip_status, attempt.q850) == (Disposition.ANSWERED, None, None)
    assert attempt.cause_raw == "Twilio completed"
    assert office.desk.callback(office.callback_id).state is State.RATED
    office.worker.look(1e12)
    assert not office.worker._live


def test_a_key_has_no_time(office: Office) -> None:
    office.post(action_of(office.post(office.call())), Digits="1")
    with office.desk.session() as session:
        assert session.scalars(select(Rating)).one().ms_since_prompt_end is None


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


# -- forged, replayed, repeated


def snapshot(office: Office) -> object:
    with office.desk.session() as session:
        rows = session.scalars(select(ProviderCall)).all()
        calls = [(row.step, row.document, row.sid, row.dialogue, row.ended_at) for row in rows]
    return calls, office.ratings()


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


def refused(status: int, code: int) -> Told:
    return Told(status, json.dumps({"code": code, "message": "told", "status": status}))


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
