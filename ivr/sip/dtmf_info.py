"""Keys that come by INFO: application/dtmf-relay and application/dtmf. Pure."""

from __future__ import annotations

from ivr.sip.errors import BadMessage
from ivr.sip.message import Request

__all__ = ["dtmf_body", "parse_dtmf"]

_KEYS = "0123456789*#ABCD"
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}  # as events of RFC 4733
_USUAL_MS = 160


def dtmf_body(key: str, duration_ms: int) -> bytes:
    return f"Signal={key}\r\nDuration={duration_ms}\r\n".encode()


def parse_dtmf(request: Request) -> tuple[str, int] | None:
    """The key and its length in ms; None for an INFO without a body. BadMessage, 415 for another kind."""
    if not request.body:
        return None
    kind = (request.first("Content-Type") or "").partition(";")[0].strip().lower()
    text = request.body.decode("ascii", "replace")
    if kind == "application/dtmf-relay":
        pairs = (line.partition("=") for line in text.splitlines())
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return _key(fields.get("signal", ""), request), _duration(fields.get("duration", ""))
    if kind == "application/dtmf":
        return _key(text.strip(), request), _USUAL_MS
    raise BadMessage("Content-Type", f"{kind[:40]!r}", request, 415)


def _key(text: str, request: Request) -> str:
    key = _NUMBERED.get(text, text.upper())
    if len(key) != 1 or key not in _KEYS:
        raise BadMessage("Signal", f"{text[:20]!r}", request)
    return key


def _duration(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else _USUAL_MS
