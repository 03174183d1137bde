"""Texts leave, are taken and get their receipts many at a time: what becomes of each is what would alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import (
    Attempt,
    AttemptCallback,
    AttemptState,
    Callback,
    CallbackMove,
    Receipt,
    Suppression,
    TextKind,
    TextMessage,
    TextPart,
    TextState,
)
from callbacks.models_office import PauseScope
from callbacks.numbers import mask
from callbacks.reminder_settings import ReminderSettings
from callbacks.service.pauses import NewPause, add_pause
from callbacks.service.submits import (
    DeliveryReceipt,
    Taken,
    gateways_told,
    not_submitted,
    receipt_came,
    submitted,
)
from callbacks.service.texts import ClaimedText, claim_texts, queue_answer
from callbacks.states import State
from callbacks.vocabulary import Channel
from sms.events import GatewayEvent, Submitted
from sms.inbound import Inbox
from sms.simulated_gateway import SimulatedGateway
from sms.worker import SmsWorker
from tests.integration.office import OFFICE, Desk, make_desk

PLAIN, TWICE, PAUSED, OPTED_OUT, CALLED, THROTTLED, ANSWERED, HANDLER = (
    f"1380379000{last}" for last in range(1, 9)
)
TOGETHER = pytest.mark.parametrize("limit", [50, 1], ids=["together", "one by one"])


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    office = OFFICE.model_copy(update={"extension_codes": 2})
    desk.ctx = replace(desk.ctx, office=office, reminders=ReminderSettings(per_day=1))
    return desk


def claim_all(desk: Desk, limit: int) -> list[ClaimedText]:
    """All that may leave now, `limit` at a time."""
    claimed: list[ClaimedText] = []
    for _ in desk.texts():  # one that is held makes an empty batch of one
        claimed += claim_texts(desk.ctx, "sms:test:1", "smsc", limit, 20.0, desk.now)
    return claimed


def mixed(desk: Desk) -> None:
    """Texts of every sort that are due at the same moment, each with a number of its own."""
    desk.close(THROTTLED)
    desk.plan()
    [text] = claim_all(desk, 1)
    not_submitted(desk.ctx, text.text_id, text.token, "throttled", False, desk.now)
    desk.later(minutes=1)
    for number in (PLAIN, TWICE, TWICE, PAUSED, OPTED_OUT, CALLED, ANSWERED):
        desk.close(number)
    desk.plan()
    add_pause(desk.ctx, NewPause(PauseScope.NUMBER, "本人要求", number=PAUSED), "head", desk.now)
    desk.ctx.run(lambda session: _bend(desk, session))


def _bend(desk: Desk, session: Session) -> None:
    index = desk.ctx.privacy.index
    session.add(Suppression(number_index=index(OPTED_OUT), channel=Channel.SMS, reason="退订", at=desk.now))
    texts = {text.number_index: text for text in session.scalars(select(TextMessage))}
    called = texts[index(CALLED)].callback
    assert called is not None
    called.state = State.CALL_QUEUED  # as if a person had sent it to the telephone meanwhile
    answered = texts[index(ANSWERED)]
    queue_answer(desk.ctx, session, TextKind.CLARIFY, answered.callback, answered, desk.now)
    for _ in range(2):
        session.add(
            TextMessage(
                kind=TextKind.HANDLER_TODO,
                number_encrypted=desk.ctx.privacy.encrypt(HANDLER),
                number_index=index(HANDLER),
                number_masked=mask(HANDLER),
                sender_code=OFFICE.sender_code,
                body="【示例市110联动】待办",
                state=TextState.QUEUED,
                not_before=desk.now,
                created_at=desk.now,
            )
        )


@dataclass(frozen=True)
class Became:
    """A text, and as far as it has them its attempt's state and liveness, and its callback's state."""

    number: str
    kind: str
    state: TextState
    tries: int
    waits: timedelta | None = None  # from now, of one that is queued
    attempt: AttemptState | None = None
    live: bool | None = None
    callback: State | None = None


def became(desk: Desk) -> list[Became]:
    names = {desk.ctx.privacy.index(number): number for number in (*ASKED, HANDLER)}
    with desk.session() as session:
        return [
            Became(
                names[text.number_index],
                text.kind.value,
                text.state,
                text.tries,
                text.not_before - desk.now if text.state is TextState.QUEUED else None,
                attempt.state if attempt is not None else None,
                link.live if link is not None else None,
                text.callback.state if text.callback is not None else None,
            )
            for text, attempt, link in session.execute(
                select(TextMessage, Attempt, AttemptCallback)
                .outerjoin(Attempt, Attempt.id == TextMessage.attempt_id)
                .outerjoin(AttemptCallback, AttemptCallback.attempt_id == Attempt.id)
                .order_by(TextMessage.id)
            )
        ]


ASKED = (PLAIN, TWICE, PAUSED, OPTED_OUT, CALLED, THROTTLED, ANSWERED)
_Q, _L, _A = TextState.QUEUED, TextState.SUBMITTING, AttemptState.SUBMITTING
LEFT = [
    # tried again, within its first attempt
    Became(THROTTLED, "eval", _L, 2, None, _A, True, State.AWAIT_REPLY),
    Became(PLAIN, "eval", _L, 1, None, _A, True, State.AWAIT_REPLY),
    Became(TWICE, "eval", _L, 1, None, _A, True, State.AWAIT_REPLY),
    # the number has a question on its way this instant
    Became(TWICE, "eval", _Q, 0, timedelta(seconds=30), callback=State.SMS_QUEUED),
    # the pause has no end: it's looked at again
    Became(PAUSED, "eval", _Q, 0, timedelta(minutes=5), callback=State.SMS_QUEUED),
    Became(OPTED_OUT, "eval", TextState.FAILED, 0, callback=State.CALL_QUEUED),
    Became(CALLED, "eval", TextState.CANCELLED, 0, callback=State.CALL_QUEUED),
    Became(ANSWERED, "eval", _L, 1, None, _A, True, State.AWAIT_REPLY),
    # an answer has no attempt, though its callback has one
    Became(ANSWERED, "clarify", _L, 1, callback=State.AWAIT_REPLY),
    Became(HANDLER, "handler_todo", _L, 1),
    # the second of the day: the next working day at half past eight
    Became(HANDLER, "handler_todo", _Q, 0, timedelta(hours=20, minutes=29)),
]


@TOGETHER
def test_a_mixed_batch_leaves_as_its_texts_would_alone(desk: Desk, limit: int) -> None:
    mixed(desk)
    claimed = claim_all(desk, limit)
    assert became(desk) == LEFT
    assert claimed[0].kind is TextKind.CLARIFY  # an answer goes first
    by_id = {text.id: text for text in desk.texts()}
    assert sorted(each.text_id for each in claimed) == [
        text.id for text in by_id.values() if text.state is _L
    ]
    for each in claimed:
        text = by_id[each.text_id]
        assert (each.token, "sms:test:1", desk.now) == (text.token, text.owner, text.submitted_at)
        assert text.lease_expires_at is not None
        assert each.number == desk.ctx.privacy.decrypt(text.number_encrypted)
    with desk.session() as session:
        [attempt] = session.scalars(select(Attempt).where(Attempt.id == claimed_by(by_id, PLAIN, desk)))
        assert (attempt.channel, attempt.trunk, attempt.invited_at) == (Channel.SMS, "smsc", desk.now)
        assert (attempt.counts, attempt.cancel_requested) == (False, False)
        assert attempt.number_masked == mask(PLAIN)


def claimed_by(texts: dict[int, TextMessage], number: str, desk: Desk) -> int | None:
    """The attempt of the first text to `number`."""
    index = desk.ctx.privacy.index(number)
    return next(text.attempt_id for text in texts.values() if text.number_index == index)


@TOGETHER
def test_the_moves_of_a_batch_are_those_of_its_callbacks(desk: Desk, limit: int) -> None:
    """Each once, and told by its own text; the wait for the reply ends by the deadline at the latest."""
    soon = desk.now + timedelta(hours=1)
    short = desk.close(PLAIN)
    long = desk.close(TWICE)
    desk.plan()

    def shorten(session: Session) -> None:
        session.get_one(Callback, short).deadline = soon

    desk.ctx.run(shorten)
    claim_all(desk, limit)
    with desk.session() as session:
        moves = session.scalars(select(CallbackMove).order_by(CallbackMove.callback_id, CallbackMove.id))
        told = [(move.callback_id, move.from_state, move.to_state, move.detail) for move in moves]
    sent = [(State.SMS_QUEUED, State.AWAIT_REPLY)]
    assert [each for each in told if each[1:3] in sent] == [
        (text.callback_id, State.SMS_QUEUED, State.AWAIT_REPLY, f"text {text.id}") for text in desk.texts()
    ]
    assert desk.callback(short).next_at == soon
    assert desk.callback(long).next_at == desk.now + desk.ctx.policy.reply_wait
    assert desk.callback(long).state_since == desk.now


_W = AttemptState.AWAITING
TOLD = [
    # it failed on its way: the call is next
    Became(THROTTLED, "eval", TextState.FAILED, 2, None, AttemptState.ENDED, False, State.CALL_QUEUED),
    # its receipt came before the submit's answer
    Became(PLAIN, "eval", TextState.DELIVERED, 1, None, _W, False, State.AWAIT_REPLY),
    # two parts, of which one came through first: the first that is an end is the text's
    Became(TWICE, "eval", TextState.DELIVERED, 1, None, _W, False, State.AWAIT_REPLY),
    *LEFT[3:7],
    # on the way still
    Became(ANSWERED, "eval", TextState.SUBMITTED, 1, None, _W, False, State.AWAIT_REPLY),
    Became(ANSWERED, "clarify", TextState.DELIVERED, 1, callback=State.AWAIT_REPLY),
    # another worker has it by now: a stale token writes nothing
    Became(HANDLER, "handler_todo", TextState.SUBMITTING, 1),
    LEFT[10],
]


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_what_gateways_tell_of_a_batch_comes_to_the_same(desk: Desk, together: bool) -> None:
    mixed(desk)
    taken, receipts = answers_to(claim_all(desk, 50), desk)
    receipt_came(desk.ctx, "smsc", f"{PLAIN}-eval-1", "delivered", "000", desk.now)
    if together:
        for _ in range(2):  # told twice, it changes nothing
            gateways_told(desk.ctx, taken, receipts, desk.now)
    else:
        for each in taken:
            submitted(desk.ctx, each.text_id, each.token, each.gateway, each.provider_ids, desk.now)
        for receipt in receipts:
            receipt_came(
                desk.ctx, receipt.gateway, receipt.provider_id, receipt.status, receipt.error, desk.now
            )
    assert became(desk) == TOLD
    assert {text.owner for text in desk.texts() if text.kind is not TextKind.HANDLER_TODO} == {None}
    with desk.session() as session:
        receipts_of = session.execute(select(Receipt.provider_id, Receipt.status, Receipt.applied_at))
        stored = {(provider_id, status): applied_at for provider_id, status, applied_at in receipts_of}
        trunks = set(session.scalars(select(Attempt.trunk)))
        parts = session.scalars(select(TextPart.part).order_by(TextPart.text_id, TextPart.part)).all()
    assert stored.pop(("of nobody", "delivered")) is None  # it waits for its text
    assert set(stored.values()) == {desk.now} and len(stored) == 6
    assert trunks == {"smsc", "second"}
    assert parts == [1, 1, 1, 2, 1, 1]


def answers_to(claimed: list[ClaimedText], desk: Desk) -> tuple[list[Taken], list[DeliveryReceipt]]:
    """One text went over the second gateway, one in two parts, and one isn't ours any more."""
    taken: list[Taken] = []
    for each in claimed:
        gateway = "second" if each.number == ANSWERED else "smsc"
        parts = (1, 2) if each.number == TWICE else (1,)
        ids = tuple(f"{each.number}-{each.kind.value}-{part}" for part in parts)
        token = each.token + (each.number == HANDLER)
        taken.append(Taken(each.text_id, token, gateway, ids))
    receipts = [
        DeliveryReceipt("smsc", f"{THROTTLED}-eval-1", "undeliverable", "027"),
        DeliveryReceipt("smsc", f"{TWICE}-eval-2", "delivered", "000"),
        DeliveryReceipt("smsc", f"{TWICE}-eval-1", "expired", "001"),
        DeliveryReceipt("second", f"{ANSWERED}-clarify-1", "delivered", "000"),
        DeliveryReceipt("second", f"{ANSWERED}-eval-1", "enroute", ""),
        DeliveryReceipt("smsc", "of nobody", "delivered", "000"),
    ]
    return taken, receipts


