"""Calls to 110 recorded leg by leg, in virtual time: who is and who isn't, and what a bad disk does."""

# ruff: noqa: F811 (the fixture `stages` is another file's)

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callbacks.alarms import AlarmKind
from callbacks.models import Audit
from callbacks.models_inbound import InboundCall
from callbacks.models_office import Alarm
from callbacks.recording_file import seconds_of
from callbacks.service.inbound import keep_inbound
from callbacks.service.recordings import purge_recordings
from callbacks.stopping import Stop
from ivr.inbound.recordings import Recordings
from ivr.line import LineError
from ivr.pyvoip_line import PyvoipLine
from ivr.recording_files import RecordingFiles
from tests.integration.test_inbound_role import (
    AGENTS,
    CALLBACK_NUMBER,
    Stage,
    in_hours,
    presses,
    stages,  # noqa: F401 (fixture)
    talking,
    wait_until,
)

Make = Callable[..., Stage]


def alarms(stage: Stage) -> list[Alarm]:
    stage.written()
    with stage.desk.session() as session:
        kind = Alarm.kind == AlarmKind.RECORDING_FAILED
        return list(session.scalars(select(Alarm).where(kind)))


def written(stage: Stage) -> InboundCall:
    """The only call, when all of its recordings came back."""

    def settled() -> bool:
        stage.turns(0.1)
        [call] = stage.kept()
        return all(row.recorded_at is None or row.recorded_seconds is not None for row in (call, *call.legs))

    wait_until(settled)
    return stage.kept()[0]


def test_caller_and_operator_are_recorded_each_from_when_they_are_up(stages: Make, tmp_path: Path) -> None:
    stage = stages(recordings=tmp_path)
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(70.0)  # the operator hangs up after a minute
    call = written(stage)
    [leg] = call.legs
    assert (leg.recorded_seconds, leg.recording_failed, call.recording_failed) == (60.0, None, None)
    assert call.recorded_seconds is not None and abs(call.recorded_seconds - 60.0) < 0.1
    assert call.recorded_at is not None and leg.recorded_at == leg.answered_at
    for row in (call, leg):
        assert row.recording is not None
        assert seconds_of((tmp_path / row.recording).stat().st_size) == row.recorded_seconds
    assert len(list(tmp_path.rglob("*.wav"))) == 2
    assert alarms(stage) == []


def test_whom_an_operator_brings_in_is_recorded_from_their_answer(stages: Make, tmp_path: Path) -> None:
    stage = talking(stages, recordings=tmp_path)
    stage.line.presses("a-1", "*12#")
    stage.turns(12.0)
    stage.line.gives_up("a-1")
    stage.turns(10.0)
    stage.line.gives_up("a-2")
    stage.turns(1.0)
    call = written(stage)
    lengths = [round(row.recorded_seconds or 0) for row in (call, *call.legs)]
    assert [leg.kind for leg in call.legs] == ["rung", "three_way"]
    assert lengths[0] == max(lengths)  # the caller was there from the first to the last
    assert 12 <= lengths[1] <= 14 and 19 <= lengths[2] <= 22
    assert len(list(tmp_path.rglob("*.wav"))) == 3


def test_who_waits_is_recorded_too(stages: Make, tmp_path: Path) -> None:
    stage = stages(recordings=tmp_path, operators=({"target": "busy"},), overflow=())
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(5.0)
    stage.line.gives_up("a")
    call = written(stage)
    assert call.recorded_seconds is not None and 4.0 < call.recorded_seconds < 5.0
    assert [leg.recorded_at for leg in call.legs] == [None] * len(call.legs)  # nobody answered


