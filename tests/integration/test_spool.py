"""The spool: what was promised is there after a kill, in order, once; what can't be kept is refused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError, OperationalError

from callbacks.privacy import Privacy, new_privacy
from callbacks.spool import Record, Spool, SpoolBusy, SpoolRefused, own_spool, play_in, play_orphans

PRIVACY = new_privacy()
AWAY = OperationalError("", {}, Exception("away"))


def numbered(number: int) -> Record:
    return {"n": number, "words": "不满意，3次没来人"}


def played(spool: Spool) -> list[int]:
    got: list[int] = []
    play_in(spool, lambda record: got.append(record["n"]))
    return got


def test_records_come_in_their_order_and_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s" / "sms-1.spool", PRIVACY)
    assert not spool.waiting and not spool.path.exists()
    for number in range(5):
        spool.append(numbered(number))
    assert spool.waiting
    assert played(spool) == [0, 1, 2, 3, 4]
    assert not spool.waiting and played(spool) == []
    spool.append(numbered(5))
    assert played(spool) == [5]
    spool.close()
    assert list((tmp_path / "s").iterdir()) == []


def test_the_file_tells_nothing_to_who_reads_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sms-1.spool", PRIVACY)
    spool.append({"source": "13803790001", "text": "不满意"})
    spool.close()
    assert b"1380379" not in spool.path.read_bytes()
    assert spool.path.stat().st_mode & 0o077 == 0


def test_a_database_that_goes_away_again_leaves_the_rest_in_place(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sms-1.spool", PRIVACY)
    for number in range(4):
        spool.append(numbered(number))
    got: list[int] = []

    def store(record: Record) -> None:
        if len(got) == 2:
            raise AWAY
        got.append(record["n"])

    with pytest.raises(OperationalError):
        play_in(spool, store)
    spool.append(numbered(4))
    assert got == [0, 1]
    spool.close()
    again = Spool(spool.path, PRIVACY)
    assert played(again) == [2, 3, 4]
    again.close()


def test_what_the_database_refuses_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sms-1.spool", PRIVACY)
    for number in range(3):
        spool.append(numbered(number))
    got: list[int] = []

    def store(record: Record) -> None:
        if record["n"] == 1:
            raise IntegrityError("", {}, Exception("a fault of its own"))
        got.append(record["n"])

    assert play_in(spool, store) == 3
    assert got == [0, 2]
    aside = (tmp_path / "sms-1.aside").read_text()
    assert '"n": 1' in PRIVACY.decrypt(aside.strip())
    spool.close()


def test_a_line_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sms-1.spool", new_privacy())  # another key file's
    spool.append(numbered(0))
    spool.close()
    spool = Spool(spool.path, PRIVACY)
    spool.append(numbered(1))
    assert played(spool) == [1]
    assert len((tmp_path / "sms-1.aside").read_bytes().splitlines()) == 1
    spool.close()


def test_a_torn_last_line_was_never_promised(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sms-1.spool", PRIVACY)
    spool.append(numbered(0))
    spool.close()
    with spool.path.open("ab") as file:
        file.write(b"gAAAAABtorn")
    spool = Spool(spool.path, PRIVACY)
    spool.append(numbered(1))
    assert played(spool) == [0, 1]
    spool.close()


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sms-1.spool", PRIVACY, most_bytes=500)
    kept = 0
    with pytest.raises(SpoolRefused, match="500 bytes"):
        for number in range(10):
            spool.append(numbered(number))
            kept += 1
    assert kept and played(spool) == list(range(kept))
    spool.append(numbered(10))
    spool.close()


def test_a_folder_that_takes_no_file_refuses(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    spool = own_spool(tmp_path / "spool", "sms", PRIVACY)
    with pytest.raises(SpoolRefused):
        spool.append(numbered(0))
    assert not spool.waiting


def test_a_disk_that_fills_up_within_a_line_leaves_no_half_of_it(tmp_path: Path) -> None:
    """The kernel's own limit on a file's size stands for the full disk."""
    script = """
        import resource, sys
        from pathlib import Path
        from callbacks.privacy import Privacy
        from callbacks.spool import Spool, SpoolRefused
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
        spool = Spool(Path(sys.argv[1]), Privacy(sys.argv[2].encode(), b""))
        for number in range(20):
            try:
                spool.append({"n": number, "words": "x" * 40})
            except SpoolRefused:
                print(number)
                break
    """
    path = tmp_path / "sms-1.spool"
    command = [sys.executable, "-c", textwrap.dedent(script), str(path), PRIVACY.encryption_key.decode()]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    spool = Spool(path, PRIVACY)
    assert int(out) > 0 and played(spool) == list(range(int(out)))
    spool.close()


def test_what_a_killed_process_promised_is_taken_over(tmp_path: Path) -> None:
    """It prints a number only after `append` returned; then it's killed amid its work."""
    script = """
        import sys
        from pathlib import Path
        from callbacks.privacy import Privacy
        from callbacks.spool import own_spool
        spool = own_spool(Path(sys.argv[1]), "sms", Privacy(sys.argv[2].encode(), b""))
        number = 0
        while True:
            spool.append({"n": number})
            print(number, flush=True)
            number += 1
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path), PRIVACY.encryption_key.decode()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 30:
                assert next(tmp_path.glob("*.spool"))
                with pytest.raises(SpoolBusy):
                    Spool(next(tmp_path.glob("*.spool")), PRIVACY)  # a living process holds it
                assert play_orphans(tmp_path, "sms", PRIVACY, lambda _record: None) == 0
                os.kill(process.pid, signal.SIGKILL)
                break
        promised = 30 + len(process.stdout.read().splitlines())
    got: list[int] = []
    assert play_orphans(tmp_path, "voice", PRIVACY, lambda record: got.append(record["n"])) == 0
    play_orphans(tmp_path, "sms", PRIVACY, lambda record: got.append(record["n"]))
    assert got == list(range(len(got))) and len(got) > promised
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["append", "play", "fail", "reopen", "done"]), max_size=30))
def test_any_history_gives_each_record_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, history: list[str]
) -> None:
    privacy: Privacy = PRIVACY
    spool = Spool(tmp_path_factory.mktemp("spool") / "sms-1.spool", privacy)
    written, got = 0, []

    def fail_second(record: Record) -> None:
        if record["n"] % 2:
            raise AWAY
        got.append(record["n"])

    for step in history:
        match step:
            case "append":
                spool.append(numbered(written))
                written += 1
            case "play":
                got += played(spool)
            case "fail":
                with contextlib.suppress(OperationalError):
                    play_in(spool, fail_second)
            case "reopen":
                spool.close()
                spool = Spool(spool.path, privacy)
            case "done" if spool.waiting:
                got.append(len(got))
                spool.done()
    got += played(spool)
    assert got == list(range(written))
    spool.close()
