"""Session descriptions: offer and answer for telephone audio (RFC 4566, RFC 3264). Pure.

Only what a telephone needs: one audio stream over RTP/AVP, or RTP/SAVP with its keys (RFC 4568), PCMA and
PCMU, telephone-event. Every other m-line of an offer is answered with port 0. Addresses are of the kind of
ours: IPv4 or IPv6 (RFC 4566 §5.7).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ivr.sip.crypto import Crypto, SrtpKeys, cryptos_of
from ivr.sip.description import Stream, parse_description
from ivr.sip.errors import Unacceptable
from ivr.sip.media import (
    EVENTS,
    Codec,
    Media,
    Profiles,
    audio_of,
    direction_of,
    is_secure,
    kind_of,
    media_of,
    offered,
)

__all__ = ["Codec", "LocalMedia", "LocalSession", "Media", "Profiles", "offered"]

_PAYLOADS: dict[Codec, tuple[int, str]] = {"pcma": (8, "PCMA/8000"), "pcmu": (0, "PCMU/8000")}
_OUR_EVENTS = 101
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What we offer or answer with: our RTP address, codecs in order of preference, DTMF by RFC 4733.

    `host` is the IPv4 or IPv6 address that goes into c=, `port` the RTP port (RTCP is port + 1). With
    `crypto`, which are our keys, we offer SRTP; `plain` is whether RTP without it will do where they can't.
    """

    host: str
    port: int
    codecs: tuple[Codec, ...] = ("pcma", "pcmu")
    dtmf: bool = True
    ptime: int = 20
    crypto: tuple[Crypto, ...] = field(default=(), repr=False)
    plain: bool = True


