"""Deliveries to webhooks over real HTTP: in order, signed, tried again, given up with an alarm."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from callbacks.models_office import Alarm
from callbacks.models_systems import DeliveryState, Outcome, WebhookDelivery
from callbacks.service.core import Context
from callbacks.service.outcomes import number_outcomes
from callbacks.stopping import Stop
from callbacks.webhook_deliveries import claim_delivery, deliver_due
from callbacks.webhook_sender import HttpSender, sending
from callbacks.webhook_settings import WebhookSettings
from callbacks.webhooks import DELIVERY, Answer, verify
from tests.integration.certificates import make_certificate
from tests.integration.office import LANDLINE, NOON, Desk, make_desk
from tests.integration.webhook_receiver import Receiver, Says

SECRET = "invented-secret-of-a-test"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def sender():
    sender = HttpSender()
    yield sender
    sender.close()


def webhook(receiver: Receiver | None = None, **given: Any) -> WebhookSettings:
    url = "http://127.0.0.1:9/" if receiver is None else receiver.url
    return WebhookSettings(**{"name": "city", "url": url, "secret": SECRET, "timeout": 10, **given})


@dataclass(frozen=True)
class Subject:
    """A case and its callback."""

    case_id: int
    callback_id: int


def subject(desk: Desk) -> Subject:
    callback_id = desk.close(LANDLINE)
    return Subject(desk.callback(callback_id).case_id, callback_id)


_ordinals = count(1)


def happen(desk: Desk, hook: WebhookSettings, *subjects: Subject, age: timedelta = timedelta(0)) -> None:
    """An outcome of each, in this order, numbered and laid out."""

    def work(session: Session) -> None:
        for each in subjects:
            session.add(
                Outcome(
                    case_id=each.case_id,
                    callback_id=each.callback_id,
                    kind="changed",
                    ordinal=next(_ordinals),
                    payload={"label": "满意"},
                    at=desk.now - age,
                )
            )
            session.flush()

    desk.ctx.run(work)
    number_outcomes(desk.ctx, desk.now, 100, [hook])


def passes(desk: Desk, hook: WebhookSettings, send: Any, times: int = 1) -> int:
    return sum(deliver_due(desk.ctx, [hook], lambda: desk.now, send) for _ in range(times))


def deliveries(desk: Desk) -> list[WebhookDelivery]:
    with desk.session() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def states(desk: Desk) -> list[str]:
    return [delivery.state.value for delivery in deliveries(desk)]


def alarms(desk: Desk) -> list[Alarm]:
    with desk.session() as session:
        return list(session.scalars(select(Alarm)))


def test_an_outcome_arrives_signed_as_the_api_gives_it(desk: Desk, sender: HttpSender) -> None:
    with Receiver() as receiver:
        hook = webhook(receiver)
        happen(desk, hook, subject(desk))
        assert passes(desk, hook, sender, times=2) == 1  # and never again
        [taken] = receiver.taken
    assert verify(SECRET, taken.timestamp, taken.body, taken.signature, desk.now)
    assert taken.row == {
        "seq": 1,
        "case": "110-0001",
        "kind": "changed",
        "at": NOON.isoformat(),
        "payload": {"label": "满意"},
    }
    [delivery] = deliveries(desk)
    assert taken.delivery == str(delivery.id)
    assert (delivery.state, delivery.tries, delivery.last_status) == (DeliveryState.DELIVERED, 1, 204)
    assert delivery.delivered_at == NOON


BAD_ANSWERS = [
    # what the receiver does, the status kept, the words kept
    (Says(500, b"unit u1 is unknown\r\nhere"), 500, "unit u1 is unknown here"),
    (Says(500, b"x" * 5_000_000), 500, "x" * 160),  # nobody reads the rest
    (Says(422, "单位不存在".encode("gbk")), 422, None),  # whatever its bytes are
    (Says(500, b"said late", trickles=True), 500, ""),  # the head is enough
    (Says(302, headers={"Location": "/elsewhere"}), 302, ""),  # not followed
    (Says(None), None, "ConnectionError"),  # and no word of the address
    (Says(200, held=True), None, "ReadTimeout"),
]


@pytest.mark.parametrize(("says", "status", "words"), BAD_ANSWERS)
def test_what_is_kept_of_a_try_that_failed(
    desk: Desk, sender: HttpSender, says: Says, status: int | None, words: str | None
) -> None:
    with Receiver(says) as receiver:
        hook = webhook(receiver, timeout=0.3 if says.held or says.trickles else 10)
        happen(desk, hook, subject(desk))
        assert passes(desk, hook, sender) == 1
        assert len(receiver.taken) == 1
    [delivery] = deliveries(desk)
    assert (delivery.state, delivery.tries, delivery.last_status) == (DeliveryState.PENDING, 1, status)
    assert NOON + 0.75 * MINUTE <= delivery.next_at <= NOON + MINUTE
    assert words is None or delivery.last_error == words


def test_nobody_listens(desk: Desk, sender: HttpSender) -> None:
    with Receiver() as receiver:
        hook = webhook(receiver)
    happen(desk, hook, subject(desk))
    passes(desk, hook, sender)
    [delivery] = deliveries(desk)
    assert (delivery.last_status, delivery.last_error) == (None, "ConnectionError")


def test_one_that_answered_too_late_gets_the_same_delivery_again(desk: Desk, sender: HttpSender) -> None:
    """It has taken it, we don't know: the id is how it knows."""
    with Receiver(Says(204, held=True)) as receiver:
        hook = webhook(receiver, timeout=0.3)
        happen(desk, hook, subject(desk))
        passes(desk, hook, sender)
        receiver.let_go.set()
        desk.later(minutes=1)
        passes(desk, hook, sender)
        first, second = receiver.taken
    assert (first.delivery, first.body) == (second.delivery, second.body)
    assert int(second.timestamp) - int(first.timestamp) == 60  # each try is signed anew
    assert verify(SECRET, second.timestamp, second.body, second.signature, desk.now)
    assert states(desk) == ["delivered"]


