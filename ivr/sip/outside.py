"""A request of ours that belongs to no dialog: OPTIONS, REGISTER (RFC 3261 §8.1, §10, §11). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivr.sip.endpoint import Endpoint
from ivr.sip.hop import Hop
from ivr.sip.message import Header, Request
from ivr.sip.underway import ClientTransaction, OnResponse, OnSilence

__all__ = ["Outside", "start_outside"]


@dataclass(slots=True)
class Outside:
    """What the requests of one kind to one place have in common; `cseq` grows with each of them."""

    method: str
    uri: str
    hop: Hop
    from_uri: str
    to_uri: str
    call_id: str
    cseq: int = 0


def start_outside(
    endpoint: Endpoint,
    outside: Outside,
    headers: Sequence[Header],
    now: float,
    on_response: OnResponse,
    on_silence: OnSilence,
) -> ClientTransaction:
    """Send the next of them; a provisional response is told, too."""
    outside.cseq += 1
    branch = endpoint.new_branch()
    common = (
        endpoint.via(branch, outside.hop.transport),
        ("Max-Forwards", "70"),
        ("From", f"<{outside.from_uri}>;tag={endpoint.new_token()}"),
        ("To", f"<{outside.to_uri}>"),
        ("Call-ID", outside.call_id),
        ("CSeq", f"{outside.cseq} {outside.method}"),
        endpoint.contact(outside.hop.transport),
        *headers,
        ("User-Agent", endpoint.config.user_agent),
    )
    request = Request(common, b"", outside.method, outside.uri)
    return endpoint.layer.start(request, branch, outside.hop, now, on_response, on_silence)
