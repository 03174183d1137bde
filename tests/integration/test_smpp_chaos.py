"""Links cut and throttled at random: each text has one outcome, and the SMSC's own log bears it out."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from callbacks.stopping import Stop
from sms.city import CitySmsc
from sms.events import GatewayEvent, ReceiptArrived, Submission, SubmitFailed, Submitted, SubmitUnknown
from sms.gateway import Gateway
from sms.route_choice import Limits
from sms.routes import Routes
from sms.settings import SmscSettings
from sms.smpp_gateway import SmppGateway
from sms.smpp_settings import SmppSettings
from sms.smpp_status import RINVDSTADR, RMSGQFUL, RTHROTTLED

TEXTS = 150
SENDER = "106380110"
OUTCOMES = (Submitted, SubmitFailed, SubmitUnknown)


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms.smpp_pace.REST", 0.05)


def number(ref: int) -> str:
    return f"1380379{ref:04}"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], CitySmsc]]:
    with ExitStack() as running:

        def make(name: str) -> CitySmsc:
            settings = SmscSettings(
                port=0, receipt_delay=0.01, reply_delay=1000, redeliver_after=0.2, log_file=tmp_path / name
            )
            smsc, stop = CitySmsc(settings), Stop()
            thread = threading.Thread(target=smsc.run, args=(stop,))
            thread.start()
            running.callback(thread.join, 10)
            running.callback(stop.set)
            return smsc

        yield make


def gateway_at(smsc: CitySmsc, name: str) -> SmppGateway:
    settings = {"reconnect_first": 0.05, "reconnect_longest": 0.1, "submit_timeout": 1, "window": 3}
    return SmppGateway(SmppSettings(name=name, port=smsc.port, binds=2, rate_per_second=2000, **settings))


def run(gateway: Gateway, smscs: list[CitySmsc], seed: int) -> list[GatewayEvent]:
    """Submits all texts while the SMSCs misbehave; what came of them."""
    dice, events, ref = random.Random(seed), list[GatewayEvent](), 0
    for smsc in smscs:
        for each in range(TEXTS):
            if dice.random() < 0.08:
                smsc.refusals[number(each)] = dice.choice([RINVDSTADR, RTHROTTLED, RMSGQFUL, None])
    deadline = time.monotonic() + 60
    while sum(isinstance(event, OUTCOMES) for event in events) < TEXTS:
        assert time.monotonic() < deadline, f"{ref} given, {len(events)} events"
        for _ in range(min(gateway.room, TEXTS - ref, dice.randint(0, 4))):
            text = "满" * dice.choice([5, 5, 80, 200])
            gateway.submit(Submission(ref, SENDER, number(ref), text, urgent=dice.random() < 0.2))
            ref += 1
        if dice.random() < 0.01:
            smsc = dice.choice(smscs)
            smsc.order(smsc.drop_links)
        told = gateway.poll(0.01)
        events += told
        for event in told:
            if isinstance(event, ReceiptArrived):
                gateway.acknowledge(event.handle, ok=dice.random() < 0.9)
    return events


def logged(folder: Path, names: list[str]) -> Counter[int]:
    """Parts that the SMSCs took, by text."""
    taken = Counter[int]()
    for name in names:
        for line in (folder / name).read_text("utf-8").splitlines():
            record = json.loads(line)
            if record["kind"] == "submit":
                taken[int(record["to"][-4:])] += 1
    return taken


def check(events: list[GatewayEvent], taken: Counter[int]) -> None:
    outcomes = [event for event in events if isinstance(event, OUTCOMES)]
    assert sorted(outcome.ref for outcome in outcomes) == list(range(TEXTS))
    for outcome in outcomes:
        match outcome:
            case Submitted(ref, ids):
                assert taken[ref] == len(ids)
            case SubmitFailed(ref, permanent, _):
                assert permanent or taken[ref] == 0  # only what never arrived may be sent again
    assert sum(isinstance(outcome, Submitted) for outcome in outcomes) > TEXTS / 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_over_two_binds(start: Callable[[str], CitySmsc], tmp_path: Path, seed: int) -> None:
    smsc = start("a.jsonl")
    gateway = gateway_at(smsc, "a")
    events = run(gateway, [smsc], seed)
    gateway.close()
    check(events, logged(tmp_path, ["a.jsonl"]))


def test_over_two_routes(start: Callable[[str], CitySmsc], tmp_path: Path) -> None:
    smscs = [start("a.jsonl"), start("b.jsonl")]
    routes = Routes([(gateway_at(smscs[0], "a"), 1), (gateway_at(smscs[1], "b"), 2)], Limits(3, 0.3))
    events = run(routes, smscs, seed=4)
    routes.close()
    check(events, logged(tmp_path, ["a.jsonl", "b.jsonl"]))
    carried = Counter(event.gateway for event in events if isinstance(event, Submitted))
    assert carried["a"] and carried["b"]
