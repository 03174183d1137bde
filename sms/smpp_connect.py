"""A TCP connection on its way, perhaps with TLS on it: nothing here waits but the resolver's own thread."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ConnectFailed(Exception):
    """No connection came about; the message says why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A peer shows a certificate for `server_name` from one of `ca_file`, or of the system's."""

    server_name: str
    ca_file: Path | None = None
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """ConnectFailed where the file can't be read."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConnectFailed(f"{self.ca_file}: {error.strerror or error}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Connecting:
    """A connection to `host`, address after address; `advance` it until it gives the socket.

    A host that is a name is resolved in a thread, which calls `wake` when it knows.
    """

    def __init__(self, host: str, port: int, tls: Tls | None, wake: Callable[[], None]) -> None:
        self._tls = tls
        self._socket: socket.socket | None = None
        self._handshakes = False
        self._wants = 0
        self._addresses: list[tuple[Any, ...]] | None = None
        self._failure = "no address"
        try:
            self._addresses = _resolve(host, port, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            resolver = threading.Thread(target=self._look_up, args=(host, port, wake), daemon=True)
            resolver.name = "resolver"
            resolver.start()

    def _look_up(self, host: str, port: int, wake: Callable[[], None]) -> None:
        addresses: list[tuple[Any, ...]] = []
        try:
            addresses = _resolve(host, port, 0)
        except (OSError, UnicodeError) as error:  # the latter for what can't be a host's name
            self._failure = getattr(error, "strerror", None) or str(error)
        self._addresses = addresses
        wake()

    @property
    def waits_on(self) -> tuple[socket.socket, int] | None:
        """The socket and its selector events that bring it on; None while the name is looked up."""
        return None if self._socket is None else (self._socket, self._wants)

    def advance(self) -> socket.socket | None:
        """The non-blocking socket when it stands, else None; ConnectFailed when no address is left."""
        while self._addresses is not None:
            try:
                if self._socket is None:
                    self._begin()
                return self._go_on()
            except OSError as error:
                self._failure = _reason(error)
                self.close()
        return None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket, self._handshakes = None, False

    def _begin(self) -> None:
        assert self._addresses is not None
        if not self._addresses:
            raise ConnectFailed(self._failure)
        family, kind, protocol, _, address = self._addresses.pop(0)
        self._socket = socket.socket(family, kind, protocol)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wants = selectors.EVENT_WRITE
        error = self._socket.connect_ex(address)
        if error not in (0, errno.EINPROGRESS):
            raise OSError(error, os.strerror(error))

    def _go_on(self) -> socket.socket | None:
        if not self._handshakes and not self._is_connected():
            return None
        if self._tls is not None and not self._shake_hands(self._tls):
            return None
        done, self._socket = self._socket, None
        return done

    def _is_connected(self) -> bool:
        assert self._socket is not None
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        try:
            self._socket.getpeername()
        except OSError:
            return False
        return True

    def _shake_hands(self, tls: Tls) -> bool:
        if not self._handshakes:
            assert self._socket is not None
            self._socket = tls.context().wrap_socket(
                self._socket, server_hostname=tls.server_name, do_handshake_on_connect=False
            )
            self._handshakes = True
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except ssl.SSLWantReadError:
            self._wants = selectors.EVENT_READ
            return False
        except ssl.SSLWantWriteError:
            self._wants = selectors.EVENT_WRITE
            return False
        return True


def _resolve(host: str, port: int, flags: int) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: {error.verify_message}"
    return f"TLS: {error.reason}" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
