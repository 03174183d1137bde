"""The transactions that run, found by what identifies them on the wire (RFC 3261 §17.1.3, §17.2.3). Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ivr.sip.alarms import Alarms
from ivr.sip.envelope import Envelope
from ivr.sip.hop import Hop, Transport
from ivr.sip.message import Request, Response, serialise
from ivr.sip.transaction import Act, Input, Kind, State, Timers, Transaction
from ivr.sip.underway import ClientTransaction, Key, OnResponse, OnSilence, ServerTransaction

__all__ = ["Layer"]

_COOKIE = "z9hG4bK"
_WITHOUT_TCP = 600.0  # seconds until a far end that refused TCP is asked again


def _input_of(status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


class Layer:
    """All transactions of an agent."""

    def __init__(
        self,
        timers: Timers,
        alarms: Alarms,
        send: Callable[[bytes, Hop], None],
        largest_datagram: int | None = None,
    ) -> None:
        self._timers = timers
        self._alarms = alarms
        self._send = send
        self._largest_datagram = largest_datagram
        self._without_tcp: dict[Hop, float] = {}  # until when they aren't asked again
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._identities: dict[Key, ServerTransaction] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self._servers)

    def start(
        self,
        request: Request,
        branch: str,
        destination: Hop,
        now: float,
        on_response: OnResponse | None = None,
        on_silence: OnSilence | None = None,
    ) -> ClientTransaction:
        """Send a request; not for ACK. `on_silence` is called when nothing final came in time.

        What is too large for a datagram goes by TCP to the same port (§18.1.1).
        """
        too_large = self._is_too_large(request, destination, now)
        if too_large:
            destination = destination._replace(transport="tcp")
            request = _by_transport(request, "tcp")
        machine = self._client_machine(request, destination, now)
        transaction = ClientTransaction((branch, request.method), request, destination, machine)
        transaction.was_too_large = too_large
        transaction.on_response, transaction.on_silence = on_response, on_silence
        self._clients[transaction.key] = transaction
        self._send(transaction.data, destination)
        self._arm_client(transaction)
        return transaction

    def _client_machine(self, request: Request, destination: Hop, now: float) -> Transaction:
        kind = Kind.INVITE_CLIENT if request.method == "INVITE" else Kind.CLIENT
        return Transaction(kind, self._timers, now, is_reliable=destination.is_reliable)

    def _is_too_large(self, request: Request, destination: Hop, now: float) -> bool:
        if self._largest_datagram is None or destination.transport != "udp":
            return False
        if self._without_tcp.get(destination, now) > now:
            return False
        return len(serialise(request)) > self._largest_datagram

    # Connections.

    def connection_failed(self, hop: Hop, now: float) -> None:
        """None came up: requests to it are over, but what is only too large for a datagram goes in one."""
        for transaction in self._waiting_on(hop):
            if transaction.was_too_large:
                self._go_by_udp(transaction, now)
            else:
                on_silence = transaction.on_silence
                self.abandon(transaction)
                transaction.is_unsendable = True
                if on_silence:
                    on_silence(now)

    def connection_lost(self, hop: Hop, now: float) -> None:
        """Send again, once, what had no answer by it: they know a transaction by any connection (§17.2.3).
        What went there for its size alone goes in a datagram then: somebody takes connections, but no SIP.

        Responses go by a new connection from now on, to the port of the Via (§18.2.2).
        """
        for transaction in self._waiting_on(hop):
            if not transaction.was_sent_again:
                transaction.was_sent_again = True
                self._send(transaction.data, hop)
            elif transaction.was_too_large:
                self._go_by_udp(transaction, now)
        for answer in list(self._servers.values()):
            if answer.address == hop and answer.otherwise is not None:
                answer.address, answer.otherwise = answer.otherwise, None
                if answer.data and answer.machine.state in (State.COMPLETED, State.ACCEPTED):
                    self._send(answer.data, answer.address)

    def _waiting_on(self, hop: Hop) -> list[ClientTransaction]:
        """Those to whom nothing has been answered."""
        waiting = (State.CALLING, State.TRYING)
        return [
            each
            for each in self._clients.values()
            if each.destination == hop and each.machine.state in waiting
        ]

    def _go_by_udp(self, transaction: ClientTransaction, now: float) -> None:
        """And so does what else is too large, for a while (§18.1.1)."""
        hop = transaction.destination._replace(transport="udp")
        known = {each: until for each, until in self._without_tcp.items() if until > now}
        self._without_tcp = known | {hop: now + _WITHOUT_TCP}
        transaction.request = _by_transport(transaction.request, hop.transport)
        transaction.data, transaction.destination = serialise(transaction.request), hop
        transaction.was_too_large = False
        transaction.machine = self._client_machine(transaction.request, hop, now)
        self._send(transaction.data, hop)
        self._arm_client(transaction)

    def abandon(self, transaction: ClientTransaction) -> None:
        """Forget a client transaction, whatever its state (§9.1: no answer to a CANCEL), and who it's for."""
        if self._clients.pop(transaction.key, None):
            self._alarms.clear(transaction)
        transaction.on_response = transaction.on_silence = None

    def receive_response(self, response: Response, envelope: Envelope, now: float) -> bool:
        """Whether the response belongs to a transaction."""
        transaction = self._clients.get((envelope.via.branch, envelope.method))
        if transaction is None:
            return False
        on_response = transaction.on_response
        acts = transaction.machine.feed(_input_of(response.status), now)
        self._arm_client(transaction)
        if Act.ACK in acts:
            self._send(serialise(_ack(transaction.request, response)), transaction.destination)
        if Act.TELL in acts and on_response:
            on_response(response, envelope, now)
        return True

    def find(self, envelope: Envelope, method: str) -> ServerTransaction | None:
        return self._servers.get(_server_key(envelope, method))

    def absorb(self, envelope: Envelope, method: str, now: float) -> bool:
        """Whether a request is dealt with: it is a retransmission, or the ACK to a failure."""
        transaction = self.find(envelope, "INVITE" if method == "ACK" else method)
        if transaction is None:
            return False
        acts = transaction.machine.feed(Input.ACK if method == "ACK" else Input.REQUEST, now)
        if Act.SEND in acts and transaction.data:
            self._send(transaction.data, transaction.address)
        self._arm_server(transaction)
        return Act.TELL not in acts

    def accept(self, envelope: Envelope, method: str, address: Hop, now: float) -> ServerTransaction:
        """A transaction for a new request that is to be answered at `address`."""
        kind = Kind.INVITE_SERVER if method == "INVITE" else Kind.SERVER
        machine = Transaction(kind, self._timers, now, is_reliable=address.is_reliable)
        identity = (envelope.call_id, envelope.from_.tag, envelope.cseq, method)
        transaction = ServerTransaction(_server_key(envelope, method), identity, address, machine)
        if address.is_reliable:
            transaction.otherwise = Hop.at(address.host, envelope.via.port, address.transport)
        transaction.merged = self._identities.setdefault(identity, transaction) is not transaction
        self._servers[transaction.key] = transaction
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        transaction.data = serialise(response)
        acts = transaction.machine.feed(_input_of(response.status), now)
        if Act.SEND in acts:
            self._send(transaction.data, transaction.address)
        self._arm_server(transaction)

    def _arm_client(self, transaction: ClientTransaction) -> None:
        if transaction.machine.state is State.TERMINATED:
            self.abandon(transaction)
        elif (at := transaction.machine.deadline) is None:
            self._alarms.clear(transaction)
        else:
            self._alarms.set(transaction, at, lambda now: self._tick_client(transaction, now))

    def _tick_client(self, transaction: ClientTransaction, now: float) -> None:
        on_silence = transaction.on_silence
        acts = transaction.machine.tick(now)
        self._arm_client(transaction)
        if Act.SEND in acts:
            self._send(transaction.data, transaction.destination)
        if Act.FAIL in acts and on_silence:
            on_silence(now)

    def _arm_server(self, transaction: ServerTransaction) -> None:
        if transaction.machine.state is State.TERMINATED:
            self._servers.pop(transaction.key, None)
            if self._identities.get(transaction.identity) is transaction:
                del self._identities[transaction.identity]
            self._alarms.clear(transaction)
        elif (at := transaction.machine.deadline) is None:
            self._alarms.clear(transaction)
        else:
            self._alarms.set(transaction, at, lambda now: self._tick_server(transaction, now))

    def _tick_server(self, transaction: ServerTransaction, now: float) -> None:
        if Act.SEND in transaction.machine.tick(now):
            self._send(transaction.data, transaction.address)
        self._arm_server(transaction)


