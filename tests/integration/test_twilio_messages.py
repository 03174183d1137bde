"""What Twilio records and whom it puts through: a message is fetched, kept once, and taken away there."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from callbacks.service import late
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from ivr.media import g711
from ivr.twilio_recordings import NoRecording, message_of_wav
from ivr.twilio_targets import numbers_of
from prompts.sound import wav_content
from tests.integration.http_provider import Asked, Provider, Told, provider_of
from tests.integration.office import LANDLINE
from tests.integration.test_twilio_gateway import error
from tests.integration.twilio_world import (
    ACCOUNT,
    TOKEN,
    Office,
    action_of,
    call_shown,
    twilio_office,
)

RECORDING = "RE" + "c" * 32
PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{RECORDING}"
LOGIN = f"Basic {base64.b64encode(f'{ACCOUNT}:{TOKEN}'.encode()).decode()}"
# Two seconds of a voice, as Twilio's files are: 8 kHz, 16 bit, one channel.
VOICE = (np.sin(np.arange(16000) * 0.3) * 9000).astype(np.int16)


@pytest.fixture
def office(sessions: Any, privacy: Any) -> Iterator[Office]:
    with twilio_office(sessions, privacy) as found:
        yield found


class Keeper:
    """Twilio's side of recordings: what is there, until it's taken away."""

    def __init__(self, office: Office, content: bytes = b"") -> None:
        self.content = content or wav_content(VOICE)
        self.asked: list[tuple[str, str]] = []
        self.trouble: list[Told] = []
        self.there = True
        office.stub.answer = self.answer

    def answer(self, asked: Asked) -> Told:
        if "/Recordings/" not in asked.path:
            return call_shown()
        self.asked.append((asked.method, asked.path))
        assert asked.headers["Authorization"] == LOGIN
        if self.trouble:
            return self.trouble.pop(0)
        if not self.there:
            return error(404, 20404)
        if asked.method == "DELETE":
            self.there = False
            return Told(204)
        return Told(200, self.content, headers={"Content-Type": "audio/x-wav"})


def to_the_beep(office: Office) -> TestResponse:
    """Dissatisfied, not solved, of a reason: the document that records."""
    step = action_of(office.post(office.call()))
    step = action_of(office.post(step, Digits="3"))
    step = action_of(office.post(step))
    step = action_of(office.post(step, Digits="2"))
    return office.post(step, Digits="2")


def part(document: TestResponse, name: str) -> ElementTree.Element:
    found = ElementTree.fromstring(document.text).find(name)
    assert found is not None, document.text
    return found


def spoken(office: Office, document: TestResponse, seconds: int = 2, **changes: str) -> TestResponse:
    """The webhook that tells where the message is."""
    told = {
        "RecordingSid": RECORDING,
        "RecordingUrl": f"{office.settings.base_url}{PATH}",
        "RecordingStatus": "completed",
        "RecordingDuration": str(seconds),
        "RecordingChannels": "1",
        "RecordingSource": "RecordVerb",
    }
    return office.post(part(document, "Record").attrib["recordingStatusCallback"], **told | changes)


@pytest.mark.contract("what is said after the beep is recorded")
def test_a_message_is_kept_and_taken_away_there(office: Office) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)
    record = part(document, "Record").attrib
    assert (record["maxLength"], record["finishOnKey"], record["playBeep"]) == ("60", "#", "true")
    end = office.post(record["action"], Digits="#", RecordingDuration="2", RecordingUrl="…")
    assert "thanks_bad" in end.text and "<Hangup" in end.text
    assert spoken(office, document).status_code == 204
    [message] = office.kept()
    assert (message.codec, message.seconds, message.callback_id) == ("pcma", 2.0, office.callback_id)
    assert message.content == g711.encode(VOICE, "pcma")
    assert keeper.asked == [("GET", f"{PATH}.wav"), ("DELETE", f"{PATH}.json")]
    assert office.ratings() == [(3, "3", False, "too_slow")]


@pytest.mark.contract("a recording ends when it is full")
def test_a_full_message_goes_on_by_itself(office: Office) -> None:
    """No key: the provider ends it after maxLength, and asks what comes next."""
    keeper = Keeper(office, wav_content(np.resize(VOICE, 8000 * 61)))
    document = to_the_beep(office)
    assert "thanks_bad" in office.post(part(document, "Record").attrib["action"], RecordingDuration="60").text
    assert spoken(office, document, 60).status_code == 204
    assert [message.seconds for message in office.kept()] == [60.0]
    assert not keeper.there


@pytest.mark.contract("a recording that the end of the call cuts is told before it")
def test_a_message_in_which_they_hung_up_is_kept(office: Office) -> None:
    """By webhooks the order is the provider's: the end may be told first."""
    Keeper(office)
    document = to_the_beep(office)
    assert office.tell("completed").status_code == 204
    action = part(document, "Record").attrib["action"]
    assert office.post(action, Digits="hangup", RecordingDuration="2").status_code == 200
    assert spoken(office, document).status_code == 204
    assert len(office.kept()) == 1
    assert office.desk.callback(office.callback_id).state is State.RATED


