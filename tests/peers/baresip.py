"""Baresip as the far end of a trunk over TLS: whatever it hears it says again."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration import certificates
from tests.loopback_city import HOST, media_ports, sip_port
from tests.peers.peers import need

__all__ = ["Baresip", "baresip_ports", "make_papers"]

_CONFIG = """sip_listen {host}:{port}
sip_certificate {folder}/trunk.pem
sip_cafile {folder}/authority.pem
audio_source aubridge,echo
audio_player aubridge,echo
audio_alert aubridge,echo
net_interface {host}
rtp_ports {first}-{last}
module_path {modules}
module g711.so
module aubridge.so
{srtp}module srtp.so
module_tmp account.so
module_app {app}.so
"""


def make_papers(folder: Path) -> None:
    """Of the authority, trunk.test and office.test; Baresip wants its own with its key."""
    certificates.make_papers(folder)
    both = (folder / "trunk.test.pem").read_text() + (folder / "trunk.test.key").read_text()
    (folder / "trunk.pem").write_text(both)


def baresip_ports() -> int:
    """Its port over UDP and TCP; the one over TLS is the next."""
    before = sip_port()
    while (port := sip_port()) != before + 1:
        before = port
    return before


class Baresip:
    """`account` are its account's parameters (`mediaenc=srtp-mand`); with `dials` it calls that URI."""

    def __init__(self, folder: Path, port: int, account: str, dials: str = "") -> None:
        self._folder, self._log = folder, folder / "baresip.log"
        first, last = media_ports(10)
        modules = next(Path("/usr/lib").glob("**/baresip/modules"), None)
        config = _CONFIG.format(
            host=HOST,
            port=port,
            folder=folder,
            first=first,
            last=last,
            modules=modules,
            srtp="" if "mediaenc" in account else "# ",
            app="menu" if dials else "echo",
        )
        (folder / "config").write_text(config)
        user = "13803790001" if dials else "110"
        (folder / "accounts").write_text(
            f"<sip:{user}@{HOST};transport=tls>;regint=0;answermode=auto;audio_codecs=PCMA;{account}\n"
        )
        self._command = ["baresip", "-f", str(folder), "-v", *(["-e", f"/dial {dials}"] if dials else [])]

    @contextmanager
    def running(self) -> Iterator[Path]:
        """Until it's ready to be called; its log."""
        need("Baresip", shutil.which("baresip") is not None)
        with self._log.open("wb") as out:
            process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self._folder
            )
        try:
            deadline = time.monotonic() + 20
            while b"baresip is ready" not in self._log.read_bytes():
                assert process.poll() is None and time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            yield self._log
        finally:
            process.terminate()
            process.wait(20)
