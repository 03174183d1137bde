"""The inbound role among SIPp peers of many habits: who picks up, who never does, who gives up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from callbacks.models_inbound import InboundCall
from tests.loopback_city import sip_port
from tests.peers.capture import capture
from tests.peers.sipp import OK_PLAIN, RECV_ACK, RECV_BYE, RECV_CANCEL, pause
from tests.peers.sipp_crowd import (
    CALLER,
    IS_CANCELLED,
    PROVISIONAL,
    RECV_CALL,
    RINGS,
    TAKEN,
    TAKES,
    THE_OPERATOR,
    UNTIL_TOLD,
    Crowd,
    invite,
    reply_to_call,
    scenario,
    the_caller,
)
from tests.peers.test_inbound_sipp import Role, kept, until
from tests.peers.wire import Sip, sip_of

__all__ = [
    "NEVER_PICKS_UP",
    "World",
    "picks_up",
    "picks_up_at_last",
    "picks_up_too_late",
    "takes_one",
    "the_world",
]

QUICK = {"t1": 0.05, "t2": 0.4, "t4": 0.5}
NEVER = 600  # seconds, of a rule that isn't to play a part

NEVER_PICKS_UP = f"{RINGS}{RECV_CANCEL}{IS_CANCELLED}"


def picks_up(after: int, *, talks: int | None = None) -> str:
    """Rings for so many milliseconds unless it's cancelled; talks for `talks`, or until they hang up."""
    return (
        f'{RINGS}<recv request="CANCEL" timeout="{after}" ontimeout="up"/>{IS_CANCELLED}<nop next="over"/>'
        f'<label id="up"/>{_talks(talks)}<label id="over"/>'
    )


def takes_one(after: int) -> str:
    """Picks up the first call; is busy for every other, whether or not the first is over."""
    busy = f'<label id="late"/>{reply_to_call("486 Busy Here")}{RECV_ACK}<label id="end"/>'
    return f'{_from_call(2)}{RINGS}{pause(after)}{_talks(None)}<nop next="end"/>{busy}'


def picks_up_at_last(at: int) -> str:
    """Rings on until it's cancelled, but for its `at`th call, which it takes."""
    late = f'<label id="late"/>{RINGS}{pause(100)}{_talks(200)}<label id="end"/>'
    return f'{_from_call(at)}{NEVER_PICKS_UP}<nop next="end"/>{late}'


def picks_up_too_late(calls: int) -> str:
    """Picks up when it's cancelled: its 200 meets our CANCEL. After so many calls it's like any other."""
    crosses = f"{OK_PLAIN}{TAKES}{RECV_ACK}{RECV_BYE}{OK_PLAIN}"
    ordinary = f'<label id="late"/>{RINGS}{pause(100)}{_talks(None)}<label id="end"/>'
    return f'{_from_call(calls + 1)}{RINGS}{RECV_CANCEL}{crosses}<nop next="end"/>{ordinary}'


def _from_call(at: int) -> str:
    """From a telephone's `at`th call on it goes on at the label `late`."""
    return (
        '<Global variables="calls"/><nop><action><add assign_to="calls" value="1"/>'
        f'<test assign_to="is_late" variable="calls" compare="greater_than_equal" value="{at}"/>'
        "</action></nop>"
        '<nop next="late" test="is_late"/>'
    )


def _talks(milliseconds: int | None) -> str:
    ends = RECV_BYE + OK_PLAIN if milliseconds is None else pause(milliseconds) + THE_OPERATOR.bye()
    return f"{TAKES}{RECV_ACK}{ends}"


class World:
    """One role, its telephones and what went over its SIP port. Callers ring it one crowd after another."""

    def __init__(self, folder: Path, role: Role, telephones: Sequence[Crowd], url: str) -> None:
        self.folder, self.role, self.telephones, self.url = folder, role, telephones, url
        self._crowds = 0

    def call(self, *steps: str, calls: int = 1, rate: int = 10) -> Crowd:
        """A crowd of callers, the first step of whom is an INVITE."""
        self._crowds += 1
        folder = self.folder / f"callers-{self._crowds}"
        return Crowd(folder, scenario(*steps), to=self.role.port, calls=calls, rate=rate)

    def talk(self, *, calls: int = 1, rate: int = 10, caller: str = CALLER) -> Crowd:
        """Callers who talk until the person hangs up."""
        return self._answered(caller, calls, rate, RECV_BYE + OK_PLAIN)

    def stay(self, *, calls: int = 1, caller: str = CALLER) -> Crowd:
        """Callers who hang up when they're told to, whether or not there was a person."""
        return self._answered(caller, calls, 10, UNTIL_TOLD + the_caller(caller).bye())

    def _answered(self, caller: str, calls: int, rate: int, then: str) -> Crowd:
        steps = (invite(caller), PROVISIONAL, TAKEN, the_caller(caller).request("ACK", 1), then)
        return self.call(*steps, calls=calls, rate=rate)

    def kept(self) -> list[InboundCall]:
        """What the desk's page is made of; nothing until the role has made its tables."""
        try:
            return kept(self.url)
        except DBAPIError:
            return []

    def until_talking(self, calls: int) -> None:
        """So many have talked, or do."""
        until(lambda: sum(call.talked_at is not None for call in self.kept()) >= calls)

    def until_waiting(self, calls: int) -> None:
        """So many have heard that they are through."""
        until(lambda: sum(call.queued_at is not None for call in self.kept()) >= calls)

    def until_over(self, calls: int) -> list[InboundCall]:
        """So many calls are over, and so is every leg of theirs: they in their order."""

        def over() -> bool:
            known = self.kept()
            ended = [call for call in known if call.ended_at and all(leg.ended_at for leg in call.legs)]
            return len(ended) >= calls

        until(over)
        return self.kept()

    def seat_at(self, port: int) -> str:
        return next(f"seat-{n}" for n, each in enumerate(self.telephones, 1) if each.port == port)

    @property
    def pcap(self) -> Path:
        return self.folder / "wire.pcap"

    def seen(self) -> list[Sip]:
        """What was captured until now."""
        return sip_of(self.pcap, self.role.port)

    def rung(self) -> list[tuple[str, str]]:
        """Whom each INVITE of the role's rang, for which caller, in their order: (seat, number)."""
        mine = [each for each in self.seen() if each.source == self.role.port and each.begins_a_call]
        return [(self.seat_at(each.target), each.caller) for each in mine]


@contextmanager
def the_world(folder: Path, *telephones: str, media: bool = False, **settings: Any) -> Iterator[World]:
    """`telephones` are the steps of seat-1 … after the INVITE that rings them; `media` captures voice too."""
    url = f"sqlite:///{folder}/huifang.db"
    with ExitStack() as ends:
        crowds = [
            Crowd(folder / f"seat-{number}", scenario(RECV_CALL, steps))
            for number, steps in enumerate(telephones, 1)
        ]
        for each in crowds:
            ends.callback(each.stop)
        rules = {"drain_seconds": 2, "wrap_up": 0, "overflow_after": NEVER, **QUICK, **settings}
        role = Role(folder, url, sip_port(), [each.port for each in crowds], **rules)
        world = World(folder, role, crowds, url)
        what = f"udp port {role.port}"
        if media:
            what += f" or udp portrange {role.media[0]}-{role.media[1]}"
        ends.enter_context(role.running())
        with capture(world.pcap, what):
            yield world
