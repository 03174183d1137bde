"""When a datagram came, by the kernel: for who reads it later."""

from __future__ import annotations

import fcntl
import socket
import struct
import time

__all__ = ["Arrivals"]

_SIOCGSTAMPNS = 0x8907  # socket(7): when the last datagram that was read came, as a timespec
_TIMESPEC = struct.Struct("@ll")


class Arrivals:
    """Tells it in monotonic seconds. `wall` is what makes seconds since 1970 of those."""

    __slots__ = ("_buffer", "wall")

    def __init__(self) -> None:
        self.wall = time.time() - time.monotonic()
        self._buffer = bytearray(_TIMESPEC.size)

    def of_last(self, rtp: socket.socket, now: float) -> float | None:
        """None on a system that doesn't keep it, and where the clock was set."""
        try:
            fcntl.ioctl(rtp, _SIOCGSTAMPNS, self._buffer)
        except OSError:
            return None
        seconds, nanoseconds = _TIMESPEC.unpack(self._buffer)
        came_at: float = seconds + nanoseconds / 1e9 - self.wall
        return came_at if now - 1 < came_at <= now + 1 else None
