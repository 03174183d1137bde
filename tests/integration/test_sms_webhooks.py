"""Pushes at the web role: signed, stored once, element by element, and never an error of ours."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from callbacks.models import Receipt, Reply, TextState
from callbacks.service.submits import submitted
from callbacks.service.texts import claim_texts
from callbacks.states import State
from sms.events import ReceiptArrived, ReplyArrived
from sms.http_pushes import HttpPushes, PushSource
from sms.http_settings import HttpSettings
from sms.inbound import Inbox
from sms.twilio_pushes import TwilioPushes
from sms.twilio_settings import TwilioSettings
from sms.webhooks import create_blueprint
from tests.integration.office import MOBILE, OFFICE, Desk, make_desk

TOKEN = "token=a-word-of-sixteen-letters"
TWILIO = TwilioSettings(
    account_sid="AC" + "0" * 32,
    auth_token="token-of-the-account",
    numbers={OFFICE.sender_code: "+15005550006"},
    public_url="https://city.example",
)
SERVICE = TWILIO.model_copy(update={"name": "service", "numbers": {OFFICE.sender_code: "MG" + "1" * 32}})


def described(name: str) -> PushSource:
    path = Path(__file__).parent.parent / f"data/http_gateways/{name}.toml"
    read = HttpSettings(**tomllib.loads(path.read_text("utf-8")))
    assert read.push is not None
    return HttpPushes(read.name, read.push)


SOURCES = [described("aliyun"), described("kannel"), TwilioPushes(TWILIO), TwilioPushes(SERVICE)]


def client_of(take: Any) -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(take, SOURCES))
    return app.test_client()


class World:
    """The office, its web role, and what lies in the tables."""

    def __init__(self, desk: Desk, inbox: Inbox) -> None:
        self.desk, self.inbox = desk, inbox
        self.away = False
        self.client = client_of(self.take)

    def take(self, gateway: str, event: ReceiptArrived | ReplyArrived, now: datetime) -> bool:
        assert now.tzinfo is not None
        return not self.away and self.inbox.take(gateway, event, self.desk.now)

    def asked(self, gateway: str, message_id: str, number: str = MOBILE) -> int:
        """A closed case whose question is with the citizen."""
        callback_id = self.desk.close(number)
        self.desk.plan()
        [text] = claim_texts(self.desk.ctx, "sms:test:1", gateway, 10, 20.0, self.desk.now)
        assert submitted(self.desk.ctx, text.text_id, text.token, gateway, [message_id], self.desk.now)
        return callback_id

    def push(self, path: str, elements: Any) -> TestResponse:
        return self.client.post(f"{path}?{TOKEN}", data=json.dumps(elements))

    def signed(self, path: str, form: dict[str, str], **changes: Any) -> TestResponse:
        """As Twilio posts it: signed over the public address, which isn't the one that we see."""
        signature = RequestValidator("token-of-the-account").compute_signature(
            f"https://city.example{path}", form
        )
        headers = {"X-Twilio-Signature": changes.pop("signature", signature)}
        return self.client.post(path, data=form | changes, headers=headers)

    def stored(self) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
        """Receipts and replies in their order."""
        with self.desk.session() as session:
            receipts = session.scalars(select(Receipt).order_by(Receipt.id))
            replies = session.scalars(select(Reply).order_by(Reply.id))
            return (
                [(each.provider_id, each.status) for each in receipts],
                [(each.number_masked, each.body, each.outcome) for each in replies],
            )


@pytest.fixture
def world(sessions, privacy, tmp_path: Path) -> Iterator[World]:
    desk = make_desk(sessions, privacy)
    inbox = Inbox(desk.ctx, tmp_path / "spool", "web")
    yield World(desk, inbox)
    inbox.close()


# -- Twilio


def reply_form(words: str = "1", sid: str = "SM1", **more: str) -> dict[str, str]:
    return {"MessageSid": sid, "From": f"+86{MOBILE}", "To": "+15005550006", "Body": words, **more}


def test_from_a_question_over_twilio_to_a_rating(world: World) -> None:
    callback_id = world.asked("twilio", "SMa")
    for status in ("sent", "delivered", "delivered", "sent"):  # repeated, and late
        form = {"MessageSid": "SMa", "MessageStatus": status}
        answer = world.signed("/sms/twilio/receipts", form)
        assert (answer.status_code, answer.data) == (204, b"")
    assert world.desk.texts()[0].state is TextState.DELIVERED
    answer = world.signed("/sms/twilio/replies", reply_form("１，谢谢"))
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert b"<Response" in answer.data
    [rating] = world.desk.ratings(callback_id)
    assert rating.value == 1
    world.desk.later(days=3)  # the same sid is the same reply, however late
    assert world.signed("/sms/twilio/replies", reply_form("１，谢谢")).status_code == 200
    assert world.stored() == (
        [("SMa", "enroute"), ("SMa", "delivered")],
        [("138****0001", "１，谢谢", "rated")],
    )


