"""SRTP with Baresip over TLS, whose echo comes back as it left us: it read us, and we read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.events import Answered, Ended, Incoming, LineEvent, PlaybackFinished
from ivr.line import Dial
from ivr.sip.hop import Hop
from ivr.sip_line import SipLine
from ivr.sip_tls import TlsSettings
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import HOST, PROMPT, quick_voice
from tests.peers.baresip import Baresip, baresip_ports, make_papers

pytestmark = pytest.mark.peer("Baresip")


class Office:
    """A line whose trunk is Baresip; plays the prompt over and over, and keeps what it hears."""

    def __init__(self, folder: Path, port: int, srtp: str) -> None:
        tls = TlsSettings(
            port=0,
            certificate=folder / "office.test.pem",
            key=folder / "office.test.key",
            authorities=folder / "authority.pem",
        )
        trunk = {"name": "city", "host": HOST, "port": port + 1, "caller_number": "037963110110"}
        trunk |= {"transport": "tls", "tls_name": "trunk.test", "srtp": srtp}
        voice = quick_voice(9, trunks=(TrunkSettings.model_validate(trunk),), tls=tls)
        self.sip: list[str] = []
        self.line = SipLine(voice, takes_calls=True, on_message=self._on_message)
        self.told: list[LineEvent] = []
        self.heard: list[bytes] = []

    def _on_message(self, is_ours: bool, data: bytes, hop: Hop) -> None:
        self.sip.append(data.decode())

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.line.counters)
            for event in self.line.run_once(0.02):
                self.told.append(event)
                match event:
                    case Incoming(call):
                        self.line.answer(call)
                    case Answered(call):
                        self.line.tap(call, lambda packet, codec, now: self.heard.append(packet.payload))
                        self.line.play(call, "p", PROMPT)
                    case PlaybackFinished(call):
                        self.line.play(call, "p", PROMPT)

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def is_echoed(self) -> bool:
        """A tenth of a second of it, as it left us: on a busy machine Baresip leaves some of it out."""
        heard = b"".join(self.heard)
        return any(b"".join(PROMPT.pcma[at : at + 5]) in heard for at in range(0, len(PROMPT), 5))

    def hang_up(self, call: str) -> Ended:
        self.line.hangup(call)
        self.until(lambda: self.of(Ended) and " BYE\r\n" in self.sip[-1] and "200" in self.sip[-1][:12])
        end = self.of(Ended)[0]
        assert isinstance(end, Ended)
        return end


@contextmanager
def office(folder: Path, port: int, srtp: str) -> Iterator[Office]:
    made = Office(folder, port, srtp)
    try:
        yield made
    finally:
        made.line.close()


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
    with Baresip(tmp_path, port, account).running() as log, office(tmp_path, port, srtp) as ours:
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
    with office(tmp_path, port, "required") as ours:
        dials = f"sip:110@{HOST}:{ours.line.tls_port}"
        with Baresip(tmp_path, port, "mediaenc=srtp-mand;ptime=30", dials).running() as log:
            ours.until(lambda: ours.is_echoed)
            ours.hang_up(ours.of(Incoming)[0].call)
            assert "a=ptime:30\r\n" in next(message for message in ours.sip if "m=audio" in message)
            assert "SRTP is Enabled" in log.read_text()
