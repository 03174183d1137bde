"""Where trunks are: the addresses of their names, asked for off the voice's thread and kept (RFC 3263 §4).

A name that was known stays known while its servers don't answer: a trunk isn't lost for a sick resolver.
An address that a name had is its own for an hour more: calls by it are still up, and many a name tells
another of its addresses each time.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable

import structlog

from ivr.hosts import Place
from ivr.name_lookup import Found, Lookup, LookupFailed
from ivr.sip.headers import ip_of
from ivr.sip.hop import DEFAULT_PORTS, Hop, Transport

__all__ = ["NameBook"]

_log = structlog.get_logger(__name__)
_SHORTEST, _LONGEST = 5.0, 3600.0  # seconds that an answer is kept, whatever it says
_AGAIN = 15.0  # seconds until a name that couldn't be found is looked for again
_AVOIDED = 300.0  # seconds that a hop which doesn't answer comes last: silence of eight takes 256
_FORMER = 3600.0  # seconds that an address is heard which a name has no more


class NameBook:
    """`hop` never waits. The thread runs only where there are names; it calls `on_change` when one did."""

    def __init__(self, places: Iterable[Place], lookup: Lookup) -> None:
        self._lookup = lookup
        self.on_change: Callable[[], None] = lambda: None
        self._hops: dict[Place, tuple[Hop, ...]] = {}
        self._names: list[Place] = []
        self._former: dict[Place, dict[Hop, float]] = {}  # and until when they're heard
        self._avoided: dict[Hop, float] = {}
        for place in dict.fromkeys(places):
            if (address := ip_of(place.host)) is not None:
                self._hops[place] = (Hop.at(address, place.port, place.transport),)
            else:
                self._names.append(place)
        self._due = dict.fromkeys(self._names, 0.0)
        self._told: set[Place] = set()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look up every name once, then keep them fresh until `close`."""
        if self._names:
            self._refresh(time.monotonic())
            self._thread = threading.Thread(target=self._run, name="names", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(2.0)  # it may wait for a server's answer; nobody waits for it

    def hops(self, place: Place) -> tuple[Hop, ...]:
        """In the order in which they're to be tried (RFC 2782); none while the name isn't known."""
        return self._hops.get(place, ())

    def heard(self, place: Place) -> tuple[Hop, ...]:
        """From where it may speak: `hops`, and what they were a while ago."""
        return self.hops(place) + tuple(self._former.get(place, ()))

    def hop(self, place: Place, now: float) -> Hop | None:
        """Where to send: the first that isn't avoided, else the one that hasn't been tried for longest."""
        return min(self.hops(place), key=lambda hop: max(now, self._avoided.get(hop, now)), default=None)

    def avoid(self, hop: Hop, now: float) -> None:
        """It doesn't answer: others go first for a while (RFC 3263 §4.3)."""
        self._avoided[hop] = now + _AVOIDED

    def has_better(self, place: Place, now: float) -> bool:
        """Whether one of them isn't avoided."""
        return any(self._avoided.get(hop, now) <= now for hop in self.hops(place))

    @property
    def hosts(self) -> frozenset[str]:
        """Every address that is known, or was a while ago."""
        return frozenset(hop.host for place in self._hops for hop in self.heard(place))

    def name_of(self, hop: Hop) -> str:
        """By which name, or address, the far end of a hop is known: its certificate must bear it."""
        for place in self._hops:
            if any(each.host == hop.host for each in self.heard(place)):
                return place.host
        return hop.host

    # -- the thread

    def _run(self) -> None:
        while not self._closing.wait(max(0.05, min(self._due.values()) - time.monotonic())):
            self._refresh(time.monotonic())

    def _refresh(self, now: float) -> None:
        before = self.hosts
        for place in self._names:
            if self._due[place] <= now and not self._closing.is_set():
                self._due[place] = time.monotonic() + self._ask(place)
        if before != self.hosts:
            self.on_change()

    def _ask(self, place: Place) -> float:
        """How long what was found is good for."""
        try:
            found = self._lookup(place.host, place.port, place.transport)
        except LookupFailed as error:
            if place not in self._told:
                self._told.add(place)
                _log.warning(
                    "name_not_found", name=place.host, reason=str(error), kept=bool(self.hops(place))
                )
            return _AGAIN
        self._told.discard(place)
        before = self.hops(place)
        hops = _in_order(found, place.transport, before)
        self._former = self._former | {place: self._former_of(place, before, hops, time.monotonic())}
        self._hops = self._hops | {place: hops}  # another thread reads the one before
        return min(max(found.seconds, _SHORTEST), _LONGEST)

    def _former_of(
        self, place: Place, before: tuple[Hop, ...], hops: tuple[Hop, ...], now: float
    ) -> dict[Hop, float]:
        known = self._former.get(place, {}) | dict.fromkeys(before, now + _FORMER)
        return {hop: until for hop, until in known.items() if until > now and hop not in hops}


def _in_order(found: Found, transport: Transport, before: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """By priority, and within one drawn by weight; an order that holds is kept (RFC 2782)."""
    drawn = sorted(found.targets, key=lambda each: (each.priority, -_luck(each.weight)))
    usual = DEFAULT_PORTS[transport]
    hops = tuple(
        dict.fromkeys(
            Hop(address, each.port or usual, transport) for each in drawn for address in each.addresses
        )
    )
    return before if set(hops) == set(before) else hops


def _luck(weight: int) -> float:
    """The greatest of these is each with the likelihood of its weight; 0 has a small one (RFC 2782)."""
    return float(random.random() ** (1 / max(weight, 0.01)))
