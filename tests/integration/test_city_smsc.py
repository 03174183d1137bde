"""The simulated city's SMSC: what its citizens answer, what it repeats, and its log as the truth."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from callbacks.numbers import NumberKind, kind_of
from callbacks.stopping import Stop
from sms.citizen import reply_to
from sms.city import CitySmsc, run_city_smsc
from sms.events import GatewayEvent, LinkUp, ReceiptArrived, ReplyArrived, Submission, SubmitFailed, Submitted
from sms.settings import SmscSettings
from sms.smpp_gateway import SmppGateway
from sms.smpp_settings import SmppSettings

SENDER = "106380110"
ASK = (
    "【示例市110联动】您3月5日反映的事项（编号尾号0415）已办理答复。"
    "请回复数字评价：1满意，2基本满意，3不满意。3日内有效。"
)
ASK_AGAIN = "【示例市110联动】没能识别您的回复。请只回复一个数字：1满意，2基本满意，3不满意。"


@pytest.mark.parametrize(
    ("kind", "asked", "asked_again"),
    [
        ("0", None, None),
        ("1", None, None),
        ("2", "1", None),
        ("3", "３", None),
        ("4", "满意", None),
        ("5", "不满意", None),
        ("6", "1，谢谢，修好了", None),
        ("7", "T", None),
        ("8", "2 基本满意", None),
        ("9", "还行吧", "2"),
    ],
)
def test_citizens_by_the_last_but_one_digit(kind: str, asked: str | None, asked_again: str | None) -> None:
    for last in "05":  # the last digit is for the telephone
        number = f"138037900{kind}{last}"
        assert kind_of(number) is NumberKind.MOBILE
        assert reply_to(ASK, number) == asked
        assert reply_to(ASK_AGAIN, number) == asked_again
        assert reply_to("【示例市110联动】您的评价已收到，感谢您的监督。", number) is None


def test_the_citizens_know_our_texts() -> None:
    """They answer by a phrase that the catalogue's texts do hold."""
    texts = (Path(__file__).parents[2] / "prompts" / "catalogue.toml").read_text("utf-8")
    for phrase in ("请回复数字评价", "没能识别您的回复"):
        assert phrase in texts


