"""Two SIP agents in virtual time, with a network between them that may lose, delay, double and swap."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random

from ivr.sip import AgentConfig, Credentials, Hop, LocalMedia, SipEvent, UserAgent
from ivr.sip.sdp import Profiles

OURS = Hop("192.0.2.1", 5060)
THEIRS = Hop("192.0.2.2", 5060)
OUR_MEDIA = LocalMedia("192.0.2.1", 20000)
THEIR_MEDIA = LocalMedia("192.0.2.2", 30000)


def tokens(prefix: str = "t") -> Callable[[], str]:
    """Tokens that count, so that a run can be repeated."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers):04d}"


def new_agent(
    hop: Hop = OURS,
    prefix: str = "t",
    *,
    transfers: bool = False,
    largest_datagram: int | None = None,
    secure: bool = False,
) -> UserAgent:
    config = AgentConfig(
        hop.host,
        hop.port,
        tokens(prefix),
        transfers=transfers,
        tls_port=5061,
        largest_datagram=largest_datagram,
        profiles=lambda source: Profiles(plain=True, secure=secure and source.transport == "tls"),
        credentials=lambda source: Credentials("office", "secret"),
    )
    return UserAgent(config)


class World:
    """`react` is called with each event of `theirs`, so that the called side can answer."""

    def __init__(self, random: Random | None = None, loss: float = 0.0, delay: float = 0.0) -> None:
        self.ours = new_agent(OURS, "a")
        self.theirs = new_agent(THEIRS, "b")
        self.now = 0.0
        self.events: dict[Hop, list[SipEvent]] = {OURS: [], THEIRS: []}
        self.react: Callable[[SipEvent], None] = lambda event: None
        self._random = random or Random(0)
        self.loss, self._delay = loss, delay
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = count()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something at that time."""
        heapq.heappush(self._due, (seconds, next(self._count), action))

    def run(self, until: float) -> None:
        """Let everything happen that happens before `until`, or until nothing is left to happen."""
        self._carry()
        while (now := self._next()) is not None and now <= until:
            self.now = max(self.now, now)
            while self._due and self._due[0][0] <= self.now:
                heapq.heappop(self._due)[2]()
            for agent in (self.ours, self.theirs):
                agent.handle_timer(self.now)
            self._carry()

    @property
    def idle(self) -> bool:
        return self.ours.idle and self.theirs.idle and not self._due

    def _next(self) -> float | None:
        times = [self.ours.deadline, self.theirs.deadline, self._due[0][0] if self._due else None]
        return min((at for at in times if at is not None), default=None)

    def _carry(self) -> None:
        """Tell what happened, and put what was sent on its way."""
        for agent, source in ((self.ours, OURS), (self.theirs, THEIRS)):
            for event in agent.take_events():
                self.events[source].append(event)
                if agent is self.theirs:
                    self.react(event)
        for agent, source in ((self.ours, OURS), (self.theirs, THEIRS)):
            for data, _ in agent.take_outgoing():
                for _ in range(2 if self._random.random() < self.loss else 1):
                    self._send(data, source)

    def _send(self, data: bytes, source: Hop) -> None:
        if self._random.random() < self.loss:
            return
        receiver = self.theirs if source == OURS else self.ours
        at = self.now + 0.001 + self._random.random() * self._delay
        self.at(at, lambda: receiver.receive(data, source, self.now))
