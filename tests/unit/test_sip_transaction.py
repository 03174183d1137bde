"""The four machines, step by step: inputs and times in, acts and states out."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.alarms import Alarms
from ivr.sip.transaction import MACHINES, Act, Input, Kind, State, Timers, Transaction

TIMERS = Timers(t1=0.5, t2=4.0, t4=5.0)
UNTIL = 1000.0


def ticks(transaction: Transaction) -> list[tuple[float, tuple[Act, ...]]]:
    """What happens by itself, and when."""
    found = []
    while (at := transaction.deadline) is not None and at < UNTIL:
        found.append((at, transaction.tick(at)))
    return found


SEND, TELL, FAIL, ACK = (Act.SEND,), (Act.TELL,), (Act.FAIL,), (Act.ACK,)


def test_timers_a_and_b_double_and_end() -> None:
    times = ticks(Transaction(Kind.INVITE_CLIENT, TIMERS, 0.0))
    assert times == [
        (0.5, SEND),
        (1.5, SEND),
        (3.5, SEND),
        (7.5, SEND),
        (15.5, SEND),
        (31.5, SEND),
        (32.0, FAIL),
    ]


def test_timers_e_and_f_double_to_t2_and_end() -> None:
    times = ticks(Transaction(Kind.CLIENT, TIMERS, 0.0))
    sent = [at for at, acts in times if acts == SEND]
    assert sent == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert times[-1] == (32.0, FAIL)


def test_after_a_provisional_a_request_is_sent_every_t2_and_f_runs_on() -> None:
    transaction = Transaction(Kind.CLIENT, TIMERS, 0.0)
    assert transaction.feed(Input.PROVISIONAL, 0.1) == TELL
    times = ticks(transaction)
    assert [at for at, acts in times if acts == SEND] == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert times[-1] == (32.0, FAIL)


def test_timers_g_and_h_repeat_the_failure() -> None:
    transaction = Transaction(Kind.INVITE_SERVER, TIMERS, 0.0)
    assert transaction.deadline is None  # a user may ring for ever
    assert transaction.feed(Input.FAILURE, 0.0) == SEND
    times = ticks(transaction)
    assert [at for at, acts in times if acts == SEND] == [
        0.5,
        1.5,
        3.5,
        7.5,
        11.5,
        15.5,
        19.5,
        23.5,
        27.5,
        31.5,
    ]
    assert times[-1] == (32.0, ())
    assert transaction.state is State.TERMINATED


@pytest.mark.parametrize(
    ("kind", "story"),
    [
        # An answered INVITE: each 2xx is told (forks and retransmissions), until M.
        (Kind.INVITE_CLIENT, [
            (0.0, Input.PROVISIONAL, TELL, State.PROCEEDING),
            (1.0, Input.SUCCESS, TELL, State.ACCEPTED),
            (2.0, Input.SUCCESS, TELL, State.ACCEPTED),
            (3.0, Input.FAILURE, (), State.ACCEPTED),
            (33.0, Input.EXPIRE, (), State.TERMINATED),
        ]),
        # A refused INVITE: told once, each repetition acknowledged, until D.
        (Kind.INVITE_CLIENT, [
            (0.0, Input.FAILURE, (Act.ACK, Act.TELL), State.COMPLETED),
            (1.0, Input.FAILURE, ACK, State.COMPLETED),
            (2.0, Input.PROVISIONAL, (), State.COMPLETED),
            (32.0, Input.EXPIRE, (), State.TERMINATED),
        ]),
        # Another request: the answer is told once, its repetitions absorbed until K.
        (Kind.CLIENT, [
            (0.0, Input.SUCCESS, TELL, State.COMPLETED),
            (1.0, Input.SUCCESS, (), State.COMPLETED),
            (5.0, Input.EXPIRE, (), State.TERMINATED),
        ]),
        # An INVITE that is refused: repeated, acknowledged; ACKs absorbed until I.
        (Kind.INVITE_SERVER, [
            (0.0, Input.REQUEST, SEND, State.PROCEEDING),
            (1.0, Input.FAILURE, SEND, State.COMPLETED),
            (1.1, Input.REQUEST, SEND, State.COMPLETED),
            (1.2, Input.ACK, (), State.CONFIRMED),
            (1.3, Input.ACK, (), State.CONFIRMED),
            (6.2, Input.EXPIRE, (), State.TERMINATED),
        ]),
        # An INVITE that is answered (RFC 6026): repetitions are absorbed, the user repeats the 200, until L.
        (Kind.INVITE_SERVER, [
            (0.0, Input.PROVISIONAL, SEND, State.PROCEEDING),
            (1.0, Input.SUCCESS, SEND, State.ACCEPTED),
            (1.1, Input.REQUEST, (), State.ACCEPTED),
            (1.5, Input.SUCCESS, SEND, State.ACCEPTED),
            (1.6, Input.ACK, TELL, State.ACCEPTED),
            (33.0, Input.EXPIRE, (), State.TERMINATED),
        ]),
        # Another request: nothing to repeat before the first response, the last one until J.
        (Kind.SERVER, [
            (0.0, Input.REQUEST, (), State.TRYING),
            (1.0, Input.PROVISIONAL, SEND, State.PROCEEDING),
            (1.1, Input.REQUEST, SEND, State.PROCEEDING),
            (2.0, Input.FAILURE, SEND, State.COMPLETED),
            (2.1, Input.REQUEST, SEND, State.COMPLETED),
            (2.2, Input.SUCCESS, (), State.COMPLETED),
            (34.0, Input.EXPIRE, (), State.TERMINATED),
        ]),
    ],
)  # fmt: skip
def test_stories(kind: Kind, story: list[tuple[float, Input, tuple[Act, ...], State]]) -> None:
    transaction = Transaction(kind, TIMERS, 0.0)
    for at, what, acts, state in story:
        if what is Input.EXPIRE:
            while transaction.deadline is not None and transaction.deadline < at:
                transaction.tick(transaction.deadline)
            assert transaction.deadline == pytest.approx(at)
            assert transaction.tick(transaction.deadline) == acts
        else:
            assert transaction.feed(what, at) == acts
        assert transaction.state is state


@pytest.mark.parametrize("kind", Kind)
def test_the_tables_are_closed(kind: Kind) -> None:
    machine = MACHINES[kind]
    reached = {machine.begins} | {state for _, state in machine.table.values()}
    assert State.TERMINATED in reached
    assert {state for state, _ in machine.table} == reached - {State.TERMINATED}
    for state in machine.lasts:
        assert (state, Input.EXPIRE) in machine.table
    for state in machine.repeats:
        assert Act.SEND in machine.table[(state, Input.REPEAT)][0]


@given(st.sampled_from(Kind), st.lists(st.sampled_from([*Input]), max_size=12))
def test_every_machine_comes_to_its_end(kind: Kind, inputs: list[Input]) -> None:
    transaction = Transaction(kind, TIMERS, 0.0)
    for what in inputs:
        transaction.feed(what, 0.0)
    if kind in (Kind.INVITE_SERVER, Kind.SERVER):  # the user answers at last
        transaction.feed(Input.FAILURE, 0.0)
    if kind is Kind.INVITE_CLIENT and transaction.state is State.PROCEEDING:
        transaction.feed(Input.FAILURE, 0.0)  # ringing has no timer; the user's CANCEL ends it
    ticks(transaction)
    assert transaction.state is State.TERMINATED
    assert transaction.deadline is None


def test_alarms_ring_in_order_once_and_can_be_moved() -> None:
    alarms = Alarms()
    rung: list[str] = []
    for name, at in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("never", 1.5)):
        alarms.set(name, at, lambda now, name=name: rung.append(name))
    alarms.clear("never")
    alarms.set("a", 2.5, lambda now: rung.append("a moved"))
    assert alarms.deadline == 2.0
    alarms.ring(3.0)
    assert rung == ["b", "a moved", "c"]
    assert alarms.deadline is None and len(alarms) == 0


def test_alarms_forget_what_was_moved_or_cleared() -> None:
    alarms = Alarms()
    for count in range(10_000):
        alarms.set("one", float(count), lambda now: None)
        alarms.set(count, 1e9, lambda now: None)
        alarms.clear(count)
    assert len(alarms._heap) < 200


def test_a_cleared_alarm_keeps_nobody_in_memory() -> None:
    """A call's session timer is cleared with it, half an hour before its entry comes to the heap's top."""

    class Call:
        def end(self, now: float) -> None: ...

    alarms, call = Alarms(), Call()
    gone = weakref.ref(call)
    alarms.set(call, 1800.0, call.end)
    alarms.clear(call)
    del call
    assert gone() is None


# Over a reliable transport nothing is sent again, and what only waits for repetitions is over at once
# (§17.1.1.2, §17.1.2.2, §17.2.1, §17.2.2); L and M last as ever: a 2xx may cross datagrams (RFC 6026 §7).
RELIABLE = [
    (Kind.INVITE_CLIENT, [], [(32.0, FAIL)]),  # B
    (Kind.INVITE_CLIENT, [Input.SUCCESS], [(32.0, ())]),  # M
    (Kind.INVITE_CLIENT, [Input.FAILURE], [(0.0, ())]),  # D
    (Kind.CLIENT, [], [(32.0, FAIL)]),  # F
    (Kind.CLIENT, [Input.PROVISIONAL], [(32.0, FAIL)]),
    (Kind.CLIENT, [Input.SUCCESS], [(0.0, ())]),  # K
    (Kind.INVITE_SERVER, [Input.SUCCESS], [(32.0, ())]),  # L
    (Kind.INVITE_SERVER, [Input.FAILURE], [(32.0, ())]),  # H: no ACK came
    (Kind.INVITE_SERVER, [Input.FAILURE, Input.ACK], [(0.0, ())]),  # I
    (Kind.SERVER, [Input.SUCCESS], [(0.0, ())]),  # J
]


@pytest.mark.parametrize(("kind", "inputs", "times"), RELIABLE)
def test_over_a_reliable_transport(
    kind: Kind, inputs: list[Input], times: list[tuple[float, object]]
) -> None:
    transaction = Transaction(kind, TIMERS, 0.0, is_reliable=True)
    for each in inputs:
        transaction.feed(each, 0.0)
    assert ticks(transaction) == times
    assert transaction.state is State.TERMINATED
