"""110 as a carrier's trunk brings it: SIPp callers, SIPp operators, the role as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import selectinload

from callbacks.database import make_engine, make_read_sessions
from callbacks.models_inbound import InboundCall
from ivr.media import g711
from tests.databases import free_port, postgresql_cluster, postgresql_programs
from tests.loopback_city import media_ports, sip_port
from tests.peers.capture import capture
from tests.peers.chaos_city import PRESET
from tests.peers.peers import need
from tests.peers.sipp import OK_PLAIN, RECV_ACK, RECV_BYE, pause, play
from tests.peers.sipp_crowd import (
    ACK,
    INVITE,
    PROVISIONAL,
    RECV_CALL,
    RINGS,
    TAKEN,
    TAKES,
    THE_OPERATOR,
    Crowd,
    scenario,
    tone_pcap,
)
from tests.peers.wire import voices

CALLERS, OPERATORS = 30, 5
CALLERS_HERTZ = 600


def operators_hertz(number: int) -> int:
    return 1000 + 200 * number


class Role:
    """`huifang serve --role inbound` over its own database."""

    def __init__(
        self,
        folder: Path,
        url: str,
        callers: int,
        telephones: list[int],
        *,
        callers_trunk: Mapping[str, Any] | None = None,
        **inbound: Any,
    ) -> None:
        """Each of the telephones' SIP ports is a target `seat-1` …, an operator's if nothing else is said.

        `callers_trunk` is what else is said of theirs; the rest is of `[inbound]`.
        """
        self.folder, self.port = folder, sip_port()
        self.media = media_ports(200)
        self.within: tuple[str, ...] = ()  # a command that runs the role
        seats = dict(enumerate(telephones, 1))
        trunks = [
            trunk("city", callers) | (callers_trunk or {}),
            *(trunk(f"op{n}", at) for n, at in seats.items()),
        ]
        targets = {f"seat-{n}": {"number": f"80{n}", "trunk": f"op{n}"} for n in seats}
        settings = {
            "mode": "operators",
            "sip_port": self.port,
            "rtp_port_min": self.media[0],
            "rtp_port_max": self.media[1],
            "trunks": trunks,
            "operators": [{"target": name} for name in targets],
            "wrap_up": 0,
            "announce_every": 5,
            **inbound,
        }
        self.environment = {
            **os.environ,
            "HUIFANG_CONFIG": str(PRESET),
            "HUIFANG_DATABASE__URL": url,
            "HUIFANG_DATABASE__KEY_FILE": str(folder / "huifang.key"),
            "HUIFANG_TARGETS": json.dumps(targets),
            **{f"HUIFANG_INBOUND__{name.upper()}": _as_text(value) for name, value in settings.items()},
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [*self.within, sys.executable, "-m", "app", "serve", "--role", "inbound"]
        log = (self.folder / "role.log").open("ab")
        with log, subprocess.Popen(command, env=self.environment, stdout=log, stderr=log) as process:
            try:
                self._wait_until_ready()
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)

    def _wait_until_ready(self) -> None:
        until(lambda: "inbound_ready" in (self.folder / "role.log").read_text())


def trunk(name: str, port: int) -> dict[str, Any]:
    return {"name": name, "host": "127.0.0.1", "port": port, "caller_number": "037963110110"}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def operator(folder: Path, number: int, talk: int) -> Crowd:
    """Rings for 0.3 s, answers, says its tone and hangs up after `talk` milliseconds."""
    tone = tone_pcap(folder / f"tone-{number}.pcap", operators_hertz(number), talk / 1000)
    steps = scenario(*ringing(), play(tone), pause(talk), THE_OPERATOR.bye())
    return Crowd(folder / f"operator-{number}", steps)


def ringing() -> list[str]:
    """Rings for 0.3 s and answers."""
    return [RECV_CALL, RINGS, pause(300), TAKES, RECV_ACK]


@pytest.fixture
def operators(tmp_path: Path) -> Iterator[list[Crowd]]:
    crowd = [operator(tmp_path, number, talk=1500) for number in range(1, OPERATORS + 1)]
    yield crowd
    for each in crowd:
        each.stop()


def callers(
    folder: Path,
    port: int,
    calls: int,
    *,
    reaches_within: int | None = None,
    rate: int = 15,
    says: float = 15.0,
) -> Crowd:
    """They talk until the operator hangs up; who waits longer than so many milliseconds for our 200 fails."""
    tone = tone_pcap(folder / "caller.pcap", CALLERS_HERTZ, says)
    taken = (
        TAKEN if reaches_within is None else f'<recv response="200" rrs="true" timeout="{reaches_within}"/>'
    )
    steps = scenario(INVITE, PROVISIONAL, taken, ACK, play(tone), RECV_BYE, OK_PLAIN)
    return Crowd(folder / "callers", steps, to=port, calls=calls, rate=rate)


def kept(url: str) -> list[InboundCall]:
    engine = make_engine(url)
    try:
        with make_read_sessions(engine)() as session:
            query = select(InboundCall).options(selectinload(InboundCall.legs))
            return list(session.scalars(query.order_by(InboundCall.came_at)))
    finally:
        engine.dispose()


def loudest(payload: bytes) -> int | None:
    """The frequency that 0.2 s of A-law consist of, to the nearest 50 Hz; None for silence or a mixture."""
    samples = g711.decode(payload, "pcma").astype(float)
    if np.abs(samples).max() < 2000:
        return None
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    peak = int(power.argmax())
    if power[max(0, peak - 3) : peak + 4].sum() < 0.9 * power.sum():
        return None
    return round(peak * 8000 / len(samples) / 50) * 50


def tones_to(pcap: Path, sent_from: tuple[int, int]) -> dict[int, Counter[int]]:
    """Receiving port → how many fifths of a second of each tone came there from the role's media ports."""
    found: dict[int, Counter[int]] = {}
    for port, voice in voices(pcap, sent_from).items():
        heard = [loudest(voice[at : at + 1600]) for at in range(0, len(voice) - 1600, 1600)]
        found[port] = Counter(hertz for hertz in heard if hertz)
    return found


