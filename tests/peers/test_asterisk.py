"""Asterisk as the carrier's switch: accounts, what its numbers answer, its keys and echo, calls of two of us.

By hand, by `make peers-extra`: HUIFANG_ASTERISK names a folder with a Debian that has it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from callbacks.vocabulary import Disposition, TrunkStanding
from ivr.events import Answered, Ended, Incoming, KeyPressed, TransferAsked
from ivr.line import Dial
from ivr.settings import VoiceSettings
from ivr.trunk_settings import TrunkSettings
from tests.integration.certificates import make_papers, tls_of
from tests.loopback_city import HOST, media_ports, quick_voice, sip_port
from tests.peers.asterisk_process import Asterisk, asterisk_folder, asterisk_home, running_asterisk
from tests.peers.talking_office import TalkingOffice, talking_office

FOLDER = asterisk_folder()
HERE = Path(__file__).parent / "asterisk"
ACCOUNT, OTHER, SECURE = "037963110110", "037963120000", "037963130000"
MODULES = """
res_timing_timerfd codec_alaw codec_ulaw res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_pjproject res_rtp_asterisk res_srtp res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_caller_id
res_pjsip_endpoint_identifier_user res_pjsip_authenticator_digest res_pjsip_registrar res_pjsip_refer
res_pjsip_rfc3326 res_pjsip_pubsub chan_pjsip bridge_simple bridge_native_rtp
bridge_softmix func_callerid pbx_config app_dial app_echo app_senddtmf app_transfer
app_playtones res_clioriginate
"""

pytestmark = pytest.mark.skipif(FOLDER is None, reason="HUIFANG_ASTERISK isn't given: make peers-extra")


@dataclass
class Switch:
    """Asterisk, at its ports."""

    program: Asterisk
    port: int
    tls_port: int
    other_port: int

    def knows(self, account: str) -> bool:
        return f"{account}/sip:" in self.program.told("pjsip show contacts")

    def calls(self, target: str, number: str) -> None:
        self.program.told(f"channel originate PJSIP/{target} extension {number}@city")


@contextmanager
def switch(papers: Path, algorithm: str = "MD5", direct_media: str = "no") -> Iterator[Switch]:
    assert FOLDER is not None
    port, other_port = sip_port(), sip_port()
    tls_port = sip_port()
    first, last = media_ports(20)
    with asterisk_home(FOLDER) as home:
        for paper in papers.iterdir():
            (home.path / paper.name).write_bytes(paper.read_bytes())
        names = {
            "account": ACCOUNT,
            "algorithm": algorithm,
            "direct_media": direct_media,
            "inside": home.inside,
            "other_port": other_port,
            "port": port,
            "tls_port": tls_port,
        }
        files = {each.name: each.read_text().format(**names) for each in HERE.glob("*.conf")}
        files["rtp.conf"] = f"[general]\nrtpstart = {first}\nrtpend = {last}\n"
        with running_asterisk(home, MODULES.split(), files) as program:
            wait_for(program)
            yield Switch(program, port, tls_port, other_port)


def wait_for(program: Asterisk) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            program.told("core waitfullybooted")
            return
        except subprocess.CalledProcessError:
            assert program.process.poll() is None and time.monotonic() < deadline, program.log
            time.sleep(0.1)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def city(papers: Path) -> Iterator[Switch]:
    with switch(papers) as made:
        yield made


def voice(switch: Switch, number: str = ACCOUNT, **changes: object) -> VoiceSettings:
    """Of an office whose trunk is the switch, with the account."""
    trunk: dict[str, object] = {"name": "city", "host": HOST, "port": switch.port, "caller_number": number}
    if number == ACCOUNT:
        trunk |= {"username": ACCOUNT, "password": "secret", "register": True, "from_domain": "city.example"}
    trunk |= changes.pop("trunk", {})  # type: ignore[arg-type,operator]
    return quick_voice(9, trunks=(TrunkSettings.model_validate(trunk),), **changes)


@pytest.fixture
def ours(city: Switch) -> Iterator[TalkingOffice]:
    with talking_office(voice(city)) as office:
        office.until(lambda: office.line.trunks.rooms(time.monotonic()))
        yield office


def call(office: TalkingOffice, number: str, **changes: object) -> Ended:
    """One that they end."""
    office.line.dial(Dial("c1", number, "city", **changes))  # type: ignore[arg-type]
    office.until(lambda: office.of(Ended))
    (end,) = office.of(Ended)
    assert isinstance(end, Ended)
    return end


def together(one: TalkingOffice, other: TalkingOffice, condition: Callable[[], object]) -> None:
    """Turned by turns until it holds."""
    one.until(lambda: other.turn() or condition())


def ports_told(messages: Iterable[str]) -> list[str]:
    return [message.split("m=audio ")[1].split()[0] for message in messages if "m=audio " in message]


def talks_directly(one: TalkingOffice, other: TalkingOffice) -> bool:
    """Whether who calls again has told one the port of the other."""
    again = ports_told(message for message in one.sip if message.startswith("INVITE sip:"))
    return len(again) > 1 and again[-1] in ports_told(other.sip)


def keys(office: TalkingOffice) -> str:
    return "".join(event.key for event in office.of(KeyPressed) if isinstance(event, KeyPressed))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_an_account_registers_calls_and_is_called(papers: Path, algorithm: str) -> None:
    """Registered, challenged at its INVITE, heard, rung by the address that it gave, and taken back."""
    with switch(papers, algorithm) as city:
        with talking_office(voice(city)) as office:
            office.until(lambda: office.line.trunks.rooms(time.monotonic()))
            assert city.knows(ACCOUNT)
            office.line.dial(Dial("c1", "600", "city"))
            office.until(lambda: keys(office) == "15#" and office.is_echoed)
            assert office.hang_up("c1").by == "us"
            asked = [message for message in office.sip if message.startswith("INVITE sip:600@")]
            assert len(asked) == 2 and f"algorithm={algorithm}" in asked[1], "challenged once"

            office.heard.clear()
            office.told.clear()
            city.calls(ACCOUNT, "600")
            office.until(lambda: keys(office) == "15#" and office.is_echoed)
            (incoming,) = office.of(Incoming)
            assert isinstance(incoming, Incoming) and incoming.trunk == "city"
            office.hang_up(incoming.call)
        assert not city.knows(ACCOUNT)


RELEASED = [
    # number, SIP status, what came of it. Asterisk says no Q.850 cause before an answer.
    ("601", 487, Disposition.BUSY),  # by the tone in early media alone: we hang up
    ("602", 486, Disposition.BUSY),
    ("603", 503, Disposition.NETWORK_FAIL),  # congested
    ("604", 404, Disposition.UNALLOCATED),
    ("605", 480, Disposition.NO_ANSWER),  # switched off, and it doesn't say so
    ("606", 403, Disposition.TRUNK_REFUSED),
]


@pytest.mark.parametrize(("number", "status", "disposition"), RELEASED)
def test_why_nobody_answered(ours: TalkingOffice, number: str, status: int, disposition: Disposition) -> None:
    end = call(ours, number)
    assert (end.sip_status, end.q850, end.disposition) == (status, None, disposition)


def test_it_rings_on_and_on(ours: TalkingOffice) -> None:
    """Our ring time is over: CANCEL, 487, ACK."""
    end = call(ours, "607", ring_timeout=1.0)
    assert (end.sip_status, end.disposition, end.by) == (487, Disposition.NO_ANSWER, "us")


def test_a_302_to_where_the_settings_dont_lead_ends_the_call(ours: TalkingOffice) -> None:
    assert call(ours, "608").sip_status == 302


def test_a_302_to_where_they_lead_is_followed(city: Switch) -> None:
    with talking_office(voice(city, trunk={"redirects": ("city",)})) as office:
        office.until(lambda: office.line.trunks.rooms(time.monotonic()))
        office.line.dial(Dial("c1", "608", "city"))
        office.until(lambda: keys(office) == "15#" and office.is_echoed)
        office.hang_up("c1")


def test_it_asks_us_to_call_elsewhere(ours: TalkingOffice) -> None:
    """Its REFER is told; when it learns that it isn't done, it ends the call."""
    ours.line.dial(Dial("c1", "609", "city"))
    ours.until(lambda: ours.of(TransferAsked))
    ours.line.refer_result("c1", 603)
    ours.until(lambda: ours.of(Ended))
    assert any("SIP/2.0 603" in each for each in ours.sip if each.startswith("NOTIFY sip:"))
    (end,) = ours.of(Ended)
    assert isinstance(end, Ended) and (end.by, end.disposition) == ("them", Disposition.ANSWERED)


