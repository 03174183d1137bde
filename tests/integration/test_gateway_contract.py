"""One suite for every gateway: the one in memory; SMPP, CMPP and both behind one against the city's own."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pytest

from callbacks.stopping import Stop
from sms.city import CitySmsc
from sms.cmpp_city import CityIsmg
from sms.cmpp_gateway import CmppGateway
from sms.cmpp_settings import CmppSettings, IsmgSettings
from sms.events import (
    GatewayEvent,
    LinkUp,
    ReceiptArrived,
    ReceiptStatus,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.gateway import Gateway
from sms.route_choice import Limits
from sms.routes import Routes
from sms.settings import SmscSettings
from sms.simulated_gateway import SimulatedGateway
from sms.smpp_gateway import SmppGateway
from sms.smpp_settings import SmppSettings
from sms.smpp_status import RINVDSTADR, RTHROTTLED

SENDER = "106380110"
SILENT = "13803790001"


class Peer(Protocol):
    """A gateway and its far end."""

    gateway: Gateway

    def say(self, source: str, text: str, raw: bytes | None = None) -> None:
        """A citizen writes."""

    def fault(self, number: str, how: str) -> None:
        """Texts to `number` are answered with `reject` or `throttle`, or `lose` the link."""


class Simulated:
    def __init__(self) -> None:
        self.gateway = SimulatedGateway()

    def say(self, source: str, text: str, raw: bytes | None = None) -> None:
        self.gateway.say(source, SENDER, text, raw)

    def fault(self, number: str, how: str) -> None:
        self.gateway.answers[number] = how


class OverSmpp:
    def __init__(self, smsc: CitySmsc, gateway: SmppGateway) -> None:
        self.smsc, self.gateway = smsc, gateway

    def say(self, source: str, text: str, raw: bytes | None = None) -> None:
        fields: dict[str, Any] = {} if raw is None else {"short_message": raw}
        self.smsc.order(lambda: self.smsc.say(source, SENDER, text, **fields))

    def fault(self, number: str, how: str) -> None:
        self.smsc.refusals[number] = {"reject": RINVDSTADR, "throttle": RTHROTTLED, "lose": None}[how]


class OverCmpp:
    def __init__(self, ismg: CityIsmg, gateway: CmppGateway) -> None:
        self.ismg, self.gateway = ismg, gateway

    def say(self, source: str, text: str, raw: bytes | None = None) -> None:
        fields: dict[str, Any] = {} if raw is None else {"msg_content": raw}
        self.ismg.order(lambda: self.ismg.say(source, SENDER, text, **fields))

    def fault(self, number: str, how: str) -> None:
        self.ismg.refusals[number] = {"reject": 13, "throttle": 8, "lose": None}[how]


@pytest.fixture
def ismg() -> Iterator[CityIsmg]:
    ismg = CityIsmg(IsmgSettings(port=0, receipt_delay=0.05, redeliver_after=0.2))
    stop = Stop()
    thread = threading.Thread(target=ismg.run, args=(stop,))
    thread.start()
    yield ismg
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def smsc() -> Iterator[CitySmsc]:
    smsc = CitySmsc(SmscSettings(port=0, receipt_delay=0.05, reply_delay=0.05, redeliver_after=0.2))
    stop = Stop()
    thread = threading.Thread(target=smsc.run, args=(stop,))
    thread.start()
    yield smsc
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def over_smpp(request: pytest.FixtureRequest) -> OverSmpp:
    smsc = request.getfixturevalue("smsc")
    return OverSmpp(smsc, SmppGateway(SmppSettings(port=smsc.port, reconnect_first=0.05, submit_timeout=2)))


def over_two_binds(request: pytest.FixtureRequest) -> OverSmpp:
    smsc = request.getfixturevalue("smsc")
    settings = SmppSettings(port=smsc.port, reconnect_first=0.05, submit_timeout=2, binds=2)
    return OverSmpp(smsc, SmppGateway(settings))


def over_cmpp(request: pytest.FixtureRequest) -> OverCmpp:
    ismg = request.getfixturevalue("ismg")
    account = {"source_addr": "901234", "shared_secret": "secret"}
    settings = CmppSettings(port=ismg.port, reconnect_first=0.05, submit_timeout=2, **account)
    return OverCmpp(ismg, CmppGateway(settings))


class OverRoutes:
    """SMPP before CMPP; a citizen writes over both in turn, as carriers let them."""

    def __init__(self, smpp: OverSmpp, cmpp: OverCmpp) -> None:
        self._peers = itertools.cycle((cmpp, smpp))
        self._both = (smpp, cmpp)
        self.gateway = Routes([(smpp.gateway, 1), (cmpp.gateway, 2)], Limits(100, 1.0))

    def say(self, source: str, text: str, raw: bytes | None = None) -> None:
        next(self._peers).say(source, text, raw)

    def fault(self, number: str, how: str) -> None:
        for peer in self._both:
            peer.fault(number, how)


def over_routes(request: pytest.FixtureRequest) -> OverRoutes:
    return OverRoutes(over_smpp(request), over_cmpp(request))


PEERS: dict[str, Callable[[pytest.FixtureRequest], Peer]] = {
    "simulated": lambda _: Simulated(),
    "smpp": over_smpp,
    "smpp, two binds": over_two_binds,
    "cmpp": over_cmpp,
    "routes": over_routes,
}


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = PEERS[request.param](request)
    if request.param != "simulated":
        collect(peer.gateway, lambda events: any(isinstance(e, LinkUp) for e in events))
    collect(peer.gateway, lambda _: peer.gateway.room > 0)
    yield peer
    peer.gateway.close()


def collect(
    gateway: Gateway, enough: Callable[[list[GatewayEvent]], bool], seconds: float = 10.0
) -> list[GatewayEvent]:
    """Polls until `enough`; fails when that doesn't come."""
    events: list[GatewayEvent] = []
    deadline = time.monotonic() + seconds
    while not enough(events):
        assert time.monotonic() < deadline, f"only {events}"
        events += gateway.poll(0.1)
    return events