class Confused(SimulatedGateway):
    """Gives the second text the first one's id."""

    def poll(self, timeout: float) -> list[GatewayEvent]:
        return [
            replace(event, message_ids=("1",)) if isinstance(event, Submitted) and event.ref == 2 else event
            for event in super().poll(timeout)
        ]


def test_a_batch_that_is_refused_is_stored_one_by_one(desk: Desk, tmp_path: Path) -> None:
    """Two texts of a batch have one id: it's the newer one's, and nothing else of the batch is held up."""
    for number in (PLAIN, TWICE, ANSWERED):
        desk.close(number)
    desk.plan()
    gateway, inbox = Confused(), Inbox(desk.ctx, tmp_path / "spool", "sms")
    worker = SmsWorker(desk.ctx, gateway, inbox, poll_seconds=0, submit_timeout=30, owner="sms:test:1")
    for _ in range(2):  # sent, then told
        worker.turn(claiming=True)
    states = [text.state for text in desk.texts()]
    assert states == [TextState.SUBMITTED, TextState.DELIVERED, TextState.DELIVERED]
    assert sorted(gateway.acknowledged) == [1, 2, 3]
    inbox.close()


class Busy(SimulatedGateway):
    """Has little room beside what is under way."""

    in_flight = 30


def test_a_claim_waits_a_moment_for_room_and_no_longer(desk: Desk, tmp_path: Path) -> None:
    desk.close(PLAIN)
    desk.plan()
    gateway, inbox = Busy(window=5), Inbox(desk.ctx, tmp_path / "spool", "sms")
    worker = SmsWorker(desk.ctx, gateway, inbox, poll_seconds=60, submit_timeout=30, owner="sms:test:1")
    gateway.wake()
    worker.turn(claiming=True)
    assert gateway.sent == []
    began = time.monotonic()
    while not gateway.sent:
        worker.turn(claiming=True)
    assert time.monotonic() - began < 30  # not the poll's 60 s: an answer to a citizen may be among them
    inbox.close()
