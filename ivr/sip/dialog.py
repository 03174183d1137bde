"""What two ends know of their dialog, and the requests it makes (RFC 3261 §12). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivr.sip.envelope import Envelope
from ivr.sip.headers import Uri, ip_of, parse_name_addr, parse_uri
from ivr.sip.hop import DEFAULT_PORTS, Hop, Transport
from ivr.sip.message import Header, Request, Response

__all__ = ["ENDS_DIALOG", "Dialog", "DialogKey", "next_hop"]

DialogKey = tuple[str, str, str]

# A request in a dialog that meets one of these ends the call; others are that request's alone (RFC 5057 §5).
ENDS_DIALOG = frozenset({404, 408, 410, 416, 480, 481, 482, 483, 484, 485, 502, 604})


@dataclass(slots=True)
class Dialog:
    """`local` and `remote` are the From and To of our requests, tags among them; `target` their Contact.

    `peer` is where requests go when the next hop is a name: resolving is not for a pure module, and the
    peer that brought the dialog is the trunk. Where that is one connection, `otherwise` is the port to go to
    once it has ended. `owns_call_id` is the caller's: the first INVITE was ours.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    remote: str
    local_cseq: int
    remote_cseq: int
    target: str
    route_set: tuple[str, ...]
    peer: Hop
    owns_call_id: bool
    otherwise: Hop | None = None

    @property
    def key(self) -> DialogKey:
        return (self.call_id, self.local_tag, self.remote_tag)

    @property
    def request_uri(self) -> str:
        return self._routed()[0]

    @classmethod
    def of_response(cls, request: Request, response: Response, envelope: Envelope, peer: Hop) -> Dialog:
        """The caller's side (§12.1.2)."""
        return cls(
            call_id=envelope.call_id,
            local_tag=envelope.from_.tag,
            remote_tag=envelope.to.tag,
            local=request.first("From") or "",
            remote=response.first("To") or "",
            local_cseq=envelope.cseq,
            remote_cseq=-1,
            target=envelope.contact or request.uri,
            route_set=envelope.record_route[::-1],
            peer=peer,
            owns_call_id=True,
        )

    @classmethod
    def of_request(
        cls, request: Request, envelope: Envelope, local_tag: str, peer: Hop, otherwise: Hop | None
    ) -> Dialog:
        """The called side (§12.1.1)."""
        return cls(
            call_id=envelope.call_id,
            local_tag=local_tag,
            remote_tag=envelope.from_.tag,
            local=f"{request.first('To')};tag={local_tag}",
            remote=request.first("From") or "",
            local_cseq=0,
            remote_cseq=envelope.cseq,
            target=envelope.contact or envelope.from_.uri,
            route_set=envelope.record_route,
            peer=peer,
            owns_call_id=False,
            otherwise=otherwise,
        )

    def confirm(self, envelope: Envelope) -> None:
        """Take target and route set of the 2xx, whatever the provisionals said (§13.2.2.4)."""
        self.target = envelope.contact or self.target
        self.route_set = envelope.record_route[::-1]

    def connection_lost(self, hop: Hop) -> None:
        if self.peer == hop and self.otherwise is not None:
            self.peer, self.otherwise = self.otherwise, None

    def request(
        self, method: str, cseq: int, headers: Sequence[Header], body: bytes = b""
    ) -> tuple[Request, Hop]:
        """A request within the dialog, without its Via, and where it goes (§12.2.1.1)."""
        uri, routes, hop = self._routed()
        lines = [
            ("Max-Forwards", "70"),
            *(("Route", route) for route in routes),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ]
        return Request(tuple(lines), body, method, uri), next_hop(hop, self.peer)

    def _routed(self) -> tuple[str, tuple[str, ...], str]:
        """Request-URI, Route and the next hop: a strict router takes the Request-URI's place."""
        if not self.route_set:
            return self.target, (), self.target
        first = parse_name_addr(self.route_set[0], "Route").uri
        if "lr" in parse_uri(first, "Route").params:
            return self.target, self.route_set, first
        return first, (*self.route_set[1:], f"<{self.target}>"), first


def next_hop(uri: str, otherwise: Hop) -> Hop:
    """Where a URI leads, or `otherwise` where it holds a name or another scheme.

    Who names no transport is reached by that of `otherwise`: a trunk is one, and what came by TLS never goes
    on in the clear (RFC 3261 §26.2.2).
    """
    parsed = parse_uri(uri, "next hop")
    host = ip_of(parsed.host)
    if host is None:
        return otherwise
    return Hop.at(host, parsed.port, _transport(parsed, otherwise.transport))


def _transport(uri: Uri, usual: Transport) -> Transport:
    if usual == "tls" or uri.scheme == "sips":
        return "tls"
    told = (uri.params.get("transport") or "").lower()
    return next((each for each in DEFAULT_PORTS if each == told), usual)
