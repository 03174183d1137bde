"""What a session description asks of us (RFC 4566, RFC 3264): one audio stream of its streams. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ivr.sip.crypto import SrtpKeys, cryptos_of
from ivr.sip.description import Description, Stream, address_of, parse_description
from ivr.sip.errors import Unacceptable

__all__ = [
    "EVENTS",
    "Codec",
    "Media",
    "Profiles",
    "audio_of",
    "direction_of",
    "is_secure",
    "kind_of",
    "media_of",
    "offered",
]

Codec = Literal["pcma", "pcmu"]

EVENTS = "telephone-event/8000"
_STATIC = {0: "pcmu/8000", 8: "pcma/8000"}  # payload types that need no rtpmap (RFC 3551 §6)
_ENCODINGS: dict[str, Codec] = {"pcmu/8000": "pcmu", "pcma/8000": "pcma"}
_PTIMES = (60, 40, 30, 20, 10)  # ms that a packet of ours may hold
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class Profiles(NamedTuple):
    """What voice may go by: RTP/AVP (RFC 3551), RTP/SAVP with keys in SDP (RFC 3711, RFC 4568)."""

    plain: bool = True
    secure: bool = False

    def __str__(self) -> str:
        named = [name for name, may in (("RTP/SAVP", self.secure), ("RTP/AVP", self.plain)) if may]
        return " or ".join(named) or "no profile"


@dataclass(frozen=True, slots=True)
class Media:
    """What was agreed, or what is offered to us, of the one audio stream that we use.

    `host`, `port`, `rtcp_port`: where they receive; RTCP at `rtcp_host` if that is another. `codec` and
    `payload_type`: what we send. `dtmf_payload`: the telephone-event payload type we send, None if it wasn't
    agreed. `ptime`: ms in each packet that we send, of 10, 20, 30, 40 and 60. `sends`: whether we may send,
    `receives`: whether they send (hold makes them false). `keys`: those of SRTP, where it was agreed.
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
    rtcp_host: str | None = field(default=None, repr=False)
    keys: SrtpKeys | None = field(default=None, repr=False)


def offered(
    body: bytes,
    ours: str,
    codecs: tuple[Codec, ...] = ("pcma", "pcmu"),
    profiles: Profiles | None = None,
) -> Media:
    """What `body`, an offer or an answer, asks of us, whose address is `ours`; without keys.

    BadDescription, or Unacceptable when nothing fits.
    """
    description = parse_description(body)
    return media_of(description, audio_of(description, ours, profiles or Profiles()), codecs)


def audio_of(description: Description, ours: str, profiles: Profiles) -> int:
    """The index of the stream that we use: the first audio by such a profile that we reach and that is on."""
    reachable = True
    for index, stream in enumerate(description.streams):
        if stream.kind == "audio" and stream.port and _is_ours(stream, profiles):
            host = _host(description, stream)
            reachable = bool(host) and kind_of(host) == kind_of(ours)
            if reachable:
                return index
    raise Unacceptable(f"no audio over {profiles}{'' if reachable else f' at an {kind_of(ours)} address'}")


def is_secure(stream: Stream) -> bool:
    return stream.protocol.upper() == "RTP/SAVP"


def _is_ours(stream: Stream, profiles: Profiles) -> bool:
    if is_secure(stream):
        return profiles.secure and bool(cryptos_of(stream.every("crypto")))
    return stream.protocol.upper() == "RTP/AVP" and profiles.plain


def _host(description: Description, stream: Stream) -> str:
    return (description.connection if stream.connection is None else stream.connection) or ""


def kind_of(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def media_of(description: Description, index: int, codecs: tuple[Codec, ...]) -> Media:
    stream = description.streams[index]
    host = _host(description, stream)
    encodings = _encodings(stream)
    payload, codec = _choose(encodings, codecs)
    direction = direction_of(stream, description)
    held = host in ("0.0.0.0", "::")  # RFC 2543's hold
    rtcp_port, rtcp_host = _rtcp(stream, host)
    return Media(
        host=host,
        port=stream.port,
        rtcp_port=rtcp_port,
        codec=codec,
        payload_type=payload,
        dtmf_payload=next((number for number, name in encodings if name == EVENTS), None),
        ptime=_ptime(stream, description),
        sends=direction in ("sendrecv", "recvonly") and not held,
        receives=direction in ("sendrecv", "sendonly"),
        rtcp_host=rtcp_host,
    )


def _encodings(stream: Stream) -> list[tuple[int, str]]:
    """(payload type, "pcma/8000") of the m-line's formats, in its order."""
    named = dict(_STATIC)
    for value in stream.every("rtpmap"):
        number, _, encoding = value.partition(" ")
        if number.isascii() and number.isdigit():
            named[int(number[:4])] = encoding.strip().lower().removesuffix("/1")
    numbers = [int(text) for text in stream.formats if text.isascii() and text.isdigit() and len(text) < 4]
    return [(number, named.get(number, "")) for number in numbers if number < 128]


def _choose(encodings: list[tuple[int, str]], codecs: tuple[Codec, ...]) -> tuple[int, Codec]:
    """The first that both know: the order of the description is its writer's preference (RFC 3264 §6.1)."""
    for number, name in encodings:
        codec = _ENCODINGS.get(name)
        if codec in codecs and codec is not None:
            return number, codec
    raise Unacceptable("neither PCMA nor PCMU")


def direction_of(stream: Stream, description: Description) -> str:
    for attributes in (stream.attributes, description.attributes):
        for name, _ in attributes:
            if name in _DIRECTIONS:
                return name
    return "sendrecv"


def _rtcp(stream: Stream, host: str) -> tuple[int, str | None]:
    """Port and, where it's another of the same kind, host by a=rtcp (RFC 3605); else the port after RTP's."""
    told, *where = next(iter(stream.every("rtcp")), "").split() or [""]
    if not (told.isascii() and told.isdigit() and len(told) < 6 and 0 < int(told) < 65536):
        return min(stream.port + 1, 65535), None
    other = address_of(where) if len(where) == 3 else ""
    return int(told), other if other not in ("", host) and kind_of(other) == kind_of(host) else None


def _ptime(stream: Stream, description: Description) -> int:
    """As they wish by a=ptime, and no longer than their a=maxptime (RFC 8866 §6.4, §6.5): what we can of it.

    A wish beyond 10 to 60 ms is none: telephones take 20 ms (RFC 3551 §4.2).
    """
    wished, most = (_milliseconds(stream, description, name) for name in ("ptime", "maxptime"))
    length = min(wished if 10 <= wished <= 60 else 20, most or 60)
    return next((each for each in _PTIMES if each <= length), _PTIMES[-1])


def _milliseconds(stream: Stream, description: Description, name: str) -> int:
    """0 where it isn't told; RFC 8866 allows a fraction, which nobody needs."""
    for value in [*stream.every(name), *description.every(name)]:
        whole = value.partition(".")[0]
        if whole.isascii() and whole.isdigit() and len(whole) < 6:
            return int(whole)
    return 0
