"""The watched folder: each file once, whoever dies; nothing deleted, nothing outside touched."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

import callbacks.intake_folder
from callbacks.folder_settings import FolderSettings
from callbacks.intake_folder import WatchedFolder, watching_folder
from callbacks.models import Callback, Case
from callbacks.models_office import Alarm
from callbacks.privacy import Privacy
from callbacks.stopping import Stop
from tests.integration.office import Desk, make_desk
from tests.integration.test_intake import ROW

DAY = "2026-11-23"


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    desk = make_desk(sessions, privacy)
    with sessions.begin() as session:
        desk._unit(session)
    return desk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


Open = Callable[..., WatchedFolder]


@pytest.fixture
def watch(desk: Desk, folder: Path) -> Iterator[Open]:
    opened: list[WatchedFolder] = []

    def open_(owner: str = "one", stopping: Callable[[], bool] = lambda: False) -> WatchedFolder:
        opened.append(WatchedFolder(desk.ctx, folder, owner, stopping))
        return opened[-1]

    yield open_
    for each in opened:
        each.files.close()


def write(path: Path, *numbers: str, **more: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(ROW))
        writer.writeheader()
        writer.writerows({**ROW, **more, "number": number} for number in numbers)
    return path


def looks(watched: WatchedFolder, desk: Desk, times: int = 2) -> list[str]:
    return [verdict.name for _ in range(times) for verdict in watched.look(desk.now)]


def numbers(desk: Desk) -> list[str]:
    with desk.session() as session:
        return sorted(session.scalars(select(Case.number)))


def alarms(desk: Desk) -> list[tuple[str, str]]:
    with desk.session() as session:
        return [(alarm.kind, alarm.subject) for alarm in session.scalars(select(Alarm))]


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_files_are_imported_in_order_and_moved_beside_their_reports(
    desk: Desk, folder: Path, watch: Open
) -> None:
    write(folder / "2.csv", "SL2", "SL3")
    write(folder / "1.csv", "SL1")
    watched = watch()
    assert watched.look(desk.now) == []  # one look says nothing of whether they stand still
    assert looks(watched, desk) == ["1.csv", "2.csv"]
    assert numbers(desk) == ["SL1", "SL2", "SL3"]
    kept = {f"done/{DAY}/{name}" for name in ("1.csv", "1.csv.report.txt", "2.csv", "2.csv.report.txt")}
    assert below(folder) == kept | {"working/one.lock"}
    report = (folder / f"done/{DAY}/2.csv.report.txt").read_text(encoding="utf-8")
    assert report == "2.csv: 2 rows, 0 bad\n2 created\n"
    assert alarms(desk) == []
    watched.files.close()
    assert not list((folder / "working").iterdir())


def test_a_bad_row_is_named_and_told_and_the_others_go_in(desk: Desk, folder: Path, watch: Open) -> None:
    path = write(folder / "cases.csv", "SL1", "SL2")
    path.write_text(path.read_text().replace("SL2,phone,water,u1", "SL2,phone,water,nobody"))
    assert looks(watch(), desk) == ["cases.csv"]
    assert numbers(desk) == ["SL1"]
    report = (folder / f"done/{DAY}/cases.csv.report.txt").read_text(encoding="utf-8")
    assert "2 rows, 1 bad" in report and "line 3: lead_unit" in report
    assert alarms(desk) == [("intake_file", "cases.csv")]


def test_a_file_that_cant_be_read_blocks_no_other(desk: Desk, folder: Path, watch: Open) -> None:
    (folder / "a.xlsx").write_bytes(b"PK no workbook")
    (folder / "b.csv").write_bytes(b"")
    (folder / "c.doc").write_text("letter")
    write(folder / "d.csv", "SL1")
    assert looks(watch(), desk) == ["a.xlsx", "b.csv", "c.doc", "d.csv"]
    assert numbers(desk) == ["SL1"]
    assert {path.name for path in (folder / "failed" / DAY).iterdir()} >= {"a.xlsx", "b.csv", "c.doc"}
    report = (folder / f"failed/{DAY}/c.doc.report.txt").read_text(encoding="utf-8")
    assert "NOT IMPORTED" in report and "c.doc: a case file is .csv" in report
    assert str(folder) not in report
    assert [subject for _, subject in alarms(desk)] == ["a.xlsx", "b.csv", "c.doc"]


def test_a_file_that_grows_waits_until_it_stands_still(desk: Desk, folder: Path, watch: Open) -> None:
    path, watched = write(folder / "cases.csv", "SL1"), watch()
    for number in range(3):
        assert watched.look(desk.now) == []
        with path.open("a") as file:
            file.write(f"{number}")
    write(path, "SL1", "SL2")
    assert looks(watched, desk, 3) == ["cases.csv"]
    assert numbers(desk) == ["SL1", "SL2"]


def test_a_writer_who_goes_on_after_the_claim_loses_nothing(
    desk: Desk, folder: Path, watch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, watched = write(folder / "cases.csv", "SL1"), watch()
    writer = path.open("a")  # paused for longer than two looks
    real = callbacks.intake_folder.import_cases

    def slow(*args: object, **more: object) -> object:
        report = real(*args, **more)  # type: ignore[arg-type]
        if not writer.closed:
            writer.write(",".join({**ROW, "number": "SL2"}.values()) + "\n")
            writer.close()
        return report

    monkeypatch.setattr(callbacks.intake_folder, "import_cases", slow)
    assert looks(watched, desk) == []
    assert path.exists()  # back where it came from
    assert looks(watched, desk) == ["cases.csv"]
    assert numbers(desk) == ["SL1", "SL2"]


def test_links_hidden_and_half_written_files_are_none_of_ours(
    desk: Desk, folder: Path, watch: Open, tmp_path: Path
) -> None:
    outside = write(tmp_path / "outside.csv", "SL9")
    (folder / "link.csv").symlink_to(outside)
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    for name in (".hidden.csv", "~$cases.xlsx", "cases.csv.part", "cases.csv~", "x\ny.csv"):
        write(folder / name, "SL8")
    before = below(folder)
    assert looks(watch(), desk, 3) == []
    assert below(folder) - before == {"working/one.lock"}
    assert numbers(desk) == [] and outside.exists()
    (folder / "cases.csv.part").rename(folder / "cases.csv")  # now it's whole
    assert looks(watch("two"), desk) == ["cases.csv"]


def test_a_name_that_was_used_before_is_not_overwritten(desk: Desk, folder: Path, watch: Open) -> None:
    watched = watch()
    for number in ("SL1", "SL2", "SL3"):
        write(folder / "cases.csv", number)
        assert looks(watched, desk) == ["cases.csv"]
    kept = sorted(path.name for path in (folder / "done" / DAY).glob("*.csv"))
    assert kept == ["cases.2.csv", "cases.3.csv", "cases.csv"]
    assert all("SL2" in (folder / f"done/{DAY}/cases.2.csv").read_text() for _ in kept)
    assert len(list((folder / "done" / DAY).glob("*.report.txt"))) == 3


# after which step the process dies
@pytest.mark.parametrize("step", ["claimed", "imported", "reported"])
def test_a_process_that_dies_leaves_the_file_to_another(
    desk: Desk, folder: Path, watch: Open, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "cases.csv", "SL1", "SL2")
    first = watch("first")
    first.look(desk.now)
    first.files.standing_still()
    path = first.files.claim("cases.csv")
    assert path is not None
    if step != "claimed":
        first.import_file(path, desk.now)
    if step == "reported":
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", _killed)
            with pytest.raises(KeyboardInterrupt):
                first.files.settle(path, "done", DAY, "half")
    second = watch("second")
    assert looks(second, desk) == []  # the first still lives: its claim holds
    os.close(first.files._lock or 0)  # as the kernel does when a process dies
    first.files._lock = None
    assert looks(second, desk) == ["cases.csv"]
    assert numbers(desk) == ["SL1", "SL2"]
    with desk.session() as session:
        assert len(session.scalars(select(Callback)).all()) == 2  # imported again, which changed nothing
    assert len(list((folder / "done" / DAY).glob("cases*.csv"))) == 1
    assert not (folder / "working" / "first").exists()


def _killed(*_args: object) -> None:
    raise KeyboardInterrupt


def test_two_processes_take_each_file_once(desk: Desk, folder: Path, watch: Open) -> None:
    for number in range(12):
        write(folder / f"{number:02}.csv", f"SL{number}")
    both = [watch("one"), watch("two")]
    taken: list[list[str]] = [[], []]
    for watched in both:
        watched.look(desk.now)
    threads = [
        threading.Thread(target=lambda n=n: taken[n].extend(looks(both[n], desk, 1))) for n in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken[0] + taken[1]) == [f"{number:02}.csv" for number in range(12)]
    assert len(numbers(desk)) == 12


def test_an_absent_database_leaves_files_where_they_are(
    desk: Desk, folder: Path, watch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder / "cases.csv", "SL1")
    watched = watch()

    def away(*_args: object, **_more: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    for name, place in (("read_border", "cases.csv"), ("import_cases", "working/one/cases.csv")):
        with monkeypatch.context() as patch:
            patch.setattr(callbacks.intake_folder, name, away)
            assert looks(watched, desk) == []
        assert (folder / place).exists(), name
    assert looks(watched, desk) == ["cases.csv"]  # it's back
    assert (numbers(desk), alarms(desk)) == (["SL1"], [])


def test_a_folder_that_isnt_there_is_told_and_not_made(desk: Desk, folder: Path, watch: Open) -> None:
    folder.rmdir()
    watched = watch()
    assert looks(watched, desk, 5) == []
    assert not folder.exists()
    assert alarms(desk) == [("intake_file", "in")]
    folder.mkdir()
    write(folder / "cases.csv", "SL1")
    assert looks(watched, desk) == []  # it rests for a minute
    desk.later(minutes=1)
    assert looks(watched, desk) == ["cases.csv"]


def test_a_role_that_ends_amidst_a_file_leaves_it(desk: Desk, folder: Path, watch: Open) -> None:
    write(folder / "cases.csv", "SL1")
    watched = watch("one", stopping=lambda: True)
    assert looks(watched, desk) == []
    watched.files.close()
    assert (folder / "working/one/cases.csv").exists()
    assert looks(watch("two"), desk) == ["cases.csv"]


def test_the_thread_looks_until_it_is_told_to_stop(desk: Desk, folder: Path) -> None:
    write(folder / "cases.csv", "SL1")
    settings = FolderSettings(folder=folder, folder_seconds=0.5)
    stop, until = Stop(), datetime.now(UTC) + timedelta(seconds=20)
    with watching_folder(desk.ctx, settings, stop):
        while not list(folder.glob("done/*/cases.csv")) and datetime.now(UTC) < until:
            stop.wait(0.05)
    assert numbers(desk) == ["SL1"]
    assert stop.is_set() and not list((folder / "working").iterdir())
    with watching_folder(desk.ctx, FolderSettings(), Stop()):
        pass  # no folder, no thread
