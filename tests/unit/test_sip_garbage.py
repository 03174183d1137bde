"""Calls that are over are gone at once: the garbage collector's pauses are heard by those who talk."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest

from ivr.sip import InviteReceived, SipEvent
from ivr.sip.agreement import Agreement
from ivr.sip.inbound import InboundCall
from ivr.sip.outbound import OutboundCall
from ivr.sip.session import Session
from ivr.sip.underway import ClientTransaction, ServerTransaction
from tests.sip_world import OUR_MEDIA, THEIR_MEDIA, THEIRS, World

KINDS = (Session, Agreement, OutboundCall, InboundCall, ClientTransaction, ServerTransaction)
Does = Callable[[World, str], None]


@pytest.fixture(autouse=True)
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def they_answer_and_we_hang_up(world: World, name: str) -> None:
    world.at(0.5, lambda: world.theirs.answer(name, THEIR_MEDIA, world.now))
    world.at(2.0, lambda: world.ours.info("c", "1", world.now))
    world.at(3.0, lambda: world.ours.bye("c", world.now))


def they_hang_up(world: World, name: str) -> None:
    world.at(0.5, lambda: world.theirs.answer(name, THEIR_MEDIA, world.now))
    world.at(3.0, lambda: world.theirs.bye(name, world.now))


def they_are_busy(world: World, name: str) -> None:
    world.theirs.reject(name, 486, world.now)


def we_give_up(world: World, name: str) -> None:
    world.theirs.provisional(name, 180, world.now)
    world.at(2.0, lambda: world.ours.cancel("c", world.now))


def the_session_is_refreshed(world: World, name: str) -> None:
    world.at(0.5, lambda: world.theirs.answer(name, THEIR_MEDIA, world.now))
    world.at(2000.0, lambda: world.ours.bye("c", world.now))


def it_is_handed_over(world: World, name: str) -> None:
    world.at(0.5, lambda: world.theirs.answer(name, THEIR_MEDIA, world.now))
    world.at(2.0, lambda: world.ours.refer("c", "sip:3@192.0.2.3", world.now))
    world.at(4.0, lambda: world.theirs.bye(name, world.now))


@pytest.mark.parametrize(
    "does",
    [
        they_answer_and_we_hang_up,
        they_hang_up,
        they_are_busy,
        we_give_up,
        the_session_is_refreshed,
        it_is_handed_over,
    ],
)
def test_nothing_is_left_to_the_collector(does: Does) -> None:
    world = World()

    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            does(world, event.call)

    world.react = react
    world.ours.invite("c", "sip:1@192.0.2.2", THEIRS, OUR_MEDIA, "sip:2@192.0.2.1", 0.0)
    world.run(2500.0)
    assert world.idle
    assert not [type(each).__name__ for each in gc.get_objects() if type(each) in KINDS]