def test_nothing_said_goes_on(office: Office) -> None:
    """Of an empty recording the action isn't told: the document itself leads on."""
    keeper = Keeper(office)
    document = to_the_beep(office)
    assert part(document, "Redirect").text == part(document, "Record").attrib["action"]
    assert "thanks_bad" in office.post(str(part(document, "Redirect").text)).text
    assert (office.kept(), keeper.asked) == ([], [])


def test_a_breath_isnt_kept_nor_left_there(office: Office) -> None:
    keeper = Keeper(office)
    assert spoken(office, to_the_beep(office), seconds=0).status_code == 204
    assert office.kept() == []
    assert keeper.asked == [("DELETE", f"{PATH}.json")]


def test_a_message_that_is_told_twice_is_kept_once(office: Office) -> None:
    Keeper(office)
    document = to_the_beep(office)
    assert [spoken(office, document).status_code for _ in range(3)] == [204, 204, 204]
    assert len(office.kept()) == 1


def test_one_that_stays_there_is_kept_here_all_the_same(office: Office) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)
    taken = keeper.answer

    def refuse_to_delete(asked: Asked) -> Told:
        return error(500, 20500) if asked.method == "DELETE" else taken(asked)

    office.stub.answer = refuse_to_delete
    assert spoken(office, document).status_code == 204
    assert spoken(office, document).status_code == 204  # again: the same octets are the same message
    assert len(office.kept()) == 1


@pytest.mark.parametrize(
    "trouble",
    [Told(503), Told(429), Told(404, "{}"), Told(how="drop"), Told(200, b"RIFF" * 99, how="cut")],
    ids=["away", "too fast", "not there yet", "no answer", "cut off"],
)
def test_one_that_cant_be_had_now_comes_again(office: Office, trouble: Told) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)
    keeper.trouble = [trouble]
    assert spoken(office, document).status_code == 503
    assert (office.kept(), keeper.there) == ([], True)
    assert spoken(office, document).status_code == 204
    assert len(office.kept()) == 1


def test_an_absent_database_is_told_to_come_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)

    def gone(*_: object) -> None:
        raise OperationalError("INSERT", {}, OSError("gone"))

    with monkeypatch.context() as away:
        away.setattr(late, "play_key", gone)
        assert spoken(office, document).status_code == 503
    assert keeper.there  # it's still to be had
    assert spoken(office, document).status_code == 204
    assert len(office.kept()) == 1


@pytest.fixture
def elsewhere() -> Iterator[Provider]:
    """A host that would like to know our credentials."""
    with provider_of(lambda _: Told(200, wav_content(VOICE))) as provider:
        yield provider


@pytest.mark.parametrize(
    "address",
    [
        "{elsewhere}" + PATH,
        "{host}@{bare}" + PATH,
        "{host}" + PATH.replace(ACCOUNT, "AC" + "9" * 32),
        "{host}" + PATH + "/../../Calls",
        "{host}" + PATH + "?x=1",
        "{host}" + PATH + ".json",
        "ftp://127.0.0.1" + PATH,
        "",
    ],
)
def test_credentials_go_to_the_accounts_own_address_alone(
    office: Office, elsewhere: Provider, address: str
) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)
    url = address.format(
        elsewhere=elsewhere.url, host=office.settings.base_url, bare=elsewhere.url.removeprefix("http://")
    )
    assert spoken(office, document, RecordingUrl=url).status_code == 403
    assert (elsewhere.asked, keeper.asked, office.kept()) == ([], [], [])


def test_a_redirect_isnt_followed(office: Office, elsewhere: Provider) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)
    keeper.trouble = [Told(307, headers={"Location": f"{elsewhere.url}{PATH}.wav"})]
    assert spoken(office, document).status_code == 403
    assert (elsewhere.asked, office.kept()) == ([], [])


def test_no_more_is_read_than_a_message_may_be(office: Office) -> None:
    Keeper(office, wav_content(np.zeros(8000 * 90, dtype=np.int16)))
    assert spoken(office, to_the_beep(office)).status_code == 403
    assert office.kept() == []


@pytest.mark.parametrize(
    "content", [b"<html>", b"RIFF\0\0\0\0WAVE", wav_content(np.zeros(0, dtype=np.int16))]
)
def test_what_is_no_sound_isnt_kept(office: Office, content: bytes) -> None:
    keeper = Keeper(office, content)
    assert spoken(office, to_the_beep(office)).status_code == 403
    assert (office.kept(), keeper.there) == ([], True)  # a person may look at it there


