"""A described gateway over HTTP, against a provider on loopback: the contract, and one outcome a text."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.gateway import Gateway
from sms.http_gateway import make_http_gateway
from sms.http_pool import PooledGateway
from sms.http_pushes import HttpPushes
from sms.http_settings import HttpSettings
from sms.message import encode, parts
from sms.webhooks import create_blueprint
from tests.integration import test_gateway_contract as contract
from tests.integration.http_provider import Asked, Provider, Told, provider_of
from tests.integration.test_gateway_contract import SENDER, SILENT, collect, of


def described(url: str, **changes: Any) -> HttpSettings:
    given: dict[str, Any] = {
        "request": {
            "url": f"{url}/send",
            "body": {"to": "{number}", "from": "{sender_code}", "text": "{text}", "ref": "{ref}"},
        },
        "answer": {
            "code": "code",
            "ids": "ids",
            "accepted": ["0"],
            "permanent": ["13"],
            "transient": ["8"],
            "resting": ["99"],
        },
        "push": {
            "check": {"kind": "token", "token": "a-word-of-sixteen-letters"},
            "receipts": {"format": "array", "id": "id", "status": "s", "statuses": {"D": "delivered"}},
            "replies": {
                "format": "form",
                "charset": "utf-16-be",
                "number": "from",
                "text": "text",
                "sender_code": "to",
                "sequence": "seq",
            },
        },
        "rest_first": 0.05,
        "rest_longest": 0.2,
        "submit_timeout": 2,
    }
    return HttpSettings(**given | changes)


# -- the contract of all gateways


class WithPushes:
    """The gateway and the web role's side of it as one, so that the contract sees deliveries too.

    A push waits in the web role until its delivery is acknowledged, and is answered accordingly.
    """

    def __init__(self, gateway: PooledGateway) -> None:
        self._gateway = gateway
        self._pushed: queue.SimpleQueue[ReceiptArrived | ReplyArrived] = queue.SimpleQueue()
        self._answers: dict[int, queue.SimpleQueue[bool]] = {}
        self._handles = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def take(self, gateway: str, event: ReceiptArrived | ReplyArrived, now: object) -> bool:
        self._handles += 1
        answer = self._answers[self._handles] = queue.SimpleQueue()
        self._pushed.put(replace(event, handle=self._handles))
        self._gateway.wake()
        try:
            return answer.get(timeout=1)
        except queue.Empty:
            return False

    def acknowledge(self, handle: int, ok: bool) -> None:
        self._answers[handle].put(ok)

    def poll(self, timeout: float) -> list[GatewayEvent]:
        events = self._gateway.poll(timeout)
        pushed = []
        while not self._pushed.empty():
            pushed.append(self._pushed.get())
        return [*events, *self._gateway.poll(0), *pushed]


class OverHttp:
    """Provider, gateway and web role; the provider pushes until it's told that all is taken."""

    def __init__(self, provider: Provider) -> None:
        provider.answer = self.answer
        self.provider = provider
        settings = described(provider.url)
        self.whole = WithPushes(make_http_gateway(settings))
        self.gateway: Gateway = self.whole
        app = Flask(__name__)
        assert settings.push is not None
        app.register_blueprint(create_blueprint(self.whole.take, [HttpPushes("http", settings.push)]))
        self.app = app
        self.faults: dict[str, str] = {}
        self.ids = self.sequence = 0
        self.pushers: list[threading.Thread] = []

    def answer(self, asked: Asked) -> Told:
        match self.faults.get(asked.form["to"]):
            case "reject":
                return Told(200, '{"code":13}')
            case "throttle":
                return Told(200, '{"code":8}')
            case "lose":
                return Told(how="drop")
        first, self.ids = self.ids + 1, self.ids + len(parts(asked.form["text"]))
        ids = [str(number) for number in range(first, self.ids + 1)]
        self.push("receipts", json.dumps([{"id": each, "s": "D"} for each in ids]))
        return Told(200, json.dumps({"code": "0", "ids": ids}))

    def fault(self, number: str, how: str) -> None:
        self.faults[number] = how

    def say(self, source: str, text: str, raw: bytes | None = None) -> None:
        self.sequence += 1
        written = quote(encode(text) if raw is None else raw)
        self.push("replies", f"from={source}&to={SENDER}&seq={self.sequence}&text={written}")

    def push(self, kind: str, body: str) -> None:
        def until_taken() -> None:
            while self.gateway.in_flight and not self.provider.over.wait(0.01):
                pass  # the contract's receipts come after the answer
            path = f"/sms/http/{kind}?token=a-word-of-sixteen-letters"
            while not self.provider.over.is_set():
                if self.app.test_client().post(path, data=body.encode()).status_code == 200:
                    return
                self.provider.over.wait(0.05)

        self.pushers.append(threading.Thread(target=until_taken))
        self.pushers[-1].start()

    def close(self) -> None:
        self.provider.over.set()
        self.gateway.close()
        for pusher in self.pushers:
            pusher.join(10)