def test_failed_over_twilio_is_a_call_next(world: World) -> None:
    callback_id = world.asked("twilio", "SMa")
    form = {"MessageSid": "SMa", "MessageStatus": "undelivered", "ErrorCode": "30005"}
    assert world.signed("/sms/twilio/receipts", form).status_code == 204
    assert world.desk.texts()[0].error == "undeliverable 30005"
    assert world.desk.state(callback_id) is not State.AWAIT_REPLY


def test_an_opt_out_over_twilio_is_a_reply_like_any(world: World) -> None:
    callback_id = world.asked("twilio", "SMa")
    # Twilio tells the opt-out that it has seen by itself; what counts is the text
    assert world.signed("/sms/twilio/replies", reply_form("退订", OptOutType="STOP")).status_code == 200
    assert world.desk.state(callback_id) is State.REFUSED


def test_a_service_has_many_numbers_and_one_sender_code(world: World) -> None:
    callback_id = world.asked("service", "SMa")
    form = reply_form(To="+15005550099", MessagingServiceSid="MG" + "1" * 32)
    assert world.signed("/sms/service/replies", form).status_code == 200
    assert len(world.desk.ratings(callback_id)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"signature": ""},
        {"signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"signature": "成功".encode().decode("latin-1")},
        {"Body": "3"},  # other words than were signed
        {"More": "1"},  # a field added
    ],
)
def test_a_forged_webhook_changes_nothing(world: World, change: dict[str, str]) -> None:
    callback_id = world.asked("twilio", "SMa")
    answer = world.signed("/sms/twilio/replies", reply_form(), **change)
    assert answer.status_code == 403
    assert world.desk.ratings(callback_id) == [] and world.stored() == ([], [])


def test_a_signature_is_for_one_address(world: World) -> None:
    form = {"MessageSid": "SMa", "MessageStatus": "delivered", "From": "x", "Body": "1"}
    of_receipts = RequestValidator("token-of-the-account").compute_signature(
        "https://city.example/sms/twilio/receipts", form
    )
    assert world.signed("/sms/twilio/replies", form, signature=of_receipts).status_code == 403


def test_the_address_may_have_been_signed_with_its_overrides(world: World) -> None:
    form = {"MessageSid": "SMa", "MessageStatus": "delivered"}
    signature = RequestValidator("token-of-the-account").compute_signature(
        "https://city.example/sms/twilio/receipts#rc=5&rp=5xx,ct,rt", form
    )
    assert world.signed("/sms/twilio/receipts", form, signature=signature).status_code == 204


def test_a_webhook_out_of_shape_is_told_the_field(world: World) -> None:
    answer = world.signed("/sms/twilio/receipts", {"MessageStatus": "delivered"})
    assert (answer.status_code, answer.json) == (400, {"field": "MessageSid", "reason": "missing"})
    assert world.stored() == ([], [])


# -- described providers


def aliyun(sequence: int, words: Any = "1", number: str = MOBILE) -> dict[str, Any]:
    return {"phone_number": number, "content": words, "dest_code": "1068501", "sequence_id": sequence}


def test_an_array_is_stored_but_for_what_is_out_of_shape(world: World) -> None:
    callback_id = world.asked("aliyun", "12345^0")
    listed = [{"biz_id": "12345^0", "err_code": "DELIVERED"}, {"err_code": "DELIVERED"}, "x"]
    answer = world.push("/sms/aliyun/receipts", listed)
    assert (answer.status_code, answer.json) == (200, {"code": 0, "msg": "成功"})
    replies = [aliyun(1, ["1"]), aliyun(2, "2"), {"content": "1"}, aliyun(3, "谢谢", "13803790002")]
    for _ in range(3):  # Aliyun pushes again after 1, 5 and 10 minutes without an answer
        assert world.push("/sms/aliyun/replies", replies).json == {"code": 0, "msg": "成功"}
        world.desk.later(days=2)
    assert [rating.value for rating in world.desk.ratings(callback_id)] == [2]
    assert world.stored() == (
        [("12345^0", "delivered")],
        [("138****0001", "2", "rated"), ("138****0002", "谢谢", "unmatched")],
    )


def test_two_like_answers_of_two_sequences_are_two(world: World) -> None:
    world.asked("aliyun", "1")
    world.push("/sms/aliyun/replies", [aliyun(1), aliyun(2), aliyun(1)])
    assert len(world.stored()[1]) == 2


def test_kannel_asks_with_get(world: World) -> None:
    callback_id = world.asked("kannel", "nonce-1")
    answer = world.client.get(f"/sms/kannel/receipts?{TOKEN}&id=nonce-1&status=1&error=")
    assert (answer.status_code, answer.data) == (200, b"")
    words = "１，谢谢".encode("utf-16-be")
    query = urlencode({"from": f"+86{MOBILE}", "to": OFFICE.sender_code, "text": words, "id": "41"})
    assert world.client.get(f"/sms/kannel/replies?{TOKEN}&{query}").status_code == 200
    assert [rating.value for rating in world.desk.ratings(callback_id)] == [1]


