"""Recordings on a real disk: written while the call goes on, whole at any moment; and on a full one."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callbacks.recording_file import HEAD, day_of, recording_name, seconds_of, wav_head
from ivr.recording_files import Kept, RecordingFiles
from tests.peers.peers import need

SECOND = bytes(range(250)) * 32  # 8000 octets


@pytest.fixture
def files(tmp_path: Path) -> Iterator[RecordingFiles]:
    made = RecordingFiles(tmp_path / "recordings")
    yield made
    made.close(5.0)


def back(files: RecordingFiles) -> Kept:
    deadline = time.monotonic() + 10
    while (kept := files.kept()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return kept


def told_size(path: Path) -> int:
    """Octets of voice, as the head says."""
    head = path.read_bytes()[:HEAD]
    assert (head[:4], head[8:16], head[38:42], head[50:54]) == (b"RIFF", b"WAVEfmt ", b"fact", b"data")
    riff, fact, data = (struct.unpack_from("<I", head, at)[0] for at in (4, 46, 54))
    assert riff == HEAD - 8 + data and fact == data
    return int(data)


def test_names_are_by_day_and_nothing_leads_out_of_the_folder() -> None:
    at = datetime.fromisoformat("2026-11-24T03:00:00+08:00")
    assert recording_name("in-12ab-1", at) == "2026-11-23/in-12ab-1.wav"
    assert recording_name("../../etc/x", at) == "2026-11-23/______etc_x.wav"
    assert day_of("2026-11-23") == datetime(2026, 11, 23, tzinfo=UTC).date()
    assert [day_of(name) for name in ("20261123", "lost+found", "2026-11-23.old")] == [None] * 3


def test_a_file_is_whole_for_who_reads_it_at_the_end(files: RecordingFiles, tmp_path: Path) -> None:
    files.begin("2026-11-23/a.wav", "pcma")
    for _ in range(3):
        assert files.append("2026-11-23/a.wav", SECOND)
    files.finish("2026-11-23/a.wav")
    assert back(files) == Kept("2026-11-23/a.wav", 3.0)
    path = tmp_path / "recordings/2026-11-23/a.wav"
    assert path.read_bytes() == wav_head(24_000, "pcma") + 3 * SECOND
    assert (told_size(path), seconds_of(path.stat().st_size)) == (24_000, 3.0)
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent, path.parent.parent)] == [
        0o600,
        0o700,
        0o700,
    ]


def test_ffmpeg_reads_both_laws(files: RecordingFiles, tmp_path: Path) -> None:
    ffmpeg = shutil.which("ffmpeg")
    need("ffmpeg", ffmpeg is not None)
    for codec in ("pcma", "pcmu"):
        files.begin(f"2026-11-23/{codec}.wav", codec)
        files.append(f"2026-11-23/{codec}.wav", SECOND)
        files.finish(f"2026-11-23/{codec}.wav")
        assert back(files).failed == ""
        path = tmp_path / f"recordings/2026-11-23/{codec}.wav"
        command = [str(ffmpeg), "-v", "error", "-i", str(path), "-f", "s16le", "-"]
        decoded = subprocess.run(command, capture_output=True, check=True, timeout=30)
        assert (len(decoded.stdout), decoded.stderr) == (16_000, b"")


def test_each_file_comes_back_once_and_a_name_is_never_written_over(
    files: RecordingFiles, tmp_path: Path
) -> None:
    for _ in range(2):
        files.begin("2026-11-23/a.wav", "pcma")
        files.append("2026-11-23/a.wav", SECOND)
        files.finish("2026-11-23/a.wav")
    assert back(files) == Kept("2026-11-23/a.wav", 1.0)
    assert back(files) == Kept("2026-11-23/a.wav", 0.0, "File exists")
    files.close(5.0)
    assert files.kept() is None
    assert told_size(tmp_path / "recordings/2026-11-23/a.wav") == 8000


def test_a_folder_that_cant_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("a file, where the folder should be")
    files = RecordingFiles(tmp_path / "recordings")
    files.begin("2026-11-23/a.wav", "pcma")
    files.append("2026-11-23/a.wav", SECOND)
    files.finish("2026-11-23/a.wav")
    assert back(files) == Kept("2026-11-23/a.wav", 0.0, "File exists")
    assert files.close(5.0) and files.kept() is None


def test_a_disk_that_stands_still_fills_no_memory(tmp_path: Path) -> None:
    files, disk = RecordingFiles(tmp_path, most_waiting=20_000), threading.Event()
    files._orders.put(lambda: disk.wait() and None)  # its thread waits, as it would for a disk
    files.begin("2026-11-23/a.wav", "pcma")
    assert [files.append("2026-11-23/a.wav", SECOND) for _ in range(4)] == [True, True, False, False]
    files.finish("2026-11-23/a.wav")
    assert files.kept() is None
    disk.set()
    assert back(files) == Kept("2026-11-23/a.wav", 2.0)
    files.begin("2026-11-23/b.wav", "pcma")
    assert files.append("2026-11-23/b.wav", SECOND)  # there is room again
    assert files.close(5.0)


FULL = """
import sys, time
from pathlib import Path
from ivr.recording_files import RecordingFiles
files = RecordingFiles(Path(sys.argv[1]) / "recordings")
files.begin("2026-11-23/a.wav", "pcma")
for _ in range(8):
    files.append("2026-11-23/a.wav", b"x" * 8000)
files.finish("2026-11-23/a.wav")
files.close(10.0)
kept, size = files.kept(), (Path(sys.argv[1]) / "recordings/2026-11-23/a.wav").stat().st_size
print(kept.seconds, kept.failed, size, files.kept())
"""


def test_on_a_full_disk_what_fits_is_whole_and_the_rest_is_told(tmp_path: Path) -> None:
    """A real one: 36 KiB of memory, mounted where nobody else sees it."""
    mount = f"mount -t tmpfs -o size=36k none {tmp_path}"
    tried = subprocess.run(["sh", "-c", f"unshare -rm {mount}"], check=False, capture_output=True)
    need("a mount of one's own (unshare)", tried.returncode == 0)
    script = f'{mount} && exec "$0" -c "$1" {tmp_path}'
    command = ["unshare", "-rm", "sh", "-c", script, sys.executable, FULL]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.splitlines()[-1] == f"4.0 No space left on device {HEAD + 32_000} None"