@pytest.fixture
def peer() -> Iterator[OverHttp]:
    with provider_of(lambda _: Told()) as provider:
        over_http = OverHttp(provider)
        collect(over_http.gateway, lambda events: bool(of(events, LinkUp)))
        yield over_http
        over_http.close()


test_a_text_its_answer_and_its_receipt = contract.test_a_text_its_answer_and_its_receipt
test_a_long_text_has_an_id_a_part = contract.test_a_long_text_has_an_id_a_part
test_a_refusal_is_for_good_or_for_the_moment = contract.test_a_refusal_is_for_good_or_for_the_moment
test_a_submit_without_an_answer_is_unknown_once = contract.test_a_submit_without_an_answer_is_unknown_once
test_a_reply_comes_again = contract.test_a_reply_that_is_not_stored_comes_again_with_the_same_digest
test_broken_ucs2_arrives_as_bytes = contract.test_broken_ucs2_arrives_as_bytes
test_wake_ends_a_wait = contract.test_wake_ends_a_wait
test_closing_twice_is_harmless = contract.test_closing_twice_is_harmless


# -- one outcome a text, whatever the answer does

TAKEN = Told(200, '{"code":"0","ids":["1"]}')
UNKNOWN = SubmitUnknown(1)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (TAKEN, Submitted(1, ("1",))),
        (Told(200, '{"code":"0"}'), Submitted(1, ())),  # taken, under no id
        (Told(200, '{"code":13}'), SubmitFailed(1, True, "13")),
        (Told(200, '{"code":8}'), SubmitFailed(1, False, "8")),
        (Told(200, '{"code":99}'), SubmitFailed(1, False, "99")),
        (Told(401, "no"), SubmitFailed(1, False, "HTTP 401")),
        (Told(302, "", headers={"Location": "http://192.0.2.1/"}), SubmitFailed(1, False, "HTTP 302")),
        (Told(500, "oops"), UNKNOWN),
        (Told(200, "no JSON"), UNKNOWN),
        (replace(TAKEN, how="drop"), UNKNOWN),  # the request is read, no answer comes
        (replace(TAKEN, how="cut"), UNKNOWN),
        (replace(TAKEN, how="stall"), UNKNOWN),
        (replace(TAKEN, how="trickle", body=TAKEN.body + " " * 200), UNKNOWN),  # slower than the time-out
        (Told(200, "x" * 100_000), UNKNOWN),  # longer than an answer may be
        (Told(200, "\x1f\x8b broken", headers={"Content-Encoding": "gzip"}), UNKNOWN),
    ],
)
def test_an_answer_has_one_outcome(told: Told, outcome: GatewayEvent) -> None:
    with provider_of(lambda _: told) as provider:
        gateway = make_http_gateway(described(provider.url, submit_timeout=0.4, connect_timeout=1))
        gateway.submit(Submission(1, SENDER, SILENT, "您好"))
        events = collect(gateway, lambda events: len(outcomes(events)) > 0)
        assert gateway.in_flight == 0
        provider.over.set()
        gateway.close()
        events += gateway.poll(0)
        assert outcomes(events) == [outcome]
        assert len(provider.asked) == 1  # never sent again by itself
        assert provider.asked[0].form == {"to": SILENT, "from": SENDER, "text": "您好", "ref": "1"}


def outcomes(events: list[GatewayEvent]) -> list[GatewayEvent]:
    return [event for event in events if isinstance(event, Submitted | SubmitFailed | SubmitUnknown)]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else takes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_no_connection_leaves_nothing_and_the_gateway_rests(closed_port: int) -> None:
    gateway = make_http_gateway(described(f"http://127.0.0.1:{closed_port}", rest_first=60, rest_longest=60))
    gateway.submit(Submission(1, SENDER, SILENT, "x"))
    events = collect(gateway, lambda events: bool(of(events, LinkDown)))
    assert of(events, SubmitFailed) == [SubmitFailed(1, False, "Connection refused")]
    assert of(events, LinkDown)[0].reason == "Connection refused"
    assert gateway.room == 0
    gateway.submit(Submission(2, SENDER, SILENT, "x"))
    assert gateway.poll(0) == [SubmitFailed(2, False, "the gateway rests")]
    gateway.close()


def test_a_listener_that_speaks_no_tls_gets_nothing() -> None:
    """The handshake fails: not a byte of the request has left."""
    with provider_of(lambda _: TAKEN) as provider:
        gateway = make_http_gateway(described(provider.url.replace("http:", "https:")))
        gateway.submit(Submission(1, SENDER, SILENT, "x"))
        [failed] = of(collect(gateway, lambda events: bool(of(events, SubmitFailed))), SubmitFailed)
        assert not failed.permanent and SILENT not in failed.status
        gateway.close()
        assert provider.asked == []