def test_what_cannot_be_kept_comes_again(world: World) -> None:
    callback_id = world.asked("aliyun", "1")
    world.away = True
    for push in (
        lambda: world.push("/sms/aliyun/replies", [aliyun(1)]),
        lambda: world.signed("/sms/twilio/receipts", {"MessageSid": "SM", "MessageStatus": "sent"}),
    ):
        answer = push()
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0
    assert world.stored() == ([], [])
    world.away = False
    assert world.push("/sms/aliyun/replies", [aliyun(1)]).status_code == 200
    assert len(world.desk.ratings(callback_id)) == 1


def test_a_batch_that_was_half_kept_is_whole_after_it_came_again(world: World) -> None:
    taken: list[str] = []

    def take(gateway: str, event: ReceiptArrived | ReplyArrived, now: datetime) -> bool:
        taken.append(event.source)
        if len(taken) == 2:
            raise OperationalError("INSERT", {}, Exception("away"))
        return world.take(gateway, event, now)

    client = client_of(take)
    listed = [aliyun(1), aliyun(2, "x", "13803790002"), aliyun(3, "x", "13803790003")]
    answers = [
        client.post(f"/sms/aliyun/replies?{TOKEN}", data=json.dumps(listed)).status_code for _ in range(2)
    ]
    assert answers == [503, 200]
    assert [number for number, _, _ in world.stored()[1]] == ["138****0001", "138****0002", "138****0003"]
    with world.desk.session() as session:
        assert session.scalar(select(func.sum(Reply.redelivered))) == 1


UGLY = ["", "\0", "1\0", "\ud83d", "👍" * 500, "x" * 20_000, "\r\n\t", "'; DROP TABLE reply; --", "\u202e1"]


def test_words_that_tables_find_hard_are_kept_too(world: World) -> None:
    listed = [aliyun(number, words) for number, words in enumerate(UGLY)]
    assert world.push("/sms/aliyun/replies", listed).status_code == 200
    bodies = [body for _, body, _ in world.stored()[1]]
    assert bodies[:4] == ["", "00", "3100", "eda0bd"]  # bytes in hex, where no text can be kept
    assert bodies[4:] == UGLY[4:]


# -- whatever anybody sends


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/sms/nobody/receipts", 404),
        ("POST", "/sms/aliyun/other", 404),
        ("PUT", "/sms/aliyun/receipts", 405),
        ("POST", "/sms/aliyun/receipts", 403),  # without its token
        ("POST", f"/sms/aliyun/receipts?{TOKEN}s", 403),
        ("POST", f"/sms/aliyun/receipts?{TOKEN}", 400),  # no JSON
        ("GET", f"/sms/kannel/receipts?{TOKEN}", 200),  # a field is missing: logged, Kannel reads no answer
        ("GET", f"/sms/kannel/receipts?{TOKEN}{'&a=1' * 600}", 400),
        ("GET", "/sms/twilio/replies", 403),
    ],
)
def test_addresses(method: str, path: str, status: int) -> None:
    taken: list[object] = []
    client = client_of(lambda *event: taken.append(event) or True)
    assert client.open(path, method=method).status_code == status
    assert taken == []


def test_a_push_may_be_so_long() -> None:
    client = client_of(lambda *_: True)
    for headers in ({}, {"Content-Length": "9" * 30}, {"Content-Length": "x"}):
        answer = client.post(f"/sms/aliyun/replies?{TOKEN}", data=b"[" + b" " * 1_048_576, headers=headers)
        assert answer.status_code in (400, 413)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["phone_number", "content", "dest_code", "sequence_id", "biz_id", "err_code"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(["aliyun", "kannel", "twilio", "service"]),
    st.sampled_from(["receipts", "replies"]),
    st.sampled_from(["GET", "POST"]),
    st.booleans(),
    st.text(st.characters(max_codepoint=255), max_size=30),
    st.binary(max_size=60) | st.lists(JSON, max_size=3).map(lambda tree: json.dumps(tree).encode()),
)
@settings(max_examples=200, deadline=timedelta(seconds=2))
def test_garbage_is_never_an_error_of_ours(
    gateway: str, kind: str, method: str, signed: bool, query: str, body: bytes
) -> None:
    taken: list[ReceiptArrived | ReplyArrived] = []
    client = client_of(lambda _, event, __: taken.append(event) or True)
    raw = {"QUERY_STRING": f"{TOKEN if signed else ''}&{query}", "HTTP_X_TWILIO_SIGNATURE": query}
    answer = client.open(f"/sms/{gateway}/{kind}", method=method, data=body, environ_overrides=raw)
    assert answer.status_code in (200, 204, 400, 403)
    if not signed or gateway in ("twilio", "service"):
        assert answer.status_code in (400, 403) and taken == []
