"""For tests: a trunk's far end by our own user agent, and a line whose only trunk it is, turned together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ivr.events import Answered, Ended, Incoming, LineEvent
from ivr.media.ports import PortPool
from ivr.sip.events import AckReceived, InviteAccepted, InviteReceived
from ivr.sip.hop import Hop
from ivr.sip.sdp import LocalMedia, Media, Profiles
from ivr.sip.transaction import Timers
from ivr.sip_endpoint import EndpointEvent, SipEndpoint
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import HOST, PROMPT, media_ports, quick_voice

PLAIN = Profiles()


def far_endpoint(host: str = HOST, calls: int = 2, **more: Any) -> SipEndpoint:
    """Who talks with nobody but `host`, with SIP's timers a tenth of what they are."""
    timers, pool = Timers(t1=0.05, t2=0.2, t4=0.1), PortPool(host, *media_ports(calls))
    return SipEndpoint(host, 0, frozenset({host}), timers, pool, calls, 1e9, **more)


def trunk_to(port: int, host: str = HOST, **trunk: object) -> TrunkSettings:
    base = {"name": "city", "host": host, "port": port, "caller_number": "037963110110"}
    return TrunkSettings.model_validate(base | trunk)


class LineAndTrunk:
    """The line takes every call and plays the prompt; the far end takes every call and presses 5."""

    def __init__(
        self, far: SipEndpoint, trunk: TrunkSettings, profiles: Profiles = PLAIN, **voice: object
    ) -> None:
        self.far, self._profiles = far, profiles
        self.line = SipLine(quick_voice(9, trunks=(trunk,), **voice), takes_calls=True)
        self.told: list[LineEvent] = []
        self.theirs: list[EndpointEvent] = []

    def calls_us(self, hop: Hop, described_at: str | None = None) -> None:
        """With a description whose address is that, their own by default."""
        local = self._local("out")
        local = replace(local, host=described_at or local.host)
        self.far.invite("out", f"sip:110@{hop}", hop, local, f"sip:13803790001@{Hop(self.far.host, 5060)}")

    def _local(self, call: str) -> LocalMedia:
        return self.far.open_media(call, ("pcma",), None, self._profiles)

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
            for each in theirs:
                self._take(each)

    def _take(self, event: EndpointEvent) -> None:
        match event:
            case InviteReceived(call):
                self.far.answer(call, self._local(call), self.far.host)
            case AckReceived(call, media) | InviteAccepted(call, media=media):
                self.far.agree(call, media, self.far.host)
                self.far.start_media(call, time.monotonic())
                self.far.media(call).press("5", 0.06)  # type: ignore[union-attr]

    @property
    def agreed(self) -> Media | None:
        """What the far end has agreed with us."""
        found = (event for event in self.theirs if isinstance(event, AckReceived | InviteAccepted))
        return next((event.media for event in found), None)

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    def from_far(self, kind: type) -> list[Any]:
        return [event for event in self.theirs if isinstance(event, kind)]

    def ended(self) -> list[Ended]:
        return [event for event in self.told if isinstance(event, Ended)]

    def close(self) -> None:
        self.line.close()
        self.far.close()
