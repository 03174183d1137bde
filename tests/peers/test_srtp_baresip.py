"""SRTP with Baresip over TLS, whose echo comes back as it left us: it read us, and we read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.events import Incoming
from ivr.line import Dial
from ivr.settings import VoiceSettings
from ivr.trunk_settings import TrunkSettings
from tests.integration.certificates import tls_of
from tests.loopback_city import HOST, quick_voice
from tests.peers.baresip import Baresip, baresip_ports, make_papers
from tests.peers.talking_office import talking_office

pytestmark = pytest.mark.peer("Baresip")


def voice(folder: Path, port: int, srtp: str) -> VoiceSettings:
    """Of an office whose trunk is Baresip."""
    trunk = {"name": "city", "host": HOST, "port": port + 1, "caller_number": "037963110110"}
    trunk |= {"transport": "tls", "tls_name": "trunk.test", "srtp": srtp}
    tls = tls_of(folder, "office.test")
    return quick_voice(9, trunks=(TrunkSettings.model_validate(trunk),), tls=tls)


CALLS = [
    # the trunk's srtp, Baresip's account, profiles offered
    ("required", "mediaenc=srtp-mand", ["RTP/SAVP"]),
    ("preferred", "mediaenc=srtp-mand", ["RTP/SAVP"]),
    ("preferred", "", ["RTP/SAVP", "RTP/AVP"]),  # it has none, and says 488
]


@pytest.mark.parametrize(("srtp", "account", "offered"), CALLS)
def test_we_call_it(tmp_path: Path, srtp: str, account: str, offered: list[str]) -> None:
    make_papers(tmp_path)
    port = baresip_ports()
    with (
        Baresip(tmp_path, port, account).running() as log,
        talking_office(voice(tmp_path, port, srtp)) as ours,
    ):
        ours.line.dial(Dial("c1", "110", "city"))
        ours.until(lambda: ours.is_echoed)
        end = ours.hang_up("c1")
        invites = [message for message in ours.sip if message.startswith("INVITE ")]
        assert [offer.split("m=audio ")[1].split()[1] for offer in invites] == offered
        assert end.quality is not None and end.quality.received > 0
        assert ("SRTP is Enabled" in log.read_text()) is (offered == ["RTP/SAVP"])


def test_it_calls_us_and_wants_packets_of_30_ms(tmp_path: Path) -> None:
    make_papers(tmp_path)
    port = baresip_ports()
    with talking_office(voice(tmp_path, port, "required")) as ours:
        dials = f"sip:110@{HOST}:{ours.line.tls_port}"
        with Baresip(tmp_path, port, "mediaenc=srtp-mand;ptime=30", dials).running() as log:
            ours.until(lambda: ours.is_echoed)
            ours.hang_up(ours.of(Incoming)[0].call)
            assert "a=ptime:30\r\n" in next(message for message in ours.sip if "m=audio" in message)
            assert "SRTP is Enabled" in log.read_text()