def test_who_is_asked_by_the_callback_numbers_flow_isnt_recorded_nor_their_agent(
    stages: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    stage = stages(in_hours(*AGENTS), recordings=folder)
    presses(monkeypatch, None, "0")
    stage.line.comes("a", "13812340001", CALLBACK_NUMBER)
    stage.turns(90.0)
    [call] = stage.kept()
    [leg] = call.legs
    assert call.ended_at is not None and leg.answered_at is not None
    assert (call.recorded_at, leg.recorded_at, folder.exists()) == (None, None, False)


def test_without_a_folder_nothing_is_recorded(stages: Make) -> None:
    stage = stages()
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(70.0)
    [call] = stage.kept()
    assert call.ended_by == "person"
    assert [row.recorded_at for row in (call, *call.legs)] == [None, None]


def test_on_a_disk_that_refuses_the_call_goes_on_and_a_seat_is_told_once(
    stages: Make,
    tmp_path: Path,
) -> None:
    blocked = tmp_path / "recordings"
    blocked.write_text("a file, where the folder should be")
    stage = stages(recordings=blocked)
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    snapshots: list[Any] = []
    keep = stage.role._store
    stage.role._store = lambda record: (snapshots.append(record), keep(record))
    stage.turns(70.0)
    call = written(stage)
    assert (call.target, call.ended_by) == ("seat-1", "person")
    assert [(row.recording, row.recorded_seconds, row.recording_failed) for row in (call, *call.legs)] == [
        (None, 0.0, "File exists")
    ] * 2
    [alarm] = alarms(stage)
    assert (alarm.subject, alarm.times) == ("inbound", 2)  # both legs
    assert alarm.detail == {"call": "a", "reason": "File exists"}
    for record in snapshots:  # from a spool, say
        keep_inbound(stage.desk.ctx, record)
    assert [each.times for each in alarms(stage)] == [2]


def test_a_disk_that_stands_still_holds_nobody_up(stages: Make, tmp_path: Path) -> None:
    stage, disk = stages(recordings=tmp_path), threading.Event()
    assert stage.files is not None
    stage.files._orders.put(lambda: disk.wait() and None)  # its thread waits, as it would for a disk
    stage.files._most = 50_000
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(70.0)
    [call] = stage.kept()
    assert call.ended_by == "person"
    assert {row.recording_failed for row in (call, *call.legs)} == {"the disk is too slow"}
    assert [alarm.times for alarm in alarms(stage)] == [2]
    disk.set()
    call = written(stage)  # what was taken before is there
    assert all(row.recording and 0 < (row.recorded_seconds or 0) < 5 for row in (call, *call.legs))


def test_without_a_database_the_alarm_waits_in_the_spool(stages: Make, tmp_path: Path) -> None:
    blocked = tmp_path / "recordings"
    blocked.write_text("a file, where the folder should be")
    stage = stages(recordings=blocked)
    stage.away = True
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(5.0)
    wait_until(lambda: stage.spool.waiting)
    stage.away = False
    stage.turns(70.0)
    assert written(stage).ended_by == "person"
    assert [alarm.times for alarm in alarms(stage)] == [2]


def test_when_the_role_ends_what_was_said_is_written(stages: Make, tmp_path: Path) -> None:
    stage = stages(recordings=tmp_path, drain_seconds=0)
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(10.0)
    stop = Stop()
    stop.set()
    stage.role.run(stop)
    with stage.desk.session() as session:
        call = session.scalars(select(InboundCall)).one()
        rows = [(row.recorded_seconds or 0, row.recording_failed) for row in (call, *call.legs)]
    assert all(7 < seconds < 10 and failed is None for seconds, failed in rows)


def test_a_line_that_cant_be_tapped_is_refused(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path)
    line: Any = type("Deaf", (), {"capabilities": PyvoipLine.capabilities})()
    with pytest.raises(LineError, match="can't record calls"):
        Recordings(line, files, lambda _record: None)
    files.close(5.0)


def test_recordings_go_when_their_time_is_over_and_nothing_else_does(stages: Make, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    stage = stages(recordings=folder)
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(70.0)
    call = written(stage)
    assert call.recorded_at is not None
    orphan = folder / "2020-02-02" / "in-unknown.wav"  # of a role that was killed before it told of it
    orphan.parent.mkdir()
    orphan.write_bytes(b"RIFF")
    for other in (folder / "lost+found", folder / "notes"):
        other.mkdir()
        (other / "x.wav").write_bytes(b"")
    at, ctx = call.recorded_at, stage.desk.ctx
    assert purge_recordings(ctx, folder, 90, at + timedelta(days=90)) == 1
    assert not orphan.parent.exists()
    assert stage.kept()[0].recording is not None
    assert purge_recordings(ctx, folder, 90, at + timedelta(days=91)) == 2
    call = stage.kept()[0]
    assert [(row.recording, row.recorded_seconds is not None) for row in (call, *call.legs)] == [
        (None, True)
    ] * 2
    assert sorted(each.name for each in folder.iterdir()) == ["lost+found", "notes"]
    assert len(list(folder.rglob("*.wav"))) == 2
    assert purge_recordings(ctx, folder, 90, at + timedelta(days=92)) == 0
    with stage.desk.session() as session:
        lines = session.scalars(select(Audit).where(Audit.action == "purge_recordings")).all()
    assert [line.detail["number"] for line in lines] == [1, 2]


def test_where_the_folder_isnt_nothing_is_said_to_be_deleted(stages: Make, tmp_path: Path) -> None:
    """The clock may run on another machine than the role."""
    stage = stages(recordings=tmp_path)
    stage.line.comes("a", "13812340001", "sip:110@127.0.0.1")
    stage.turns(70.0)
    call = written(stage)
    assert call.recorded_at is not None
    later = call.recorded_at + timedelta(days=400)
    assert purge_recordings(stage.desk.ctx, tmp_path / "elsewhere", 90, later) == 0
    assert stage.kept()[0].recording is not None
