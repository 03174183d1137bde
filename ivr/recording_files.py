"""The files of recordings, written by a thread of their own: the telephone's loop never waits for the disk.

A file's head is put right with each piece, after it: whoever kills the process leaves files that are heard.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import structlog

from callbacks.recording_file import HEAD, seconds_of, wav_head
from ivr.events import Codec

__all__ = ["Kept", "RecordingFiles"]

log = structlog.get_logger(__name__)

_MOST_WAITING = 32 * 2**20  # octets: 20 seconds of 200 legs, while the disk stands still


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a file: how much of it is on the disk. `failed` says why it isn't whole, else empty."""

    name: str
    seconds: float
    failed: str = ""


class RecordingFiles:
    """Names are below `folder`, which is made. All but the thread's own belongs to one other thread.

    Each file that was begun comes back once as `Kept`: when it's finished, or when the disk refused it.
    """

    def __init__(self, folder: Path, most_waiting: int = _MOST_WAITING) -> None:
        self._folder, self._most = folder, most_waiting
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._kept: deque[Kept] = deque()
        self._files: dict[str, _File] = {}
        self._put = self._taken = 0  # octets; each is written by one thread alone
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    def begin(self, name: str, codec: Codec) -> None:
        self._orders.put(partial(self._begin, name, codec))

    def append(self, name: str, octets: bytes) -> bool:
        """False where too much waits for the disk: then this piece is left out."""
        if self._put - self._taken + len(octets) > self._most:
            return False
        self._put += len(octets)
        self._orders.put(partial(self._append, name, octets))
        return True

    def finish(self, name: str) -> None:
        """No more comes; the file is on the disk for good when it comes back."""
        self._orders.put(partial(self._finish, name))

    def kept(self) -> Kept | None:
        """The next file that came back; None where none has."""
        return self._kept.popleft() if self._kept else None

    def close(self, seconds: float) -> bool:
        """Writes what waits, for at most `seconds`; False when something was left."""
        self._orders.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    # -- the thread's own

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                order()
            except Exception:  # a fault of ours: the other files go on
                log.exception("recording_order_failed")

    def _begin(self, name: str, codec: Codec) -> None:
        try:
            self._files[name] = _File(self._folder, name, codec)
        except OSError as error:
            self._tell(name, 0, error)

    def _append(self, name: str, octets: bytes) -> None:
        self._taken += len(octets)
        file = self._files.get(name)
        if file is None:  # it has failed
            return
        try:
            file.append(octets)
        except OSError as error:
            self._end(name, error)

    def _finish(self, name: str) -> None:
        if name in self._files:
            self._end(name, None)

    def _end(self, name: str, failed: OSError | None) -> None:
        file = self._files.pop(name)
        try:
            file.close()
        except OSError as error:
            failed = failed or error
        self._tell(name, file.size, failed)

    def _tell(self, name: str, size: int, error: OSError | None) -> None:
        reason = "" if error is None else error.strerror or str(error) or type(error).__name__
        if reason:
            log.error("recording_failed", file=name, reason=reason)
        self._kept.append(Kept(name, seconds_of(size), reason))


class _File:
    """Open, with `size` octets that are whole, the head among them. OSError where the disk refuses."""

    def __init__(self, folder: Path, name: str, codec: Codec) -> None:
        self._codec, self.size = codec, HEAD
        folder.mkdir(0o700, parents=True, exist_ok=True)
        path = folder / name
        path.parent.mkdir(0o700, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._write(wav_head(0, codec), 0)
        except OSError:
            os.close(self._file)
            path.unlink()
            raise

    def append(self, octets: bytes) -> None:
        self._write(octets, self.size)
        self._write(wav_head(self.size + len(octets) - HEAD, self._codec), 0)
        self.size += len(octets)

    def close(self) -> None:
        """On the disk for good, without what was written in part."""
        try:
            os.ftruncate(self._file, self.size)
            os.fsync(self._file)
        finally:
            os.close(self._file)

    def _write(self, octets: bytes, at: int) -> None:
        if os.pwrite(self._file, octets, at) < len(octets):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