class LocalSession:
    """Our descriptions in one dialog: o= stays, its version grows by one with each change (RFC 3264 §8).

    What was agreed once by SRTP isn't agreed again without, and no offer of ours changes the profile.
    """

    def __init__(self, token: str, local: LocalMedia) -> None:
        self.local = local
        self._id = int.from_bytes(token.encode()[-7:], "big")
        self._version = 0
        self._last: list[str] = []
        self._streams: list[list[str]] = [[]]  # each m-line with its attributes, as described last
        self._index = 0  # of ours among them
        self._is_secure: bool | None = None  # as agreed last
        self._offers_secure = False
        self._keys: tuple[Crypto, ...] = ()  # in the last description

    def offer(self, *, again: bool = True) -> bytes:
        """Our offer. Where it can't be made `again` it's without SRTP, if that will do: they may have none.

        Every m-line that there has been stays in its place, refused or not (RFC 3264 §8). Unacceptable where
        there is nothing that it may be by.
        """
        local, is_secure = self.local, self._is_secure
        if not (local.crypto or local.plain):
            raise Unacceptable("SRTP is required, and there are no keys")
        wanted = again or not local.plain if is_secure is None else is_secure
        self._offers_secure = wanted and bool(local.crypto)
        self._keys = self.local.crypto if self._offers_secure else ()
        streams = list(self._streams)
        streams[self._index] = self._stream(self.local.codecs, _OUR_EVENTS, "sendrecv", None, self._keys)
        return self._written(streams)

    def unchanged(self) -> bytes:
        """The last description as an offer that changes nothing, version and all."""
        self._offers_secure = bool(self._is_secure)
        return self._written_as(self._last)

    def answer(self, body: bytes) -> tuple[bytes, Media]:
        """Our answer to the offer in `body`, and what is agreed by it. BadDescription or Unacceptable."""
        description, local = parse_description(body), self.local
        profiles = Profiles(local.plain and not self._is_secure, bool(local.crypto))
        index = audio_of(description, local.host, profiles)
        media = media_of(description, index, local.codecs)
        key, keys = self._answer_key(description.streams[index])
        events = media.dtmf_payload if local.dtmf else None
        direction = _MIRROR[direction_of(description.streams[index], description)]
        if direction == "sendrecv" and not media.sends:
            direction = "recvonly"
        streams = [_refusal(stream) for stream in description.streams]
        streams[index] = self._stream((media.codec,), events, direction, media.payload_type, key)
        self._is_secure, self._keys, self._index = keys is not None, key, index
        return self._written(streams), replace(media, dtmf_payload=events, keys=keys)

    def _answer_key(self, stream: Stream) -> tuple[tuple[Crypto, ...], SrtpKeys | None]:
        """The first of their keys that is of a suite of ours; it's answered by its tag (RFC 4568 §5.1.2)."""
        if not is_secure(stream):
            return (), None
        ours = {crypto.suite: crypto.key for crypto in self.local.crypto}
        for theirs in cryptos_of(stream.every("crypto")):
            if key := ours.get(theirs.suite):
                return (Crypto(theirs.tag, theirs.suite, key),), SrtpKeys(theirs.suite, key, theirs.key)
        raise Unacceptable("no SRTP suite in common")

    def agreed(self, body: bytes) -> Media:
        """What their answer to our offer agrees, by the offer's profile. BadDescription or Unacceptable."""
        description = parse_description(body)
        profiles = Profiles(not self._offers_secure, self._offers_secure)
        index = audio_of(description, self.local.host, profiles)
        media = media_of(description, index, self.local.codecs)
        keys = self._agreed_keys(description.streams[index])
        self._is_secure = keys is not None
        return replace(media, dtmf_payload=media.dtmf_payload if self.local.dtmf else None, keys=keys)

    def _agreed_keys(self, stream: Stream) -> SrtpKeys | None:
        """Theirs, and ours of the tag that they chose, which must be of the same suite (RFC 4568 §5.1.3)."""
        if not is_secure(stream):
            return None
        theirs, *more = cryptos_of(stream.every("crypto"))
        for ours in self._keys:
            if (ours.tag, ours.suite) == (theirs.tag, theirs.suite) and not more:
                return SrtpKeys(ours.suite, ours.key, theirs.key)
        raise Unacceptable("an answer by an SRTP key that wasn't offered")

    def _stream(
        self,
        codecs: tuple[Codec, ...],
        events: int | None,
        direction: str,
        payload: int | None,
        keys: tuple[Crypto, ...],
    ) -> list[str]:
        numbered = [(_PAYLOADS[codec][0] if payload is None else payload, codec) for codec in codecs]
        events = events if self.local.dtmf else None
        formats = [number for number, _ in numbered] + ([] if events is None else [events])
        profile = "RTP/SAVP" if keys else "RTP/AVP"
        lines = [f"m=audio {self.local.port} {profile} {' '.join(map(str, formats))}"]
        lines += [f"a=crypto:{key}" for key in keys]
        lines += [f"a=rtpmap:{number} {_PAYLOADS[codec][1]}" for number, codec in numbered]
        if events is not None:
            lines += [f"a=rtpmap:{events} {EVENTS}", f"a=fmtp:{events} 0-15"]
        return [*lines, f"a=ptime:{self.local.ptime}", f"a={direction}"]

    def _written(self, streams: list[list[str]]) -> bytes:
        host = self.local.host
        where = f"IN {kind_of(host)} {host}"
        self._streams = streams
        lines = ["s=-", f"c={where}", "t=0 0", *(line for stream in streams for line in stream)]
        if lines != self._last:
            self._version += 1
            self._last = lines
        return self._written_as(lines)

    def _written_as(self, lines: list[str]) -> bytes:
        host = self.local.host
        origin = f"o=- {self._id} {self._version} IN {kind_of(host)} {host}"
        return "".join(f"{line}\r\n" for line in ("v=0", origin, *lines)).encode()


def _refusal(stream: Stream) -> list[str]:
    return [" ".join((f"m={stream.kind}", "0", stream.protocol, *stream.formats))]
