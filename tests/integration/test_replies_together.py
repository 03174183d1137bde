"""Replies that arrive in one breath come to what they'd have come to one after the other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from callbacks.models import Callback, CallbackMove, Rating, Reply, Suppression, TextMessage
from callbacks.models_systems import Outcome
from callbacks.outcomes import OutcomeFeed
from callbacks.service.replies import IncomingReply, replies_came
from callbacks.service.submits import submitted
from callbacks.service.texts import claim_texts
from scoring.ledger import ScoreLedger
from scoring.models import ScoreEntry
from sms.reply import parse
from tests.integration.office import OFFICE, Desk, make_desk

NUMBERS = [f"1380379{serial:04}" for serial in range(6)]
WORDS = ["1", "2", "3", "不满意", "3 没人来", "TD", "1个人都没来", "谢谢", "救命", "1，谢谢"]


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    return replace(desk, ctx=replace(desk.ctx, subscribers=(ScoreLedger("Asia/Shanghai"), OutcomeFeed())))


def ask(desk: Desk, numbers: Sequence[str]) -> None:
    for number in numbers:
        desk.close(number)
    desk.plan()
    for text in claim_texts(desk.ctx, "sms:test:1", "smsc", 50, 20.0, desk.now):
        submitted(desk.ctx, text.text_id, text.token, "smsc", [f"id{text.text_id}"], desk.now)


def reply(serial: object, number: str, words: str, delivery: str | None = None) -> IncomingReply:
    read = parse(words)
    return IncomingReply(
        gateway="smsc",
        digest=f"{number} {serial}",
        number=number,
        sender_code=OFFICE.sender_code,
        body=words,
        rating=read.rating,
        opt_out=read.opt_out,
        emergency=read.emergency,
        unclear=read.unclear,
        comment=read.comment,
        delivery=delivery,
    )


def some_replies(seed: int) -> list[IncomingReply]:
    """A breath of replies: several of a number, some twice, one from a stranger."""
    luck = random.Random(seed)
    found = [reply(serial, luck.choice(NUMBERS), luck.choice(WORDS)) for serial in range(14)]
    found += luck.sample(found, 3)
    found.insert(luck.randrange(len(found)), reply("x", "13900000000", "1"))
    return found


def facts(desk: Desk) -> dict[str, list[Any]]:
    """What is stored, by citizen, without ids."""
    with desk.session() as session:

        def told(query: Any) -> list[Any]:
            return sorted(tuple(row) for row in session.execute(query))

        of = Callback.id
        return {
            "replies": told(select(Reply.number_masked, Reply.digest, Reply.outcome, Reply.redelivered)),
            "callbacks": told(select(of, Callback.state, Callback.unclear_texts, Callback.late)),
            "moves": told(select(CallbackMove.callback_id, CallbackMove.from_state, CallbackMove.to_state)),
            "ratings": told(
                select(Rating.callback_id, Rating.value, Rating.counted, Rating.is_change, Rating.comment)
            ),
            "texts": told(select(TextMessage.number_index, TextMessage.kind, TextMessage.state)),
            "scores": told(select(ScoreEntry.source, ScoreEntry.kind, ScoreEntry.month)),
            "outcomes": told(select(Outcome.callback_id, Outcome.kind)),
            "suppressed": told(select(Suppression.number_index, Suppression.reason)),
        }


def one_by_one(desk: Desk, replies: Sequence[IncomingReply]) -> list[str]:
    return [outcome for each in replies for outcome in replies_came(desk.ctx, [each], desk.now)]


def together(desk: Desk, replies: Sequence[IncomingReply]) -> list[str]:
    return replies_came(desk.ctx, replies, desk.now)


@pytest.mark.parametrize("seed", range(4))
def test_together_is_one_after_the_other(seed: int, privacy, fresh: Callable[[], Any]) -> None:
    found = []
    for way in (one_by_one, together):
        desk = make_desk(fresh(), privacy)
        desk.ctx = replace(desk.ctx, subscribers=(ScoreLedger("Asia/Shanghai"), OutcomeFeed()))
        ask(desk, NUMBERS)
        desk.now += timedelta(minutes=3)
        outcomes = way(desk, some_replies(seed))
        found.append((outcomes, facts(desk)))
    assert found[0] == found[1]
    assert {"rated", "redelivered", "unmatched"} <= set(found[0][0])


@pytest.fixture
def fresh(tmp_path, sqlite_template) -> Iterator[Callable[[], Any]]:
    """A new database each time: two offices that begin alike."""
    import shutil
    from itertools import count

    from callbacks.database import make_engine, make_sessions

    numbers, engines = count(1), []

    def make() -> Any:
        path = tmp_path / f"{next(numbers)}.db"
        shutil.copy(sqlite_template, path)
        engines.append(make_engine(f"sqlite:///{path}"))
        return make_sessions(engines[-1])

    yield make
    for engine in engines:
        engine.dispose()


def test_two_citizens_of_one_callback_count_once(desk: Desk) -> None:
    """The second number's question is of the same callback: the first answer wins, nobody else changes it."""
    callback_id = desk.close(NUMBERS[0])
    desk.plan()
    [text] = claim_texts(desk.ctx, "sms:test:1", "smsc", 10, 20.0, desk.now)
    submitted(desk.ctx, text.text_id, text.token, "smsc", ["id1"], desk.now)
    with desk.ctx.sessions.begin() as session:
        asked = session.get_one(TextMessage, text.text_id)
        index = desk.ctx.privacy.index(NUMBERS[1])
        columns = {c.key: getattr(asked, c.key) for c in TextMessage.__table__.columns if c.key != "id"}
        session.add(TextMessage(**columns | {"number_index": index, "attempt_id": None}))
    outcomes = together(desk, [reply(1, NUMBERS[0], "1"), reply(2, NUMBERS[1], "3")])
    assert outcomes == ["rated", "uncounted"]
    with desk.session() as session:
        counted = session.scalars(select(Rating.value).where(Rating.counted)).all()
        kinds = session.scalars(select(ScoreEntry.kind).order_by(ScoreEntry.id)).all()
    assert (list(counted), sorted(kinds)) == ([1], ["closed", "due", "rated"])
    assert [rating.callback_id for rating in desk.ratings(callback_id)] == [callback_id] * 2


def test_a_breath_of_replies_asks_for_all_of_them_at_once(desk: Desk) -> None:
    numbers = [f"1380379{serial:04}" for serial in range(20)]
    ask(desk, numbers)
    statements: list[str] = []
    engine = desk.ctx.sessions.kw["bind"]
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cur, statement, *_: statements.append(statement)
    )
    assert together(desk, [reply(1, number, "1") for number in numbers]) == ["rated"] * 20
    asked = [each for each in statements if each.startswith("SELECT") and "FROM (VALUES" not in each]
    assert len(asked) <= 10


def test_a_push_that_is_repeated_much_later_is_known_by_its_delivery(desk: Desk) -> None:
    ask(desk, NUMBERS[:2])
    first = [reply(n, number, "1", f"push-{n}") for n, number in enumerate(NUMBERS[:2])]
    assert together(desk, first) == ["rated", "rated"]
    desk.later(days=2)
    assert together(desk, [*first, reply(9, NUMBERS[2], "1", "push-9")]) == [
        "redelivered",
        "redelivered",
        "unmatched",
    ]
