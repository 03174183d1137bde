"""Two agents with a bad network between them end with the same idea of the call, and forget it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.sip import (
    AckReceived,
    CallInUse,
    CancelReceived,
    DialogEnded,
    Dropped,
    InfoDtmf,
    InviteAccepted,
    InviteFailed,
    InviteProgress,
    InviteReceived,
    SipEvent,
)
from tests.sip_world import OUR_MEDIA, OURS, THEIR_MEDIA, THEIRS, World

URI = "sip:13803790001@192.0.2.2:5060"
CALLER = "sip:037963110110@192.0.2.1"


def call(world: World, *headers: tuple[str, str]) -> None:
    world.ours.invite("c", URI, THEIRS, OUR_MEDIA, CALLER, world.now, headers=headers)


def told(world: World, side: tuple[str, int], *kinds: type) -> list[SipEvent]:
    return [event for event in world.events[side] if isinstance(event, kinds)]


def answering(world: World, ring: float = 1.0, talk: float = 3.0) -> Callable[[SipEvent], None]:
    """A called side that rings, answers and waits."""

    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            theirs, name = world.theirs, event.call
            world.at(world.now + ring, lambda: theirs.provisional(name, 180, world.now))
            world.at(world.now + ring + talk, lambda: theirs.answer(name, THEIR_MEDIA, world.now))

    return react


def test_a_call_is_answered_and_ended() -> None:
    world = World()
    world.react = answering(world)
    call(world)
    world.at(10.0, lambda: world.ours.info("c", "5", world.now))
    world.at(11.0, lambda: world.ours.bye("c", world.now, q850=16))
    world.run(5.0)
    assert [type(event) for event in world.events[OURS]] == [InviteProgress, InviteAccepted]
    assert world.ours.live_calls == world.theirs.live_calls == 1
    world.run(100.0)
    assert world.events[OURS][-1] == DialogEnded("c", "us", 16, "")
    assert [type(event) for event in world.events[THEIRS]] == [
        InviteReceived,
        AckReceived,
        InfoDtmf,
        DialogEnded,
    ]
    assert world.idle


def test_the_first_two_invites_are_lost() -> None:
    world = World()
    world.react = answering(world)
    call(world)
    world.ours.take_outgoing()
    world.ours.handle_timer(0.5)
    world.ours.take_outgoing()  # sent again after T1, lost again
    world.run(20.0)
    assert len(told(world, THEIRS, InviteReceived)) == 1
    assert len(told(world, OURS, InviteAccepted)) == 1


def test_nobody_is_there() -> None:
    world = World(loss=1.0)
    call(world)
    world.run(31.9)
    assert not world.events[OURS]
    world.run(100.0)
    assert world.events[OURS] == [InviteFailed("c", None, None, "no answer to INVITE")]
    assert world.now == 32.0  # timer B: 64*T1
    assert world.ours.idle


@pytest.mark.parametrize(
    ("status", "q850", "text"),
    [
        (486, 17, "User busy"),  # the usual busy
        (404, 1, "Unallocated number"),
        (603, None, ""),  # declined without a word
        (480, 20, "Subscriber absent"),  # the Reason header tells more than the status
    ],
)
def test_the_called_side_refuses(status: int, q850: int | None, text: str) -> None:
    world = World()

    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            world.theirs.reject(event.call, status, world.now, q850=q850, text=text)

    world.react = react
    call(world)
    world.run(100.0)
    (failed,) = told(world, OURS, InviteFailed)
    assert (failed.status, failed.q850) == (status, q850)
    assert failed.cause_text == (text or "Decline")
    assert world.idle


def test_cancel_ends_the_ringing() -> None:
    world = World()
    world.react = answering(world, talk=60.0)
    call(world)
    world.at(5.0, lambda: world.ours.cancel("c", world.now))
    world.run(200.0)
    assert world.events[OURS][-1] == InviteFailed("c", 487, None, "Request Terminated")
    assert told(world, THEIRS, CancelReceived)
    assert world.idle


def test_cancel_waits_for_a_provisional_response() -> None:
    world = World(delay=0.0)
    call(world)
    world.ours.cancel("c", 0.0)
    sent = [data.split(b" ", 1)[0] for data, _ in world.ours.take_outgoing()]
    assert sent == [b"INVITE"]
    world.run(200.0)  # the INVITE that was taken is sent again after T1, and its 100 lets the CANCEL go
    assert world.events[OURS] == [InviteFailed("c", 487, None, "Request Terminated")]
    assert world.idle


def test_cancel_meets_the_200() -> None:
    """RFC 3261 §9.1: the answer crossed; it is acknowledged and ended."""
    world = World()

    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            world.theirs.provisional(event.call, 180, world.now)
            world.at(2.0, lambda: world.theirs.answer(event.call, THEIR_MEDIA, world.now))

    world.react = react
    call(world)
    world.at(2.0, lambda: world.ours.cancel("c", world.now))
    world.run(200.0)
    (failed,) = told(world, OURS, InviteFailed)
    assert failed == InviteFailed("c", 487, None, "answered while it was cancelled")
    (ended,) = told(world, THEIRS, DialogEnded)
    assert ended.by == "them"
    assert world.idle


def test_the_called_side_hangs_up_before_the_ack() -> None:
    """RFC 3261 §15: its BYE waits for our ACK."""
    world = World()

    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            world.theirs.answer(event.call, THEIR_MEDIA, world.now)
            world.theirs.bye(event.call, world.now)
            assert all(not data.startswith(b"BYE") for data, _ in world.theirs.take_outgoing())

    world.react = react
    call(world)
    world.run(200.0)
    assert [event.by for event in told(world, OURS, DialogEnded)] == ["them"]
    assert [event.by for event in told(world, THEIRS, DialogEnded)] == ["us"]
    assert world.idle


def test_no_ack_ever() -> None:
    world = World()

    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            world.theirs.answer(event.call, THEIR_MEDIA, world.now)
            world.loss = 1.0

    world.react = react
    call(world)
    world.run(500.0)
    (ended,) = told(world, THEIRS, DialogEnded)
    assert (ended.by, ended.cause_text) == ("network", "no ACK")
    assert world.idle


def test_a_call_that_lives_keeps_its_name() -> None:
    world = World()
    call(world)
    with pytest.raises(CallInUse):
        call(world)


def test_a_line_end_never_gets_into_a_header() -> None:
    world = World()
    with pytest.raises(ValueError, match="line end"):
        world.ours.invite("c", URI, THEIRS, OUR_MEDIA, CALLER, 0.0, headers=(("Subject", "a\r\nVia: x"),))
    assert world.idle


def test_commands_to_a_call_that_is_over_do_nothing() -> None:
    world = World()
    world.ours.bye("nobody", 0.0)
    world.ours.cancel("nobody", 0.0)
    world.ours.info("nobody", "1", 0.0)
    world.ours.answer("nobody", OUR_MEDIA, 0.0)
    world.ours.reject("nobody", 486, 0.0)
    world.ours.provisional("nobody", 180, 0.0)
    assert world.idle
    assert not world.ours.take_outgoing()


seconds = st.floats(0.0, 6.0).map(lambda value: round(value, 3))


@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.05, 0.2]),
    delay=st.sampled_from([0.0, 0.1, 1.5]),
    ring=seconds,
    talk=seconds,
    refusal=st.sampled_from([None, None, None, 486, 404]),
    early=st.booleans(),
    reliable=st.booleans(),
    give_up=st.none() | seconds,
    they_hang_up=st.none() | seconds,
)
@settings(max_examples=150)
def test_both_ends_always_agree(
    seed: int,
    loss: float,
    delay: float,
    ring: float,
    talk: float,
    refusal: int | None,
    early: bool,
    reliable: bool,
    give_up: float | None,
    they_hang_up: float | None,
) -> None:
    world = World(Random(seed), loss, delay)
    theirs = world.theirs

    def react(event: SipEvent) -> None:
        if not isinstance(event, InviteReceived):
            return
        name, media = event.call, THEIR_MEDIA if early else None
        world.at(world.now + ring, lambda: theirs.provisional(name, 180, world.now, local=media))
        if refusal is not None:
            world.at(world.now + ring + talk, lambda: theirs.reject(name, refusal, world.now))
        else:
            world.at(world.now + ring + talk, lambda: theirs.answer(name, THEIR_MEDIA, world.now))
        if they_hang_up is not None:
            at = world.now + ring + talk + they_hang_up
            world.at(at, lambda: theirs.bye(name, world.now))

    world.react = react
    call(world, *([("Require", "100rel")] if reliable else []))
    if give_up is not None:
        world.at(give_up, lambda: world.ours.cancel("c", world.now))
    world.run(150.0)  # longer than all timers
    assert world.ours.live_calls == world.theirs.live_calls
    if world.ours.live_calls:
        assert told(world, OURS, InviteAccepted)
        assert told(world, THEIRS, AckReceived)
    world.ours.bye("c", world.now)
    world.run(400.0)
    assert world.idle, "something is left in memory"
    for agent in (world.ours, world.theirs):
        endpoint = agent._endpoint
        assert not endpoint.layer._identities
        assert not endpoint.alarms._heap
    assert len(told(world, OURS, InviteFailed, DialogEnded)) == 1
    assert len(told(world, THEIRS, InviteReceived)) <= 1
    assert len(told(world, THEIRS, AckReceived)) <= 1
    assert len(told(world, THEIRS, CancelReceived, DialogEnded)) <= 1
    assert bool(told(world, OURS, DialogEnded)) == bool(told(world, OURS, InviteAccepted))
    if told(world, OURS, InviteAccepted):
        assert told(world, THEIRS, DialogEnded)
    assert not [event for event in told(world, OURS, Dropped) if "malformed" in event.reason]