class World:
    """A running city and a gateway at it, that acknowledges what it's told to."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.log_file = tmp_path / "texts.jsonl"
        base = {"port": 0, "receipt_delay": 0.02, "reply_delay": 0.02, "redeliver_after": 0.2}
        self.smsc = CitySmsc(SmscSettings(log_file=self.log_file, **(base | settings)))
        self.stop = Stop()
        self.thread = threading.Thread(target=self.smsc.run, args=(self.stop,), daemon=True)
        self.thread.start()
        self.gateway = self.connect()

    def connect(self) -> SmppGateway:
        gateway = SmppGateway(SmppSettings(port=self.smsc.port, reconnect_first=0.05))
        self.gateway = gateway
        self.collect(lambda events: any(isinstance(event, LinkUp) for event in events), ok=None)
        return gateway

    def collect(
        self, enough: Callable[[list[GatewayEvent]], bool], ok: bool | None = True
    ) -> list[GatewayEvent]:
        """Polls until `enough`, acknowledging every delivery with `ok` (None: not at all)."""
        events: list[GatewayEvent] = []
        for _ in range(400):
            for event in self.gateway.poll(0.05):
                events.append(event)
                if isinstance(event, ReceiptArrived | ReplyArrived) and ok is not None:
                    self.gateway.acknowledge(event.handle, ok)
            if enough(events):
                return events
        raise AssertionError(f"only {events}")

    def close(self) -> list[dict[str, Any]]:
        """Ends both; what the log holds."""
        self.gateway.close()
        for _ in range(200):  # the city reads on to the leave-taking
            if not self.smsc.connected:
                break
            self.thread.join(0.05)
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()
        return [json.loads(line) for line in self.log_file.read_text("utf-8").splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        worlds.append(World(tmp_path, **settings))
        return worlds[-1]

    yield make
    for each in worlds:
        each.close()


def of(events: list[GatewayEvent], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_text_its_receipt_and_the_reply_are_in_the_log(world: Callable[..., World]) -> None:
    city = world()
    city.gateway.submit(Submission(1, SENDER, "13803790060", ASK))
    events = city.collect(lambda events: bool(of(events, ReplyArrived) and of(events, ReceiptArrived)))
    [answer], [receipt], [reply] = (of(events, kind) for kind in (Submitted, ReceiptArrived, ReplyArrived))
    assert receipt.message_id in answer.message_ids
    assert (reply.source, reply.destination, reply.text) == ("13803790060", SENDER, "1，谢谢，修好了")
    log = city.close()
    [submit] = [row for row in log if row["kind"] == "submit"]
    assert (submit["from"], submit["to"], submit["text"], submit["part"]) == (SENDER, "13803790060", ASK, 1)
    [said] = [row for row in log if row["kind"] == "mo"]
    assert (said["from"], said["to"], said["text"]) == ("13803790060", SENDER, "1，谢谢，修好了")
    assert {row["delivery"] for row in log if row["kind"] == "ack"} == {
        row["delivery"] for row in log if row["kind"] in ("mo", "receipt")
    }
    assert all(isinstance(row["at"], float) for row in log)


def test_a_long_text_is_answered_once_and_logged_by_part(world: Callable[..., World]) -> None:
    """Its question lies across the cut, as a longer signature makes it."""
    city = world()
    text = "【" + "示" * 62 + "】" + ASK.partition("】")[2].partition("。")[2]
    city.gateway.submit(Submission(1, SENDER, "13803790020", text))
    events = city.collect(
        lambda events: bool(of(events, ReplyArrived)) and len(of(events, ReceiptArrived)) == 2
    )
    assert [reply.text for reply in of(events, ReplyArrived)] == ["1"]
    submits = [row for row in city.close() if row["kind"] == "submit"]
    assert [row["part"] for row in submits] == [1, 2]
    assert "请回复数字评价" not in submits[0]["text"] and "请回复数字评价" not in submits[1]["text"]
    assert "".join(row["text"] for row in submits) == text


def test_receipts_may_come_first(world: Callable[..., World]) -> None:
    city = world(receipt_first=True)
    city.gateway.submit(Submission(1, SENDER, "13803790000", ASK))
    events = city.collect(lambda events: bool(of(events, Submitted)))
    kinds = [type(event) for event in events if not isinstance(event, LinkUp)]
    assert kinds == [ReceiptArrived, Submitted]
    assert of(events, ReceiptArrived)[0].message_id == of(events, Submitted)[0].message_ids[0]


@pytest.mark.parametrize("ok", [None, False])
def test_what_is_not_acknowledged_comes_again(world: Callable[..., World], ok: bool | None) -> None:
    """Whether it was refused or not answered at all."""
    city = world()
    city.smsc.order(lambda: city.smsc.say("13803790020", SENDER, "1"))
    replies = of(city.collect(lambda events: len(of(events, ReplyArrived)) == 3, ok=ok), ReplyArrived)
    assert len({reply.digest for reply in replies}) == 1
    city.collect(lambda events: bool(of(events, ReplyArrived)))
    rest = []
    for _ in range(8):
        rest += city.gateway.poll(0.05)
    assert not of(rest, ReplyArrived)
    [ack] = [row for row in city.close() if row["kind"] == "ack"]
    assert ack["times"] >= 4


def test_what_is_owed_waits_for_the_next_connection(world: Callable[..., World]) -> None:
    city = world(redeliver_after=60)
    city.smsc.order(lambda: city.smsc.say("13803790020", SENDER, "1"))
    [first] = of(city.collect(lambda events: bool(of(events, ReplyArrived)), ok=None), ReplyArrived)
    city.gateway.close()
    city.smsc.order(lambda: city.smsc.say("13803790030", SENDER, "2"))  # while nobody is there
    gateway = SmppGateway(SmppSettings(port=city.smsc.port))
    city.gateway = gateway
    replies = of(city.collect(lambda events: len(of(events, ReplyArrived)) == 2), ReplyArrived)
    assert {reply.text for reply in replies} == {"1", "2"}
    assert first.digest in {reply.digest for reply in replies}


def test_a_number_that_cannot_be_is_refused(world: Callable[..., World]) -> None:
    city = world()
    city.gateway.submit(Submission(1, SENDER, "1380379", ASK))
    [failed] = of(city.collect(lambda events: bool(of(events, SubmitFailed))), SubmitFailed)
    assert (failed.permanent, failed.status) == (True, "0x0000000B")
    assert not [row for row in city.close() if row["kind"] == "submit"]


def test_it_listens_on_loopback_alone_and_ends_when_told() -> None:
    with pytest.raises(ValidationError):
        SmscSettings(host="0.0.0.0")
    ports: list[int] = []
    stop, told = Stop(), threading.Event()

    def ready(port: int) -> None:
        ports.append(port)
        told.set()

    thread = threading.Thread(target=run_city_smsc, args=(SmscSettings(port=0), stop, ready))
    thread.start()
    assert told.wait(10)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert ports[0] > 0
