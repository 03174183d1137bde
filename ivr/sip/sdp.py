"""Session descriptions: offer and answer for telephone audio (RFC 4566, RFC 3264). Pure.

Only what a telephone needs: one audio stream over RTP/AVP, PCMA and PCMU, telephone-event. Every other m-line
of an offer is answered with port 0. Addresses are of the kind of ours: IPv4 or IPv6 (RFC 4566 §5.7).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from ivr.sip.description import Description, Stream, address_of, parse_description
from ivr.sip.errors import Unacceptable

__all__ = ["Codec", "LocalMedia", "LocalSession", "Media", "offered"]

Codec = Literal["pcma", "pcmu"]

_STATIC = {0: "pcmu/8000", 8: "pcma/8000"}  # payload types that need no rtpmap (RFC 3551 §6)
_ENCODINGS: dict[str, Codec] = {"pcmu/8000": "pcmu", "pcma/8000": "pcma"}
_PAYLOADS: dict[Codec, tuple[int, str]] = {"pcma": (8, "PCMA/8000"), "pcmu": (0, "PCMU/8000")}
_EVENTS = "telephone-event/8000"
_OUR_EVENTS = 101
_PTIMES = (60, 40, 30, 20, 10)  # ms that a packet of ours may hold
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What we offer or answer with: our RTP address, codecs in order of preference, DTMF by RFC 4733.

    `host` is the IPv4 or IPv6 address that goes into c=, `port` the RTP port (RTCP is port + 1).
    """

    host: str
    port: int
    codecs: tuple[Codec, ...] = ("pcma", "pcmu")
    dtmf: bool = True
    ptime: int = 20


@dataclass(frozen=True, slots=True)
class Media:
    """What was agreed, or what is offered to us, of the one audio stream that we use.

    `host`, `port`, `rtcp_port`: where they receive; RTCP at `rtcp_host` if that is another. `codec` and
    `payload_type`: what we send. `dtmf_payload`: the telephone-event payload type we send, None if it wasn't
    agreed. `ptime`: ms in each packet that we send, of 10, 20, 30, 40 and 60. `sends`: whether we may send,
    `receives`: whether they send (hold makes them false).
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


def offered(body: bytes, ours: str, codecs: tuple[Codec, ...] = ("pcma", "pcmu")) -> Media:
    """What `body`, an offer or an answer, asks of us, whose address is `ours`.

    BadDescription, or Unacceptable when nothing fits.
    """
    description = parse_description(body)
    return _media(description, _audio(description, ours), codecs)


def _audio(description: Description, ours: str) -> int:
    """The index of the stream that we use: the first audio over RTP/AVP that we reach and that is on."""
    unreachable = ""
    for index, stream in enumerate(description.streams):
        if stream.kind == "audio" and stream.protocol.upper() == "RTP/AVP" and stream.port:
            host = _host(description, stream)
            if host and _kind(host) == _kind(ours):
                return index
            unreachable = f" at an {_kind(ours)} address"
    raise Unacceptable(f"no audio over RTP/AVP{unreachable}")


def _host(description: Description, stream: Stream) -> str:
    return (description.connection if stream.connection is None else stream.connection) or ""


def _kind(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def _media(description: Description, index: int, codecs: tuple[Codec, ...]) -> Media:
    stream = description.streams[index]
    host = _host(description, stream)
    encodings = _encodings(stream)
    payload, codec = _choose(encodings, codecs)
    direction = _direction(stream, description)
    held = host in ("0.0.0.0", "::")  # RFC 2543's hold
    rtcp_port, rtcp_host = _rtcp(stream, host)
    return Media(
        host=host,
        port=stream.port,
        rtcp_port=rtcp_port,
        codec=codec,
        payload_type=payload,
        dtmf_payload=next((number for number, name in encodings if name == _EVENTS), None),
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


def _direction(stream: Stream, description: Description) -> str:
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
    return int(told), other if other not in ("", host) and _kind(other) == _kind(host) else None


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


class LocalSession:
    """Our descriptions in one dialog: o= stays, its version grows by one with each change (RFC 3264 §8)."""

    def __init__(self, token: str, local: LocalMedia) -> None:
        self.local = local
        self._id = int.from_bytes(token.encode()[-7:], "big")
        self._version = 0
        self._last: list[str] = []

    def offer(self) -> bytes:
        return self._written([self._stream(self.local.codecs, _OUR_EVENTS, "sendrecv")])

    def answer(self, body: bytes) -> tuple[bytes, Media]:
        """Our answer to the offer in `body`, and what is agreed by it. BadDescription or Unacceptable."""
        description = parse_description(body)
        index = _audio(description, self.local.host)
        media = _media(description, index, self.local.codecs)
        events = media.dtmf_payload if self.local.dtmf else None
        direction = _MIRROR[_direction(description.streams[index], description)]
        if direction == "sendrecv" and not media.sends:
            direction = "recvonly"
        streams = [_refusal(stream) for stream in description.streams]
        streams[index] = self._stream((media.codec,), events, direction, media.payload_type)
        return self._written(streams), replace(media, dtmf_payload=events)

    def agreed(self, body: bytes) -> Media:
        """What their answer to our offer agrees. BadDescription or Unacceptable."""
        media = offered(body, self.local.host, self.local.codecs)
        return media if self.local.dtmf else replace(media, dtmf_payload=None)

    def _stream(
        self, codecs: tuple[Codec, ...], events: int | None, direction: str, payload: int | None = None
    ) -> list[str]:
        numbered = [(_PAYLOADS[codec][0] if payload is None else payload, codec) for codec in codecs]
        events = events if self.local.dtmf else None
        formats = [number for number, _ in numbered] + ([] if events is None else [events])
        lines = [f"m=audio {self.local.port} RTP/AVP {' '.join(map(str, formats))}"]
        lines += [f"a=rtpmap:{number} {_PAYLOADS[codec][1]}" for number, codec in numbered]
        if events is not None:
            lines += [f"a=rtpmap:{events} {_EVENTS}", f"a=fmtp:{events} 0-15"]
        return [*lines, f"a=ptime:{self.local.ptime}", f"a={direction}"]

    def _written(self, streams: list[list[str]]) -> bytes:
        host = self.local.host
        where = f"IN {_kind(host)} {host}"
        lines = ["s=-", f"c={where}", "t=0 0", *(line for stream in streams for line in stream)]
        if lines != self._last:
            self._version += 1
            self._last = lines
        origin = f"o=- {self._id} {self._version} {where}"
        return "".join(f"{line}\r\n" for line in ("v=0", origin, *lines)).encode()


def _refusal(stream: Stream) -> list[str]:
    return [f"m={stream.kind} 0 {stream.protocol} {' '.join(stream.formats)}"]