def test_another_rate_is_brought_to_the_lines() -> None:
    wav = bytearray(wav_content(np.resize(VOICE, 32000)))
    wav[24:28] = (16000).to_bytes(4, "little")
    assert message_of_wav(bytes(wav)).seconds == 2.0
    with pytest.raises(NoRecording):
        message_of_wav(bytes(wav[:40]))


@pytest.mark.contract("recordings that cant be are harmless")
def test_messages_that_cant_be_are_harmless(office: Office) -> None:
    keeper = Keeper(office)
    document = to_the_beep(office)
    address = part(document, "Record").attrib["recordingStatusCallback"]
    for changes in ({"sid": "CA" + "b" * 32}, {"token": "another"}, {"AccountSid": "AC" + "9" * 32}):
        assert spoken(office, document, **changes).status_code == 403  # forged
    assert (
        office.post(address.replace("/message/0", "/message/7")).status_code == 204
    )  # tells of no recording
    seventh = {"RecordingStatus": "completed", "RecordingUrl": f"{office.settings.base_url}{PATH}"}
    assert office.post(address.replace("/message/0", "/message/7"), **seventh).status_code == 403
    assert spoken(office, document, RecordingStatus="absent").status_code == 204
    assert (keeper.asked, office.kept()) == ([], [])


def test_each_case_has_its_own_message(office: Office) -> None:
    """Two cases of one number: two documents record, each for its own."""
    keeper = Keeper(office)
    first = office.desk.close(LANDLINE)
    document = to_the_beep(office)
    step = action_of(office.post(part(document, "Record").attrib["action"], RecordingDuration="2"))
    assert spoken(office, document).status_code == 204
    keeper.there, keeper.content = True, wav_content(VOICE[::-1].copy())
    for digits in ("3", "", "2"):
        step = action_of(office.post(step, Digits=digits))
    second = office.post(step, Digits="2")
    assert spoken(office, second).status_code == 204
    assert sorted(message.callback_id for message in office.kept()) == sorted([first, office.callback_id])


def test_without_messages_nobody_is_asked_for_one(office: Office) -> None:
    office.worker._voice = office.worker._voice.model_copy(update={"messages": False})
    assert "thanks_bad" in to_the_beep(office).text
    assert office.stub.asked[0].form["TimeLimit"] == "570"


# -- put through


SEATS = {
    "seat-1": TargetSettings(number="037963110119"),
    "seat-2": TargetSettings(number="13803790119"),
    "seat-3": TargetSettings(number="8001"),  # an extension of a PBX
    "desk": TargetSettings(number="110"),
    "trunk": TargetSettings(number="037963110118", trunk="a"),
}


def key_0(office: Office, *agents: str) -> TestResponse:
    """Key 0 while agents are there."""
    office.numbers = numbers_of(SEATS, agents)
    office.restart()
    office.worker._in_hours = lambda _now: True
    return office.post(action_of(office.post(office.call())), Digits="0")


@pytest.mark.parametrize(
    ("told", "said"),
    [("completed", False), ("answered", False), ("no-answer", True), ("busy", True), ("failed", True)],
)
def test_who_asks_for_a_person_is_put_through(office: Office, told: str, said: bool) -> None:
    """All who can be reached ring at once."""
    dial = part(key_0(office, "seat-1", "seat-2", "seat-3", "desk"), "Dial")
    assert [number.text for number in dial] == ["+8637963110119", "+8613803790119"]
    assert (dial.attrib["timeout"], dial.attrib["callerId"]) == ("30", "+15005550006")
    end = office.post(dial.attrib["action"], DialCallStatus=told, DialCallSid="CA" + "d" * 32)
    assert ("agents_busy" in end.text, "<Hangup" in end.text) == (said, True)
    office.tell("completed")
    assert office.desk.callback(office.callback_id).state is State.AGENT_QUEUE


@pytest.mark.parametrize("agent", [(), ("nobody",), ("seat-3",), ("desk",), ("trunk",)])
def test_nobody_is_put_through_to_what_a_cloud_number_cant_reach(
    office: Office, agent: tuple[str, ...]
) -> None:
    document = key_0(office, *agent)
    assert "<Dial" not in document.text and "agents_busy" in document.text


def test_out_of_hours_nobody_is_rung(office: Office) -> None:
    office.numbers = numbers_of(SEATS, ["seat-1"])
    office.restart()
    document = office.post(action_of(office.post(office.call())), Digits="0")
    assert "<Dial" not in document.text and "after_hours" in document.text
