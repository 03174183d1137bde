"""Voice, keys and reports between two IPv6 sockets, as between two of IPv4."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ivr.events import KeyPressed, PlaybackFinished
from ivr.media.audio import Audio
from ivr.media.dtmf import send_key
from ivr.media.ports import NoPorts, PortPool
from ivr.media.rtcp import read_reports
from tests.loopback_city import has_ipv6
from tests.rtp_office import Office, rtp_office

LOOPBACK = "::1"


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="the machine has no IPv6")


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with rtp_office(monkeypatch, host=LOOPBACK) as made:
        yield made


def test_a_call_over_ipv6(office: Office) -> None:
    far = office.far_end(20)
    prompt = Audio(*((b"\x11" * 160,) * 5,) * 2)
    far.session.play("greeting", prompt)
    office.run(200, far)
    for octets in send_key(far.sender, "7", 0.06, 101):
        far.send(octets)
    office.run(5000, far)
    assert far.voice.strip(b"\xd5") == b"".join(prompt.pcma)
    assert [event.key for event in office.events if isinstance(event, KeyPressed)] == ["7"]
    assert any(isinstance(event, PlaybackFinished) for event in office.events)
    assert [block.lost for _, raw in far.reports for each in read_reports(raw) for block in each.blocks] == [
        0
    ]
    assert not office.counters["rtp_stranger"]


def test_a_far_end_that_moves_is_learned_anew(office: Office) -> None:
    far, other = office.far_end(20), office.far_end(20)
    office.run(100, far)
    office.loop.negotiate(far.session, replace(far.remote, address=other.remote.address))
    office.run(5)
    before = len(other.heard)
    other.socket.sendto(other.sender.frame(8, bytes(160)), (LOOPBACK, far.session.port))
    office.run(100)
    assert len(other.heard) - before >= 9  # its own call's, and the other's
    assert far.session.source is not None and far.session.source[:2] == other.remote.address


def test_the_range_of_ports_is_looked_at_on_that_address() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, 0))
        first = taken.getsockname()[1] // 2 * 2
        with pytest.raises(NoPorts, match=f"0 pairs of media ports are free on {LOOPBACK}"):
            PortPool(LOOPBACK, first, first + 1).check(1)
