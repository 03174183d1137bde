"""One way of a bridge: voice by our own clock, keys as long as they are held."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ivr.events import Codec
from ivr.media import g711, tones
from ivr.media.dtmf import KeyReceiver, send_key
from ivr.media.relay import HeldKey, KeyRelay, VoiceRelay
from ivr.media.rtp import RtpPacket, Sender, parse

FRAMES = [bytes([number]) * 160 for number in range(1, 9)]


def packet(sequence: int, payload: bytes, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(8, False, sequence & 0xFFFF, sequence * 160, ssrc, payload)


def heard(relay: VoiceRelay, ticks: int) -> list[bytes | None]:
    return [relay.frame("pcma") for _ in range(ticks)]


ORDERS = [
    # what comes, what leaves at the next ticks
    ([0, 1, 2], [0, 1, 2, None]),  # in order
    ([0, 2, 1, 3], [0, 2, 3, None]),  # a late one is left out: it can't be said any more
    ([0, 1, 1, 2], [0, 1, 2, None]),  # twice
    ([0], [0, None]),  # one alone waits for no other
    (list(range(8)), [6, 7, None]),  # a heap: the oldest go, so that nobody hears them late
]


@pytest.mark.parametrize(("come", "leave"), ORDERS)
def test_voice_in_its_order(come: list[int], leave: list[int | None]) -> None:
    relay = VoiceRelay()
    for number in come:
        relay.take(packet(65534 + number, FRAMES[number]), "pcma")
    assert heard(relay, len(leave)) == [None if n is None else FRAMES[n] for n in leave]


def test_packets_of_any_length_leave_as_20_ms() -> None:
    relay = VoiceRelay()
    whole = b"".join(FRAMES[:6])
    for sequence, at in enumerate(range(0, 960, 240)):  # 30 ms each
        relay.take(packet(sequence, whole[at : at + 240]), "pcma")
    assert heard(relay, 6) == FRAMES[:6]


def test_who_begins_to_speak_is_heard_at_the_end_of_a_long_packet() -> None:
    """Three frames leave together: at its beginning, the first would be torn from those that follow."""
    relay = VoiceRelay()
    relay.take(packet(0, FRAMES[0]), "pcma")
    assert [relay.frame("pcma", more) for more in (2, 1, 0)] == [None, None, FRAMES[0]]
    for number in (1, 2, 3):
        relay.take(packet(number, FRAMES[number]), "pcma")
    assert [relay.frame("pcma", more) for more in (2, 1, 0)] == FRAMES[1:4]


def test_a_far_end_may_begin_anew() -> None:
    relay = VoiceRelay()
    for sequence, number in ((5000, 0), (5001, 1), (12, 2), (13, 3)):  # without another SSRC
        relay.take(packet(sequence, FRAMES[number]), "pcma")
    relay.take(packet(1, FRAMES[4], ssrc=8), "pcma")
    assert heard(relay, 5) == FRAMES[:5]


def test_the_other_law_by_table() -> None:
    samples = (np.sin(np.arange(320) * 0.3) * 9000).astype(np.int16)
    relay = VoiceRelay()
    mulaw = g711.encode(samples, "pcmu")
    relay.take(packet(1, mulaw), "pcmu")
    said = b"".join(frame for frame in heard(relay, 2) if frame)
    error = g711.decode(said, "pcma").astype(int) - samples
    assert np.abs(error).max() < 400  # the steps of both laws at this loudness
    still = g711.other_law(g711.SILENT_FRAMES["pcma"], "pcmu")
    assert np.abs(g711.decode(still, "pcmu")).max() <= 8  # A-law has no 0


def relayed(packets: list[RtpPacket], sender: Sender, ticks: int, each: int = 1) -> list[RtpPacket]:
    """`each` of the far end's packets come between two ticks of ours."""
    receiver, relay, out = KeyReceiver(), KeyRelay(), []
    held: HeldKey | None = None
    waiting = list(packets)
    for _ in range(ticks):
        for one in waiting[:each]:
            began = relay.take(one, receiver.receive(one, 0.0) is not None, sender, 97)
            held = began or held
        waiting = waiting[each:]
        if held is not None and (sent := next(held, None)) is not None:
            out.append(parse(sent))
    return out


def told(packets: list[RtpPacket]) -> list[tuple[bool, int, bool, int]]:
    """Marker, event, end, duration."""
    found = []
    for one in packets:
        code, flags, duration = struct.unpack("!BBH", one.payload)
        found.append((one.marker, code, bool(flags & 0x80), duration))
    return found


