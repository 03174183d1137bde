"""TCP and TLS of a SIP address, in a thread of its own: connecting and handshakes don't hold up the voice.

The thread only carries octets: messages are cut out of the stream there and read in the voice's own thread.
Everything but `send`, `take` and `close` happens in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from ivr.sip.framing import PONG, Framer
from ivr.sip.hop import Hop

__all__ = ["Arrived", "Failed", "Lost", "SipStreams", "StreamEvent"]

_log = structlog.get_logger(__name__)
_HANDSHAKE = 5.0  # seconds for a connection to come up
_GOODBYE = 0.5  # seconds for what was sent last to leave
_READ = 65536
_MOST_ARRIVED = 2000  # messages that wait for the voice's thread; then the stream waits, too
_IDLE, _PROBE, _PROBES = 30, 10, 3  # seconds: a firewall on the way forgets who is silent for minutes
_UNACKNOWLEDGED = 20_000  # ms: what is sent into a connection that is gone; a call waits 32 s (§17.1.1.2)
_MOST_OF_ONE = 32  # connections that one host opens
_MOST_UNSENT = 1 << 20  # octets that a far end doesn't take; then its connection ends


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message by a stream; the hop names its connection."""

    hop: Hop
    data: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """No connection came up, and why."""

    hop: Hop
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A connection has ended."""

    hop: Hop
    reason: str


StreamEvent = Arrived | Failed | Lost


def _listener(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(128)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


def _notices_its_end(bare: socket.socket) -> None:
    """Else one that a firewall has dropped looks alive for a quarter of an hour, and swallows each call."""
    bare.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _IDLE),
        (socket.TCP_KEEPINTVL, _PROBE),
        (socket.TCP_KEEPCNT, _PROBES),
        (socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED),
    ):
        bare.setsockopt(socket.IPPROTO_TCP, option, value)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Unless the far end has stopped reading: then its connection ends."""
    if writer.transport.get_write_buffer_size() > _MOST_UNSENT:
        writer.transport.abort()
    else:
        writer.write(data)


@dataclass(eq=False)
class _Connection:
    hop: Hop
    waiting: list[bytes] = field(default_factory=list)  # until it's up
    writer: asyncio.StreamWriter | None = None
    bare: socket.socket | None = None  # of who connected, until asyncio has it


