"""Account trunks against Kamailio's registrar: digest by MD5 and SHA-256, refreshes, and the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from callbacks.vocabulary import TrunkReason, TrunkStanding
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import Driver, quick_voice, sip_port
from tests.peers.kamailio_process import running_kamailio

CONFIG = Path(__file__).parent / "registrar.cfg"
DOMAIN = "carrier.example"


@contextmanager
def registrar(folder: Path, algorithm: str) -> Iterator[int]:
    """Its port. The algorithm's name is Kamailio's own; none is MD5."""
    port = sip_port()
    local = f'#!define REGISTRAR_LISTEN udp:127.0.0.1:{port}\n#!define REGISTRAR_ALGORITHM "{algorithm}"\n'
    config = folder / "registrar.cfg"
    config.write_text(CONFIG.read_text().replace("#!KAMAILIO\n", f"#!KAMAILIO\n{local}"))
    with running_kamailio(config) as (process, log):
        while is_known(port) is None:
            assert process.poll() is None, log.read_text()
        yield port


def is_known(port: int) -> bool | None:
    """Whether the registrar has a place for our account; None while it doesn't answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        probe.settimeout(0.3)
        here = f"127.0.0.1:{probe.getsockname()[1]}"
        request = (
            f"OPTIONS sip:office@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{here}\r\n"
            f"From: <sip:probe@{here}>;tag=1\r\nTo: <sip:office@{DOMAIN}>\r\nCall-ID: {time.monotonic()}\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
        )
        probe.sendto(request.encode(), ("127.0.0.1", port))
        with suppress(OSError):
            return probe.recv(2000).startswith(b"SIP/2.0 200")
    return None


def account(port: int, password: str = "secret") -> TrunkSettings:
    return TrunkSettings.model_validate(
        {
            "name": "carrier",
            "host": "127.0.0.1",
            "port": port,
            "caller_number": "037963110110",
            "from_domain": DOMAIN,
            "username": "office",
            "password": password,
            "register": True,
        }
    )


@pytest.mark.parametrize("algorithm", ["", "SHA-256"])
def test_an_account_is_registered_refreshed_and_taken_back(tmp_path: Path, algorithm: str) -> None:
    with registrar(tmp_path, algorithm) as port:
        line = SipLine(quick_voice(1, trunks=(account(port),), t2=0.4))
        driver = Driver(line)
        try:
            assert line.trunks.rooms(time.monotonic()) == {}, "nobody is called before we're known"
            with capture_logs() as logs:
                driver.until(lambda: len(logs) >= 4)
            registered = {"event": "trunk_registered", "log_level": "info", "trunk": "carrier"}
            assert logs == [registered | {"expires": 2}] * 4  # the registrar's time, not what we asked for
            assert is_known(port)
            assert set(line.trunks.rooms(time.monotonic())) == {"carrier"}
        finally:
            line.close()
        assert is_known(port) is False


def test_a_wrong_password_sets_the_trunk_aside(tmp_path: Path) -> None:
    with registrar(tmp_path, "") as port:
        line = SipLine(quick_voice(1, trunks=(account(port, "wrong"),), t2=0.4))
        driver = Driver(line)
        try:
            driver.until(
                lambda: line.trunks.standings(time.monotonic())[0].reason is TrunkReason.UNREGISTERED
            )
            (change,) = line.trunks.changes(time.monotonic())
            assert (change.standing, change.is_bad) == (TrunkStanding.ASIDE, True)
            assert is_known(port) is False
        finally:
            line.close()