def test_what_comes_later_of_a_case_waits_and_other_cases_do_not(desk: Desk, sender: HttpSender) -> None:
    with Receiver(Says(500)) as receiver:
        hook = webhook(receiver)
        one, other = subject(desk), subject(desk)
        happen(desk, hook, one, one, other, one)
        passes(desk, hook, sender, times=3)
        assert receiver.seqs == [1, 3]
        desk.later(minutes=1)
        passes(desk, hook, sender, times=3)
        assert receiver.seqs == [1, 3, 1, 2, 4]


def test_another_webhook_of_the_same_case_does_not_wait(desk: Desk, sender: HttpSender) -> None:
    with Receiver(Says(500)) as failing, Receiver() as fine:
        hooks = [webhook(failing), webhook(fine, name="forum")]
        one = subject(desk)
        happen(desk, hooks[0], one)
        happen(desk, hooks[1], one)
        assert deliver_due(desk.ctx, hooks, lambda: desk.now, sender) == 2
        assert fine.seqs == [2]


def test_one_that_is_away_costs_one_time_out_a_pass(desk: Desk, sender: HttpSender) -> None:
    with Receiver(Says(503), Says(None)) as receiver:
        hook = webhook(receiver)
        happen(desk, hook, *(subject(desk) for _ in range(4)))
        assert passes(desk, hook, sender) == 1
        assert passes(desk, hook, sender) == 1
        assert passes(desk, hook, sender) == 2  # it's back: all that hasn't been tried
        assert receiver.seqs == [1, 2, 3, 4]


def test_gone_is_given_up_at_once_and_the_next_goes_on(desk: Desk, sender: HttpSender) -> None:
    with Receiver(Says(410, b"closed")) as receiver:
        hook = webhook(receiver)
        one = subject(desk)
        happen(desk, hook, one, one)
        passes(desk, hook, sender, times=2)
        assert receiver.seqs == [1, 2]
    assert states(desk) == ["given_up", "delivered"]
    [alarm] = alarms(desk)
    assert (alarm.kind, alarm.subject) == ("webhook_given_up", "city")
    assert alarm.detail == {
        "delivery": 1,
        "case_id": one.case_id,
        "tries": 1,
        "reason": "gone",
        "status": 410,
    }


def test_a_week_of_failures_ends_in_an_alarm(desk: Desk, sender: HttpSender) -> None:
    hook = webhook()
    happen(desk, hook, subject(desk))
    tries = 0
    while states(desk) == ["pending"]:
        tries += passes(desk, hook, lambda *_: Answer(500))
        desk.later(hours=1)
    assert timedelta(days=7) <= desk.now - NOON < timedelta(days=7, hours=8)
    assert deliveries(desk)[0].tries == tries
    assert [alarm.detail["reason"] for alarm in alarms(desk)] == ["too old"]


def test_a_process_that_dies_between_sending_and_writing(desk: Desk, sender: HttpSender) -> None:
    """The delivery is due again when the claim ends, under the same id, and what follows it has waited."""

    class Killed(BaseException):
        pass

    def killed(hook: WebhookSettings, headers: Mapping[str, str], body: bytes) -> Answer:
        sender(hook, headers, body)
        raise Killed

    with Receiver() as receiver:
        hook = webhook(receiver)
        one = subject(desk)
        happen(desk, hook, one, one)
        with pytest.raises(Killed):
            passes(desk, hook, killed)
        assert passes(desk, hook, sender) == 0  # still claimed
        desk.later(minutes=1)
        passes(desk, hook, sender, times=2)
        assert receiver.seqs == [1, 1, 2]
        assert receiver.taken[0].delivery == receiver.taken[1].delivery
    assert [delivery.tries for delivery in deliveries(desk)] == [2, 1]


def test_one_of_several_senders_gets_a_delivery(desk: Desk) -> None:
    hook, ready, claims = webhook(), threading.Barrier(4), []
    happen(desk, hook, subject(desk))

    def claim() -> None:
        ready.wait(10)
        claims.append(claim_delivery(desk.ctx, hook, 1, desk.now))

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claims) == 4
    assert [each.tries for each in claims if each is not None] == [1]