class SipStreams:
    """`client_tls` gives the context for a name to verify, `server_tls` is ours; None: there is no TLS.

    `allows` is asked for who connects, before anything is read of them. `mark` is told each socket. `ports`
    are those of TCP and, with `server_tls`, of TLS.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls_port: int,
        *,
        server_tls: ssl.SSLContext | None,
        client_tls: Callable[[Hop], tuple[ssl.SSLContext, str]],
        allows: Callable[[str], bool],
        wake: Callable[[], None],
        mark: Callable[[socket.socket], None] = lambda _: None,
    ) -> None:
        """OSError where a port can't be had."""
        self._host, self._client_tls, self._server_tls = host, client_tls, server_tls
        self._allows, self._wake, self._mark = allows, wake, mark
        self._connections: dict[Hop, _Connection] = {}
        self._arrived: deque[StreamEvent] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners = [_listener(host, port)]
        try:
            if server_tls is not None:
                self._listeners.append(_listener(host, tls_port))
        except OSError:
            self._listeners[0].close()
            raise
        self.ports = tuple(int(each.getsockname()[1]) for each in self._listeners)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sip-streams", daemon=True)
        self._thread.start()

    # -- the other threads

    def send(self, data: bytes, hop: Hop) -> None:
        """By the connection that is up, or by a new one; what comes of it is told."""
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._loop.call_soon_threadsafe(self._send, data, hop)

    def take(self) -> list[StreamEvent]:
        """What has come since, oldest first."""
        taken = []
        while self._arrived:
            taken.append(self._arrived.popleft())
        return taken

    def close(self) -> None:
        """Send what waits, end every connection and the thread. Harmless twice."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    # -- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        for listener, tls in zip(self._listeners, (None, self._server_tls), strict=False):
            self._spawn(self._accept(listener, tls))
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._stop())
        finally:
            self._loop.close()
            for listener in self._listeners:
                listener.close()

    async def _stop(self) -> None:
        """What was sent goes out, for a moment; then everything ends."""
        writers = [each.writer for each in self._connections.values() if each.writer is not None]
        for writer in writers:
            writer.close()
        ends = [asyncio.ensure_future(writer.wait_closed()) for writer in writers]
        if ends:
            await asyncio.wait(ends, timeout=_GOODBYE)
        for writer in writers:  # before its task closes it again, after which asyncio aborts no TLS
            writer.transport.abort()
        for task in [*self._tasks, *ends]:
            task.cancel()
        await asyncio.gather(*self._tasks, *ends, return_exceptions=True)
        for connection in self._connections.values():
            if connection.bare is not None:
                connection.bare.close()
        await asyncio.sleep(0.01)  # asyncio closes sockets in later turns of its loop

    def _tell(self, event: StreamEvent) -> None:
        self._arrived.append(event)
        self._wake()

    def _send(self, data: bytes, hop: Hop) -> None:
        connection = self._connections.get(hop)
        if connection is None:
            connection = self._connections[hop] = _Connection(hop)
            self._spawn(self._connect(connection))
        if connection.writer is None:
            connection.waiting.append(data)
        else:
            _write(connection.writer, data)

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = self._loop.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connection: _Connection) -> None:
        hop = connection.hop
        try:
            reader, writer = await asyncio.wait_for(self._open(hop), _HANDSHAKE)
        except (OSError, ValueError, TimeoutError) as error:
            self._forget(connection)
            silent = isinstance(error, TimeoutError)
            reason = str(error) or ("no answer in time" if silent else "closed by the far end")
            _log.warning("sip_connection_failed", to=str(hop), reason=reason)
            self._tell(Failed(hop, reason))
            return
        await self._carry(connection, reader, writer)

    async def _open(self, hop: Hop) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """From our own address: where the machine has several, the far end knows that one."""
        ours = (self._host, 0)
        if hop.transport != "tls":
            return await asyncio.open_connection(hop.host, hop.port, local_addr=ours)
        context, name = self._client_tls(hop)
        return await asyncio.open_connection(
            hop.host, hop.port, local_addr=ours, ssl=context, server_hostname=name
        )

    async def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Take connections, for ever; a stranger's ends before anything of it is read."""
        while True:
            try:
                bare, source = await self._loop.sock_accept(listener)
            except OSError:  # it was gone already, or no descriptor is left
                await asyncio.sleep(0.05)
                continue
            hop = Hop(source[0], source[1], "tls" if tls else "tcp")
            if self._allows(hop.host) and self._opened_by(hop.host) < _MOST_OF_ONE:
                connection = self._connections[hop] = _Connection(hop, bare=bare)
                self._spawn(self._serve(connection, bare, tls))
            else:
                bare.close()

    async def _serve(self, connection: _Connection, bare: socket.socket, tls: ssl.SSLContext | None) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        patience = _HANDSHAKE if tls else None
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, bare, ssl=tls, ssl_handshake_timeout=patience
            )
        except OSError as error:
            bare.close()
            self._forget(connection)
            _log.warning("sip_handshake_failed", source=str(connection.hop), reason=str(error))
            if connection.waiting:
                self._tell(Failed(connection.hop, str(error)))
            return
        await self._carry(connection, reader, asyncio.StreamWriter(transport, protocol, reader, self._loop))

    def _forget(self, connection: _Connection) -> None:
        """A later one may be of the same hop: who connects from a port of its own comes back from there."""
        if self._connections.get(connection.hop) is connection:
            del self._connections[connection.hop]

    def _opened_by(self, host: str) -> int:
        return sum(hop.host == host for hop in self._connections)

    async def _carry(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Until the connection ends."""
        connection.bare = None
        connection.writer, reason = writer, "closed by the far end"
        if (bare := writer.get_extra_info("socket")) is not None:
            _notices_its_end(bare)
            self._mark(bare)
        for data in connection.waiting:  # also of who connects to us, from the port where it listens
            writer.write(data)
        connection.waiting.clear()
        try:
            await self._read(connection.hop, reader, writer)
        except (OSError, ssl.SSLError) as error:
            reason = str(error)
        finally:
            self._forget(connection)
            writer.close()
            self._tell(Lost(connection.hop, reason))

    async def _read(self, hop: Hop, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer()
        while octets := await reader.read(_READ):
            for message in framer.feed(octets):
                self._tell(Arrived(hop, message))
            if framer.pings:
                _write(writer, PONG * framer.pings)
            framer.pings = 0
            if framer.broken:
                await asyncio.sleep(_HANDSHAKE / 10)  # its answer goes first
                return
            while len(self._arrived) > _MOST_ARRIVED:
                await asyncio.sleep(0.01)
