"""An office whose calls Twilio carries: a stub of its API, the worker that dials, the webhooks it posts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import numpy as np
from flask.testing import FlaskClient
from sqlalchemy import select
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from callbacks.models import Attempt, Rating
from callbacks.models_systems import ProviderCall
from callbacks.models_voice import VoiceMessage
from callbacks.service.claims import ensure_lines
from ivr.carried_call import Script
from ivr.dialplan import DialPlan
from ivr.flow_events import Prompt
from ivr.media.audio import Audio
from ivr.settings import VoiceSettings
from ivr.twilio_app import create_webhooks
from ivr.twilio_dialogues import Dialogues
from ivr.twilio_line import TRUNK, TwilioWorker
from ivr.twilio_settings import TwilioVoiceSettings
from ivr.twilio_targets import Numbers
from tests.integration.http_provider import Provider, Told, provider_of
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
    script: Script = SCRIPT
    numbers: Numbers = field(default_factory=dict)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The web role anew: all it knows is in the database."""
        dialogues = Dialogues(self.desk.ctx, self.settings, lambda: self.script, numbers=self.numbers)
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

    def kept(self) -> list[VoiceMessage]:
        with self.desk.session() as session:
            return list(session.scalars(select(VoiceMessage).order_by(VoiceMessage.id)))

    def attempt(self) -> Attempt:
        with self.desk.session() as session:
            return session.scalars(select(Attempt).order_by(Attempt.id.desc())).first()  # type: ignore[return-value]

    def ratings(self) -> list[tuple[int, str, bool | None, str | None]]:
        with self.desk.session() as session:
            rows = session.scalars(select(Rating).order_by(Rating.id))
            return [(row.value, row.raw, row.resolved, row.reason) for row in rows]


@contextmanager
def twilio_office(sessions: Any, privacy: Any) -> Iterator[Office]:
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


def refused(status: int, code: int) -> Told:
    return Told(status, json.dumps({"code": code, "message": "told", "status": status}))


def snapshot(office: Office) -> object:
    with office.desk.session() as session:
        rows = session.scalars(select(ProviderCall)).all()
        calls = [(row.step, row.document, row.sid, row.dialogue, row.ended_at) for row in rows]
    return calls, office.ratings()
