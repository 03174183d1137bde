"""Messages out of a stream: each ends where its Content-Length says (RFC 3261 §18.3, §7.5). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["KEEP_ALIVE", "PONG", "Framer"]

KEEP_ALIVE = b"\r\n\r\n"  # RFC 5626 §3.5.1: the far end asks whether we're there
PONG = b"\r\n"

_LARGEST = 65535  # octets of one message, as in a datagram
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*)", re.IGNORECASE)


class Framer:
    """Takes octets as they come and gives whole messages.

    What has no readable length, or is too large, can't be told from what follows it: `broken` is set, what
    was read of it is the last that is given (it's answered, if it can be), and the connection has to end.
    """

    def __init__(self) -> None:
        self.broken = False
        self.pings = 0  # keep-alives that wait for a PONG
        self._octets = bytearray()
        self._wanted: int | None = None  # octets of the message that has begun
        self._searched = 0

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """The messages that are complete with these octets."""
        if self.broken:
            return
        self._octets += octets
        while not self.broken:
            if self._wanted is None and not self._begin():
                return
            if self.broken or self._wanted is None or len(self._octets) < self._wanted:
                break
            yield self._cut(self._wanted)
        if self.broken and self._octets:
            yield self._cut(min(len(self._octets), _LARGEST + 1))  # which is too long, and seen to be

    def _begin(self) -> bool:
        """Read the head of the next message; False while it isn't there."""
        self._skip_line_ends()
        end = self._octets.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._octets)
            self.broken = len(self._octets) > _LARGEST
            return self.broken
        length = _length_of(bytes(self._octets[: end + 2]))
        if length is None or end + 4 + length > _LARGEST:
            self.broken = True
        else:
            self._wanted = end + 4 + length
        return True

    def _skip_line_ends(self) -> None:
        """Empty lines before a message are no part of it (§7.5); two are a keep-alive."""
        while self._octets.startswith(KEEP_ALIVE):
            del self._octets[: len(KEEP_ALIVE)]
            self.pings += 1
            self._searched = 0
        if self._octets.startswith(b"\r\n") and len(self._octets) > 2 and self._octets[2:3] != b"\r":
            del self._octets[:2]
            self._searched = 0

    def _cut(self, size: int) -> bytes:
        message = bytes(self._octets[:size])
        del self._octets[:size]
        self._wanted, self._searched = None, 0
        return message


def _length_of(head: bytes) -> int | None:
    """What Content-Length says; None without exactly one that can be read."""
    unfolded = re.sub(rb"\r\n[ \t]+", b" ", head)  # §7.3.1
    found = {value.strip() for value in _LENGTH.findall(unfolded)}
    if len(found) != 1:
        return None
    digits = found.pop()
    return int(digits) if digits.isdigit() and len(digits) < 8 else None
