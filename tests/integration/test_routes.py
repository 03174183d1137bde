"""Several gateways behind one: who carries a text, who is set aside, and whose name is stored with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callbacks.models import Attempt, Receipt, Reply, TextPart
from sms.events import (
    GatewayEvent,
    LinkDown,
    ReceiptArrived,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.gateways import make_gateways
from sms.inbound import Inbox
from sms.route_choice import Limits
from sms.routes import Routes
from sms.settings import SmsSettings
from sms.simulated_gateway import SimulatedGateway
from sms.smpp_gateway import SmppGateway
from sms.smpp_settings import SmppSettings
from sms.worker import SmsWorker
from tests.integration.office import MOBILE, OFFICE, make_desk

SENDER = "106380110"
CITIZEN = "13803790001"


class Named(SimulatedGateway):
    """A gateway in memory; `fails` are its outcomes for whichever text, `open` what it takes."""

    def __init__(self, name: str, fails: str | None = None, open: int = 10) -> None:
        super().__init__(open)
        self.name, self.fails, self.open = name, fails, open

    @property
    def room(self) -> int:
        return self.open

    def submit(self, submission: Submission) -> None:
        if self.fails:
            self.answers[submission.destination] = self.fails
        else:
            self.answers.clear()
        super().submit(submission)


class World:
    """Routes over gateways in memory, the first before the second, and what they tell."""

    def __init__(self, *gateways: Named, failures: int = 3, aside: float = 0.3) -> None:
        self.gateways = {gateway.name: gateway for gateway in gateways}
        priorities = [(gateway, place) for place, gateway in enumerate(gateways, start=1)]
        self.routes = Routes(priorities, Limits(failures, aside))
        self.events: list[GatewayEvent] = []
        first = next(gateway.name for gateway in gateways if gateway.open)  # a later one may be up before it
        self.until(lambda: self.routes.name == first and self.routes.room > 0)

    def until(self, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not enough():
            assert time.monotonic() < deadline, f"only {self.events}"
            self.events += self.routes.poll(0.02)

    def send(self, ref: int) -> GatewayEvent:
        """Submits a text; what became of it."""
        self.routes.submit(Submission(ref, SENDER, CITIZEN, "您好"))
        outcomes = (Submitted, SubmitFailed, SubmitUnknown)
        before = len(self.events)
        self.until(lambda: any(isinstance(each, outcomes) for each in self.events[before:]))
        return next(each for each in self.events[before:] if isinstance(each, outcomes))

    def sent(self) -> dict[str, list[int]]:
        return {name: [each.ref for each in gateway.sent] for name, gateway in self.gateways.items()}


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(*gateways: Named, **limits: float) -> World:
        worlds.append(World(*gateways, **limits))
        return worlds[-1]

    yield make
    for each in worlds:
        each.routes.close()


def test_the_first_carries_all_and_the_events_name_it(world: Callable[..., World]) -> None:
    city = world(Named("a"), Named("b"))
    assert city.routes.name == "a"
    assert city.send(1) == Submitted(1, ("1",), "a")
    city.until(lambda: any(isinstance(each, ReceiptArrived) for each in city.events))
    [receipt] = [each for each in city.events if isinstance(each, ReceiptArrived)]
    assert (receipt.gateway, receipt.message_id) == ("a", "1")
    assert city.routes.in_flight == 0


def test_full_or_down_the_next_carries(world: Callable[..., World]) -> None:
    city = world(Named("a", open=0), Named("b"))
    city.until(lambda: city.routes.name == "b")
    assert city.send(1) == Submitted(1, ("1",), "b")
    city.gateways["a"].open = 1
    city.until(lambda: city.routes.name == "a")
    assert city.routes.room == 1  # of the one that the next batch goes over


def test_acknowledgements_go_where_the_delivery_came_from(world: Callable[..., World]) -> None:
    """Both gateways count their handles from 1."""
    city = world(Named("a"), Named("b"))
    city.gateways["a"].say(CITIZEN, SENDER, "1")
    city.gateways["b"].say(CITIZEN, SENDER, "3")
    replies = lambda: [each for each in city.events if isinstance(each, ReplyArrived)]  # noqa: E731
    city.until(lambda: len(replies()) == 2)
    assert {each.gateway: each.text for each in replies()} == {"a": "1", "b": "3"}
    [of_b] = [each for each in replies() if each.gateway == "b"]
    city.routes.acknowledge(of_b.handle, ok=True)
    city.until(lambda: city.gateways["b"].acknowledged == [1])
    city.routes.acknowledge(of_b.handle, ok=True)  # harmless
    assert city.gateways["a"].acknowledged == []


def test_failures_in_a_row_set_a_gateway_aside_until_it_goes_again(world: Callable[..., World]) -> None:
    city = world(Named("a", fails="throttle"), Named("b"), failures=3, aside=1.0)
    assert [type(city.send(ref)) for ref in (1, 2, 3)] == [SubmitFailed] * 3
    assert city.routes.name == "b"
    assert city.send(4) == Submitted(4, ("1",), "b")
    city.until(lambda: city.routes.name == "a")  # its time is over
    assert city.routes.room == 1  # one to try it by
    assert isinstance(city.send(5), SubmitFailed)
    assert city.routes.name == "b"  # one failure is enough now
    city.gateways["a"].fails = None
    city.until(lambda: city.routes.name == "a")
    assert city.send(6) == Submitted(6, ("1",), "a")
    assert city.routes.room == 10


@pytest.mark.parametrize(
    ("how", "aside"),
    [
        ("lose", True),  # no answer
        ("throttle", True),
        ("reject", False),  # that speaks of the text
    ],
)
def test_what_counts_as_a_failure(world: Callable[..., World], how: str, aside: bool) -> None:
    city = world(Named("a", fails=how), Named("b"), failures=2, aside=100)
    for ref in (1, 2):
        city.send(ref)
    assert city.routes.name == ("b" if aside else "a")


def test_a_text_that_failed_on_one_route_takes_another(world: Callable[..., World]) -> None:
    city = world(Named("a", fails="throttle"), Named("b"), failures=100)
    assert isinstance(city.send(1), SubmitFailed)
    assert city.routes.name == "a"  # for others
    assert city.send(1) == Submitted(1, ("1",), "b")
    assert isinstance(city.send(2), SubmitFailed)


def test_nowhere_to_go_texts_wait(world: Callable[..., World]) -> None:
    """All are set aside: a text isn't burnt by trying them in turn."""
    city = world(Named("a", fails="lose"), failures=1, aside=0.3)
    city.send(1)
    assert city.routes.room == 0
    city.gateways["a"].fails = None
    city.until(lambda: city.routes.room > 0)
    assert isinstance(city.send(2), Submitted)


