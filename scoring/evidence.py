"""Files that stand behind what people do: of a subject, append-only, found by their hash."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy.orm import Session

from scoring.models_items import Evidence

LARGEST_FILE = 12 * 2**20
_LONGEST_NAME = 160
_PDF, _PNG, _JPEG = "application/pdf", "image/png", "image/jpeg"
_OFFICE_FILES = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_MAGIC = ((b"%PDF-", _PDF), (b"\x89PNG\r\n\x1a\n", _PNG), (b"\xff\xd8", _JPEG), (b"ID3", "audio/mpeg"))
_MP3_SYNC = 0xE0  # the frame header's next three bits, after eight ones


class BadEvidence(ValueError):
    """The file is empty, over 12 MB, or of no kind that is taken."""


@dataclass(frozen=True, slots=True)
class File:
    """What somebody attaches."""

    name: str
    content: bytes


def store_files(
    session: Session, subject: str, files: Sequence[File], by: str, at: datetime, otherwise: Exception
) -> list[Evidence]:
    """Keeps what was attached to a subject; `otherwise` is raised where a file isn't taken."""
    try:
        return [store_evidence(session, subject, file.name, file.content, by, at) for file in files]
    except BadEvidence as error:
        raise otherwise from error


def store_evidence(
    session: Session, subject: str, name: str, content: bytes, by: str, at: datetime
) -> Evidence:
    """Keeps a file of a subject (`item:5`, `adjustment:3`), in the caller's transaction. BadEvidence."""
    if not 0 < len(content) <= LARGEST_FILE:
        raise BadEvidence(f"{len(content)} bytes; a file has 1 to {LARGEST_FILE}")
    row = Evidence(
        subject=subject,
        sha256=sha256(content).hexdigest(),
        name=plain_name(name),
        media_type=kind_of_file(name, content),
        size=len(content),
        content=content,
        by=by,
        at=at,
    )
    session.add(row)
    session.flush()
    return row


def kind_of_file(name: str, content: bytes) -> str:
    """The media type by the file's own first bytes, never by what the sender says; BadEvidence for others.

    pdf, png, jpeg, docx, xlsx, mp3, wav and plain text. What an office file is inside, its name tells.
    """
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "audio/wav"
    if len(content) > 1 and content[0] == 0xFF and content[1] & _MP3_SYNC == _MP3_SYNC:
        return "audio/mpeg"
    ending = name.rpartition(".")[2].lower()
    if content.startswith(b"PK\x03\x04") and ending in _OFFICE_FILES:
        return _OFFICE_FILES[ending]
    if ending == "txt" and _is_text(content):
        return "text/plain"
    raise BadEvidence("no pdf, png, jpeg, docx, xlsx, mp3, wav or txt")


def plain_name(name: str) -> str:
    """The name without folders and without what can't be seen, shortened before its ending."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(each for each in last if unicodedata.category(each)[0] != "C").strip(" .")
    stem, dot, ending = (seen or "file").rpartition(".")
    if not dot:
        return ending[:_LONGEST_NAME]
    ending = ending[:10]
    return f"{stem[: _LONGEST_NAME - len(ending) - 1]}.{ending}"


def _is_text(content: bytes) -> bool:
    """UTF-8, or GB 18030 as older editors here write it; no zero bytes."""
    if b"\0" in content:
        return False
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False
