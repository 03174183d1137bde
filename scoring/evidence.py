"""Files that stand behind what people do: of a subject, append-only, found by their hash."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from mimetypes import guess_type

from sqlalchemy.orm import Session

from scoring.models_items import Evidence


def store_evidence(
    session: Session, subject: str, name: str, content: bytes, by: str, at: datetime
) -> Evidence:
    """Keeps a file of a subject (`item:5`, `adjustment:3`), in the caller's transaction."""
    row = Evidence(
        subject=subject,
        sha256=sha256(content).hexdigest(),
        name=name[:160],
        media_type=guess_type(name)[0] or "application/octet-stream",
        size=len(content),
        content=content,
        by=by,
        at=at,
    )
    session.add(row)
    session.flush()
    return row
