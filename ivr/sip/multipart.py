"""A body of several parts, of which one is the session (RFC 2046 §5.1, RFC 5621 §3). Pure.

An emergency call may carry where the caller is (RFC 6442: PIDF-LO) beside what is offered; it goes on with
the call as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

__all__ = ["part_of", "put_together", "raw_part_of"]

_MOST_PARTS = 20


def part_of(body: bytes, boundary: str, kind: str) -> bytes | None:
    """The first part of that media type; None without one, ValueError where the body is no multipart."""
    raw = raw_part_of(body, boundary, kind)
    return None if raw is None else _split(raw)[1]


def raw_part_of(body: bytes, boundary: str, kind: str) -> bytes | None:
    """That part with its own headers before it. None and ValueError as `part_of`."""
    for part in _parts(body, boundary):
        headers, _ = _split(part)
        if headers.get("content-type", "text/plain").partition(";")[0].strip().lower() == kind:
            return part
    return None


def put_together(boundary: str, *parts: bytes) -> bytes:
    """A body of these parts, each with its headers; `boundary` is a text that none of them holds."""
    mark = f"--{boundary}".encode()
    return b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"


def _parts(body: bytes, boundary: str) -> Iterator[bytes]:
    if not boundary or len(boundary) > 70:
        raise ValueError("no boundary")
    mark = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("utf-8")) + rb"(--)?[ \t]*(?:\r?\n|$)")
    marks = list(mark.finditer(body))
    if not marks or not marks[-1][1]:
        raise ValueError("the last part isn't closed")
    for begin, end in pairwise(marks[: _MOST_PARTS + 1]):
        yield body[begin.end() : end.start()]


def _split(part: bytes) -> tuple[dict[str, str], bytes]:
    """Headers by their names in lower case, and what follows the empty line."""
    if part.startswith((b"\r\n", b"\n")):
        return {}, part.lstrip(b"\r\n")
    head, _, content = part.partition(b"\r\n\r\n") if b"\r\n\r\n" in part else part.partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("utf-8", "replace").splitlines()]
    return {name.strip().lower(): value.strip() for name, _, value in lines}, content
