"""A body of several parts, of which one is the session (RFC 2046 §5.1, RFC 5621 §3). Pure.

An emergency call may carry where the caller is (RFC 6442: PIDF-LO) beside what is offered.
"""

from __future__ import annotations

import re
from itertools import pairwise

__all__ = ["part_of"]

_MOST_PARTS = 20


def part_of(body: bytes, boundary: str, kind: str) -> bytes | None:
    """The first part of that media type; None without one, ValueError where the body is no multipart."""
    if not boundary or len(boundary) > 70:
        raise ValueError("no boundary")
    mark = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("utf-8")) + rb"(--)?[ \t]*(?:\r?\n|$)")
    marks = list(mark.finditer(body))
    if not marks or not marks[-1][1]:
        raise ValueError("the last part isn't closed")
    for begin, end in pairwise(marks[: _MOST_PARTS + 1]):
        headers, content = _split(body[begin.end() : end.start()])
        if headers.get("content-type", "text/plain").partition(";")[0].strip().lower() == kind:
            return content
    return None


def _split(part: bytes) -> tuple[dict[str, str], bytes]:
    """Headers by their names in lower case, and what follows the empty line."""
    if part.startswith((b"\r\n", b"\n")):
        return {}, part.lstrip(b"\r\n")
    head, _, content = part.partition(b"\r\n\r\n") if b"\r\n\r\n" in part else part.partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("utf-8", "replace").splitlines()]
    return {name.strip().lower(): value.strip() for name, _, value in lines}, content
