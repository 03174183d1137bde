"""What a call of ours is to be: whom, by which way, with what in the INVITE (RFC 3261 §13.2.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ivr.sip.hop import Hop
from ivr.sip.message import Header
from ivr.sip.multipart import put_together

__all__ = ["Order"]

_IN_BODY = re.compile(r"<cid:[^>]*>[^,]*,?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Order:
    """What `UserAgent.invite` was told. `called` is whom we meant at first, where a 3xx has changed `uri`;
    `display` is our name in words.
    """

    uri: str
    destination: Hop
    from_uri: str
    headers: tuple[Header, ...]
    place: bytes = b""
    redirects: Mapping[str, Hop] = field(default_factory=dict)
    called: str = ""
    display: str = ""

    @property
    def to(self) -> str:
        """Who is in To: that stays (§8.1.3.4)."""
        return self.called or self.uri

    def without_place(self) -> Order:
        """What isn't in the body isn't named (RFC 6442 §3.2)."""
        kept = []
        for name, value in self.headers:
            named = _IN_BODY.sub("", value).strip(" ,") if name == "Geolocation" else value
            if named or not value:
                kept.append((name, named))
        return replace(self, headers=tuple(kept), place=b"")

    def redirected(self, uri: str, destination: Hop) -> Order:
        """By a 3xx, which is followed once."""
        return replace(self, uri=uri, destination=destination, redirects={}, called=self.to)

    def described(self, offer: bytes, new_boundary: Callable[[], str]) -> tuple[str, bytes]:
        """Content-Type and body: what we offer and, where `place` is told, where the caller is."""
        if not self.place:
            return "application/sdp", offer
        boundary = new_boundary()
        head = b"Content-Type: application/sdp\r\n\r\n"
        return f"multipart/mixed;boundary={boundary}", put_together(boundary, head + offer, self.place)
