"""A call's messages as a ladder and as a capture."""

from __future__ import annotations

import struct

import pytest

from ivr.sip.hop import Hop
from ivr.sip_trace import Traced, ladder, pcap, without_keys

OURS = Hop("192.0.2.1", 5070)
THEIRS = Hop("192.0.2.2", 5061, "tls")
COMMON = b"From: <sip:1@a>;tag=1\r\nTo: <sip:2@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
INVITE = b"INVITE sip:2@b SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1\r\n" + COMMON + b"\r\nv=0\r\n"
RINGING = b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1\r\n" + COMMON + b"\r\n"
CALL = [
    Traced(1000.25, True, INVITE, THEIRS),
    Traced(1000.75, False, RINGING, THEIRS),
    Traced(1001.0, False, b"\x00\xff noise", THEIRS),
]


def test_the_ladder_tells_who_said_what_when() -> None:
    lines = ladder(CALL, str(OURS)).splitlines()
    assert "192.0.2.1:5070" in lines[0] and "192.0.2.2:5061;transport=tls" in lines[0]
    assert "INVITE (SDP)" in lines[1] and lines[1].startswith("   0.000 │") and lines[1].endswith("▶│")
    assert "180 Ringing, INVITE" in lines[2] and lines[2].startswith("   0.500 │◀")
    assert "unreadable" in lines[3]
    assert "--- 0.500 s from 192.0.2.2:5061;transport=tls" in lines
    assert "SIP/2.0 180 Ringing" in lines  # each whole, below
    assert all(line.isprintable() for line in lines)


def test_keys_are_not_in_it() -> None:
    line = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20\r\n"
    assert without_keys(line) == line.replace(b"WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", b"x" * 40)


def test_without_messages_it_says_so() -> None:
    assert ladder([], str(OURS)) == "nothing was sent or received\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "head"),
    [
        (OURS, THEIRS, 20),
        (Hop("2001:db8::1", 5070), Hop("2001:db8::2", 5060), 40),
    ],
)
def test_the_capture_holds_each_message_as_a_datagram(ours: Hop, theirs: Hop, head: int) -> None:
    capture = pcap([Traced(1000.25, True, INVITE, theirs), Traced(1000.75, False, RINGING, theirs)], ours)
    assert struct.unpack_from("<IHH", capture) == (0xA1B2C3D4, 2, 4)
    at, found = 24, []
    while at < len(capture):
        seconds, micros, size, whole = struct.unpack_from("<IIII", capture, at)
        packet = capture[at + 16 : at + 16 + size]
        assert size == whole == len(packet)
        ports = struct.unpack_from("!HHH", packet, head)
        found.append((seconds, micros, ports, packet[head + 8 :]))
        at += 16 + size
    assert found == [
        (1000, 250000, (5070, theirs.port, 8 + len(INVITE)), INVITE),
        (1000, 750000, (theirs.port, 5070, 8 + len(RINGING)), RINGING),
    ]


def test_the_header_s_checksum_is_right() -> None:
    packet = pcap(CALL[:1], OURS)[40:60]
    total = sum(struct.unpack("!10H", packet))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF  # RFC 1071


@pytest.mark.parametrize("more", [b"", b"x"])  # even and odd
def test_an_ipv6_datagram_s_checksum_is_right(more: bytes) -> None:
    """Without one it's an error there (RFC 8200 §8.1), and shown as one."""
    ours, theirs = Hop("2001:db8::1", 5070), Hop("2001:db8::2", 5060)
    packet = pcap([Traced(1000.25, True, INVITE + more, theirs)], ours)[40:]
    size = len(packet) - 40
    whole = packet[8:40] + struct.pack("!II", size, 17) + packet[40:] + bytes(size % 2)
    total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF
