"""SRTP and SRTCP of one call, by libsrtp (RFC 3711, RFC 7714). Pure: packets in, packets out."""

from __future__ import annotations

import struct

from pylibsrtp import Error, Policy, Session

from ivr.media.rtp import BadPacket
from ivr.sip.crypto import SrtpKeys, Suite

__all__ = ["Srtp"]

# Of the 32-bit suite RTP alone has so short a tag, SRTCP keeps 80 bits (RFC 4568 §6.2.2).
_PROFILES: dict[Suite, int] = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}
_WAYS = (Policy.SSRC_ANY_OUTBOUND, Policy.SSRC_ANY_INBOUND)


class Srtp:
    """Both directions by their keys; one whose key is as `before` goes on where it was (RFC 4568 §7.1.4).

    What comes that isn't by their key, or has come before, is a BadPacket. `source` is whom we hear, by SSRC,
    and how often its sequence has turned over: a new key doesn't change that (RFC 3711 §3.3.1), though many
    begin anew.
    """

    def __init__(self, keys: SrtpKeys, before: Srtp | None = None, source: tuple[int, int] = (0, 0)) -> None:
        self.keys, self._source = keys, source
        kept = before if before is not None and before.keys.suite == keys.suite else None
        if kept is not None and kept.keys.ours == keys.ours:
            self._out: Session = kept._out
        else:
            self._out = _session(keys.suite, keys.ours, Policy.SSRC_ANY_OUTBOUND)
        if kept is not None and kept.keys.theirs == keys.theirs:
            self._in: Session = kept._in
        else:
            self._in = _session(keys.suite, keys.theirs, Policy.SSRC_ANY_INBOUND)

    def protect(self, packet: bytes) -> bytes:
        return bytes(self._out.protect(packet))

    def protect_rtcp(self, packet: bytes) -> bytes:
        return bytes(self._out.protect_rtcp(packet))

    def unprotect(self, datagram: bytes) -> bytes:
        try:
            return bytes(self._in.unprotect(datagram))
        except (Error, ValueError) as error:  # ValueError: longer than any packet
            if self._source[1] and (packet := self._unprotect_turned(datagram)) is not None:
                return packet
            raise BadPacket(f"SRTP: {error}") from None

    def _unprotect_turned(self, datagram: bytes) -> bytes | None:
        """As from one whose sequence has turned over under the key before."""
        turned = _turned(self.keys, *self._source, int.from_bytes(datagram[2:4]))
        try:
            packet = bytes(turned.unprotect(datagram))
        except (Error, ValueError):
            return None
        self._in, self._source = turned, (0, 0)
        return packet

    def unprotect_rtcp(self, datagram: bytes) -> bytes:
        try:
            return bytes(self._in.unprotect_rtcp(datagram))
        except (Error, ValueError) as error:
            raise BadPacket(f"SRTCP: {error}") from None


def _session(suite: Suite, key: bytes, direction: int) -> Session:
    return Session(Policy(key=key, ssrc_type=direction, srtp_profile=_PROFILES[suite]))


def _turned(keys: SrtpKeys, ssrc: int, turns: int, sequence: int) -> Session:
    """One that has heard the source turn over so often. libsrtp learns that from packets alone: these."""
    told, hears = (_session(keys.suite, keys.theirs, way) for way in _WAYS)
    for at in range(0, (turns << 16) + sequence, 1 << 14):
        hears.unprotect(told.protect(struct.pack("!BBHII", 0x80, 0, at & 0xFFFF, 0, ssrc)))
    return hears
