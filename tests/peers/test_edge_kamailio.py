"""The edge of `deploy/kamailio` before two workers and the desk: workers are killed, 110 isn't lost."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.loopback_city import sip_port
from tests.peers.kamailio_process import running_kamailio
from tests.peers.test_inbound_sipp import Role, callers, kept, operator, until

DEPLOY = Path(__file__).parents[2] / "deploy/kamailio"


@contextmanager
def edge(folder: Path, port: int, workers: list[int], desk: int) -> Iterator[Path]:
    """The configuration as it is deployed, with this test's addresses; yields its log."""
    folder.mkdir()
    shutil.copy(DEPLOY / "kamailio.cfg", folder)
    (folder / "edge-local.cfg").write_text(
        f"#!define EDGE_LISTEN udp:127.0.0.1:{port}\n"
        f'#!define EDGE_SELF "sip:edge@127.0.0.1:{port}"\n'
        f'#!define EDGE_LIST "{folder}/dispatcher.list"\n'
        f'#!define EDGE_DESK "sip:127.0.0.1:{desk}"\n'
    )
    lines = [f"1 sip:127.0.0.1:{worker} 0 0" for worker in workers]
    (folder / "dispatcher.list").write_text("\n".join([*lines, ""]))
    with running_kamailio(folder / "kamailio.cfg") as (_, log):
        yield log


def reaches(folder: Path, port: int, calls: int, name: str) -> None:
    """Callers by way of the edge; each talks until the other side hangs up."""
    place = folder / name
    place.mkdir()
    callers(place, port, calls).ended_well()


@pytest.mark.timeout(180)
def test_workers_die_and_the_desk_is_the_last_to_answer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/huifang.db"
    port = sip_port()
    with ExitStack() as ends:
        crowd = [operator(tmp_path, number, talk=700) for number in (1, 2, 3)]
        for each in crowd:
            ends.callback(each.stop)
        first, second, desk = crowd
        roles = []
        for name, telephone in (("w1", first), ("w2", second)):
            (tmp_path / name).mkdir()
            roles.append(Role(tmp_path / name, url, port, [telephone.port]))
        processes = [ends.enter_context(role.running()) for role in roles]
        log = ends.enter_context(edge(tmp_path / "edge", port, [role.port for role in roles], desk.port))
        until(lambda: answers(port))
        reaches(tmp_path, port, 6, "both")
        until(lambda: sum(call.ended_at is not None for call in kept(url)) == 6)
        assert {call.target for call in kept(url)} == {"seat-1"}
        assert desk.calls == 0
        processes[0].kill()
        reaches(tmp_path, port, 4, "one")  # the edge hears nothing and goes to the other
        until(lambda: sum(call.ended_at is not None for call in kept(url)) == 10)
        assert desk.calls == 0
        processes[1].kill()
        reaches(tmp_path, port, 3, "none")
        assert desk.calls == 3
        assert "110 goes to the desk" in log.read_text()


def answers(port: int) -> bool:
    """Whether somebody answers OPTIONS there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        probe.settimeout(0.3)
        here = f"127.0.0.1:{probe.getsockname()[1]}"
        request = (
            f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{port}\r\n"
            f"From: <sip:probe@{here}>;tag=1\r\nTo: <sip:127.0.0.1:{port}>\r\nCall-ID: probe@{here}\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
        )
        probe.sendto(request.encode(), ("127.0.0.1", port))
        with suppress(OSError):
            return probe.recv(2000).startswith(b"SIP/2.0 200")
    return False
