"""OPTIONS outside of dialogs: whether somebody is there (RFC 3261 §11). Pure."""

from __future__ import annotations

from ivr.sip.endpoint import Endpoint
from ivr.sip.envelope import Envelope
from ivr.sip.events import OptionsAnswered
from ivr.sip.headers import bracketed, seconds_of
from ivr.sip.hop import Hop
from ivr.sip.message import Response
from ivr.sip.outside import Outside, start_outside

__all__ = ["ask_options"]


def ask_options(endpoint: Endpoint, key: str, uri: str, hop: Hop, now: float) -> None:
    """Send one OPTIONS; exactly one OptionsAnswered follows. A challenge isn't met: it's an answer."""
    config = endpoint.config
    us = f"sip:{config.user}@{bracketed(config.host)}"
    call_id = f"{endpoint.new_token()}@{config.host}"

    def answered(response: Response, _envelope: Envelope, _now: float) -> None:
        if response.status >= 200:
            after = seconds_of(response.first("Retry-After"))
            endpoint.tell(OptionsAnswered(key, hop, response.status, after))

    def silent(_now: float) -> None:
        endpoint.tell(OptionsAnswered(key, hop, None))

    headers = (("Accept", "application/sdp"), endpoint.allow)
    start_outside(endpoint, Outside("OPTIONS", uri, hop, us, uri, call_id), headers, now, answered, silent)
