"""For tests: UDP sockets of a bad network. What is sent is lost, doubled or overtaken, by a seed.

Each socket draws from a random source of its own, seeded by the test and how many were opened before, so that
a run can be repeated as far as the clocks of two threads let it be. A 18x is never lost: nobody repeats it
(RFC 3262 §1), so a ring time would begin with none of them, and the total time alone would end the call.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import pytest

from ivr.media.ports import udp_socket


@dataclass(frozen=True)
class Weather:
    """Shares of the packets that are sent: lost, sent twice, sent after the next one."""

    lost: float
    doubled: float
    swapped: float


SIP = Weather(lost=0.2, doubled=0.05, swapped=0.05)
RTP = Weather(lost=0.05, doubled=0.02, swapped=0.02)


class BadSocket(socket.socket):
    """As it sends, so it behaves; what it receives is as it came."""

    weather = RTP

    def be(self, weather: Weather, random: Random) -> None:
        self.weather, self.random = weather, random
        self._held: tuple[bytes, Any] | None = None

    def send(self, data: bytes, *_: Any) -> int:  # type: ignore[override]
        return self._send(data, None)

    def sendto(self, data: bytes, address: Any) -> int:  # type: ignore[override]
        return self._send(data, address)

    def _send(self, data: bytes, address: Any) -> int:
        luck, weather = self.random.random(), self.weather
        if data.startswith(b"SIP/2.0 18"):
            self._put(data, address)
            return len(data)
        if luck < weather.lost:
            return len(data)
        luck -= weather.lost
        if luck < weather.swapped and self._held is None:
            self._held = (data, address)  # it leaves after the next; without a next it's lost
            return len(data)
        self._put(data, address)
        if luck < weather.swapped + weather.doubled:
            self._put(data, address)
        if self._held is not None:
            held, self._held = self._held, None
            self._put(*held)
        return len(data)

    def _put(self, data: bytes, address: Any) -> None:
        if address is None:
            super().send(data)
        else:
            super().sendto(data, address)


@contextmanager
def bad_network(seed: int) -> Iterator[None]:
    """All sockets of SIP and media that are opened within, on both sides."""
    numbers = count(1)

    def opened(weather: Weather, host: str, port: int, dscp: int) -> socket.socket:
        good = udp_socket(host, port, dscp)
        bad = BadSocket(good.family, good.type, good.proto, fileno=good.detach())
        bad.setblocking(False)
        bad.be(weather, Random(f"{seed}.{next(numbers)}"))
        return bad

    with pytest.MonkeyPatch.context() as patched:
        for place, weather in (("sip_wires", SIP), ("media.ports", RTP), ("media.incoming", RTP)):
            patched.setattr(
                f"ivr.{place}.udp_socket",
                lambda host, port, dscp=0, weather=weather: opened(weather, host, port, dscp),
            )
        yield
