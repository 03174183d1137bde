"""Which files are taken as evidence, by their own first bytes; and how they are called."""

from __future__ import annotations

import pytest

from scoring.evidence import BadEvidence, kind_of_file, plain_name

KINDS = [
    # name, first bytes, media type (None: refused)
    ("a.pdf", b"%PDF-1.7 ...", "application/pdf"),
    ("a.txt", b"\x89PNG\r\n\x1a\n....", "image/png"),  # what it is, not what it's called
    ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
    ("a.mp3", b"ID3\x04", "audio/mpeg"),
    ("a.mp3", b"\xff\xfb\x90\x00", "audio/mpeg"),  # without a tag
    ("a.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
    ("a.avi", b"RIFF\x24\x00\x00\x00AVI LIST", None),
    ("a.docx", b"PK\x03\x04....", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("a.xlsx", b"PK\x03\x04....", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("a.zip", b"PK\x03\x04....", None),
    ("a.txt", "已疏通".encode(), "text/plain"),
    ("a.txt", "已疏通".encode("gb18030"), "text/plain"),  # as older editors write it
    ("a.txt", b"MZ\x90\x00", None),  # a program
    ("a.exe", b"MZ\x90\x00", None),
    ("a.html", b"<script>", None),
    ("a.svg", b"<svg/>", None),
]


@pytest.mark.parametrize(("name", "content", "kind"), KINDS)
def test_kinds(name: str, content: bytes, kind: str | None) -> None:
    if kind is None:
        with pytest.raises(BadEvidence):
            kind_of_file(name, content)
    else:
        assert kind_of_file(name, content) == kind


NAMES = [
    ("现场.jpg", "现场.jpg"),
    ("../../etc/passwd", "passwd"),
    (r"C:\照片\现场 1.png", "现场 1.png"),
    ("a\r\nSet-Cookie: b.txt", "aSet-Cookie: b.txt"),
    ("\u202egpj.exe", "gpj.exe"),  # a sign that turns the direction of writing
    ("", "file"),
    ("...", "file"),
    ("长" * 300 + ".pdf", "长" * 156 + ".pdf"),
]


@pytest.mark.parametrize(("given", "kept"), NAMES)
def test_names(given: str, kept: str) -> None:
    assert plain_name(given) == kept
