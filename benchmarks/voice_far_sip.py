"""The far end's SIP: it calls who is measured, and takes whatever they dial, at once.

The kernel's time of a 200's arrival is told against the moment its INVITE left.
"""

from __future__ import annotations

import heapq
import math
import secrets
import struct
import time

from benchmarks.bridge_far_ends import HOST
from benchmarks.voice_batch import timed_socket
from benchmarks.voice_far_media import FarMedia
from benchmarks.voice_plan import Plan
from ivr.media.ports import udp_socket
from ivr.sip.agent import AgentConfig, UserAgent
from ivr.sip.envelope import envelope_of
from ivr.sip.errors import BadMessage
from ivr.sip.events import AckReceived, DialogEnded, InviteAccepted, InviteFailed, InviteReceived
from ivr.sip.hop import Hop
from ivr.sip.incoming import reply
from ivr.sip.message import parse, serialise
from ivr.sip.sdp import LocalMedia

__all__ = ["FarSip"]

_MOST = 200  # datagrams a turn
_TIME = struct.Struct("@qq")


class FarSip:
    """Calls are known by the numbers of the plan: theirs ask for 8n, ours come from 7n."""

    def __init__(self, plan: Plan, media: FarMedia) -> None:
        self._plan, self._media, self.start_at = plan, media, math.inf
        self.socket = timed_socket(udp_socket(HOST, 0))
        self.port = int(self.socket.getsockname()[1])
        self._agent = UserAgent(AgentConfig(HOST, self.port, lambda: secrets.token_hex(8)))
        self.to = Hop(HOST, 0)
        self._mine = [number for number in reversed(range(plan.calls)) if not plan.is_out(number)]
        self._numbers: dict[str, int] = {}
        self._invited: dict[int, int] = {}
        self._ends: list[tuple[float, str]] = []
        self.set_up_ms: dict[int, float] = {}
        self.failed: list[str] = []

    @property
    def idle(self) -> bool:
        return not self._mine and not self._agent.live_calls

    def turn(self, now: float) -> None:
        agent = self._agent
        for _ in range(_MOST):
            try:
                data, control, _, source = self.socket.recvmsg(8192, 64)
            except OSError:
                break
            if data.startswith(b"REGISTER"):
                self._register(data, Hop(*source))
                continue
            agent.receive(data, Hop(*source), now)
            seconds, rest = _TIME.unpack(control[0][2])
            self._take(seconds * 1_000_000_000 + rest)
        if agent.deadline is not None and agent.deadline <= now:
            agent.handle_timer(now)
            self._take(0)
        self._begin_and_end(now)
        self._flush()

    def _flush(self) -> None:
        for data, hop in self._agent.take_outgoing():
            self.socket.sendto(data, hop[:2])

    def _register(self, data: bytes, source: Hop) -> None:
        """pyVoIP takes calls only where it's registered."""
        try:
            request = parse(data)
            answer = reply(request, envelope_of(request), source, 200, to_tag="registrar")
        except BadMessage:
            return
        self.socket.sendto(serialise(answer), source[:2])

    def _begin_and_end(self, now: float) -> None:
        since = now - self.start_at
        while self._mine and self._plan.begin(self._mine[-1]) <= since:
            self._call(self._mine.pop(), now)
        while self._ends and self._ends[0][0] <= since:
            self._agent.bye(heapq.heappop(self._ends)[1], now)

    def _call(self, number: int, now: float) -> None:
        name = f"mine-{number}"
        self._numbers[name] = number
        host, port, *_ = self.to
        local = LocalMedia(HOST, self._media.port_of(number), ("pcma", "pcmu"))
        caller = f"sip:7{number}@{HOST}"
        self._flush()
        self._agent.invite(name, f"sip:110@{host}:{port}", self.to, local, caller, now)
        self._invited[number] = time.time_ns()
        self._flush()

    def _take(self, came_at: int) -> None:
        for event in self._agent.take_events():
            match event:
                case InviteAccepted(name, _, media):
                    number = self._numbers[name]
                    self.set_up_ms[number] = (came_at - self._invited[number]) / 1e6
                    heapq.heappush(self._ends, (self._plan.end(number), name))
                    self._media.begin(number, media)
                case InviteReceived():
                    self._called(event)
                case AckReceived(name, media) if name in self._numbers:
                    self._media.begin(self._numbers[name], media)
                case InviteFailed(name):
                    self.failed.append(f"call {self._numbers[name]}: {event.status} {event.cause_text}")
                case DialogEnded(name, by):
                    number = self._numbers.pop(name)
                    self._media.end(number)
                    if by == "network":
                        self.failed.append(f"call {number}: {event.cause_text}")

    def _called(self, event: InviteReceived) -> None:
        number = int(event.user.removeprefix("8"))
        self._numbers[event.call] = number
        now = time.monotonic()
        local = LocalMedia(HOST, self._media.port_of(number), ("pcma", "pcmu"))
        self._agent.provisional(event.call, 180, now)
        self._agent.answer(event.call, local, now)

    def close(self) -> None:
        self.socket.close()