def test_gateways_out_of_their_settings() -> None:
    """Each with its own rate; a single one is itself."""
    settings = SmsSettings.model_validate(
        {
            "gateways": [
                {"kind": "smpp", "name": "a", "port": 1, "rate_per_second": 1},
                {"kind": "smpp", "name": "b", "port": 1, "rate_per_second": 50, "priority": 2},
            ]
        }
    )
    gateways = make_gateways(settings)
    assert isinstance(gateways, Routes)
    carriers = {name: carrier.priority for name, carrier in gateways._carriers.items()}
    assert carriers == {"a": 1, "b": 2}
    rates = [carrier._gateway._pace.rate(0) for carrier in gateways._carriers.values()]
    assert rates == [1, 50]
    gateways.close()
    single = make_gateways(SmsSettings())
    assert isinstance(single, SmppGateway)
    single.close()


def test_a_link_that_is_down_is_named_and_holds_nobody_up(world: Callable[..., World]) -> None:
    down = SmppGateway(SmppSettings(name="down", port=1, reconnect_first=0.05))
    well = Named("well")
    routes = Routes([(down, 1), (well, 2)], Limits(3, 60))
    events: list[GatewayEvent] = []
    while not any(isinstance(each, LinkDown) for each in events) or routes.room == 0:
        events += routes.poll(0.1)
    assert {each.gateway for each in events if isinstance(each, LinkDown)} == {"down"}
    assert routes.name == "well"
    routes.submit(Submission(1, SENDER, CITIZEN, "您好"))
    while not any(isinstance(each, Submitted) for each in events):
        events += routes.poll(0.1)
    assert [each.ref for each in well.sent] == [1]
    routes.close()


def test_what_breaks_a_gateways_turn_is_raised() -> None:
    class Broken(Named):
        def poll(self, timeout: float) -> list[GatewayEvent]:
            raise ZeroDivisionError("in its turn")

    routes = Routes([(Broken("a"), 1), (Named("b"), 2)], Limits(3, 60))
    with pytest.raises(ZeroDivisionError):
        while True:
            routes.poll(0.1)
    routes.close()


class Office:
    """The worker of a small office over two routes, of which the first has no room at first."""

    def __init__(self, sessions, privacy, folder: Path) -> None:
        self.desk = make_desk(sessions, privacy)
        self.desk.now = datetime.now(UTC)
        self.first, self.second = Named("first", open=0), Named("second")
        self.routes = Routes([(self.first, 1), (self.second, 2)], Limits(3, 60))
        self.inbox = Inbox(self.desk.ctx, folder, "sms")
        self.worker = SmsWorker(
            self.desk.ctx,
            self.routes,
            self.inbox,
            poll_seconds=0.02,
            submit_timeout=2,
            owner="sms:test:1",
        )

    def until(self, enough: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not enough():
            assert time.monotonic() < deadline
            self.worker.turn(claiming=True)

    def all(self, table: Any) -> list[Any]:
        with self.desk.session() as session:
            return list(session.scalars(select(table)))

    def close(self) -> None:
        self.routes.close()
        self.inbox.close()


@pytest.fixture
def office(sessions, privacy, tmp_path: Path) -> Iterator[Office]:
    office = Office(sessions, privacy, tmp_path)
    yield office
    office.close()


def test_a_text_is_stored_with_the_gateway_that_carried_it(office: Office) -> None:
    """Its receipt, which names the same, finds it."""
    office.desk.close(MOBILE)
    office.desk.plan()
    office.until(lambda: any(receipt.applied_at for receipt in office.all(Receipt)))
    [part], [receipt], [attempt] = office.all(TextPart), office.all(Receipt), office.all(Attempt)
    assert (part.gateway, part.provider_id) == ("second", "1")
    assert (receipt.gateway, attempt.trunk) == ("second", "second")
    assert not office.first.sent and len(office.second.sent) == 1


def test_what_answers_a_citizen_is_urgent(office: Office) -> None:
    """A reply that comes over one gateway may be answered over another."""
    office.desk.close(MOBILE)
    office.desk.plan()
    office.until(lambda: bool(office.second.sent))
    office.second.say(MOBILE, OFFICE.sender_code, "1")
    office.second.open, office.first.open = 0, 10
    office.until(lambda: bool(office.first.sent))
    assert [reply.gateway for reply in office.all(Reply)] == ["second"]
    assert [text.urgent for text in (*office.second.sent, *office.first.sent)] == [False, True]