def test_who_is_there_is_told_anew_amid_the_call(ours: TalkingOffice) -> None:
    """By an UPDATE; the voice goes on."""
    ours.line.dial(Dial("c1", "610", "city"))
    ours.until(lambda: any(each.startswith("UPDATE sip:") and "13803790009" in each for each in ours.sip))
    ours.heard.clear()
    ours.until(lambda: ours.is_echoed)
    ours.hang_up("c1")


def test_it_hangs_up_and_says_why(ours: TalkingOffice) -> None:
    end = call(ours, "611")
    assert (end.by, end.q850, end.disposition) == ("them", 16, Disposition.ANSWERED)


def test_it_wants_calls_refreshed_less_often(city: Switch) -> None:
    """60 s are too few for it: 422 with its 90, and the call is made with those (RFC 4028)."""
    with talking_office(voice(city, session_expires=60, min_se=60)) as office:
        office.until(lambda: office.line.trunks.rooms(time.monotonic()))
        office.line.dial(Dial("c1", "600", "city"))
        office.until(lambda: office.of(Answered))
        assert any(message.startswith("SIP/2.0 422 ") for message in office.sip)
        invites = [message for message in office.sip if message.startswith("INVITE ")]
        assert "Session-Expires: 90" in invites[-1]
        office.hang_up("c1")


