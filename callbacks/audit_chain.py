"""The audit's hash chain: each line's hash is over the one before and the line itself. Pure.

The canonical form is JSON with sorted keys, without spaces, in UTF-8; moments are ISO 8601 in UTC with
microseconds. The first line follows `GENESIS`. Whoever changes, removes, adds or moves a line without making
all later hashes anew is found; whoever makes them anew is found by a head that was printed (a bulletin's).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of the audit as it's hashed."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def canonical(line: AuditLine) -> bytes:
    """The bytes of a line that its hash is over."""
    of = {
        "id": line.id,
        "at": line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": line.actor,
        "action": line.action,
        "subject": line.subject,
        "detail": line.detail,
    }
    words = json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return words.encode("utf-8", "surrogatepass")


def link(previous: str, line: AuditLine) -> str:
    """SHA-256 over the hash before and the line, 64 hex digits."""
    return hashlib.sha256(previous.encode("ascii") + b"\n" + canonical(line)).hexdigest()