def test_a_key_is_held_as_long_as_it_is_held() -> None:
    theirs = Sender(1, 10, 5000)
    packets = [parse(octets) for octets in send_key(theirs, "5", 0.1, 101)]
    ours = Sender(2, 65535, 0xFFFFFF00)
    sent = relayed(packets, ours, 12)
    assert told(sent) == [
        (True, 5, False, 160),
        (False, 5, False, 320),
        (False, 5, False, 480),
        (False, 5, False, 640),
        *[(False, 5, True, 800)] * 3,
    ]
    assert {one.timestamp for one in sent} == {0xFFFFFF00}
    assert [one.sequence for one in sent] == [65535, 0, 1, 2, 3, 4, 5]
    assert {(one.ssrc, one.payload_type) for one in sent} == {(2, 97)}


LOSSES = [
    # which of the seven packets come, what our duration must be at least and at most
    (range(7), 800, 800),
    ([0], 160, 2080),  # its end is lost: up after 200 ms
    ([4], 800, 960),  # only an end came: as long as it says
    ([0, 5], 800, 1120),
]


@pytest.mark.parametrize(("come", "least", "most"), LOSSES)
def test_loss_makes_no_key_twice_and_none_endless(come, least: int, most: int) -> None:
    packets = [parse(octets) for octets in send_key(Sender(1, 10, 5000), "9", 0.1, 101)]
    sent = told(relayed([packets[at] for at in come], Sender(2, 0, 0), 40))
    assert [end for *_, end, _ in sent].count(True) == 3
    assert least <= sent[-1][-1] <= most
    receiver = KeyReceiver()
    again = relayed([packets[at] for at in come], Sender(2, 0, 0), 40)
    assert len([1 for one in again if receiver.receive(one, 0.0)]) == 1


def test_a_key_longer_than_a_segment_is_one_key() -> None:
    packets = [parse(octets) for octets in send_key(Sender(1, 10, 5000), "#", 9.0, 101)]
    sent = relayed(packets, Sender(2, 0, 0), 480)
    receiver = KeyReceiver()
    assert [key.key for one in sent if (key := receiver.receive(one, 0.0))] == ["#"]
    ends = [duration for _, _, end, duration in told(sent) if end]
    assert len(ends) == 3 and abs(0xFFFF + ends[0] - 72000) <= 320


def test_two_keys_one_after_the_other() -> None:
    sender = Sender(1, 10, 5000)
    packets = [parse(octets) for key in "12" for octets in send_key(sender, key, 0.06, 101)]
    receiver = KeyReceiver()
    sent = relayed(packets, Sender(2, 0, 0), 20)
    assert [key.key for one in sent if (key := receiver.receive(one, 0.0))] == ["1", "2"]


def test_what_isnt_a_key_is_nothing() -> None:
    relay, sender = KeyRelay(), Sender(2, 0, 0)
    assert relay.take(packet(1, b"\x05\x0a"), False, sender, 97) is None
    assert relay.take(packet(1, struct.pack("!BBH", 40, 10, 160)), False, sender, 97) is None


def test_tones_keep_their_cadence() -> None:
    def loud(audio) -> list[bool]:
        return [bool(np.abs(g711.decode(frame, "pcma").astype(int)).max() > 500) for frame in audio.pcma]

    assert loud(tones.ringback()) == [True] * 50 + [False] * 200
    beat = loud(tones.busy())
    assert len(beat) == 105 and beat[:17] == [True] * 17 and not any(beat[18:35])


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_voices_are_heard_at_once_and_no_louder_than_can_be_said(codec: Codec) -> None:
    """Two of them sum up within a step of the law; two that are loud are clipped, not wrapped around."""
    quiet, loud = np.full(160, 1000, np.int16), np.full(160, 30000, np.int16)
    one, two = g711.encode(quiet, codec), g711.encode(-3 * quiet, codec)
    heard = g711.decode(g711.mix([one, two], codec), codec)
    assert np.abs(heard + 2000).max() < 130
    most = g711.decode(g711.encode(np.array([32767], np.int16), codec), codec)[0]
    shout = g711.encode(loud, codec)
    assert (g711.decode(g711.mix([shout] * 3, codec), codec) == most).all()
    assert g711.mix([one], codec) == one