def test_after_a_fault_one_text_tries_first() -> None:
    """One probe while it's in doubt; with its success all connections are open again."""
    answers = iter([Told(401, "no"), Told(401, "no"), TAKEN])
    with provider_of(lambda _: next(answers)) as provider:
        gateway = make_http_gateway(described(provider.url, connections=4, rate_per_second=1000))
        for ref in (1, 2, 3):
            events = collect(gateway, lambda _: gateway.room > 0)
            if ref > 1:
                assert gateway.room == 1
            gateway.submit(Submission(ref, SENDER, SILENT, "x"))
            events += collect(gateway, lambda events: bool(outcomes(events)))
            expected = [False] if ref < 3 else []
            assert [each.permanent for each in of(events, SubmitFailed)] == expected
        collect(gateway, lambda _: gateway.room == 4)
        gateway.close()


def test_poll_does_not_wait_for_the_network_and_texts_go_side_by_side() -> None:
    meeting = threading.Barrier(3)  # answered only when three requests are there at once

    def answer(asked: Asked) -> Told:
        meeting.wait(10)
        return Told(200, json.dumps({"code": "0", "ids": asked.form["ref"]}))

    with provider_of(answer) as provider:
        gateway = make_http_gateway(described(provider.url, connections=3, rate_per_second=1000))
        gateway.poll(0)
        gateway.submit(Submission(1, SENDER, SILENT, "x"))
        assert gateway.poll(0) == [] and gateway.in_flight == 1
        for ref in (2, 3):
            gateway.submit(Submission(ref, SENDER, SILENT, "x"))
        events = collect(gateway, lambda events: len(outcomes(events)) == 3)
        assert {event.ref: event.message_ids for event in of(events, Submitted)} == {
            ref: (str(ref),) for ref in (1, 2, 3)
        }
        gateway.close()


def test_connections_are_kept_and_a_dropped_one_is_opened_again() -> None:
    with provider_of(lambda asked: TAKEN) as provider:
        gateway = make_http_gateway(described(provider.url, connections=1, rate_per_second=1000))
        for ref in range(5):
            gateway.submit(Submission(ref, SENDER, SILENT, "x"))
        collect(gateway, lambda events: len(of(events, Submitted)) == 5)
        assert (provider.connections, len(provider.asked)) == (1, 5)
        provider.answer = lambda _: replace(TAKEN, headers={"Connection": "close"})
        for ref in range(5, 8):
            gateway.submit(Submission(ref, SENDER, SILENT, "x"))
        collect(gateway, lambda events: len(of(events, Submitted)) == 3)
        gateway.close()


def test_what_has_not_begun_when_it_is_closed_has_not_left() -> None:
    with provider_of(lambda _: replace(TAKEN, how="stall")) as provider:
        gateway = make_http_gateway(described(provider.url, connections=1, submit_timeout=20))
        gateway.submit(Submission(1, SENDER, SILENT, "x"))
        gateway.submit(Submission(2, SENDER, SILENT, "x"))
        wait_for(lambda: len(provider.asked) == 1)
        gateway.close()
        assert outcomes(gateway.poll(0)) == [SubmitUnknown(1), SubmitFailed(2, False, "closed")]
        provider.over.set()
        assert gateway.room == 0 and gateway.poll(0) == []


def test_a_text_that_no_thread_was_free_for_has_not_left() -> None:
    """It's given up in time, and isn't sent when a thread is free at last."""
    with provider_of(lambda _: replace(TAKEN, how="stall")) as provider:
        gateway = make_http_gateway(described(provider.url, connections=1, submit_timeout=0.3))
        gateway.submit(Submission(1, SENDER, SILENT, "x"))
        gateway.submit(Submission(2, SENDER, SILENT, "x"))
        events = collect(gateway, lambda events: len(outcomes(events)) == 2)
        assert sorted(outcomes(events), key=lambda event: event.ref) == [
            SubmitUnknown(1),
            SubmitFailed(2, False, "no connection was free"),
        ]
        provider.over.set()
        gateway.close()
        assert len(provider.asked) == 1


def test_the_rate_is_kept() -> None:
    with provider_of(lambda _: TAKEN) as provider:
        gateway = make_http_gateway(described(provider.url, connections=8, rate_per_second=0.01))
        assert gateway.room == 1
        gateway.submit(Submission(1, SENDER, SILENT, "x"))
        collect(gateway, lambda events: bool(of(events, Submitted)))
        assert gateway.room == 0
        gateway.close()


def wait_for(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
