"""A burst of SIP's messages, and the voice of a call that is up."""

from __future__ import annotations

import itertools
import time

import pytest

from ivr.events import KeyPressed
from ivr.line import Dial
from ivr.media.ports import udp_socket
from ivr.media.session import MediaSession
from ivr.sip.hop import Hop
from tests.line_and_trunk import LineAndTrunk, far_endpoint, trunk_to
from tests.loopback_city import HOST


def test_a_frame_that_falls_due_goes_between_two_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message takes longer than a frame: else the voice would stop as long as messages wait."""
    told: list[str] = []
    tick = MediaSession.tick

    def told_tick(session: MediaSession, now: float) -> None:
        told.append("frame")
        tick(session, now)

    def slowly(data: bytes, hop: Hop, now: float) -> None:
        told.append("message")
        time.sleep(0.025)

    far = far_endpoint()
    ends = LineAndTrunk(far, trunk_to(far.port))
    try:
        ends.line.dial(Dial("c1", "13803790001", "city"))
        ends.until(lambda: ends.of(KeyPressed))
        monkeypatch.setattr(MediaSession, "tick", told_tick)
        monkeypatch.setattr(far.agent, "receive", slowly)
        with udp_socket(HOST, 0) as trunk:
            for _ in range(4):
                trunk.sendto(b"OPTIONS", (HOST, far.port))
            deadline = time.monotonic() + 10
            while told.count("message") < 4:
                assert time.monotonic() < deadline, told
                far.turn(0.0)
        assert ("message", "message") not in itertools.pairwise(told)
    finally:
        ends.close()
