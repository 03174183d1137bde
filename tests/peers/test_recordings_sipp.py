"""What SIPp's callers and operators say, in the files of their legs; a kill amid it, and a full disk."""

from __future__ import annotations

import contextlib
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from callbacks.alarms import AlarmKind
from callbacks.database import make_engine, make_read_sessions
from callbacks.models_inbound import InboundCall, InboundLeg
from callbacks.models_office import Alarm
from callbacks.recording_file import HEAD
from tests.loopback_city import sip_port
from tests.peers.peers import need
from tests.peers.sipp import pause, play
from tests.peers.sipp_crowd import THE_OPERATOR, Crowd, scenario, tone_pcap
from tests.peers.test_inbound_sipp import (
    CALLERS_HERTZ,
    Role,
    callers,
    kept,
    loudest,
    ringing,
    until,
)

OPERATORS_HERTZ = 1200


@contextlib.contextmanager
def operator(folder: Path, *, first: int, tone: int, then: int) -> Iterator[Crowd]:
    """Answers, says nothing for `first` ms, then its tone for `tone` ms, and hangs up `then` ms later."""
    said = tone_pcap(folder / "operator.pcap", OPERATORS_HERTZ, tone / 1000)
    steps = scenario(*ringing(), pause(first), play(said), pause(tone + then), THE_OPERATOR.bye())
    crowd = Crowd(folder / "operator", steps)
    try:
        yield crowd
    finally:
        crowd.stop()


def voice_of(path: Path) -> bytes:
    """What the file holds, as its own head tells; ffmpeg must read it without a word."""
    content = path.read_bytes()
    (told,) = struct.unpack_from("<I", content, HEAD - 4)
    assert content[:4] == b"RIFF" and content[20:22] == b"\6\0"  # A-law
    ffmpeg = shutil.which("ffmpeg")
    need("ffmpeg", ffmpeg is not None)
    command = [str(ffmpeg), "-v", "error", "-i", str(path), "-f", "alaw", "-"]
    decoded = subprocess.run(command, capture_output=True, check=True, timeout=30)
    assert (decoded.stdout, decoded.stderr) == (content[HEAD : HEAD + told], b"")
    return decoded.stdout


def tones(voice: bytes) -> list[int | None]:
    """By fifths of a second."""
    return [loudest(voice[at : at + 1600]) for at in range(0, len(voice) - 1599, 1600)]


def seconds_between(one: datetime | None, other: datetime | None) -> float:
    assert one is not None and other is not None
    return (other - one).total_seconds()


def read_alarms(url: str) -> list[Alarm]:
    engine = make_engine(url)
    try:
        with make_read_sessions(engine)() as session:
            kind = Alarm.kind == AlarmKind.RECORDING_FAILED
            return list(session.scalars(select(Alarm).where(kind)))
    finally:
        engine.dispose()


def settled(url: str) -> bool:
    """All is over, and each recording came back."""
    rows: list[InboundCall | InboundLeg] = []
    for call in kept(url):
        rows += [call, *call.legs]
    return bool(rows) and all(
        row.ended_at and (row.recorded_at is None or row.recorded_seconds is not None) for row in rows
    )


@pytest.mark.timeout(120)
def test_each_leg_holds_what_was_said_there_at_its_second(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/huifang.db", tmp_path / "recordings"
    with operator(tmp_path, first=2000, tone=2000, then=1000) as seat:
        role = Role(tmp_path, url, sip_port(), [seat.port], recordings=str(folder))
        with role.running():
            callers(tmp_path, role.port, 1).ended_well()
            until(lambda: settled(url))
    [call] = kept(url)
    [leg] = call.legs
    assert call.ended_by == "person" and read_alarms(url) == []
    assert call.recording is not None and leg.recording is not None
    of_caller, of_operator = (tones(voice_of(folder / name)) for name in (call.recording, leg.recording))
    # Two seconds of nothing, not a packet, then the tone: in the file where it was in the call.
    heard = [fifth for fifth, hertz in enumerate(of_operator) if hertz == OPERATORS_HERTZ]
    assert heard == list(range(heard[0], heard[-1] + 1)) and 8 <= len(heard) <= 10
    assert 9 <= heard[0] <= 12
    assert {hertz for hertz in of_operator if hertz} == {OPERATORS_HERTZ}
    # The caller talked all the while, and nobody else is in that file.
    assert of_caller.count(CALLERS_HERTZ) >= len(of_caller) - 3
    assert {hertz for hertz in of_caller if hertz} == {CALLERS_HERTZ}
    # Side by side: as long as the legs were up.
    for row, began in ((call, call.talked_at), (leg, leg.answered_at)):
        assert row.recorded_seconds is not None
        assert abs(seconds_between(began, row.recorded_at)) < 0.5
        assert abs(seconds_between(row.recorded_at, row.ended_at) - row.recorded_seconds) < 0.1
    assert abs(seconds_between(call.recorded_at, leg.recorded_at)) < 1.0


@pytest.mark.timeout(120)
def test_a_kill_amid_the_call_leaves_files_that_are_heard(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/huifang.db", tmp_path / "recordings"
    with operator(tmp_path, first=0, tone=20_000, then=0) as seat:
        role = Role(tmp_path, url, sip_port(), [seat.port], recordings=str(folder))
        with role.running() as process:
            crowd = callers(tmp_path, role.port, 1)
            try:
                until(lambda: sum(path.stat().st_size > 40_000 for path in folder.rglob("*.wav")) == 2)
                process.send_signal(signal.SIGKILL)
                process.wait(10)
            finally:
                crowd.stop()
    [call] = kept(url)  # it knew of both before
    [leg] = call.legs
    assert (call.recorded_seconds, leg.recorded_seconds) == (None, None)
    for row, hertz in ((call, CALLERS_HERTZ), (leg, OPERATORS_HERTZ)):
        assert row.recording is not None
        voice = voice_of(folder / row.recording)
        assert len(voice) >= 32_000
        assert tones(voice).count(hertz) >= len(tones(voice)) - 3


@pytest.mark.timeout(120)
def test_on_a_full_disk_the_call_goes_on_and_the_alarm_is_raised(tmp_path: Path) -> None:
    """A disk of 32 KiB, which both legs fill in two seconds; they talk for six."""
    url, folder = f"sqlite:///{tmp_path}/huifang.db", tmp_path / "recordings"
    folder.mkdir()
    mount = f"mount -t tmpfs -o size=32k none {folder}"
    tried = subprocess.run(["sh", "-c", f"unshare -rm {mount}"], check=False, capture_output=True)
    need("a mount of one's own (unshare)", tried.returncode == 0)
    with operator(tmp_path, first=0, tone=5000, then=1000) as seat:
        role = Role(tmp_path, url, sip_port(), [seat.port], recordings=str(folder))
        role.within = ("unshare", "-rm", "sh", "-c", f'{mount} && exec "$0" "$@"')
        with role.running():
            callers(tmp_path, role.port, 1).ended_well()
            until(lambda: settled(url))
    [call] = kept(url)
    [leg] = call.legs
    assert (call.ended_by, call.target) == ("person", "seat-1")
    assert seconds_between(call.talked_at, call.ended_at) > 5.5
    for row in (call, leg):
        assert row.recording_failed == "No space left on device"
        assert row.recorded_seconds is not None and 1.0 <= row.recorded_seconds <= 3.0
    [alarm] = read_alarms(url)
    assert alarm.detail == {"call": call.token, "reason": "No space left on device"}
