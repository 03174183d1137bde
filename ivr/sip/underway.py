"""A request on its way, ours or theirs, with the machine that it goes by (RFC 3261 §17). Pure."""

from __future__ import annotations

from collections.abc import Callable

from ivr.sip.envelope import Envelope
from ivr.sip.hop import Hop
from ivr.sip.message import Request, Response, serialise
from ivr.sip.transaction import Transaction

__all__ = ["ClientTransaction", "Key", "OnResponse", "OnSilence", "ServerTransaction"]

OnResponse = Callable[[Response, Envelope, float], None]
OnSilence = Callable[[float], None]
Key = tuple[object, ...]


class ClientTransaction:
    """A request of ours, and who wants to know what comes of it.

    `is_unsendable` is why `on_silence` is called: nothing has left us. `was_too_large`: it goes by TCP for
    its size alone. `was_sent_again`: the connection by which it went has ended before.
    """

    __slots__ = (
        "data", "destination", "is_unsendable", "key", "machine", "on_response", "on_silence", "request",
        "was_sent_again", "was_too_large",
    )  # fmt: skip

    def __init__(self, key: Key, request: Request, destination: Hop, machine: Transaction) -> None:
        self.key = key
        self.request = request
        self.data = serialise(request)
        self.destination = destination
        self.machine = machine
        self.is_unsendable = self.was_too_large = self.was_sent_again = False
        self.on_response: OnResponse | None = None
        self.on_silence: OnSilence | None = None


class ServerTransaction:
    """A request of theirs; `merged` tells that another with its identity runs (§8.2.2.2).

    `on_cancel` is called with the CANCEL while no final response has gone; `to_tag` is our tag in the
    responses. `address` is where responses go, `otherwise` where they go once that connection has ended.
    """

    __slots__ = (
        "address",
        "data",
        "identity",
        "key",
        "machine",
        "merged",
        "on_cancel",
        "otherwise",
        "to_tag",
    )

    def __init__(self, key: Key, identity: Key, address: Hop, machine: Transaction) -> None:
        self.key = key
        self.identity = identity
        self.address = address
        self.otherwise: Hop | None = None
        self.machine = machine
        self.data = b""
        self.merged = False
        self.to_tag = ""
        self.on_cancel: Callable[[Request, float], None] | None = None
