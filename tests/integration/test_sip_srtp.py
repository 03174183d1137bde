"""SRTP over loopback: the voice goes by what SIP agrees, and SIP agrees what a trunk's `srtp` says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callbacks.vocabulary import Disposition
from ivr.events import Answered, Ended, Incoming, LineEvent, PlaybackFinished
from ivr.line import Dial
from ivr.media.ports import PortPool
from ivr.media.remote import MediaEvent
from ivr.sip.events import AckReceived, InviteAccepted, InviteFailed, InviteReceived
from ivr.sip.hop import Hop, Transport
from ivr.sip.sdp import Media, Profiles
from ivr.sip.transaction import Timers
from ivr.sip_endpoint import EndpointEvent, SipEndpoint
from ivr.sip_line import SipLine
from ivr.sip_tls import TlsSettings, client_context, server_context
from ivr.sip_wires import WirePlan
from ivr.trunk_settings import TrunkSettings
from tests.integration.certificates import make_papers
from tests.loopback_city import HOST, PROMPT, media_ports, quick_voice

OFF, PREFERRED, REQUIRED = Profiles(True, False), Profiles(True, True), Profiles(False, True)


class Ends:
    """Who calls and who is called, turned together; each may take what `profiles` say."""

    def __init__(self, callers: Profiles, called: Profiles) -> None:
        self._profiles = {"caller": callers, "called": called}
        self.caller, self.called = (self._endpoint(profiles) for profiles in (callers, called))
        self.told: list[EndpointEvent] = []
        self.heard: dict[str, list[bytes]] = {"caller": [], "called": []}

    def _endpoint(self, profiles: Profiles) -> SipEndpoint:
        timers, pool = Timers(t1=0.05, t2=0.2, t4=0.1), PortPool(HOST, *media_ports(2))
        return SipEndpoint(HOST, 0, frozenset({HOST}), timers, pool, 2, 1e9, profiles=lambda source: profiles)

    def media(self, who: str, call: str):  # type: ignore[no-untyped-def]
        hear = self.heard[who].append
        endpoint = self.caller if who == "caller" else self.called
        return endpoint.open_media(
            call, ("pcma",), lambda payload, codec, now: hear(payload), self._profiles[who]
        )

    def call(self) -> None:
        hop = Hop(HOST, self.called.port)
        self.caller.invite("c", f"sip:110@{hop}", hop, self.media("caller", "c"), f"sip:1@{HOST}")

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, self.told
            for endpoint in (self.caller, self.called):
                for event in endpoint.turn(0.002):
                    self.told.append(event)
                    self._take(event)

    def _take(self, event: EndpointEvent | MediaEvent) -> None:
        now = time.monotonic()
        match event:
            case InviteReceived(call):
                self.called.answer(call, self.media("called", call), HOST)
            case AckReceived(call, media):
                self.called.agree(call, media, HOST)
                self.called.start_media(call, now)
                self.called.media(call).play("p", PROMPT)  # type: ignore[union-attr]
            case InviteAccepted(call, media=media):
                self.caller.agree(call, media, HOST)
                self.caller.start_media(call, now)
                self.caller.media(call).play("p", PROMPT)  # type: ignore[union-attr]

    def of(self, kind: type) -> list[EndpointEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    def close(self) -> None:
        self.caller.close()
        self.called.close()


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = Ends(*request.param)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("ends", "is_secure"),
    [
        ((PREFERRED, PREFERRED), True),
        ((REQUIRED, PREFERRED), True),
        ((PREFERRED, REQUIRED), True),
        ((PREFERRED, OFF), False),  # a second INVITE, after 488
        ((OFF, PREFERRED), False),
    ],
    indirect=["ends"],
)
def test_both_hear_each_other_by_what_was_agreed(ends: Ends, is_secure: bool) -> None:
    ends.call()
    ends.until(lambda: all(PROMPT.pcma[-1] in heard for heard in ends.heard.values()))
    (accepted,) = ends.of(InviteAccepted)
    assert isinstance(accepted, InviteAccepted) and (accepted.media.keys is not None) is is_secure
    assert not ends.caller.counters and ends.called.counters.keys() <= {"sip_dropped"}
    for heard in ends.heard.values():
        first = heard.index(PROMPT.pcma[0])
        assert tuple(heard[first : first + len(PROMPT)]) == PROMPT.pcma


@pytest.mark.parametrize("ends", [(REQUIRED, OFF), (OFF, REQUIRED)], indirect=True)
def test_who_requires_it_never_talks_without(ends: Ends) -> None:
    ends.call()
    ends.until(lambda: ends.of(InviteFailed))
    (failed,) = ends.of(InviteFailed)
    assert isinstance(failed, InviteFailed) and failed.status == 488
    assert not ends.of(InviteReceived)


# -- a line and its trunk, over TLS


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_papers(tmp_path_factory.mktemp("papers"))


def tls_of(papers: Path, name: str) -> TlsSettings:
    return TlsSettings(
        port=0,
        certificate=papers / f"{name}.pem",
        key=papers / f"{name}.key",
        authorities=papers / "authority.pem",
    )


class Trunk:
    """A line whose trunk has that `srtp`, and its far end, which takes what `profiles` say."""

    def __init__(self, papers: Path, srtp: str, profiles: Profiles) -> None:
        tls, self._profiles = tls_of(papers, "trunk.test"), profiles
        to_office = client_context(tls, verify=True)
        plan = WirePlan(
            tcp=True, server_tls=server_context(tls), client_tls=lambda hop: (to_office, "office.test")
        )
        timers, pool = Timers(t1=0.05, t2=0.2, t4=0.1), PortPool(HOST, *media_ports(2))
        self.far = SipEndpoint(
            HOST,
            0,
            frozenset({HOST}),
            timers,
            pool,
            2,
            1e9,
            plan=plan,
            profiles=lambda source: profiles,
        )
        trunk = {"name": "city", "host": HOST, "caller_number": "037963110110", "tls_name": "trunk.test"}
        trunk |= {"transport": "tls", "srtp": srtp, "port": self.far.tls_port}
        settings = TrunkSettings.model_validate(trunk)
        voice = quick_voice(9, trunks=(settings,), tls=tls_of(papers, "office.test"))
        self.line = SipLine(voice, takes_calls=True)
        self.told: list[LineEvent] = []
        self.theirs: list[EndpointEvent] = []

    def calls_us(self, transport: Transport = "tls") -> None:
        hop = Hop(HOST, self.line.tls_port if transport == "tls" else self.line.port, transport)
        local = self.far.open_media("out", ("pcma",), None, self._profiles)
        self.far.invite("out", f"sip:110@{hop}", hop, local, f"sip:13803790001@{HOST}")

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.theirs, self.line.counters)
            self.told += (told := self.line.run_once(0.002))
            for event in told:
                if isinstance(event, Incoming):
                    self.line.answer(event.call)
                if isinstance(event, Answered):
                    self.line.play(event.call, "p", PROMPT)
            self.theirs += (theirs := self.far.turn(0.002))
            for event in theirs:
                self._take(event)

    def _take(self, event: EndpointEvent) -> None:
        match event:
            case InviteReceived(call):
                self.far.answer(call, self.far.open_media(call, ("pcma",), None, self._profiles), HOST)
            case AckReceived(call, media) | InviteAccepted(call, media=media):
                self.far.agree(call, media, HOST)
                self.far.start_media(call, time.monotonic())

    @property
    def agreed(self) -> Media | None:
        """What the far end has agreed with us."""
        found = (event for event in self.theirs if isinstance(event, AckReceived | InviteAccepted))
        return next((event.media for event in found), None)

    def ended(self) -> list[Ended]:
        return [event for event in self.told if isinstance(event, Ended)]

    def close(self) -> None:
        self.line.close()
        self.far.close()


@pytest.fixture
def trunk(request: pytest.FixtureRequest, papers: Path) -> Iterator[Trunk]:
    made = Trunk(papers, *request.param)
    yield made
    made.close()


TRUNKS = [
    # the trunk's srtp, what its far end takes, whether the voice is hidden; None: 488
    (("off", OFF), False),
    (("off", REQUIRED), None),
    (("preferred", OFF), False),
    (("preferred", PREFERRED), True),
    (("required", OFF), None),
    (("required", REQUIRED), True),
]


@pytest.mark.parametrize(("trunk", "is_secure"), TRUNKS, indirect=["trunk"])
def test_whom_we_call_by_a_trunk(trunk: Trunk, is_secure: bool | None) -> None:
    trunk.line.dial(Dial("c1", "13803790001", "city"))
    trunk.until(lambda: trunk.ended() or (trunk.agreed and playback_over(trunk)))
    if is_secure is None:
        (end,) = trunk.ended()
        assert (end.sip_status, end.disposition) == (488, Disposition.TRUNK_REFUSED)
        return
    assert trunk.agreed is not None and (trunk.agreed.keys is not None) is is_secure
    trunk.line.hangup("c1")
    trunk.until(trunk.ended)
    quality = trunk.ended()[0].quality
    assert quality is not None and quality.received > 0
    assert "srtp_refused" not in trunk.line.counters


@pytest.mark.parametrize(("trunk", "is_secure"), TRUNKS, indirect=["trunk"])
def test_who_calls_us_by_a_trunk(trunk: Trunk, is_secure: bool | None) -> None:
    trunk.calls_us()
    trunk.until(lambda: failed(trunk) or (trunk.agreed and playback_over(trunk)))
    if is_secure is None:
        assert [event.status for event in failed(trunk)] == [488] and not trunk.told
    else:
        assert trunk.agreed is not None and (trunk.agreed.keys is not None) is is_secure


@pytest.mark.parametrize("trunk", [("required", REQUIRED)], indirect=True)
def test_keys_that_anybody_may_have_read_are_none(trunk: Trunk) -> None:
    trunk.calls_us("tcp")
    trunk.until(lambda: failed(trunk))
    assert [event.status for event in failed(trunk)] == [488] and not trunk.told


def failed(trunk: Trunk) -> list[InviteFailed]:
    return [event for event in trunk.theirs if isinstance(event, InviteFailed)]


def playback_over(trunk: Trunk) -> bool:
    return any(isinstance(event, PlaybackFinished) for event in trunk.told)
