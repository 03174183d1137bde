"""What the simulated city's gateways have in common: a listener, links, timers, and orders from outside."""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar, cast

from callbacks.stopping import Stop


class Link(Protocol):
    """A connection of the wire protocol; its methods raise `lost` of the loop when it ends."""

    @property
    def wants_write(self) -> bool: ...
    def flush(self) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class Peer(Protocol):
    """A connected product."""

    @property
    def link(self) -> Link: ...


P = TypeVar("P", bound=Peer)


class CityLoop(Generic[P]):
    """One thread, one selector. `run` serves until it's stopped; `port` is where it listens.

    A gateway welcomes a connection, reads a peer's link, learns of its loss, and sends what is due.
    """

    lost: type[Exception]

    def __init__(self, host: str, port: int) -> None:
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._woken, self._waker = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._peers: dict[Link, P] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._orders: deque[Callable[[], None]] = deque()
        self._order = itertools.count()

    # -- what a gateway does

    def _welcome(self, connected: socket.socket) -> P:
        raise NotImplementedError

    def _read(self, peer: P) -> None:
        raise NotImplementedError

    def _forget(self, peer: P) -> None:
        """The peer's link is gone: what it hasn't acknowledged is owed still."""
        raise NotImplementedError

    def _send_due(self, now: float) -> None:
        raise NotImplementedError

    # -- the loop

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def connected(self) -> int:
        """How many links there are."""
        return len(self._peers)

    def run(self, stop: Stop) -> None:
        """Serves; leaves nothing open."""
        stop.on_set(self.wake)
        try:
            while not stop.is_set():
                self.turn(0.5)
        finally:
            self.close()

    def wake(self) -> None:
        """Ends the present wait; any thread may call it."""
        with suppress(OSError):
            self._waker.send(b"\0")

    def order(self, work: Callable[[], None]) -> None:
        """Has `work` done by the loop, for `say` and `drop_links`; any thread may call it."""
        self._orders.append(work)
        self.wake()

    def turn(self, timeout: float) -> None:
        """One turn of the loop."""
        if self._timers:
            timeout = min(timeout, max(0.0, self._timers[0][0] - time.monotonic()))
        for link in self._peers:
            writes = selectors.EVENT_WRITE if link.wants_write else 0
            self._selector.modify(link, selectors.EVENT_READ | writes)
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._woken:
                self._woken.recv(64)
            elif peer := self._peers.get(cast(Any, key.fileobj)):
                self._serve(peer)
        while self._orders:
            self._orders.popleft()()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()
        self._send_due(time.monotonic())

    def close(self) -> None:
        self.drop_links()
        for each in (self._listener, self._woken, self._waker):
            each.close()
        self._selector.close()

    def drop_links(self) -> None:
        """Cuts every connection, as a network does."""
        for peer in list(self._peers.values()):
            self._lose(peer)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), work))

    def _accept(self) -> None:
        peer = self._welcome(self._listener.accept()[0])
        self._peers[peer.link] = peer
        self._selector.register(peer.link, selectors.EVENT_READ)

    def _serve(self, peer: P) -> None:
        try:
            peer.link.flush()
            self._read(peer)
        except self.lost:
            self._lose(peer)

    def _lose(self, peer: P) -> None:
        if self._peers.pop(peer.link, None) is None:
            return
        self._selector.unregister(peer.link)
        peer.link.close()
        self._forget(peer)