@pytest.mark.timeout(180)
def test_thirty_callers_and_five_operators(tmp_path: Path, operators: list[Crowd]) -> None:
    url = f"sqlite:///{tmp_path}/huifang.db"
    role = Role(tmp_path, url, sip_port(), [each.port for each in operators])
    pcap = tmp_path / "voice.pcap"
    with role.running():
        media = f"udp portrange {role.media[0]}-{role.media[1]}"
        with capture(pcap, media):
            crowd = callers(tmp_path, role.port, CALLERS)
            crowd.ended_well()
        until(lambda: sum(call.ended_at is not None for call in kept(url)) == CALLERS)
    calls = kept(url)
    # Nobody was dropped: each talked with a person, who hung up.
    assert Counter(call.ended_by for call in calls) == {"person": CALLERS}
    answered_by = Counter(call.target for call in calls)
    assert set(answered_by) == {f"seat-{number}" for number in range(1, OPERATORS + 1)}
    # In their order: whoever came first was the first for whom a telephone rang.
    rung = [min(leg.began_at for leg in call.legs) for call in calls]
    assert rung == sorted(rung)
    assert sum(call.queued_at is not None for call in calls) >= CALLERS - 2 * OPERATORS
    assert all(call.asserted for call in calls)
    assert all(call.access_network.startswith("3GPP-E-UTRAN-FDD") for call in calls)
    # Each heard the operator that answered, each operator the callers.
    heard = tones_to(pcap, role.media)
    at_callers = [tones for tones in heard.values() if not tones[CALLERS_HERTZ]]
    found = Counter(
        f"seat-{number}"
        for tones in at_callers
        for number in range(1, OPERATORS + 1)
        if tones[operators_hertz(number)] >= 4
    )
    assert found == answered_by
    at_operators = [tones for tones in heard.values() if tones[CALLERS_HERTZ] >= 4]
    assert len(at_operators) == CALLERS


@pytest.mark.timeout(120)
def test_with_the_database_stopped_a_caller_reaches_a_person_and_its_kept_for_later(tmp_path: Path) -> None:
    """Stopped before the role begins, too: it needs none."""
    programs = postgresql_programs()
    need("PostgreSQL", programs is not None)
    assert programs is not None
    talker = operator(tmp_path, 1, talk=1000)
    port = free_port()
    role = Role(
        tmp_path, f"postgresql+psycopg://huifang@127.0.0.1:{port}/postgres", free_port(), [talker.port]
    )
    with role.running():
        first = callers(tmp_path, role.port, 1, reaches_within=2000)
        first.ended_well()
        log = (tmp_path / "role.log").read_text()
        assert "database_away" in log
        assert list((tmp_path / "spool").glob("inbound-*.spool"))
        with postgresql_cluster(programs, port=port) as url:
            until(lambda: ended(f"{url}/postgres") == 1)
    talker.stop()


def ended(url: str) -> int:
    try:
        return sum(call.ended_at is not None for call in kept(url))
    except DBAPIError:  # not up yet, or its tables aren't there
        return 0