def test_a_wrong_password_sets_the_trunk_aside(city: Switch) -> None:
    with talking_office(voice(city, trunk={"password": "wrong"})) as office:
        trunks = office.line.trunks
        office.until(lambda: trunks.standings(time.monotonic())[0].standing is TrunkStanding.ASIDE)


@pytest.mark.parametrize("srtp", ["required", "preferred"])
def test_by_tls_with_srtp(city: Switch, papers: Path, srtp: str) -> None:
    """Each shows its certificate; its echo comes back as it left us."""
    trunk = {"transport": "tls", "port": city.tls_port, "tls_name": "trunk.test", "srtp": srtp}
    with talking_office(voice(city, SECURE, trunk=trunk, tls=tls_of(papers, "office.test"))) as office:
        office.line.dial(Dial("c1", "600", "city"))
        office.until(lambda: keys(office) == "15#" and office.is_echoed)
        end = office.hang_up("c1")
        assert end.quality is not None and end.quality.received > 0
        assert sum(message.startswith("INVITE ") for message in office.sip) == 1


@pytest.mark.parametrize("direct", ["no", "yes"])
def test_a_call_from_one_of_us_to_another(papers: Path, direct: str) -> None:
    """With direct media Asterisk has us talk with each other, by re-INVITEs to both."""
    with (
        switch(papers, direct_media=direct) as city,
        talking_office(voice(city)) as caller,
        talking_office(voice(city, OTHER, sip_port=city.other_port)) as called,
    ):
        caller.until(lambda: caller.line.trunks.rooms(time.monotonic()))
        caller.line.dial(Dial("c1", "620", "city"))
        together(caller, called, lambda: caller.is_echoed and called.is_echoed)
        if direct == "yes":
            together(caller, called, lambda: talks_directly(called, caller))
            caller.heard.clear()
            called.heard.clear()
            together(caller, called, lambda: caller.is_echoed and called.is_echoed)
        caller.line.hangup("c1")
        together(caller, called, lambda: caller.of(Ended) and called.of(Ended))
        (end,) = called.of(Ended)
        assert isinstance(end, Ended) and end.by == "them"
