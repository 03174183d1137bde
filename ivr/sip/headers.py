"""The values of headers: lists, parameters, addresses, Via, CSeq, Reason (RFC 3261 §25). Pure.

Every parser takes the header's name as `place` and raises BadMessage with it. All are linear in the
length of their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote

from ivr.sip.errors import BadMessage

__all__ = [
    "Cause",
    "NameAddr",
    "Uri",
    "Via",
    "bracketed",
    "ip_of",
    "is_token",
    "parse_cseq",
    "parse_name_addr",
    "parse_params",
    "parse_reason",
    "parse_uri",
    "parse_via",
    "printable",
    "quote",
    "seconds_of",
    "split_list",
]

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_HOST = re.compile(r"[A-Za-z0-9\-._]+|\[[0-9A-Fa-f:.]+\]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SECONDS = re.compile(r"\s*([0-9]{1,10})\s*(?:$|[;(])", re.ASCII)
_PARAMETER = re.compile(r"[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]+")  # a URI's: other characters than a header's
_PLAIN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]/@]+")  # a parameter's value that needs no quotes

Params = Mapping[str, str | None]


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def ip_of(text: str) -> str | None:
    """An IPv4 or IPv6 address, with or without brackets, in its one spelling; None for a name."""
    try:
        return str(ip_address(text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text))
    except ValueError:
        return None


def bracketed(host: str) -> str:
    """A host as URIs and Via write it: IPv6 addresses in brackets (RFC 3261 §25.1, RFC 5118 §4.1)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def printable(text: str) -> str:
    """`text` as it may be logged and stored: what can't be shown, or isn't UTF-8, as "?"."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def quote(text: str) -> str:
    """`text` as a quoted-string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquote(text: str) -> str:
    """The inside of a quoted-string without its escapes; anything else as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inside = text[1:-1]
    return re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL) if "\\" in inside else inside


def split_list(text: str, place: str, separator: str = ",") -> list[str]:
    """The elements between separators that stand outside of quotes and angle brackets, stripped."""
    if separator not in text:
        return [text.strip()]
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(separator)]
    return [part.strip() for part in _split_outside(text, place, separator)]


def _split_outside(text: str, place: str, separator: str) -> Iterable[str]:
    start = at = 0
    quoted = angled = False
    while at < len(text):
        char = text[at]
        if quoted:
            if char == "\\":
                at += 1
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char in "<>":
            angled = char == "<"
        elif char == separator and not angled:
            yield text[start:at]
            start = at + 1
        at += 1
    if quoted or angled:
        raise BadMessage(place, "a quote or bracket isn't closed")
    yield text[start:]


def parse_params(text: str, place: str) -> dict[str, str | None]:
    """`a=1;b;c="x"` → {"a": "1", "b": None, "c": "x"}; names in lower case, the first of a name counts."""
    params: dict[str, str | None] = {}
    for piece in split_list(text, place, ";"):
        name, equals, value = piece.partition("=")
        name, value = name.rstrip().lower(), value.lstrip()
        if not is_token(name) or (equals and not value):
            raise BadMessage(place, f"a parameter {piece[:40]!r}")
        params.setdefault(name, _unquote(value) if equals else None)
    return params


def _params_text(params: Params) -> str:
    parts = []
    for name, value in params.items():
        if value is None:
            parts.append(f";{name}")
        else:
            parts.append(f";{name}={value if _PLAIN.fullmatch(value) else quote(value)}")
    return "".join(parts)


def _host_port(text: str, place: str) -> tuple[str, int | None]:
    host, colon, digits = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    host, digits = host.strip(), digits.strip()
    if not _HOST.fullmatch(host):
        raise BadMessage(place, f"a host {host[:40]!r}")
    if not colon:
        return host, None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) < 65536):
        raise BadMessage(place, f"a port {digits[:10]!r}")
    return host, int(digits)


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI of §19.1. In other schemes than sip and sips `user` is all that follows the colon."""

    scheme: str
    user: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)
    headers: str = ""


