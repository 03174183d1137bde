"""Telephone numbers at rest: encrypted, and found again by a keyed index (PIPL art. 51; domain.md A2).

The key file is made at the first start, mode 0600. Whoever loses it loses the numbers.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken


class KeyFileError(Exception):
    """The key file can't be used; the message names the file and what would be right."""


@dataclass(frozen=True)
class Privacy:
    """Encrypts numbers and derives the index by which equal numbers are found."""

    encryption_key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(self.encryption_key)

    def encrypt(self, number: str) -> str:
        """A different text each time; only `decrypt` brings the number back."""
        return self._fernet.encrypt(number.encode()).decode()

    def decrypt(self, text: str) -> str:
        """The number; KeyFileError when another key wrote it."""
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken as error:
            raise KeyFileError("a stored number was written with another key file") from error

    def index(self, number: str) -> str:
        """32 hex digits, the same for the same number: HMAC-SHA-256, cut to 128 bits."""
        return hmac.new(self.index_key, number.encode(), hashlib.sha256).hexdigest()[:32]


def new_privacy() -> Privacy:
    """Fresh keys."""
    return Privacy(Fernet.generate_key(), secrets.token_bytes(32))


def load_or_create(path: Path) -> Privacy:
    """The keys in `path`; made there (mode 0600) when the file doesn't exist yet."""
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"{path}: others may read the key file; run: chmod 600 {path}")
    try:
        data = json.loads(path.read_text())
        return Privacy(data["encryption_key"].encode(), base64.b64decode(data["index_key"]))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise KeyFileError(f"{path}: not a key file ({error}); restore it from the backup") from error


def _create(path: Path) -> None:
    """Written aside and linked, so that two first starts at once agree on one key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = new_privacy()
    data = {
        "encryption_key": keys.encryption_key.decode(),
        "index_key": base64.b64encode(keys.index_key).decode(),
    }
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
    aside.unlink()
