"""Hold on the bridge, by the person and by the caller: who is held is kept, and heard when it's over."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from ivr.media.dtmf import KeyReceiver
from ivr.media.rtp import parse
from tests.peers.inbound_world import World, the_world
from tests.peers.sipp import OK_PLAIN, RECV_ACK, RECV_BYE, key_pcap, pause, play
from tests.peers.sipp_crowd import (
    INVITE,
    PROVISIONAL,
    RINGS,
    TAKEN,
    TAKES,
    THE_OPERATOR,
    Crowd,
    Side,
    sdp,
    the_caller,
    tone_pcap,
    with_sdp,
)
from tests.peers.test_inbound_sipp import loudest
from tests.peers.wire import Sip, datagrams

LOST_AFTER = 1.5  # seconds, as the role bears it; each hold is longer and brings no packet
HOLDS = [
    # how a telephone says that it holds: the direction, the host
    ("sendonly", "[media_ip]"),
    ("inactive", "[media_ip]"),
    ("sendrecv", "0.0.0.0"),  # RFC 2543's
]
FIRST_HOLD = 10  # its CSeq
OTHERS_HERTZ = 600


def hertz(talk: int) -> int:
    """What is heard of who holds before the first hold, after it …"""
    return 1000 + 200 * talk


def holds(folder: Path, side: Side) -> str:
    """Talks, holds and comes back, three times; then each time a key at once, and talks in another tone."""
    steps = [play(tone_pcap(folder / "0.pcap", hertz(0), 0.7)), pause(900)]
    for number, (direction, host) in enumerate(HOLDS, 1):
        cseq, version = FIRST_HOLD + 2 * number, 2 * number
        key = key_pcap(folder / f"key-{number}.pcap", str(number), at=100 * number)
        tone = tone_pcap(folder / f"{number}.pcap", hertz(number), 0.7, at=100 * number + 20)
        steps += [
            side.reinvite(cseq, sdp(direction, host=host, version=version)),
            pause(2000),
            side.reinvite(cseq + 1, sdp(version=version + 1)),
            *(play(key), pause(300), play(tone), pause(900)),
        ]
    return "\n".join([*steps, side.bye(99)])


def glare() -> str:
    """Before the answer an INVITE of the telephone's own: ours isn't over yet (RFC 3261 §14.2)."""
    acknowledged = THE_OPERATOR.request("ACK", 1).replace("[branch]", "[branch-2]")
    refused = '<recv response="491"/>'
    return THE_OPERATOR.request("INVITE", 1, with_sdp(sdp())) + refused + acknowledged


@dataclass
class Heard:
    """In one stretch between two re-INVITEs, at one side."""

    packets: int = 0
    tones: Counter[int] = field(default_factory=Counter)
    keys: str = ""


def heard(world: World, holder: Crowd, other: Crowd) -> tuple[list[Heard], list[Heard]]:
    """By who holds, and by the other: from the call's beginning and from each 200 to a re-INVITE on."""
    stretch, payloads = 0, defaultdict(list)
    told = {f"{FIRST_HOLD + 2 + n} INVITE" for n in range(2 * len(HOLDS))}
    for each in datagrams(world.pcap):
        sip = Sip(each.at, each.source, each.target, each.payload)
        if each.source == world.role.port and each.target == holder.port:
            if sip.line == "SIP/2.0 200 OK" and sip.header("CSeq") in told:
                told.discard(sip.header("CSeq"))
                stretch += 1
        elif each.target in (holder.media, other.media):
            payloads[each.target, stretch].append(each.payload)
    ends = range(2 * len(HOLDS) + 1)
    return tuple(  # type: ignore[return-value]
        [summed(payloads[side.media, at]) for at in ends] for side in (holder, other)
    )


def summed(datagrams: list[bytes]) -> Heard:
    found, receiver, voice = Heard(packets=len(datagrams)), KeyReceiver(), b""
    for packet in map(parse, datagrams):
        if packet.payload_type != 101:
            voice += packet.payload
        elif key := receiver.receive(packet, 0.0):
            found.keys += key.key
    fifths = [voice[at:end] for at, end in pairwise(range(0, len(voice) + 1, 1600))]
    found.tones = Counter(tone for fifth in fifths if (tone := loudest(fifth)))
    return found


@pytest.mark.timeout(120)
def test_who_is_held_is_kept_and_both_hear_one_another_again(tmp_path: Path) -> None:
    """Seat 1 holds its caller, the other caller holds seat 2; nothing comes of who holds."""
    long = tone_pcap(tmp_path / "long.pcap", OTHERS_HERTZ, 20.0)
    folders = [tmp_path / name for name in ("operator", "caller")]
    for folder in folders:
        folder.mkdir()
    stays = f"{play(long)}{RECV_BYE}{OK_PLAIN}"
    up = TAKES + RECV_ACK
    telephones = (
        RINGS + glare() + up + holds(folders[0], THE_OPERATOR),
        RINGS + up + stays,
    )
    calls_up = (INVITE, PROVISIONAL, TAKEN, the_caller().request("ACK", 1))
    settings = {"strategy": "in_turn", "media_lost_after": LOST_AFTER, "media": True}
    with the_world(tmp_path, *telephones, **settings) as world:
        held = world.call(*calls_up, stays)
        world.until_talking(1)
        holding = world.call(*calls_up, holds(folders[1], the_caller()))
        held.ended_well()
        holding.ended_well()
        calls = world.until_over(2)
    assert [(call.target, call.ended_by) for call in calls] == [("seat-1", "person"), ("seat-2", "caller")]
    for holder, other in ((world.telephones[0], held), (holding, world.telephones[1])):
        at_holder, at_other = heard(world, holder, other)
        for talk in range(len(HOLDS) + 1):
            assert at_holder[2 * talk].tones[OTHERS_HERTZ] >= 3
            assert at_other[2 * talk].tones[hertz(talk)] >= 2
            assert at_other[2 * talk].keys == (str(talk) if talk else "")
        for hold in range(1, 2 * len(HOLDS), 2):
            assert at_holder[hold].packets == 0
            assert at_other[hold].packets > 50  # silence, which tells that the line lives
            assert not at_other[hold].tones
            assert at_other[hold].keys == ""
