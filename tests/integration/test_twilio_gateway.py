"""Twilio Messaging against a stub of its API on loopback: requests of its own client, one outcome a text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from callbacks.twilio_numbers import e164, national
from sms.events import LinkDown, Submission, SubmitFailed, Submitted, SubmitUnknown
from sms.twilio_gateway import make_twilio_gateway
from sms.twilio_settings import TwilioSettings
from tests.integration.http_provider import Asked, Provider, Told, provider_of
from tests.integration.test_gateway_contract import SENDER, SILENT, collect, of

ACCOUNT = "AC" + "0" * 32
SERVICE = "MG" + "1" * 32
SID = "SM" + "a" * 32


def message(**changes: Any) -> Told:
    """A Message as the API shows one (2010-04-01)."""
    shown = {
        "account_sid": ACCOUNT,
        "api_version": "2010-04-01",
        "body": "x",
        "date_created": "Mon, 23 Nov 2026 04:00:00 +0000",
        "date_sent": None,
        "date_updated": "Mon, 23 Nov 2026 04:00:00 +0000",
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": "+15005550006",
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": "1",
        "price": None,
        "price_unit": "USD",
        "sid": SID,
        "status": "queued",
        "subresource_uris": {},
        "to": "+8613803790001",
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{SID}.json",
    }
    return Told(201, json.dumps(shown | changes), headers={"Content-Type": "application/json"})


def error(status: int, code: int) -> Told:
    shown = {"code": code, "message": "told", "more_info": "https://example.com", "status": status}
    return Told(status, json.dumps(shown))


def described(base_url: str, **changes: Any) -> TwilioSettings:
    given: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "auth_token": "token-of-the-account",
        "numbers": {SENDER: "+15005550006", "106380111": SERVICE},
        "public_url": "https://city.example/",
        "base_url": base_url,
        "submit_timeout": 1,
        "rest_first": 0.05,
        "rest_longest": 0.2,
    }
    return TwilioSettings(**given | changes)


@pytest.fixture
def stub() -> Iterator[Provider]:
    with provider_of(lambda _: message()) as provider:
        yield provider


def outcome_of(stub: Provider, told: Told | None = None, source: str = SENDER, **changes: Any) -> Any:
    if told is not None:
        stub.answer = lambda _: told
    gateway = make_twilio_gateway(described(stub.url, **changes))
    gateway.submit(Submission(7, source, SILENT, "【示例市110联动】您好"))
    events = collect(gateway, lambda events: bool(of(events, Submitted | SubmitFailed | SubmitUnknown)))
    gateway.close()
    events += gateway.poll(0)
    [outcome] = of(events, Submitted | SubmitFailed | SubmitUnknown)
    return outcome


def test_a_text_is_a_message(stub: Provider) -> None:
    assert outcome_of(stub) == Submitted(7, (SID,))
    [asked] = stub.asked
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert asked.form == {
        "To": "+8613803790001",
        "From": "+15005550006",
        "Body": "【示例市110联动】您好",
        "StatusCallback": "https://city.example/sms/twilio/receipts#rc=5&rp=5xx,ct,rt",
    }
    assert account_of(asked) == f"{ACCOUNT}:token-of-the-account"


def account_of(asked: Asked) -> str:
    kind, _, written = asked.headers["Authorization"].partition(" ")
    assert kind == "Basic"
    return base64.b64decode(written).decode()


def test_a_messaging_service_and_a_key_of_its_own(stub: Provider) -> None:
    key = {"api_key_sid": "SK" + "2" * 32, "api_key_secret": "secret-of-the-key"}
    assert outcome_of(stub, source="106380111", **key) == Submitted(7, (SID,))
    [asked] = stub.asked
    assert asked.form["MessagingServiceSid"] == SERVICE and "From" not in asked.form
    assert asked.path.startswith(f"/2010-04-01/Accounts/{ACCOUNT}/")
    assert account_of(asked) == f"SK{'2' * 32}:secret-of-the-key"


def test_a_sender_code_without_a_number_sends_nothing(stub: Provider) -> None:
    assert outcome_of(stub, source="106380199") == SubmitFailed(
        7, True, "no number of Twilio's for 106380199"
    )
    assert stub.asked == []


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (error(400, 21211), SubmitFailed(7, True, "Twilio 21211")),  # no valid number
        (error(400, 21610), SubmitFailed(7, True, "Twilio 21610")),  # the citizen has opted out
        (error(400, 21614), SubmitFailed(7, True, "Twilio 21614")),  # no mobile
        (error(400, 21606), SubmitFailed(7, False, "Twilio 21606")),  # the sender isn't ours
        (error(401, 20003), SubmitFailed(7, False, "Twilio 20003")),  # the token is wrong
        (error(429, 20429), SubmitFailed(7, False, "Twilio 20429")),  # too fast
        (error(404, 20404), SubmitFailed(7, False, "Twilio 20404")),  # the account is wrong
        (Told(403, "<html>"), SubmitFailed(7, False, "Twilio 403")),
        (Told(400, '{"code":[1]}'), SubmitFailed(7, True, "Twilio [1]")),
        (message(status="failed", error_code=30007), SubmitFailed(7, True, "Twilio 30007")),
        (error(500, 20500), SubmitUnknown(7)),
        (error(503, 20503), SubmitUnknown(7)),
        (Told(201, "no JSON"), SubmitUnknown(7)),
        (Told(201, "[]"), SubmitUnknown(7)),
        (message(sid=None), SubmitUnknown(7)),
        (message(date_created="someday"), Submitted(7, (SID,))),  # taken, whatever else it says
        (Told(how="drop"), SubmitUnknown(7)),
        (Told(how="stall"), SubmitUnknown(7)),
    ],
)
def test_an_answer_has_one_outcome(stub: Provider, told: Told, outcome: Any) -> None:
    assert outcome_of(stub, told) == outcome
    assert len(stub.asked) == 1


def test_nobody_there() -> None:
    gateway = make_twilio_gateway(described("http://127.0.0.1:1", rest_first=60, rest_longest=60))
    gateway.submit(Submission(7, SENDER, SILENT, "x"))
    events = collect(gateway, lambda events: bool(of(events, LinkDown)))
    assert of(events, SubmitFailed) == [SubmitFailed(7, False, "Connection refused")]
    assert gateway.room == 0
    gateway.close()


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("13803790001", "+8613803790001"),
        ("037963110001", "+8637963110001"),
        ("01063110001", "+861063110001"),
        ("+85291234567", "+85291234567"),
    ],
)
def test_numbers_there_and_back(number: str, written: str) -> None:
    assert e164(number) == written
    assert national(written) == number


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"account_sid": "AC1"}, "account_sid"),
        ({"numbers": {}}, "at least 1"),
        ({"numbers": {SENDER: "13803790001"}}, "no number in E.164"),
        ({"numbers": {"office": "+15005550006"}}, "no sender code"),
        ({"numbers": {"1": "+15005550006", "2": "+15005550006"}}, "told apart"),
        ({"public_url": "city.example"}, "public_url"),
        ({"name": "a b"}, "name"),
        ({"api_key_sid": "SK" + "2" * 32}, "api_key_secret"),
    ],
)
def test_settings_that_cannot_work(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        described("http://127.0.0.1:1", **change)
