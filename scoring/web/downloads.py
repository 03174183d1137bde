"""What leaves the desk as a file: lists and inputs written to the end before, and evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from flask import Response
from flask_login import current_user
from sqlalchemy.orm import Session

from callbacks.service.core import audit
from scoring.models_items import Evidence
from scoring.web.context import deps

_CHUNK = 64 * 1024


def send_written(file: IO[bytes], name: str, mimetype: str) -> Response:
    """A file that was written up to its end, piece by piece; the response closes it."""
    size = file.tell()
    file.seek(0)
    response = Response(_chunks(file), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.content_length = size
    response.call_on_close(file.close)
    return response


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def send_evidence(session: Session, file: Evidence) -> Response:
    """Always to be saved and never shown: what was uploaded isn't ours. Who took it is in the audit."""
    detail = {"sha256": file.sha256, "name": file.name}
    audit(session, deps().now(), current_user.login, "evidence", file.subject, **detail)
    response = Response(file.content, mimetype="application/octet-stream")
    response.headers.set("Content-Disposition", "attachment", filename=file.name)
    return response