def test_a_failure_of_a_claim_that_was_lost_is_not_written(desk: Desk) -> None:
    """The slow one's 500 doesn't put off what the other has claimed; its 204 counts, whoever sent it."""
    hook = webhook()
    happen(desk, hook, subject(desk))

    def slow(status: int) -> Callable[..., Answer]:
        def send(*_: object) -> Answer:
            desk.later(minutes=2)
            assert claim_delivery(desk.ctx, hook, 1, desk.now) is not None
            return Answer(status)

        return send

    passes(desk, hook, slow(500))
    [delivery] = deliveries(desk)
    assert (delivery.tries, delivery.last_status) == (2, None)
    desk.later(minutes=2)
    passes(desk, hook, slow(204))
    assert states(desk) == ["delivered"]


def test_no_transaction_is_open_while_it_is_sent(desk: Desk, engine: Engine) -> None:
    hook = webhook()
    happen(desk, hook, subject(desk))

    def send(*_: object) -> Answer:
        assert engine.pool.checkedout() == 0
        desk.close(LANDLINE)  # another writer needn't wait
        return Answer(204)

    assert passes(desk, hook, send) == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.lists(st.integers(0, 2), min_size=1, max_size=8),
    answers=st.lists(st.sampled_from([204, 500, 503, None, 410, "taken, then killed"]), max_size=14),
    waits=st.lists(st.integers(0, 90), max_size=14),
)
def test_a_receiver_takes_each_case_in_order(
    desk: Desk, order: list[int], answers: list[Any], waits: list[int]
) -> None:
    """Whatever it answers and whoever dies: first takings of a case are in order, each has one id."""
    hook = webhook(name=f"w{next(_ordinals)}")
    subjects = [subject(desk) for _ in range(3)]
    happen(desk, hook, *(subjects[number] for number in order))
    script, first, ids = list(answers), [], {}

    def send(_: WebhookSettings, headers: Mapping[str, str], body: bytes) -> Answer:
        ids.setdefault(body, set()).add(headers[DELIVERY])
        answer = script.pop(0) if script else 204
        if answer in (204, "taken, then killed") and int(headers[DELIVERY]) not in first:
            first.append(int(headers[DELIVERY]))
        if isinstance(answer, str):
            raise OSError(answer)
        return Answer(answer)

    for wait in [*waits, *[600] * 30]:
        with suppress(OSError):
            passes(desk, hook, send)
        desk.later(minutes=wait)
    mine = [delivery for delivery in deliveries(desk) if delivery.webhook == hook.name]
    assert all(delivery.state is not DeliveryState.PENDING for delivery in mine)
    assert all(len(each) == 1 for each in ids.values())
    for each in subjects:
        of_case = [delivery.id for delivery in mine if delivery.case_id == each.case_id]
        taken = [number for number in first if number in of_case]
        assert taken == sorted(taken)


# -- the clock role's threads


def test_threads_send_until_they_are_told_to_stop(desk: Desk) -> None:
    with Receiver(Says(held=True)) as slow, Receiver() as fine:
        hooks = [webhook(slow), webhook(fine, name="forum")]
        desk.now = datetime.now(UTC)
        one = subject(desk)
        happen(desk, hooks[0], one)
        happen(desk, hooks[1], one)
        stop = Stop()
        with sending(desk.ctx, hooks, stop, 0.01):
            assert slow.came.acquire(timeout=10)
            assert fine.came.acquire(timeout=10)  # while the other still waits
            happen(desk, hooks[1], one)
            assert fine.came.acquire(timeout=10)
            slow.let_go.set()
    assert stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("webhook ")]
    assert states(desk) == ["delivered"] * 3


def test_a_thread_outlives_a_database_that_is_away(desk: Desk) -> None:
    with Receiver() as receiver:
        hook = webhook(receiver)
        desk.now = datetime.now(UTC)
        happen(desk, hook, subject(desk))
        away = Away(desk.ctx)
        with sending(away, [hook], Stop(), 0.01):
            assert away.failed.wait(10)
            away.back.set()
            assert receiver.came.acquire(timeout=10)


class Away(Context):
    """A database that is away until `back`."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx.sessions, ctx.policy, ctx.office, ctx.privacy)
        object.__setattr__(self, "back", threading.Event())
        object.__setattr__(self, "failed", threading.Event())

    def run(self, work: Any) -> Any:
        if not self.back.is_set():
            self.failed.set()
            raise OperationalError("SELECT 1", {}, Exception("away"))
        return super().run(work)


# -- TLS


def test_a_certificate_that_nobody_vouches_for_gets_nothing(
    desk: Desk, sender: HttpSender, tmp_path: Path
) -> None:
    make_certificate(tmp_path, "localhost", make_certificate(tmp_path, "authority"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "localhost.pem", tmp_path / "localhost.key")
    with Receiver(tls=context) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        stranger = webhook(url=url)
        happen(desk, stranger, subject(desk))
        passes(desk, stranger, sender)
        assert (deliveries(desk)[0].last_error, receiver.taken) == ("SSLError", [])
        desk.later(minutes=1)
        passes(desk, webhook(url=url, ca_file=tmp_path / "authority.pem"), sender)
        assert receiver.seqs == [1]
