"""Session descriptions: offer and answer for telephone audio (RFC 4566, RFC 3264). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Codec", "LocalMedia", "Media"]

Codec = Literal["pcma", "pcmu"]


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What we offer or answer with: our RTP address, codecs in order of preference, DTMF by RFC 4733.

    `host` is the IPv4 address that goes into c=, `port` the RTP port (RTCP is port + 1).
    """

    host: str
    port: int
    codecs: tuple[Codec, ...] = ("pcma", "pcmu")
    dtmf: bool = True
    ptime: int = 20


@dataclass(frozen=True, slots=True)
class Media:
    """What was agreed, or what is offered to us, of the one audio stream that we use.

    `host`, `port`, `rtcp_port`: where they receive. `codec` and `payload_type`: what we send.
    `dtmf_payload`: the telephone-event payload type we send, None if it wasn't agreed. `ptime`: ms per
    packet they want. `sends`: whether we may send, `receives`: whether they send (hold makes them false).
    """

    host: str
    port: int
    rtcp_port: int
    codec: Codec
    payload_type: int
    dtmf_payload: int | None
    ptime: int
    sends: bool
    receives: bool
