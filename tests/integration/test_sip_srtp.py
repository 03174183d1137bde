"""SRTP over loopback: the voice goes by what SIP agrees, and SIP agrees what a trunk's `srtp` says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callbacks.vocabulary import Disposition
from ivr.events import PlaybackFinished
from ivr.line import Dial
from ivr.media.remote import MediaEvent
from ivr.sip.events import AckReceived, InviteAccepted, InviteFailed, InviteReceived
from ivr.sip.hop import Hop
from ivr.sip.sdp import Profiles
from ivr.sip_endpoint import EndpointEvent, SipEndpoint
from tests.integration.certificates import tls_of, tls_plan
from tests.line_and_trunk import LineAndTrunk, far_endpoint, trunk_to
from tests.loopback_city import HOST, PROMPT

OFF, PREFERRED, REQUIRED = Profiles(True, False), Profiles(True, True), Profiles(False, True)


class Ends:
    """Who calls and who is called, turned together; each may take what `profiles` say."""

    def __init__(self, callers: Profiles, called: Profiles) -> None:
        self._profiles = {"caller": callers, "called": called}
        self.caller, self.called = (self._endpoint(profiles) for profiles in (callers, called))
        self.told: list[EndpointEvent] = []
        self.heard: dict[str, list[bytes]] = {"caller": [], "called": []}

    def _endpoint(self, profiles: Profiles) -> SipEndpoint:
        return far_endpoint(profiles=lambda source: profiles)

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


@pytest.fixture
def trunk(request: pytest.FixtureRequest, papers: Path) -> Iterator[LineAndTrunk]:
    """A trunk with that `srtp`, whose far end takes what the profiles say."""
    srtp, profiles = request.param
    far = far_endpoint(plan=tls_plan(papers), profiles=lambda source: profiles)
    settings = trunk_to(far.tls_port, transport="tls", tls_name="trunk.test", srtp=srtp)
    made = LineAndTrunk(far, settings, profiles, tls=tls_of(papers, "office.test"))
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
def test_whom_we_call_by_a_trunk(trunk: LineAndTrunk, is_secure: bool | None) -> None:
    trunk.line.dial(Dial("c1", "13803790001", "city"))
    trunk.until(lambda: trunk.ended() or (trunk.agreed and trunk.of(PlaybackFinished)))
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
def test_who_calls_us_by_a_trunk(trunk: LineAndTrunk, is_secure: bool | None) -> None:
    trunk.calls_us(Hop(HOST, trunk.line.tls_port, "tls"))
    trunk.until(lambda: trunk.from_far(InviteFailed) or (trunk.agreed and trunk.of(PlaybackFinished)))
    if is_secure is None:
        assert [event.status for event in trunk.from_far(InviteFailed)] == [488] and not trunk.told
    else:
        assert trunk.agreed is not None and (trunk.agreed.keys is not None) is is_secure


@pytest.mark.parametrize("trunk", [("required", REQUIRED)], indirect=True)
def test_keys_that_anybody_may_have_read_are_none(trunk: LineAndTrunk) -> None:
    trunk.calls_us(Hop(HOST, trunk.line.port, "tcp"))
    trunk.until(lambda: trunk.from_far(InviteFailed))
    assert [event.status for event in trunk.from_far(InviteFailed)] == [488] and not trunk.told
