"""SRTP octets against RFC 3711, and what becomes of packets that aren't by the key, or came before."""

from __future__ import annotations

import contextlib
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from ivr.media.rtcp import read_reports, write_report
from ivr.media.rtp import BadPacket, Sender, parse
from ivr.media.srtp import Srtp
from ivr.sip.crypto import SrtpKeys, Suite

SUITES: list[Suite] = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"]
SIZES = {"AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30, "AEAD_AES_128_GCM": 28}

# RFC 3711 B.3: a master key and salt, and what is derived from them.
MASTER = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139" + "0EC675AD498AFEEBB6960B3AABE6")
CIPHER_KEY = bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
CIPHER_SALT = bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
AUTH_KEY = bytes.fromhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")


def ends(suite: Suite = "AES_CM_128_HMAC_SHA1_80") -> tuple[Srtp, Srtp]:
    one, two = (bytes([number]) * SIZES[suite] for number in (1, 2))
    return Srtp(SrtpKeys(suite, one, two)), Srtp(SrtpKeys(suite, two, one))


def by_the_book(packet: bytes, octets_of_tag: int) -> bytes:
    """RFC 3711 §4.1.1 and §4.2.1, by the derived keys, before the sequence number has turned over."""
    header, payload = packet[:12], packet[12:]
    ssrc, index = int.from_bytes(packet[8:12]), int.from_bytes(packet[2:4])
    counter = (int.from_bytes(CIPHER_SALT) << 16) ^ (ssrc << 64) ^ (index << 16)
    cipher = Cipher(algorithms.AES(CIPHER_KEY), modes.CTR(counter.to_bytes(16))).encryptor()
    hidden = header + cipher.update(payload)
    tag = hmac.new(AUTH_KEY, hidden + bytes(4), hashlib.sha1).digest()  # bytes(4): no turn yet
    return hidden + tag[:octets_of_tag]


@pytest.mark.parametrize(("suite", "tag"), [(SUITES[0], 10), (SUITES[1], 4)])
def test_a_packet_is_as_the_rfcs_own_keys_have_it(suite: Suite, tag: int) -> None:
    srtp = Srtp(SrtpKeys(suite, MASTER, MASTER))
    packet = Sender(0xDEADBEEF, 0x1234, 0xA0A0).frame(8, bytes(range(160)))
    protected = srtp.protect(packet)
    assert protected == by_the_book(packet, tag)
    assert srtp.unprotect(protected) == packet


@pytest.mark.parametrize("suite", SUITES)
@given(payloads=st.lists(st.binary(max_size=480), min_size=1, max_size=20), first=st.integers(0, 0xFFFF))
def test_what_one_end_hides_the_other_reads(suite: Suite, payloads: list[bytes], first: int) -> None:
    one, two = ends(suite)
    sender = Sender(7, first, 0)
    for payload in payloads:
        hidden = one.protect(sender.frame(8, payload))
        assert len(payload) < 8 or payload not in hidden
        assert parse(two.unprotect(hidden)).payload == payload


@pytest.mark.parametrize("suite", SUITES)
def test_reports_are_hidden_too(suite: Suite) -> None:
    one, two = ends(suite)
    report = write_report(Sender(7, 0, 0), None, "secret@192.0.2.1", 0.0, bye=True)
    hidden = one.protect_rtcp(report)
    assert b"secret" not in hidden
    assert len(hidden) - len(report) == (20 if suite == "AEAD_AES_128_GCM" else 14)  # 80 bits of SRTCP's own
    assert read_reports(two.unprotect_rtcp(hidden))[0].ssrc == 7


@pytest.mark.parametrize("suite", SUITES)
def test_what_comes_twice_or_changed_or_plain_is_refused(suite: Suite) -> None:
    one, two = ends(suite)
    packet = Sender(7, 100, 0).frame(8, b"voice" * 32)
    hidden = one.protect(packet)
    assert two.unprotect(hidden) == packet
    for bad in (hidden, packet, hidden[:-1], hidden[:20] + b"\0" + hidden[21:], b"", hidden * 9):
        with pytest.raises(BadPacket):
            two.unprotect(bad)
    report = one.protect_rtcp(write_report(Sender(7, 0, 0), None, "a@b", 0.0))
    two.unprotect_rtcp(report)
    for bad in (report, report[:-1], b"", report * 40):
        with pytest.raises(BadPacket):
            two.unprotect_rtcp(bad)


@given(st.binary(max_size=2048))
def test_any_octets_are_refused_and_stop_nothing(datagram: bytes) -> None:
    _, two = ends()
    for take in (two.unprotect, two.unprotect_rtcp):
        with contextlib.suppress(BadPacket):
            take(datagram)


def test_the_sequence_turns_over() -> None:
    one, two = ends()
    sender = Sender(7, 0, 0)
    for number in range(70_000):
        hidden = one.protect(sender.frame(8, b"v"))
        if not number % 1000:  # the others are lost
            assert parse(two.unprotect(hidden)).sequence == number & 0xFFFF


def test_a_new_key_of_theirs_leaves_ours_as_it_was() -> None:
    one, two = ends()
    sender, heard = Sender(7, 0, 0), Sender(8, 0, 0)
    before = one.protect(sender.frame(8, b"first"))
    two.unprotect(before)
    again = SrtpKeys(one.keys.suite, one.keys.ours, b"\x03" * 30)
    one, two = Srtp(again, one), Srtp(SrtpKeys(again.suite, again.theirs, again.ours), two)
    with pytest.raises(BadPacket):
        two.unprotect(before)  # still known
    assert parse(two.unprotect(one.protect(sender.frame(8, b"second")))).payload == b"second"
    assert parse(one.unprotect(two.protect(heard.frame(8, b"theirs")))).payload == b"theirs"


@pytest.mark.parametrize("keeps_count", [True, False], ids=["by the book", "begins anew"])
@pytest.mark.parametrize("first", [0, 1, 0x4000, 0x7FFF, 0xFFFF])
def test_a_new_key_after_the_sequence_has_turned_over(first: int, keeps_count: bool) -> None:
    """RFC 3711 §3.3.1 has the far end go on counting; one that makes its context anew doesn't."""
    one, two = ends()
    keys = SrtpKeys(one.keys.suite, b"\x03" * 30, one.keys.theirs)
    theirs = Srtp(keys)
    if keeps_count:
        for at in range(0, (2 << 16) + first, 1 << 14):
            theirs.protect(Sender(7, at & 0xFFFF, 0).frame(8, b""))
    ours = Srtp(SrtpKeys(keys.suite, keys.theirs, keys.ours), two, (7, 2))
    sender = Sender(7, first, 0)
    for number in range(3):
        packet = sender.frame(8, bytes([number]) * 20)
        assert ours.unprotect(theirs.protect(packet)) == packet
    with pytest.raises(BadPacket):
        ours.unprotect(one.protect(sender.frame(8, b"the key before")))


def test_another_suite_is_another_beginning() -> None:
    one, _ = ends()
    keys = SrtpKeys("AES_CM_128_HMAC_SHA1_32", one.keys.ours, one.keys.theirs)
    packet = Sender(7, 0, 0).frame(8, b"voice")
    assert len(Srtp(keys, one).protect(packet)) == len(packet) + 4
