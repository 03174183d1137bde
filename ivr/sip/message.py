"""Requests and responses: from bytes and to bytes (RFC 3261 §7, §25). Pure.

Header names are kept in one spelling: the known ones as the RFCs write them, compact forms written out,
unknown ones with each word capitalised. Content-Length is never among a message's headers: it is checked
and taken off in reading, and counted in writing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ivr.sip.errors import BadMessage
from ivr.sip.headers import is_token, split_list

__all__ = ["MAX_SIZE", "Header", "Message", "Request", "Response", "canonical", "parse", "serialise"]

MAX_SIZE = 65535  # bytes; no UDP datagram is larger

Header = tuple[str, str]

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

_ODD_SPELLINGS = (
    "Call-ID",
    "CSeq",
    "MIME-Version",
    "Min-SE",
    "RAck",
    "Remote-Party-ID",
    "RSeq",
    "SIP-ETag",
    "SIP-If-Match",
    "WWW-Authenticate",
)
_PLAIN_SPELLINGS = (
    "Accept", "Allow", "Authorization", "Contact", "Content-Disposition", "Content-Encoding",
    "Content-Length", "Content-Type", "Date", "Expires", "From", "Max-Forwards", "P-Asserted-Identity",
    "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "Reason", "Record-Route", "Require",
    "Retry-After", "Route", "Server", "Subject", "Supported", "Timestamp", "To", "Unsupported",
    "User-Agent", "Via", "Warning",
)  # fmt: skip

_NAMES = _COMPACT | {name.lower(): name for name in (*_ODD_SPELLINGS, *_PLAIN_SPELLINGS)}


def canonical(name: str) -> str:
    """The one spelling of a header's name; BadMessage if it is no token."""
    known = _NAMES.get(name.lower())
    if known is not None:
        return known
    if not is_token(name):
        raise BadMessage("header", f"a name {name[:40]!r}")
    return "-".join(part.capitalize() for part in name.split("-"))


@dataclass(frozen=True, slots=True)
class Message:
    """What requests and responses share; names in `canonical` spelling, in the order of the wire."""

    headers: tuple[Header, ...]
    body: bytes

    def first(self, name: str) -> str | None:
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def options(self, name: str) -> list[str]:
        """The tokens of a list that holds nothing else: methods, option tags, media ranges."""
        pieces = (piece.strip() for line in self.every(name) for piece in line.split(","))
        return [piece for piece in pieces if piece]

    def listed(self, name: str) -> list[str]:
        """The elements of a header that may be repeated or hold a list."""
        return [item for line in self.every(name) for item in split_list(line, name)]


@dataclass(frozen=True, slots=True)
class Request(Message):
    method: str
    uri: str

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"


@dataclass(frozen=True, slots=True)
class Response(Message):
    status: int
    reason: str

    @property
    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"


def serialise(message: Request | Response) -> bytes:
    lines = [message.start_line]
    lines += [f"{name}: {value}" for name, value in message.headers]
    lines.append(f"Content-Length: {len(message.body)}\r\n\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + message.body


def parse(data: bytes, *, is_stream: bool = False) -> Request | Response:
    """One message; BadMessage with the first fault, and the readable rest of a request. What can't be read of
    a response's headers is left out: whether it's needed is seen later.

    In a datagram Content-Length may be missing, out of a stream never (§18.3).
    """
    if len(data) > MAX_SIZE:
        raise _too_large(data)
    head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if b"\r\n " in head or b"\r\n\t" in head:  # §7.3.1: folded lines
        head = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    start, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    is_response = start[:4].upper() == "SIP/"
    headers, fault = _parse_headers(lines)
    if is_response:
        fault = None  # a line that says nothing is no reason to wait for another answer
    if not blank:
        fault = BadMessage("headers", "no empty line ends them")
    try:
        headers, body = _measure(headers, body, is_stream)
    except BadMessage as bad:
        fault = fault or bad
    if is_response:
        if fault:
            raise fault
        return _parse_status_line(start, headers, body)
    return _parse_request_line(start, headers, body, fault)


def _too_large(data: bytes) -> BadMessage:
    """413 where the body makes it so, 513 where the headers do (§21.4.11, §21.5.7)."""
    head, blank, _ = data[: MAX_SIZE - 4].partition(b"\r\n\r\n")
    try:
        found: Request | Response | None = parse(head + b"\r\n\r\n")
    except BadMessage as bad:  # Content-Length, at the least
        found = bad.request
    request = found if isinstance(found, Request) else None
    return BadMessage("message", f"{len(data)} bytes", request, 413 if blank else 513)


def _parse_headers(lines: list[str]) -> tuple[list[Header], BadMessage | None]:
    """All readable headers, and the first fault."""
    headers: list[Header] = []
    fault = None
    for line in lines:
        name, colon, value = line.partition(":")
        try:
            if not colon or "\n" in line or "\r" in line:
                raise BadMessage("header", f"a line {line[:40]!r}")
            headers.append((canonical(name.rstrip(" \t")), value.strip(" \t")))
        except BadMessage as bad:
            fault = fault or bad
    return headers, fault


def _measure(headers: list[Header], body: bytes, is_stream: bool) -> tuple[list[Header], bytes]:
    """The headers without Content-Length, and the body cut to it (§18.3)."""
    lengths = [value for name, value in headers if name == "Content-Length"]
    if not lengths:
        if is_stream:
            raise BadMessage("Content-Length", "missing in a stream")
        return headers, body
    rest = [header for header in headers if header[0] != "Content-Length"]
    digits = lengths[0]
    if len(lengths) > 1 or not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise BadMessage("Content-Length", f"{', '.join(lengths)[:40]!r}")
    if int(digits) > len(body):
        status = 413 if int(digits) > MAX_SIZE else 400  # nobody waits for so much
        raise BadMessage("Content-Length", f"{int(digits)}, but {len(body)} bytes follow", status=status)
    return rest, body[: int(digits)]


def _parse_status_line(start: str, headers: list[Header], body: bytes) -> Response:
    version, _, rest = start.partition(" ")
    digits, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0":
        raise BadMessage("status line", f"a version {version[:20]!r}")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 3 and 100 <= int(digits) < 700):
        raise BadMessage("status line", f"a status {digits[:20]!r}")
    if "\n" in reason or "\r" in reason:
        raise BadMessage("status line", "a line end in the reason")
    return Response(tuple(headers), body, int(digits), reason)


def _parse_request_line(start: str, headers: list[Header], body: bytes, fault: BadMessage | None) -> Request:
    parts = start.split(" ")
    method, uri, version = parts if len(parts) == 3 else (parts[0], "", "")
    request = Request(tuple(headers), body, method, uri)
    if not is_token(method):
        raise BadMessage("request line", f"a method {method[:20]!r}", request if len(parts) == 3 else None)
    if len(parts) != 3 or not uri or "<" in uri or ":" not in uri or not uri.isprintable():
        raise BadMessage("request line", f"{start[:60]!r}", request)
    if version.upper() != "SIP/2.0":
        raise BadMessage("request line", f"a version {version[:20]!r}", request, 505)
    if fault:
        raise BadMessage(fault.place, fault.reason, request, fault.status)
    return request
