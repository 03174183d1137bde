"""CMPP packets over a non-blocking TCP socket, for either end of a link."""

from __future__ import annotations

import errno
import itertools
import os
import socket

from sms.cmpp_codec import BadPacket, Packet, Unknown, pack, take_frame, unpack

Arrived = tuple[int, Packet | Unknown] | BadPacket


class LinkLost(Exception):
    """The connection is gone; the message says how."""


class CmppLink:
    """One end of a link. `read` gives what has arrived, `send` queues and writes what goes."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected
        self._sequences = itertools.cycle(range(1, 0xFFFFFFFF))
        self._in = bytearray()
        self._out = bytearray()
        self._connecting = False

    @classmethod
    def to(cls, host: str, port: int) -> CmppLink:
        """Begins to connect, without waiting for it; LinkLost where that fails at once."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            link = cls(socket.socket(family, kind, protocol))
        except (OSError, UnicodeError) as failed:  # the latter for what can't be a host's name
            raise LinkLost(getattr(failed, "strerror", None) or str(failed)) from None
        error = link._socket.connect_ex(address)
        if error not in (0, errno.EINPROGRESS):
            link.close()
            raise LinkLost(os.strerror(error))
        link._connecting = True  # how it went is asked by `connected`
        return link

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        return self._connecting or bool(self._out)

    def connected(self) -> bool:
        """Whether the connection stands by now; LinkLost when it was refused."""
        if self._connecting:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise LinkLost(os.strerror(error))
            try:
                self._socket.getpeername()
            except OSError:
                return False
            self._connecting = False
        return True

    def next_sequence(self) -> int:
        return next(self._sequences)

    def send(self, packet: Packet, sequence: int) -> None:
        """Queues a packet and writes what goes at once; LinkLost when the connection is gone."""
        self._out += pack(packet, sequence)
        self.flush()

    def flush(self) -> None:
        while self._out and not self._connecting:
            try:
                sent = self._socket.send(self._out)
            except BlockingIOError:
                return
            except OSError as error:
                raise LinkLost(error.strerror or str(error)) from None
            del self._out[:sent]

    def read(self) -> list[Arrived]:
        """What has arrived, broken packets as BadPacket; LinkLost when nothing has and nothing will."""
        lost, arrived = self._receive(), list[Arrived]()
        try:
            while (frame := take_frame(self._in)) is not None:
                arrived.append(_read(frame))
        except BadPacket as error:
            lost = str(error)
        if lost and not arrived:
            raise LinkLost(lost)
        return arrived

    def _receive(self) -> str | None:
        """Takes what has arrived; how the link ended, if it did."""
        try:
            while chunk := self._socket.recv(65536):
                self._in += chunk
        except BlockingIOError:
            return None
        except OSError as error:
            return error.strerror or str(error)
        return "closed by the other end"

    def close(self) -> None:
        self._socket.close()


def _read(frame: bytes) -> Arrived:
    try:
        return unpack(frame)
    except BadPacket as error:
        return error
