"""Packets of 10 to 60 ms, as the far end wants them: the gaps between ours, and what is heard of theirs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ivr.events import PlaybackFinished
from ivr.media.audio import Audio
from ivr.media.dtmf import KeyReceiver, send_key
from ivr.media.g711 import SILENCE
from tests.rtp_office import Office, rtp_office

LENGTHS = [10, 20, 30, 40, 60]
PROMPT = Audio(*(tuple(bytes([number]) * 160 for number in range(13)),) * 2)  # 260 ms: no whole packets


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with rtp_office(monkeypatch) as made:
        yield made


@pytest.mark.parametrize("wants", LENGTHS)
def test_a_prompt_goes_over_whole_in_packets_as_they_want_them(office: Office, wants: int) -> None:
    far = office.far_end(wants)
    office.run(70)
    far.session.play("greeting", PROMPT)
    office.run(480)
    assert far.gaps == {wants}
    assert {len(packet.payload) for _, packet in far.heard} == {wants * 8}
    stamps = [packet.timestamp for _, packet in far.heard]
    assert {(later - earlier) % 2**32 for earlier, later in itertools.pairwise(stamps)} == {wants * 8}
    silence = bytes([SILENCE["pcma"]])
    assert far.voice.strip(silence) == b"".join(PROMPT.pcma)
    assert [type(event) for event in office.events].count(PlaybackFinished) == 1


def test_calls_of_every_length_beside_one_another_keep_theirs(office: Office) -> None:
    far_ends = [office.far_end(wants) for wants in LENGTHS]
    office.run(600)
    assert [far.gaps for far in far_ends] == [{wants} for wants in LENGTHS]


def test_the_length_may_change_within_a_prompt(office: Office) -> None:
    far = office.far_end(30)
    far.session.play("greeting", PROMPT)
    office.run(95)
    office.loop.negotiate(far.session, replace(far.remote, ptime=60))
    office.run(400)
    assert far.gaps <= {30, 60} | set(range(1, 60)) and far.heard[-1][0] - far.heard[-2][0] == 60
    numbers = [number for number, _ in itertools.groupby(far.voice.rstrip(bytes([SILENCE["pcma"]])))]
    assert numbers == list(range(13))  # half a frame may be left out, but none


@pytest.mark.parametrize("wants", LENGTHS)
def test_a_key_is_told_with_each_packet_as_long_as_it_was_held(office: Office, wants: int) -> None:
    far = office.far_end(wants)
    far.session.press("5", 0.1)
    office.run(600)
    receiver = KeyReceiver()
    keys = [packet for _, packet in far.heard if packet.payload_type == 101]
    assert [key.key for packet in keys if (key := receiver.receive(packet, 0.0))] == ["5"]
    assert int.from_bytes(keys[-1].payload[2:]) == 800
    assert len(keys) == -(-100 // wants) + 2
    assert far.gaps == {wants}  # none beside voice, none too few


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(LENGTHS, 2), (30, 30), (60, 60)])
@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
def test_a_bridge_of_different_lengths_tears_nothing(
    office: Office, one: int, other: int, mirrored: bool
) -> None:
    """One says packets of its length, the other hears its own; a tear at the beginning at most."""
    one, other = (other, one) if mirrored else (one, other)
    speaker, hearer = office.far_end(one, says=one), office.far_end(other, says=other)
    office.loop.bridge([speaker.session, hearer.session])
    office.run(2000, speaker, hearer)
    assert hearer.gaps <= {other} | set(range(1, 120))  # one while its phase follows the speaker's
    heard = hearer.voice.strip(bytes([SILENCE["pcma"]]))
    runs = [(number, len(list(run))) for number, run in itertools.groupby(heard)]
    told = [number for number, _ in runs if number != SILENCE["pcma"]]
    assert told == list(range(told[0], told[-1] + 1)) and len(told) >= 88
    tears = [number for number, _ in runs if number == SILENCE["pcma"]]
    assert len(tears) <= 2
    assert all(length == 160 for number, length in runs[1:-1] if number != SILENCE["pcma"])


@pytest.mark.parametrize("wants", LENGTHS)
def test_a_key_goes_over_a_bridge_in_the_hearers_packets(office: Office, wants: int) -> None:
    speaker, hearer = office.far_end(20), office.far_end(wants)
    office.loop.bridge([speaker.session, hearer.session])
    keys = send_key(speaker.sender, "7", 0.1, 101)
    for octets in keys:
        speaker.send(octets)
        office.run(20)
    office.run(600)
    told = [packet for _, packet in hearer.heard if packet.payload_type == 101]
    receiver = KeyReceiver()
    assert [key.key for packet in told if (key := receiver.receive(packet, 0.0))] == ["7"]
    assert 800 <= int.from_bytes(told[-1].payload[2:]) < 800 + 2 * wants * 8


@pytest.mark.parametrize("wants", LENGTHS)
@pytest.mark.parametrize("away", [130, 345, 7000])
def test_who_was_away_goes_on_at_the_right_time_without_a_burst(
    office: Office, wants: int, away: int
) -> None:
    far = office.far_end(wants)
    office.run(120)
    office.ms += away
    office.run(240)
    (before, first), (after, last) = far.heard[0], far.heard[-1]
    passed = (last.timestamp - first.timestamp) % 2**32 // 8
    assert passed == (after - before) // wants * wants
    assert office.counters["frames_skipped"] == passed // wants + 1 - len(far.heard)
    burst = [ms for ms, _ in far.heard].count(120 + away + 1)
    assert burst <= 100 // wants + 1
