"""The SIP line against a far end that a test plays by hand, over loopback UDP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from callbacks.vocabulary import Disposition
from ivr.events import Answered, EarlyMedia, Ended, KeyPressed, LineEvent, PlaybackFinished, Ringing
from ivr.line import Dial, LineError
from ivr.media.ports import udp_socket
from ivr.settings import VoiceSettings
from ivr.sip.events import AckReceived, CancelReceived, DialogEnded, InviteReceived
from ivr.sip.hop import Hop
from ivr.sip_endpoint import EndpointEvent
from ivr.sip_line import SipLine
from ivr.trunk_settings import CauseOverride, TrunkSettings
from tests.line_and_trunk import far_endpoint
from tests.loopback_city import HOST, LONG_PROMPT, PROMPT, media_ports, open_files, quick_voice


class FarEnd:
    """A trunk that does what a test tells it, and the line that calls it, turned together."""

    def __init__(self, **changes: object) -> None:
        self.voice: list[bytes] = []
        self.endpoint = far_endpoint(calls=4)
        self.agent = self.endpoint.agent
        self.line = SipLine(quick_voice(self.endpoint.port, **changes))
        self.told: list[LineEvent] = []
        self.theirs: list[EndpointEvent] = []

    def close(self) -> None:
        self.line.close()
        self.endpoint.close()

    def turn(self) -> None:
        self.told += self.line.run_once(0.005)
        for event in self.endpoint.turn(0.005):
            self.theirs.append(event)
            if isinstance(event, AckReceived):
                self.endpoint.agree(event.call, event.media, HOST)
                self.endpoint.start_media(event.call, time.monotonic())

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.theirs, self.line.counters)
            self.turn()

    def for_seconds(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end)

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    def from_us(self, kind: type) -> list[EndpointEvent]:
        return [event for event in self.theirs if isinstance(event, kind)]

    def dial(self, number: str = "13803790001") -> InviteReceived:
        """The INVITE as it came in."""
        self.line.dial(Dial("c1", number, "city"))
        self.until(lambda: self.from_us(InviteReceived))
        invite = self.from_us(InviteReceived)[0]
        assert isinstance(invite, InviteReceived)
        return invite

    def answer(self, codecs: tuple[str, ...] = ("pcma", "pcmu"), speak: bool = True) -> str:
        """Take the call; the id that the far end has for it."""
        call = self.dial().call
        local = self.endpoint.open_media(call, codecs, lambda payload, codec, now: self.voice.append(payload))
        self.agent.answer(call, local, time.monotonic())
        if not speak:  # answered, but not one packet comes
            self.endpoint.start_media = lambda call, now: None  # type: ignore[method-assign]
        self.until(lambda: self.of(Answered) and self.from_us(AckReceived))
        return call

    def ended(self) -> Ended:
        self.until(lambda: self.of(Ended))
        self.for_seconds(0.1)
        assert len(self.of(Ended)) == 1
        end = self.told[-1]
        assert isinstance(end, Ended)
        return end


@pytest.fixture
def far() -> Iterator[FarEnd]:
    made = FarEnd()
    yield made
    made.close()


def test_the_invite_says_who_calls_whom(far: FarEnd) -> None:
    invite = far.dial()
    assert (invite.user, invite.caller) == ("13803790001", "037963110110")
    assert invite.offer is not None
    assert (invite.offer.codec, invite.offer.host) == ("pcma", HOST)
    assert f"@{HOST}" in (far.line.sip_call_id("c1") or "")
    assert far.line.sip_call_id("c2") is None


def test_the_order_may_show_another_of_our_numbers(far: FarEnd) -> None:
    far.line.dial(Dial("c1", "13803790001", "city", caller="037963110111"))
    far.until(lambda: far.from_us(InviteReceived))
    assert far.from_us(InviteReceived)[0].caller == "037963110111"


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_the_voice_is_in_the_law_that_the_answer_chose(far: FarEnd, codec: str) -> None:
    far.answer((codec,))
    assert far.of(Answered)[0].codec == codec
    far.line.play("c1", "greeting", PROMPT)
    far.until(lambda: far.of(PlaybackFinished))
    far.for_seconds(0.05)
    first = far.voice.index(PROMPT.frames(codec)[0])
    assert tuple(far.voice[first : first + len(PROMPT)]) == PROMPT.frames(codec)


def test_keys_by_rfc_4733_and_their_doubles_by_info(far: FarEnd) -> None:
    call = far.answer()
    for key in "12":
        far.endpoint.media(call).press(key, 0.06)
        far.agent.info(call, key, time.monotonic())
    far.until(lambda: len(far.of(KeyPressed)) >= 2)
    far.for_seconds(0.3)
    assert [event.key for event in far.of(KeyPressed)] == ["1", "2"]


def test_keys_by_info_alone(far: FarEnd) -> None:
    call = far.answer()
    for key in "3*":
        far.agent.info(call, key, time.monotonic())
        far.for_seconds(0.05)
    far.until(lambda: len(far.of(KeyPressed)) == 2)
    assert [event.key for event in far.of(KeyPressed)] == ["3", "*"]


def test_early_media_is_told_before_the_answer(far: FarEnd) -> None:
    call = far.dial().call
    local = far.endpoint.open_media(call, ("pcma",))
    far.agent.provisional(call, 183, time.monotonic(), local=local)
    far.endpoint.agree(call, far.from_us(InviteReceived)[0].offer, HOST)
    far.endpoint.start_media(call, time.monotonic())
    far.until(lambda: far.of(EarlyMedia))
    assert [type(event) for event in far.told] == [Ringing, EarlyMedia]


def test_a_second_180_rings_once(far: FarEnd) -> None:
    call = far.dial().call
    for _ in range(2):
        far.agent.provisional(call, 180, time.monotonic())
        far.for_seconds(0.05)
    assert len(far.of(Ringing)) == 1


def test_rtp_that_never_comes_is_media_lost() -> None:
    far = FarEnd(media_lost_after=0.3)
    try:
        far.answer(speak=False)
        end = far.ended()
        assert (end.disposition, end.sip_status, end.by) == (Disposition.MEDIA_LOST, 200, "network")
        far.until(lambda: far.from_us(DialogEnded))  # we said BYE
    finally:
        far.close()


def test_they_hang_up(far: FarEnd) -> None:
    call = far.answer()
    far.line.play("c1", "rating", LONG_PROMPT)
    far.agent.bye(call, time.monotonic(), q850=16)
    end = far.ended()
    assert (end.disposition, end.q850, end.by) == (Disposition.ANSWERED, 16, "them")


@pytest.mark.parametrize(
    ("status", "q850", "disposition", "by"),
    [
        (403, None, Disposition.TRUNK_REFUSED, "them"),
        (503, None, Disposition.NETWORK_FAIL, "network"),
        (503, 17, Disposition.BUSY, "network"),  # the cause beats the status
        (480, 20, Disposition.POWERED_OFF, "them"),
        (488, None, Disposition.TRUNK_REFUSED, "them"),
    ],
)
def test_refusals(far: FarEnd, status: int, q850: int | None, disposition: Disposition, by: str) -> None:
    far.agent.reject(far.dial().call, status, time.monotonic(), q850=q850)
    end = far.ended()
    assert (end.disposition, end.sip_status, end.q850, end.by) == (disposition, status, q850, by)


def test_a_trunks_own_row_of_causes() -> None:
    far = FarEnd()
    row = CauseOverride(sip_status=480, disposition=Disposition.POWERED_OFF)
    trunk = TrunkSettings(
        name="odd", host=HOST, port=far.endpoint.port, caller_number="037963110110", overrides=(row,)
    )
    far.line.close()
    far.line = SipLine(quick_voice(1, trunks=(trunk,)))
    try:
        far.line.dial(Dial("c1", "13803790001", "odd"))
        far.until(lambda: far.from_us(InviteReceived))
        far.agent.reject(far.from_us(InviteReceived)[0].call, 480, time.monotonic())
        assert far.ended().disposition is Disposition.POWERED_OFF
    finally:
        far.close()


def test_ringing_is_cancelled_when_we_hang_up(far: FarEnd) -> None:
    call = far.dial().call
    far.agent.provisional(call, 180, time.monotonic())
    far.until(lambda: far.of(Ringing))
    far.line.hangup("c1")
    assert far.ended().disposition is Disposition.CANCELLED
    assert far.from_us(CancelReceived)


def test_a_trunk_that_is_silent_is_the_networks_fault() -> None:
    with udp_socket(HOST, 0) as nobody:
        line = SipLine(quick_voice(nobody.getsockname()[1], t1=0.01, t2=0.04))
        try:
            line.dial(Dial("c1", "13803790001", "city"))
            told: list[LineEvent] = []
            deadline = time.monotonic() + 10
            while not told:
                assert time.monotonic() < deadline
                told += line.run_once(0.05)
        finally:
            line.close()
    assert isinstance(told[0], Ended)
    assert (told[0].disposition, told[0].sip_status, told[0].by) == (
        Disposition.NETWORK_FAIL,
        None,
        "network",
    )


def test_a_datagram_of_no_trunk_is_dropped_and_counted(far: FarEnd) -> None:
    with udp_socket("127.0.0.2", 0) as stranger:
        for _ in range(3):
            stranger.sendto(b"OPTIONS sip:us@127.0.0.1 SIP/2.0\r\n\r\n", (HOST, far.line.port))
        far.until(lambda: far.line.counters.get("sip_stranger") == 3)
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)


@pytest.mark.parametrize(
    "datagram", [b"", b"\0\0\0\0", b"INVITE\r\n", b"SIP/2.0 999 \xff\xfe\r\n\r\n", b"A" * 9000]
)
def test_a_malformed_datagram_stops_nothing(far: FarEnd, datagram: bytes) -> None:
    with udp_socket(HOST, 0) as odd:
        odd.sendto(datagram, (HOST, far.line.port))
    far.answer()
    far.line.hangup("c1")
    assert far.ended().disposition is Disposition.ANSWERED


def test_nobody_calls_in_on_this_line(far: FarEnd) -> None:
    local = far.endpoint.open_media("in", ("pcma",))
    far.agent.invite(
        "in", f"sip:110@{HOST}", Hop(HOST, far.line.port), local, f"sip:1@{HOST}", time.monotonic()
    )
    far.until(lambda: [event for event in far.theirs if getattr(event, "status", None) == 403])
    assert not far.told


def test_when_no_port_is_left_nothing_leaves(far: FarEnd) -> None:
    first, last = media_ports(1)
    line = SipLine(quick_voice(far.endpoint.port, lines=1, rtp_port_min=first, rtp_port_max=last))
    try:
        line.dial(Dial("a", "13803790001", "city"))
        line.dial(Dial("b", "13803790001", "city"))
        (end,) = [event for event in line.run_once(0.05) if isinstance(event, Ended)]
        assert (end.call, end.disposition, end.by) == ("b", Disposition.NETWORK_FAIL, "us")
    finally:
        line.close()


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (Dial("c1", "13803790001", "absent"), "no trunk is named 'absent'"),
        (Dial("c1", "1380379\r\nTo: x", "city"), "a number is digits"),
        (Dial("c1", "13803790001", "city", caller="110@x"), "a number is digits"),
        (Dial("c1", "", "city"), "a number is digits"),
    ],
)
def test_orders_that_can_t_be_dialled(far: FarEnd, order: Dial, told: str) -> None:
    with pytest.raises(LineError, match=told):
        far.line.dial(order)


def test_faults_of_the_settings_are_told_at_the_start(far: FarEnd) -> None:
    with pytest.raises(LineError, match=f"sip_port: {HOST}:{far.line.port}"):
        SipLine(quick_voice(far.endpoint.port, sip_port=far.line.port))
    first, last = media_ports(1)
    taken = [udp_socket(HOST, first)]
    try:
        with pytest.raises(LineError, match="choose another range"):
            SipLine(quick_voice(1, lines=1, rtp_port_min=first, rtp_port_max=last))
    finally:
        taken[0].close()


def test_close_leaves_nothing_open() -> None:
    before = open_files()
    far = FarEnd()
    far.answer()
    far.close()
    assert open_files() == before


def test_settings_name_the_trunks() -> None:
    assert VoiceSettings().trunks == ()
