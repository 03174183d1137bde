"""The lines of a session description, as far as a telephone reads them (RFC 4566). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.sip.errors import BadDescription
from ivr.sip.headers import ip_of

__all__ = ["Description", "Stream", "address_of", "parse_description"]

Attribute = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stream:
    """One m-line; `connection` is its own address in its one spelling, "" when it is of no kind we know."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str | None
    attributes: tuple[Attribute, ...]

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


@dataclass(frozen=True, slots=True)
class Description:
    connection: str | None
    attributes: tuple[Attribute, ...]
    streams: tuple[Stream, ...]

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def parse_description(body: bytes) -> Description:
    """BadDescription where it isn't one. Line ends may be CRLF or LF (RFC 4566 §5)."""
    lines = [line for line in body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n") if line]
    if not lines or lines[0] != "v=0":
        raise BadDescription("it doesn't begin with v=0")
    for line in lines:
        if line[1:2] != "=" or not line[0].isalpha() or "\r" in line:
            raise BadDescription(f"a line {line[:40]!r}")
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    ends = [*starts[1:], len(lines)]
    head = lines[: starts[0]] if starts else lines
    return Description(
        connection=_connection(head),
        attributes=_attributes(head),
        streams=tuple(_stream(lines[start:end]) for start, end in zip(starts, ends, strict=False)),
    )


def _stream(lines: list[str]) -> Stream:
    words = lines[0][2:].split()
    if (len(words) < 4 and words[1:2] != ["0"]) or len(words) < 3:  # what is refused may name no format
        raise BadDescription(f"an m-line {lines[0][:40]!r}")
    port = words[1].partition("/")[0]
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
        raise BadDescription(f"a port {port[:10]!r}")
    return Stream(words[0], int(port), words[2], tuple(words[3:]), _connection(lines), _attributes(lines))


def _connection(lines: list[str]) -> str | None:
    """The address of the first c=, None without one, "" where it is no IPv4 or IPv6 address."""
    for line in lines:
        if line.startswith("c="):
            words = line[2:].split()
            if len(words) != 3:
                raise BadDescription(f"a c-line {line[:40]!r}")
            return address_of(words)
    return None


def address_of(words: list[str]) -> str:
    """What three words say, as in "IN IP6 2001:db8::1"; "" where that is no address of the kind they name."""
    address = ip_of(words[2].partition("/")[0]) or ""
    kind = "IP6" if ":" in address else "IP4"
    return address if words[:2] == ["IN", kind] and "%" not in address else ""


def _attributes(lines: list[str]) -> tuple[Attribute, ...]:
    pairs = (line[2:].partition(":") for line in lines if line.startswith("a="))
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)
