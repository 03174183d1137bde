"""A line and its trunk over IPv6 alone: SIP by UDP and TCP, voice, keys, and who comes with IPv4."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ivr.events import KeyPressed, PlaybackFinished
from ivr.line import Dial
from ivr.sip.events import InviteFailed, InviteReceived
from ivr.sip.hop import Hop, Transport
from ivr.sip_wires import WirePlan
from tests.line_and_trunk import LineAndTrunk, far_endpoint, trunk_to
from tests.loopback_city import has_ipv6

LOOPBACK = "::1"

pytestmark = pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")


@pytest.fixture(params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> Transport:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def ends(transport: Transport) -> Iterator[LineAndTrunk]:
    far = far_endpoint(LOOPBACK, plan=WirePlan(tcp=True))
    made = LineAndTrunk(far, trunk_to(far.port, "0::1", transport=transport), local_host=LOOPBACK)
    yield made
    made.close()


def talked(ends: LineAndTrunk) -> object:
    return ends.of(KeyPressed) and ends.of(PlaybackFinished)


def test_we_call(ends: LineAndTrunk, transport: Transport) -> None:
    ends.line.dial(Dial("c1", "13803790001", "city"))
    ends.until(lambda: talked(ends))
    (invite,) = ends.from_far(InviteReceived)
    assert invite.source.transport == transport
    assert invite.offer is not None and invite.offer.host == LOOPBACK
    ends.line.hangup("c1")
    ends.until(ends.ended)
    (end,) = ends.ended()
    assert end.quality is not None and end.quality.received > 0
    assert not ends.line.counters.keys() & {"rtp_stranger", "sip_stranger", "rtp_send_failed"}


def test_we_are_called(ends: LineAndTrunk, transport: Transport) -> None:
    ends.calls_us(Hop(LOOPBACK, ends.line.port, transport))
    ends.until(lambda: talked(ends))


def test_who_offers_ipv4_alone_is_refused(ends: LineAndTrunk, transport: Transport) -> None:
    ends.calls_us(Hop(LOOPBACK, ends.line.port, transport), described_at="127.0.0.1")
    ends.until(lambda: ends.from_far(InviteFailed))
    (failed,) = ends.from_far(InviteFailed)
    assert failed.status == 488 and not ends.told