def parse_uri(text: str, place: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not rest or not is_token(scheme) or any(char in text for char in " \t<>"):
        raise BadMessage(place, f"a URI {text[:60]!r}")
    if scheme not in ("sip", "sips"):
        return Uri(scheme, rest, "")
    userinfo, at, where = rest.rpartition("@")  # §19.1.1: ";" and "?" are allowed in the user part
    if not at:
        where = rest
    where, _, headers = where.partition("?")
    where, semicolon, params = where.partition(";")
    host, port = _host_port(where, place)
    user = unquote(userinfo.partition(":")[0])
    return Uri(scheme, user, host, port, _uri_params(params, place) if semicolon else {}, headers)


def _uri_params(text: str, place: str) -> dict[str, str | None]:
    params: dict[str, str | None] = {}
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if not _PARAMETER.fullmatch(name) or (equals and not value):
            raise BadMessage(place, f"a parameter {piece[:40]!r}")
        params.setdefault(name.lower(), value if equals else None)
    return params


@dataclass(frozen=True, slots=True)
class NameAddr:
    """`"Display" <uri>;params`, the value of From, To, Contact, Route and Record-Route."""

    display: str
    uri: str
    params: Params = field(default_factory=dict)

    @property
    def tag(self) -> str:
        return self.params.get("tag") or ""

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{_params_text(self.params)}"


def parse_name_addr(text: str, place: str) -> NameAddr:
    text = text.strip()
    display, after = _display(text, place)
    if not after.startswith("<"):
        uri, semicolon, params = text.partition(";")
        if "?" in uri or "," in uri:  # §20: such a URI must stand in angle brackets
            raise BadMessage(place, f"a URI {uri[:60]!r} without brackets")
    else:
        uri, closed, rest = after[1:].partition(">")
        before, semicolon, params = rest.partition(";")
        if not closed or before.strip():
            raise BadMessage(place, "what follows the address")
    uri = uri.strip()
    parse_uri(uri, place)
    return NameAddr(display, uri, parse_params(params, place) if semicolon else {})


def _display(text: str, place: str) -> tuple[str, str]:
    """The display name, and the text that follows it."""
    if not text.startswith('"'):
        before, bracket, after = text.partition("<")
        if '"' in before:
            raise BadMessage(place, "a quote amidst a name")
        return (before.strip(), f"<{after}") if bracket else ("", text)
    quoted = _QUOTED.match(text)
    after = text[quoted.end() :].lstrip() if quoted else ""
    if not quoted or not after.startswith("<"):
        raise BadMessage(place, "a quoted name without its address")
    return _unquote(quoted.group()), after


@dataclass(frozen=True, slots=True)
class Via:
    transport: str
    host: str
    port: int | None
    params: Params = field(default_factory=dict)

    @property
    def branch(self) -> str:
        return self.params.get("branch") or ""


def parse_via(text: str, place: str = "Via") -> Via:
    head, semicolon, params = text.partition(";")
    parts = head.split("/", 2)
    if len(parts) < 3 or (parts[0].strip().upper(), parts[1].strip()) != ("SIP", "2.0"):
        raise BadMessage(place, "a protocol other than SIP/2.0")
    transport, _, sent_by = parts[2].strip().replace("\t", " ").partition(" ")
    if not is_token(transport):
        raise BadMessage(place, f"a transport {transport[:20]!r}")
    host, port = _host_port(sent_by.strip(), place)
    return Via(transport.upper(), host, port, parse_params(params, place) if semicolon else {})


def parse_cseq(text: str) -> tuple[int, str]:
    """The number, under 2**31 (§8.1.1.5), and the method."""
    parts = text.split()
    if len(parts) != 2 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 32):
        raise BadMessage("CSeq", f"{text[:40]!r}")
    number = int(parts[0])
    if number >= 2**31 or not is_token(parts[1]):
        raise BadMessage("CSeq", f"{text[:40]!r}")
    return number, parts[1]


def seconds_of(text: str | None) -> int | None:
    """The seconds of Expires, Session-Expires, Retry-After, without what follows them (§20.33); None where
    there are none that can be read."""
    digits = _SECONDS.match(text or "")
    return min(int(digits[1]), 2**31 - 1) if digits else None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a call was released: the Q.850 cause if one was told, and the words that came with it."""

    q850: int | None = None
    text: str = ""


def _reasons(line: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """The protocol of each value and its parameters, those that can be read."""
    with suppress(BadMessage):
        for value in split_list(line, "Reason"):
            protocol, *pieces = split_list(value, "Reason", ";")
            params: dict[str, str | None] = {}
            for piece in pieces:
                with suppress(BadMessage):
                    params = parse_params(piece, "Reason") | params
            yield protocol, params


def parse_reason(lines: Iterable[str]) -> Cause:
    """The Reason headers of a message (RFC 3326). What is bad in one says nothing; it is never an error."""
    q850, words = None, ""
    for protocol, params in (reason for line in lines for reason in _reasons(line)):
        cause = params.get("cause") or ""
        if protocol.upper() == "Q.850" and cause.isascii() and cause.isdigit() and len(cause) <= 3:
            q850 = int(cause) if 0 < int(cause) < 128 else q850
        words = words or params.get("text") or ""
    return Cause(q850, printable(words))
