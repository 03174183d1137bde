"""Kamailio as a carrier's edge over TLS, which SIPp (Debian's) doesn't speak."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.loopback_city import sip_port
from tests.peers.kamailio_process import running_kamailio

HOST = "127.0.0.1"
CONFIGURATION = Path(__file__).parent / "kamailio/trunk.cfg"


class KamailioTrunk:
    """Its two ports; calls by TLS go on to `far_end` (a UDP port), those by UDP to `office` (a TLS port)."""

    def __init__(self, far_end: int, office: int, papers: Path, digest: bool) -> None:
        self.udp, self.tls = sip_port(), sip_port()
        self.settings = (
            f"#!define TRUNK_UDP udp:{HOST}:{self.udp}\n"
            f"#!define TRUNK_TLS tls:{HOST}:{self.tls}\n"
            f'#!define TRUNK_FAR_END "sip:{HOST}:{far_end}"\n'
            f'#!define TRUNK_OFFICE "sip:{HOST}:{office};transport=tls"\n'
            f'#!define TRUNK_CERTIFICATE "{papers}/trunk.test.pem"\n'
            f'#!define TRUNK_KEY "{papers}/trunk.test.key"\n'
            f'#!define TRUNK_AUTHORITIES "{papers}/authority.pem"\n'
        ) + ("#!define DIGEST\n" if digest else "")


@contextmanager
def kamailio_trunk(
    folder: Path, papers: Path, far_end: int, office: int = 9, *, digest: bool = False
) -> Iterator[KamailioTrunk]:
    folder.mkdir()
    trunk = KamailioTrunk(far_end, office, papers, digest)
    shutil.copy(CONFIGURATION, folder)
    (folder / "trunk-local.cfg").write_text(trunk.settings)
    with running_kamailio(folder / "trunk.cfg", "tls.so") as (process, log):
        _wait_for(trunk.tls, process, log)
        yield trunk


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"Kamailio didn't start: {log.read_text()[-2000:]}")