def of(events: list[GatewayEvent], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_text_its_answer_and_its_receipt(peer: Peer) -> None:
    peer.gateway.submit(Submission(7, SENDER, SILENT, "【示例市110联动】您好"))
    events = collect(peer.gateway, lambda events: bool(of(events, ReceiptArrived)))
    [answer], [receipt] = of(events, Submitted), of(events, ReceiptArrived)
    assert answer.ref == 7 and answer.message_ids == (receipt.message_id,)
    assert receipt.status is ReceiptStatus.DELIVERED
    peer.gateway.acknowledge(receipt.handle, ok=True)


def test_a_long_text_has_an_id_a_part(peer: Peer) -> None:
    peer.gateway.submit(Submission(7, SENDER, SILENT, "满" * 140))
    [answer] = of(collect(peer.gateway, lambda events: bool(of(events, Submitted))), Submitted)
    assert len(answer.message_ids) == len(set(answer.message_ids)) == 3


@pytest.mark.parametrize("how", ["reject", "throttle"])
def test_a_refusal_is_for_good_or_for_the_moment(peer: Peer, how: str) -> None:
    peer.fault(SILENT, how)
    peer.gateway.submit(Submission(8, SENDER, SILENT, "x"))
    [failed] = of(collect(peer.gateway, lambda events: bool(of(events, SubmitFailed))), SubmitFailed)
    assert (failed.ref, failed.permanent) == (8, how == "reject")
    assert failed.status
    assert peer.gateway.in_flight == 0


def test_a_submit_without_an_answer_is_unknown_once(peer: Peer) -> None:
    peer.fault(SILENT, "lose")
    peer.gateway.submit(Submission(9, SENDER, SILENT, "x"))
    events = collect(peer.gateway, lambda events: bool(of(events, SubmitUnknown)))
    events += collect(peer.gateway, lambda _: peer.gateway.room > 0)  # the link comes back by itself
    peer.gateway.submit(Submission(10, SENDER, "13803790002", "x"))
    events += collect(peer.gateway, lambda events: bool(of(events, Submitted)))
    assert [event.ref for event in of(events, SubmitUnknown)] == [9]
    assert [event.ref for event in of(events, Submitted)] == [10]


def test_a_reply_that_is_not_stored_comes_again_with_the_same_digest(peer: Peer) -> None:
    peer.say(SILENT, "１，谢谢")
    [first] = of(collect(peer.gateway, lambda events: bool(of(events, ReplyArrived))), ReplyArrived)
    assert (first.source, first.destination, first.text) == (SILENT, SENDER, "１，谢谢")
    peer.gateway.acknowledge(first.handle, ok=False)
    [again] = of(collect(peer.gateway, lambda events: bool(of(events, ReplyArrived))), ReplyArrived)
    assert again.digest == first.digest
    peer.gateway.acknowledge(again.handle, ok=True)
    peer.gateway.acknowledge(again.handle, ok=True)  # harmless


def test_broken_ucs2_arrives_as_bytes(peer: Peer) -> None:
    peer.say(SILENT, "", raw=b"\xd8\x00\x00")
    [reply] = of(collect(peer.gateway, lambda events: bool(of(events, ReplyArrived))), ReplyArrived)
    assert (reply.text, reply.raw) == (None, b"\xd8\x00\x00")
    peer.gateway.acknowledge(reply.handle, ok=True)


def test_wake_ends_a_wait(peer: Peer) -> None:
    threading.Timer(0.05, peer.gateway.wake).start()
    peer.gateway.poll(30)  # the test's own time limit would end it otherwise


def test_closing_twice_is_harmless(peer: Peer) -> None:
    peer.gateway.close()
    peer.gateway.close()
    peer.gateway.wake()


def test_what_was_not_acknowledged_comes_again_after_a_reconnect(smsc: CitySmsc) -> None:
    gateway = SmppGateway(SmppSettings(port=smsc.port, reconnect_first=0.05))
    collect(gateway, lambda events: bool(of(events, LinkUp)))
    smsc.order(lambda: smsc.say(SILENT, SENDER, "3"))
    [first] = of(collect(gateway, lambda events: bool(of(events, ReplyArrived))), ReplyArrived)
    smsc.order(smsc.drop_links)
    events = collect(gateway, lambda events: bool(of(events, ReplyArrived)))
    [again] = of(events, ReplyArrived)
    assert again.digest == first.digest
    gateway.acknowledge(first.handle, ok=True)  # of the old link: answers nothing
    gateway.acknowledge(again.handle, ok=True)
    gateway.close()


def test_a_wrong_password_is_named_and_tried_again(smsc: CitySmsc) -> None:
    gateway = SmppGateway(SmppSettings(port=smsc.port, password="wrong", reconnect_first=0.05))
    events = collect(gateway, lambda events: len(events) >= 2)
    assert all("0x0000000D" in event.reason and "password" in event.reason for event in events)
    gateway.close()


def test_no_smsc_is_named() -> None:
    gateway = SmppGateway(SmppSettings(port=1, reconnect_first=0.05))
    [down] = collect(gateway, bool)[:1]
    assert "127.0.0.1:1" in down.reason
    assert gateway.room == 0
    gateway.submit(Submission(1, SENDER, SILENT, "x"))
    assert of(gateway.poll(0), SubmitFailed)[0].permanent is False
    gateway.close()
    gateway.close()
