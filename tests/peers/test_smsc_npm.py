"""Texts against a carrier's SMSC that isn't ours: npm smpp 0.5.1 on node, a codec by other hands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReceiptStatus,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.smpp_gateway import SmppGateway
from sms.smpp_settings import SmppSettings
from tests.integration.certificates import make_certificate
from tests.peers.peers import need

HERE = Path(__file__).parent / "smsc"
PLACES = (os.environ.get("HUIFANG_NODE_MODULES", ""), HERE / "node_modules", ".ci/node_modules")
SENDER = "106380110"
CITIZEN = "13803790001"


def node_modules() -> Path | None:
    """Where npm smpp lies."""
    root = Path(__file__).parents[2]
    found = (root / place for place in PLACES if place)
    return next((place for place in found if (place / "smpp").is_dir()), None)


class Carrier:
    """The SMSC's process, and our gateway at it."""

    def __init__(
        self, node: str, modules: Path, environment: dict[str, str] | None = None, **settings: Any
    ) -> None:
        self._process = subprocess.Popen(
            [node, str(HERE / "smsc.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **(environment or {}), "NODE_PATH": str(modules)},
        )
        self._told: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.told("listening")["port"])
        base = {"port": self.port, "reconnect_first": 0.05, "submit_timeout": 5}
        self.gateway = SmppGateway(SmppSettings(**(base | settings)))

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._told.append(json.loads(line))

    def told(self, event: str, count: int = 1) -> dict[str, Any]:
        """The `count`th report of a kind."""
        return self.all_told(event, count)[count - 1]

    def all_told(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 20
        while len(found := [told for told in self._told if told["event"] == event]) < count:
            assert time.monotonic() < deadline, self._told
            assert self._process.poll() is None, "the SMSC ended"
            time.sleep(0.01)
        return found

    def order(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def say(self, text: str = "", parts: list[str] | None = None) -> None:
        self.order(say={"from": f"86{CITIZEN}", "to": SENDER, "text": text, "parts": parts})

    def rule(self, **rule: Any) -> None:
        """In force when the next delivery is: orders are read in turn."""
        self.order(rule=rule)
        self.say("the rule is read")
        [reply] = self.collect(ReplyArrived)
        self.gateway.acknowledge(reply.handle, ok=True)
        self.collect_until(lambda: any(told["event"] == "ack" for told in self._told))

    def submit(self, ref: int, text: str = "您好", number: str = CITIZEN) -> None:
        self.gateway.submit(Submission(ref, SENDER, number, text))

    def collect(self, kind: type, count: int = 1) -> list[Any]:
        """Polls until `count` events of a kind have come; nothing is acknowledged."""
        events: list[GatewayEvent] = []
        self.collect_until(
            lambda: len([event for event in events if isinstance(event, kind)]) >= count, events
        )
        return [event for event in events if isinstance(event, kind)]

    def collect_until(
        self, enough: Callable[[], bool], events: list[GatewayEvent] | None = None
    ) -> list[GatewayEvent]:
        events = [] if events is None else events
        deadline = time.monotonic() + 20
        while not enough():
            assert time.monotonic() < deadline, f"only {events}; {self._told}"
            events += self.gateway.poll(0.02)
        return events

    def close(self) -> None:
        self.gateway.close()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(10) == 0
        self._reader.join(10)
        self._process.stdout.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Carrier]]:
    """Starts SMSCs, each with our gateway bound to it."""
    node, modules = shutil.which("node"), node_modules()
    need("npm smpp", node is not None and modules is not None)
    assert node is not None and modules is not None
    with ExitStack() as running:

        def make(**settings: Any) -> Carrier:
            carrier = Carrier(node, modules, **settings)
            running.callback(carrier.close)
            carrier.collect(LinkUp)
            return carrier

        yield make


@pytest.fixture
def carrier(start: Callable[..., Carrier]) -> Carrier:
    return start()


def test_a_text_and_its_receipt(carrier: Carrier) -> None:
    carrier.submit(1, "【示例市110联动】您好😀")
    events = carrier.collect_until(lambda: len(carrier.all_told("submit")) == 1)
    submit = carrier.told("submit")
    assert (submit["from"], submit["to"]) == (SENDER, f"86{CITIZEN}")
    assert submit["text"] == "【示例市110联动】您好😀"
    assert (submit["data_coding"], submit["registered_delivery"], submit["parted"]) == (8, 1, False)
    carrier.collect_until(lambda: any(isinstance(event, ReceiptArrived) for event in events), events)
    [answer] = [event for event in events if isinstance(event, Submitted)]
    [receipt] = [event for event in events if isinstance(event, ReceiptArrived)]
    assert (answer.ref, answer.message_ids) == (1, (receipt.message_id,))
    assert (receipt.status, receipt.error) == (ReceiptStatus.DELIVERED, "000")
    carrier.gateway.acknowledge(receipt.handle, ok=True)
    assert carrier.told("ack")["status"] == 0


def test_a_text_that_did_not_reach_its_phone(carrier: Carrier) -> None:
    carrier.rule(receipt="UNDELIV")
    carrier.submit(1)
    [receipt] = carrier.collect(ReceiptArrived)
    assert (receipt.status, receipt.error) == (ReceiptStatus.UNDELIVERABLE, "027")


def test_a_long_text_goes_in_parts_that_the_other_end_reads(carrier: Carrier) -> None:
    text = "满意" * 32 + "😀😀" + "不满意" * 20
    carrier.submit(1, text)
    [answer] = carrier.collect(Submitted)
    submits = carrier.all_told("submit", count=2)
    assert all(submit["parted"] for submit in submits)
    assert "".join(submit["text"] for submit in submits) == text
    assert len(answer.message_ids) == len(submits)


def test_a_reply_is_acknowledged_once_it_is_stored(carrier: Carrier) -> None:
    carrier.say("１，谢谢")
    [reply] = carrier.collect(ReplyArrived)
    assert (reply.source, reply.destination, reply.text) == (f"86{CITIZEN}", SENDER, "１，谢谢")
    carrier.gateway.acknowledge(reply.handle, ok=True)
    assert carrier.told("ack") == {"event": "ack", "what": "reply", "status": 0, "times": 1}


def test_a_long_reply_comes_as_one(carrier: Carrier) -> None:
    parts = ["3，" + "还没修好" * 16, "请再来看看"]
    carrier.say(parts=parts)
    [reply] = carrier.collect(ReplyArrived)
    assert reply.text == "".join(parts)
    carrier.gateway.acknowledge(reply.handle, ok=True)
    assert [ack["status"] for ack in carrier.all_told("ack", count=2)] == [0, 0]


@pytest.mark.parametrize("refused", [False, True], ids=["no answer", "refused"])
def test_what_is_not_stored_comes_again(carrier: Carrier, refused: bool) -> None:
    carrier.say("2")
    [first] = carrier.collect(ReplyArrived)
    if refused:
        carrier.gateway.acknowledge(first.handle, ok=False)
        assert carrier.told("ack")["status"] == 0x64
    [again] = carrier.collect(ReplyArrived)
    assert again.digest == first.digest
    carrier.gateway.acknowledge(again.handle, ok=True)
    last = carrier.told("ack", count=2 if refused else 1)
    assert (last["status"], last["times"] >= 2) == (0, True)


def test_a_dropped_link_leaves_the_submit_unknown_and_the_reply_to_come_again(carrier: Carrier) -> None:
    carrier.rule(cut=True)
    carrier.say("1")
    [first] = carrier.collect(ReplyArrived)  # not stored when the link goes
    carrier.submit(5)
    events = carrier.collect_until(lambda: len([t for t in carrier._told if t["event"] == "bound"]) == 2)
    carrier.collect_until(lambda: any(isinstance(event, LinkUp) for event in events), events)
    assert [event.ref for event in events if isinstance(event, SubmitUnknown)] == [5]
    assert any(isinstance(event, LinkDown) for event in events)
    carrier.collect_until(lambda: any(isinstance(event, ReplyArrived) for event in events), events)
    again = [event for event in events if isinstance(event, ReplyArrived)][-1]
    assert again.digest == first.digest
    carrier.gateway.acknowledge(again.handle, ok=True)
    carrier.submit(6)
    assert carrier.collect(Submitted)[0].ref == 6
    carrier.collect_until(lambda: len(carrier.all_told("submit")) >= 2)  # its log comes by a pipe
    assert len(carrier.all_told("submit")) == 2  # 5 went once


def test_throttled_it_goes_again(carrier: Carrier) -> None:
    carrier.rule(throttle=1)
    carrier.submit(1, "慢一点")
    [answer] = carrier.collect(Submitted)
    assert answer.ref == 1
    assert [submit["text"] for submit in carrier.all_told("submit", count=2)] == ["慢一点"] * 2


def test_throttled_without_end_is_for_another_time(carrier: Carrier) -> None:
    carrier.rule(throttle=100)
    carrier.submit(1)
    assert carrier.collect(SubmitFailed) == [SubmitFailed(1, permanent=False, status="0x00000058")]


def test_a_long_text_whole(start: Callable[..., Carrier]) -> None:
    carrier = start(long_messages="payload")
    carrier.submit(1, "满意" * 100)
    [answer] = carrier.collect(Submitted)
    submit = carrier.told("submit")
    assert (submit["text"], submit["payload"], submit["parted"]) == ("满意" * 100, True, False)
    assert len(answer.message_ids) == 1


def test_a_transmitter_and_a_receiver(start: Callable[..., Carrier]) -> None:
    carrier = start(bind="split")
    carrier.collect_until(lambda: len(carrier.all_told("bound", count=1)) == 2)
    assert {told["role"] for told in carrier.all_told("bound")} == {"transmitter", "receiver"}
    carrier.submit(1)
    [receipt] = carrier.collect(ReceiptArrived)
    carrier.gateway.acknowledge(receipt.handle, ok=True)
    assert carrier.told("ack")["status"] == 0


def test_several_binds(start: Callable[..., Carrier]) -> None:
    carrier = start(binds=3, window=2, rate_per_second=1000)
    carrier.collect_until(lambda: len(carrier.all_told("bound", count=1)) == 3)
    for ref in range(1, 51):
        carrier.submit(ref)
    answers = carrier.collect(Submitted, count=50)
    assert sorted(answer.ref for answer in answers) == list(range(1, 51))
    assert len({answer.message_ids for answer in answers}) == 50


def test_over_tls(start: Callable[..., Carrier], tmp_path: Path) -> None:
    make_certificate(tmp_path, "smsc.example", make_certificate(tmp_path, "authority"))
    files = {name: str(tmp_path / f"smsc.example.{name}") for name in ("pem", "key")}
    carrier = start(
        environment={"SMSC_CERT": files["pem"], "SMSC_KEY": files["key"]},
        tls=True,
        ca_file=tmp_path / "authority.pem",
        server_name="smsc.example",
    )
    carrier.submit(1, "满意" * 300)
    [answer] = carrier.collect(Submitted)
    assert len(answer.message_ids) == 9
    carrier.say("1")
    [reply] = carrier.collect(ReplyArrived)
    carrier.gateway.acknowledge(reply.handle, ok=True)


def test_refused_for_good(carrier: Carrier) -> None:
    carrier.rule(reject="0404")
    carrier.submit(1, number="13803790404")
    assert carrier.collect(SubmitFailed) == [SubmitFailed(1, permanent=True, status="0x0000000B")]


def test_the_link_is_kept_and_asked(carrier: Carrier) -> None:
    asking = SmppGateway(SmppSettings(port=carrier.port, enquire_seconds=0.5))
    try:
        while not any(told["event"] == "enquired" for told in carrier._told):
            assert not any(isinstance(event, LinkDown) for event in asking.poll(0.1))
    finally:
        asking.close()


def test_a_wrong_password(carrier: Carrier) -> None:
    stranger = SmppGateway(SmppSettings(port=carrier.port, password="wrong"))
    events: list[GatewayEvent] = []
    while not events:
        events += stranger.poll(0.1)
    stranger.close()
    assert isinstance(events[0], LinkDown) and "0x0000000D" in events[0].reason
