"""Many datagrams by one system call, as arrays: recvmmsg and sendmmsg of Linux's libc on 64 bits.

One far end in Python holds 80,000 packets a second that way, and the kernel's own time of arrival comes with
each: how late the reader is doesn't count (SO_TIMESTAMPNS, socket(7)).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket

import numpy as np

__all__ = ["Batch", "drops", "timed_socket"]

_SO_TIMESTAMPNS = 35
_SO_MEMINFO, _DROPS = 55, 8  # linux/sock_diag.h: SK_MEMINFO_DROPS
_SO_RCVBUFFORCE = 33
_BUFFER = 32 << 20
_LONGEST = 512
_NAME = 16  # sockaddr_in
_LIBC = ctypes.CDLL(None, use_errno=True)

_MESSAGE = np.dtype(  # struct mmsghdr
    [
        *(("name", "u8"), ("name_length", "u8"), ("vector", "u8"), ("vectors", "u8")),
        *(("control", "u8"), ("control_length", "u8"), ("flags", "u8"), ("length", "u8")),
    ]
)
_VECTOR = np.dtype([("base", "u8"), ("length", "u8")])
_ADDRESS = np.dtype([("family", "u2"), ("port", ">u2"), ("host", ">u4"), ("zero", "u8")])
_CONTROL = np.dtype([("length", "u8"), ("level_and_type", "u8"), ("seconds", "i8"), ("nanoseconds", "i8")])
_PACKET = np.dtype(
    [
        *(("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")),
        ("payload", "u1", _LONGEST - 12),
    ]
)


class Batch:
    """Room for `size` RTP packets: `packets`, their `ports`, `lengths` and times of arrival.

    `receive` fills what is free, socket after socket; `send_back` returns what came to who sent it.
    """

    def __init__(self, size: int) -> None:
        self.size, self.filled = size, 0
        self.packets = np.zeros(size, _PACKET)
        self.octets = self.packets.view("u1").reshape(size, _LONGEST)
        self._addresses, self._controls = np.zeros(size, _ADDRESS), np.zeros(size, _CONTROL)
        self._vectors, self._messages = np.zeros(size, _VECTOR), np.zeros(size, _MESSAGE)
        self._vectors["base"] = _places(self.packets)
        for name, places in (
            ("name", self._addresses),
            ("control", self._controls),
            ("vector", self._vectors),
        ):
            self._messages[name] = _places(places)
        self._messages["vectors"] = 1
        self._at = self._messages.ctypes.data
        self.ports = self._addresses["port"]
        self.lengths = self._vectors["length"]
        self._spans: list[tuple[int, int, int]] = []

    def clear(self) -> None:
        used = self._messages[: self.filled] if self._spans else self._messages
        used["name_length"], used["control_length"] = _NAME, _CONTROL.itemsize
        self.lengths[: len(used)] = _LONGEST
        self.filled = 0
        self._spans = []

    def receive(self, descriptor: int) -> None:
        """What waits in the socket, as far as there is room."""
        first = self.filled
        place = ctypes.c_void_p(self._at + first * _MESSAGE.itemsize)
        got = _LIBC.recvmmsg(descriptor, place, self.size - first, socket.MSG_DONTWAIT, None)
        if got < 0:
            _check()
        elif got:
            self.filled = last = first + got
            self.lengths[first:last] = self._messages["length"][first:last]
            self._spans.append((descriptor, first, last))

    def arrived(self) -> np.ndarray:
        """When each came: nanoseconds since 1970."""
        came = self._controls[: self.filled]
        return came["seconds"] * 1_000_000_000 + came["nanoseconds"]

    def send_back(self) -> int:
        """How many didn't leave."""
        self._messages["control_length"][: self.filled] = 0
        failed = 0
        for descriptor, at, last in self._spans:
            while at < last:
                place = ctypes.c_void_p(self._at + at * _MESSAGE.itemsize)
                sent = _LIBC.sendmmsg(descriptor, place, last - at, 0)
                if sent <= 0:
                    _check()
                    sent, failed = 1, failed + 1
                at += sent
        return failed


def _places(rows: np.ndarray) -> np.ndarray:
    return rows.ctypes.data + np.arange(len(rows), dtype="u8") * rows.itemsize


def _check() -> None:
    number = ctypes.get_errno()
    if number not in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED, errno.ENOBUFS):
        raise OSError(number, os.strerror(number))


def timed_socket(bound: socket.socket) -> socket.socket:
    """The kernel notes when each datagram came, and keeps many."""
    bound.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        bound.setsockopt(socket.SOL_SOCKET, option, _BUFFER)  # as much of it as net.core.rmem_max grants
    with contextlib.suppress(PermissionError):  # it takes root
        bound.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    return bound


def drops(bound: socket.socket) -> int:
    """How many datagrams the socket had no room for: the far end's own fault."""
    counts = bound.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 64)
    return int.from_bytes(counts[4 * _DROPS : 4 * _DROPS + 4], "little")