def _by_transport(request: Request, transport: Transport) -> Request:
    """The same request over another transport: only our Via, the first header, says so."""
    name, via = request.headers[0]
    protocol, _, rest = via.partition(" ")
    on_top = (name, f"{protocol.rpartition('/')[0]}/{transport.upper()} {rest}")
    return replace(request, headers=(on_top, *request.headers[1:]))


def _server_key(envelope: Envelope, method: str) -> Key:
    via = envelope.via
    if via.branch.startswith(_COOKIE) and via.branch != _COOKIE:
        return (via.branch, via.host, via.port, method)
    # RFC 2543 peers, §17.2.3: their branch alone says nothing.
    return (via.branch, via.host, via.port, method, envelope.call_id, envelope.cseq, envelope.from_.tag)


def _ack(request: Request, response: Response) -> Request:
    """The ACK to a failure: the INVITE's headers, To as answered (§17.1.1.3)."""
    kept = [header for header in request.headers if header[0] in ("Via", "Route", "From", "Call-ID")]
    number = (request.first("CSeq") or "").partition(" ")[0]
    headers = [*kept, ("To", response.first("To") or ""), ("CSeq", f"{number} ACK"), ("Max-Forwards", "70")]
    return Request(tuple(headers), b"", "ACK", request.uri)
