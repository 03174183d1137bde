"""A trunk over TLS with certificates on both sides: our line, Kamailio, and SIPp behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from callbacks.vocabulary import Disposition
from ivr.events import Answered, Ended, Incoming
from ivr.line import Dial
from ivr.media.ports import udp_socket
from ivr.sip_line import SipLine
from ivr.sip_tls import TlsSettings
from ivr.trunk_settings import TrunkSettings
from tests.integration.certificates import make_papers
from tests.loopback_city import HOST, Driver, quick_voice
from tests.peers.kamailio_trunk import KamailioTrunk, kamailio_trunk
from tests.peers.sipp import OK, OK_PLAIN, RECV_ACK, RECV_BYE, RECV_INVITE, RINGING, Sipp, pause
from tests.peers.test_inbound_sipp import callers

ROUTED = OK.replace(
    "[last_Call-ID:]", "[last_Record-Route:]\n[last_Call-ID:]"
)  # requests come back by Kamailio
ANSWERS = (RECV_INVITE, RINGING, pause(100), ROUTED, RECV_ACK, RECV_BYE, OK_PLAIN)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_papers(tmp_path_factory.mktemp("papers"))


@contextmanager
def office(trunk: KamailioTrunk | None, papers: Path, port: int = 0, **changes: object) -> Iterator[Driver]:
    """Our line, whose certificate the trunk asks for."""
    certificate = TlsSettings(
        port=port,
        certificate=papers / "office.test.pem",
        key=papers / "office.test.key",
        authorities=papers / "authority.pem",
        client_certificates="required",
    )
    ours = changes.pop("ours", certificate)
    there = {
        "name": "carrier",
        "host": HOST,
        "port": trunk.tls if trunk else 9,
        "transport": "tls",
        "tls_name": "trunk.test",
        "caller_number": "037963110110",
    } | changes
    settings = quick_voice(9, trunks=(TrunkSettings.model_validate(there),), tls=ours)
    line = SipLine(settings, takes_calls=True)
    try:
        yield Driver(line)
    finally:
        line.close()


def call(driver: Driver) -> Ended:
    """Until it's answered, then we hang up; or until it fails."""
    driver.line.dial(Dial("c1", "13803790001", "carrier"))
    driver.until(lambda: driver.of(Answered) or driver.of(Ended))
    driver.line.hangup("c1")
    return driver.ended()


@pytest.mark.parametrize("digest", [False, True], ids=["by certificate alone", "and by digest with SHA-256"])
def test_a_call_out_by_tls(digest: bool, tmp_path: Path, papers: Path) -> None:
    far = Sipp(tmp_path, *ANSWERS)
    account = {"username": "office", "password": "secret"} if digest else {}
    with kamailio_trunk(tmp_path / "trunk", papers, far.port, digest=digest) as trunk:
        with office(trunk, papers, **account) as driver:
            assert call(driver).disposition is Disposition.ANSWERED
        far.ended_well()


def test_a_wrong_password_is_refused_and_not_tried_again(tmp_path: Path, papers: Path) -> None:
    with (
        kamailio_trunk(tmp_path / "trunk", papers, 9, digest=True) as trunk,
        office(trunk, papers, username="office", password="wrong") as driver,
    ):
        end = call(driver)
    assert (end.disposition, end.sip_status) == (Disposition.TRUNK_REFUSED, 407)


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("its certificate bears another name", {"tls_name": "other.test"}),
        ("we trust another authority", {"tls_authorities": "stranger.pem"}),
        ("we show no certificate", {"ours": None, "tls_authorities": "authority.pem"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_without_trust_nothing_is_called(
    why: str, changes: dict[str, object], tmp_path: Path, papers: Path
) -> None:
    if "tls_authorities" in changes:
        changes = changes | {"tls_authorities": papers / str(changes["tls_authorities"])}
    with (
        closing(udp_socket(HOST, 0)) as far,
        kamailio_trunk(tmp_path / "trunk", papers, far.getsockname()[1]) as trunk,
        office(trunk, papers, **changes) as driver,
    ):
        assert call(driver).disposition is Disposition.NETWORK_FAIL
        with pytest.raises(BlockingIOError):  # nothing has come by
            far.recv(1)


def test_a_call_in_by_tls(tmp_path: Path, papers: Path) -> None:
    with office(None, papers) as driver:
        assert isinstance(driver.line, SipLine)
        with kamailio_trunk(tmp_path / "trunk", papers, 9, driver.line.tls_port) as trunk:
            crowd = callers(tmp_path, trunk.udp, 1)
            driver.until(lambda: any(isinstance(event, Incoming) for event in driver.events))
            (incoming,) = (event for event in driver.events if isinstance(event, Incoming))
            driver.line.ring(incoming.call)
            driver.line.answer(incoming.call)
            driver.wait_for(Answered, incoming.call)
            driver.line.hangup(incoming.call)
            assert driver.ended(incoming.call).by == "us"
            crowd.ended_well()
