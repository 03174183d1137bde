"""A line and its trunk over IPv6 alone: SIP by UDP and TCP, voice, keys, and who comes with IPv4."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ivr.events import Answered, Ended, Incoming, KeyPressed, LineEvent, PlaybackFinished
from ivr.line import Dial
from ivr.media.ports import PortPool
from ivr.sip.events import AckReceived, InviteAccepted, InviteFailed, InviteReceived
from ivr.sip.hop import Hop
from ivr.sip.transaction import Timers
from ivr.sip_endpoint import EndpointEvent, SipEndpoint
from ivr.sip_line import SipLine
from ivr.sip_wires import WirePlan
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import PROMPT, has_ipv6, media_ports, quick_voice

LOOPBACK = "::1"


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")


class Ends:
    """The line, and a far end that takes every call, plays the prompt and presses 5."""

    def __init__(self, transport: str) -> None:
        self.far = SipEndpoint(
            LOOPBACK,
            0,
            frozenset({LOOPBACK}),
            Timers(t1=0.05, t2=0.2, t4=0.1),
            PortPool(LOOPBACK, *media_ports(2)),
            2,
            1e9,
            plan=WirePlan(tcp=True),
        )
        trunk = {"name": "city", "host": "0::1", "port": self.far.port, "transport": transport}
        settings = TrunkSettings.model_validate(trunk | {"caller_number": "037963110110"})
        self.line = SipLine(quick_voice(9, local_host=LOOPBACK, trunks=(settings,)), takes_calls=True)
        self.transport = transport
        self.told: list[LineEvent] = []
        self.theirs: list[EndpointEvent] = []

    def calls_us(self, host: str) -> None:
        """With a description whose address is `host`."""
        hop = Hop(LOOPBACK, self.line.port, self.transport)  # type: ignore[arg-type]
        local = replace(self.far.open_media("out", ("pcma",)), host=host)
        self.far.invite("out", f"sip:110@{hop}", hop, local, "sip:13803790001@[::1]")

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.theirs, self.line.counters)
            self.told += (told := self.line.run_once(0.002))
            for event in told:
                if isinstance(event, Incoming):
                    self.line.answer(event.call)
                if isinstance(event, Answered):
                    self.line.play(event.call, "p", PROMPT)
            self.theirs += (theirs := self.far.turn(0.002))
            for event in theirs:
                self._take(event)

    def _take(self, event: EndpointEvent) -> None:
        match event:
            case InviteReceived(call):
                self.far.answer(call, self.far.open_media(call, ("pcma",)), LOOPBACK)
            case AckReceived(call, media) | InviteAccepted(call, media=media):
                self.far.agree(call, media, LOOPBACK)
                self.far.start_media(call, time.monotonic())
                self.far.media(call).press("5", 0.06)  # type: ignore[union-attr]

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    def close(self) -> None:
        self.line.close()
        self.far.close()


@pytest.fixture(params=["udp", "tcp"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = Ends(request.param)
    yield made
    made.close()


def talked(ends: Ends) -> object:
    return ends.of(KeyPressed) and ends.of(PlaybackFinished)


def test_we_call(ends: Ends) -> None:
    ends.line.dial(Dial("c1", "13803790001", "city"))
    ends.until(lambda: talked(ends))
    (invite,) = (event for event in ends.theirs if isinstance(event, InviteReceived))
    assert invite.source.transport == ends.transport
    assert invite.offer is not None and invite.offer.host == LOOPBACK
    ends.line.hangup("c1")
    ends.until(lambda: ends.of(Ended))
    (end,) = ends.of(Ended)
    assert isinstance(end, Ended) and end.quality is not None and end.quality.received > 0
    assert not ends.line.counters.keys() & {"rtp_stranger", "sip_stranger", "rtp_send_failed"}


def test_we_are_called(ends: Ends) -> None:
    ends.calls_us(LOOPBACK)
    ends.until(lambda: talked(ends))


def test_who_offers_ipv4_alone_is_refused(ends: Ends) -> None:
    ends.calls_us("127.0.0.1")
    ends.until(lambda: any(isinstance(event, InviteFailed) for event in ends.theirs))
    (failed,) = (event for event in ends.theirs if isinstance(event, InviteFailed))
    assert failed.status == 488 and not ends.told
