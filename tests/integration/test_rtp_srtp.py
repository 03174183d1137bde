"""A call by SRTP, in virtual time: nothing that is plain leaves, nothing that isn't by the key is heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ivr.events import KeyPressed
from ivr.media.audio import Audio
from ivr.media.dtmf import send_key
from ivr.media.rtcp import read_reports, write_report
from ivr.media.rtp import Receiver, Sender
from ivr.media.srtp import Srtp
from ivr.sip.crypto import SrtpKeys, Suite
from tests.loopback_city import HOST
from tests.rtp_office import FarEnd, Office, rtp_office

CM_80: Suite = "AES_CM_128_HMAC_SHA1_80"
SUITES: list[tuple[Suite, int]] = [(CM_80, 30), ("AES_CM_128_HMAC_SHA1_32", 30), ("AEAD_AES_128_GCM", 28)]
PROMPT = Audio(*((b"\x11" * 160,) * 10,) * 2)


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with rtp_office(monkeypatch) as made:
        yield made


def agree(office: Office, far: FarEnd, suite: Suite, ours: bytes, theirs: bytes) -> None:
    """Both have these keys from now on."""
    office.loop.negotiate(far.session, replace(far.remote, keys=SrtpKeys(suite, ours, theirs)))
    far.srtp = Srtp(SrtpKeys(suite, theirs, ours), far.srtp)


def secured(office: Office, suite: Suite = CM_80, size: int = 30) -> FarEnd:
    far = office.far_end(20)
    agree(office, far, suite, b"\x01" * size, b"\x02" * size)
    return far


def keys(office: Office) -> list[str]:
    return [event.key for event in office.events if isinstance(event, KeyPressed)]


@pytest.mark.parametrize(("suite", "size"), SUITES)
def test_voice_keys_and_reports_are_hidden_both_ways(office: Office, suite: Suite, size: int) -> None:
    far = secured(office, suite, size)
    far.session.play("greeting", PROMPT)
    office.run(300, far)
    for octets in send_key(far.sender, "7", 0.06, 101):
        far.send(octets)
        office.run(20)
    receiver = Receiver()
    for ms, packet in far.heard:
        receiver.take(packet, ms / 1000)
    far.tell(write_report(far.sender, receiver.block(office.clock.now), "far@192.0.2.2", 0.0))
    office.run(5000, far)
    assert far.voice.strip(b"\xd5") == b"".join(PROMPT.pcma)
    assert keys(office) == ["7"]
    ((_, report),) = far.reports
    assert [block.lost for each in read_reports(report) for block in each.blocks] == [0]
    assert far.session.quality is not None and far.session.quality.far_lost == 0
    assert not any(b"\x11" * 16 in datagram or b"@127.0.0.1" in datagram for datagram in far.wire)
    assert dict(office.counters) == {"rtcp_received": 1}


def test_who_has_no_key_isnt_heard_and_isnt_learned(office: Office) -> None:
    far = secured(office)
    plain = Sender(9, 1, 1)
    for packet in (plain.frame(8, bytes(160)), *send_key(plain, "1", 0.04, 101)):
        far.socket.sendto(packet, (HOST, far.session.port))  # from the right place
    office.run(20)
    assert far.session.last_packet_at is None and not keys(office)
    assert office.counters["srtp_refused"] == 5
    far.control.sendto(write_report(plain, None, "a@b", 0.0), (HOST, far.session.port + 1))
    office.run(20, far)
    assert office.counters["srtp_refused"] == 6 and not office.counters["rtcp_received"]
    assert far.session.last_packet_at is not None


def test_what_is_sent_again_is_no_second_key(office: Office) -> None:
    far = secured(office)
    assert far.srtp is not None
    taped = [far.srtp.protect(octets) for octets in send_key(far.sender, "9", 0.06, 101)]
    for _ in range(40):  # long after the key is forgotten
        for octets in taped:
            far.socket.sendto(octets, (HOST, far.session.port))
        office.run(20, far)
    assert keys(office) == ["9"]
    assert office.counters["srtp_refused"] == 39 * len(taped)


def test_a_new_key_of_theirs_holds_from_their_reinvite_on(office: Office) -> None:
    far = secured(office)
    office.run(200, far)
    agree(office, far, CM_80, b"\x01" * 30, b"\x03" * 30)
    far.session.play("greeting", PROMPT)
    office.run(300, far)
    for octets in send_key(far.sender, "5", 0.06, 101):
        far.send(octets)
    office.run(20)
    assert keys(office) == ["5"] and far.voice.strip(b"\xd5") == b"".join(PROMPT.pcma)
    assert not office.counters


def test_the_same_keys_again_change_nothing(office: Office) -> None:
    """Hold and resume: what came before is known still."""
    far = secured(office)
    assert far.srtp is not None
    taped = far.srtp.protect(far.sender.frame(8, bytes(160)))
    far.socket.sendto(taped, (HOST, far.session.port))
    office.run(20)
    agree(office, far, CM_80, b"\x01" * 30, b"\x02" * 30)
    far.socket.sendto(taped, (HOST, far.session.port))
    office.run(20)
    assert office.counters["srtp_refused"] == 1


def test_a_bridge_hides_what_came_plain(office: Office) -> None:
    caller, desk = office.far_end(20), secured(office)
    office.loop.bridge([caller.session, desk.session])
    office.run(1000, caller, desk)
    said = {bytes([number]) * 160 for number in range(10, 40)}
    assert said <= {packet.payload for _, packet in desk.heard}
    assert said <= {packet.payload for _, packet in caller.heard}
    assert not any(frame in datagram for frame in said for datagram in desk.wire)
