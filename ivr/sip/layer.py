"""The transactions that run, found by what identifies them on the wire (RFC 3261 §17.1.3, §17.2.3). Pure."""

from __future__ import annotations

from collections.abc import Callable

from ivr.sip.alarms import Alarms
from ivr.sip.envelope import Envelope
from ivr.sip.hop import Hop
from ivr.sip.message import Request, Response, serialise
from ivr.sip.transaction import Act, Input, Kind, State, Timers, Transaction

__all__ = ["ClientTransaction", "Layer", "ServerTransaction"]

OnResponse = Callable[[Response, Envelope, float], None]
OnSilence = Callable[[float], None]
Key = tuple[object, ...]

_COOKIE = "z9hG4bK"


def _input_of(status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


class ClientTransaction:
    """A request of ours, and who wants to know what comes of it."""

    __slots__ = ("data", "destination", "key", "machine", "on_response", "on_silence", "request")

    def __init__(self, key: Key, request: Request, destination: Hop, machine: Transaction) -> None:
        self.key = key
        self.request = request
        self.data = serialise(request)
        self.destination = destination
        self.machine = machine
        self.on_response: OnResponse | None = None
        self.on_silence: OnSilence | None = None


class ServerTransaction:
    """A request of theirs; `merged` tells that another with its identity runs (§8.2.2.2).

    `on_cancel` is called with the CANCEL while no final response has gone; `to_tag` is our tag in the
    responses.
    """

    __slots__ = ("address", "data", "identity", "key", "machine", "merged", "on_cancel", "to_tag")

    def __init__(self, key: Key, identity: Key, address: Hop, machine: Transaction) -> None:
        self.key = key
        self.identity = identity
        self.address = address
        self.machine = machine
        self.data = b""
        self.merged = False
        self.to_tag = ""
        self.on_cancel: Callable[[Request, float], None] | None = None


class Layer:
    """All transactions of an agent."""

    def __init__(self, timers: Timers, alarms: Alarms, send: Callable[[bytes, Hop], None]) -> None:
        self._timers = timers
        self._alarms = alarms
        self._send = send
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
        """Send a request; not for ACK. `on_silence` is called when nothing final came in time."""
        kind = Kind.INVITE_CLIENT if request.method == "INVITE" else Kind.CLIENT
        machine = Transaction(kind, self._timers, now)
        transaction = ClientTransaction((branch, request.method), request, destination, machine)
        transaction.on_response, transaction.on_silence = on_response, on_silence
        self._clients[transaction.key] = transaction
        self._send(transaction.data, destination)
        self._arm_client(transaction)
        return transaction

    def abandon(self, transaction: ClientTransaction) -> None:
        """Forget a client transaction, whatever its state (§9.1: no answer to a CANCEL)."""
        if self._clients.pop(transaction.key, None):
            self._alarms.clear(transaction)

    def receive_response(self, response: Response, envelope: Envelope, now: float) -> bool:
        """Whether the response belongs to a transaction."""
        transaction = self._clients.get((envelope.via.branch, envelope.method))
        if transaction is None:
            return False
        acts = transaction.machine.feed(_input_of(response.status), now)
        self._arm_client(transaction)
        if Act.ACK in acts:
            self._send(serialise(_ack(transaction.request, response)), transaction.destination)
        if Act.TELL in acts and transaction.on_response:
            transaction.on_response(response, envelope, now)
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
        machine = Transaction(kind, self._timers, now)
        identity = (envelope.call_id, envelope.from_.tag, envelope.cseq, method)
        transaction = ServerTransaction(_server_key(envelope, method), identity, address, machine)
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
        acts = transaction.machine.tick(now)
        self._arm_client(transaction)
        if Act.SEND in acts:
            self._send(transaction.data, transaction.destination)
        if Act.FAIL in acts and transaction.on_silence:
            transaction.on_silence(now)

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
