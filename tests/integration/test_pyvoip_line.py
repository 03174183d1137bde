"""The pyVoIP line's own: its faults overridden, registration, calls that come in; over loopback UDP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from callbacks.vocabulary import Disposition
from ivr.events import Answered, Ended, Incoming, KeyPressed, LineEvent, PlaybackFinished, Ringing
from ivr.line import Dial, LineError
from ivr.media.ports import udp_socket
from ivr.pyvoip_line import PyvoipLine
from ivr.settings import VoiceSettings
from ivr.sip.digest import Credentials, parse_challenge, response_digest
from ivr.sip.envelope import envelope_of
from ivr.sip.events import AckReceived, DialogEnded, InviteReceived
from ivr.sip.headers import parse_params, split_list
from ivr.sip.hop import Hop
from ivr.sip.incoming import reply
from ivr.sip.message import Request, Response, parse, serialise
from ivr.sip_endpoint import EndpointEvent
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.line_and_trunk import far_endpoint
from tests.loopback_city import HOST, LONG_PROMPT, PROMPT, Driver, open_files, quick_voice

CHALLENGE = 'Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5'


def free_port() -> int:
    with udp_socket(HOST, 0) as bound:
        return int(bound.getsockname()[1])


class Switch:
    """A PBX that does what a test tells it, by our own user agent, turned with the line."""

    def __init__(self) -> None:
        self.voice: list[tuple[str, bytes]] = []
        self.endpoint = far_endpoint(calls=4)
        self.agent = self.endpoint.agent
        self.line = PyvoipLine(quick_voice(self.endpoint.port, media_lost_after=0.4))
        self.told: list[LineEvent] = []
        self.theirs: list[EndpointEvent] = []

    def close(self) -> None:
        self.line.close()
        self.endpoint.close()

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.theirs)
            self.told += self.line.run_once(0.005)
            for event in self.endpoint.turn(0.005):
                self.theirs.append(event)
                if isinstance(event, AckReceived):
                    self.endpoint.agree(event.call, event.media, HOST)
                    self.endpoint.start_media(event.call, time.monotonic())

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    def from_us(self, kind: type) -> list[EndpointEvent]:
        return [event for event in self.theirs if isinstance(event, kind)]

    def dial(self, **times: float) -> str:
        self.line.dial(Dial("c1", "13803790001", "city", **times))
        self.until(lambda: self.from_us(InviteReceived))
        return self.from_us(InviteReceived)[0].call

    def answer(self, codecs: tuple[str, ...] = ("pcma", "pcmu")) -> str:
        call = self.dial()
        local = self.endpoint.open_media(
            call, codecs, lambda payload, codec, now: self.voice.append((codec, payload))
        )
        self.agent.answer(call, local, time.monotonic())
        self.until(lambda: self.of(Answered) and self.from_us(AckReceived))
        return call


@pytest.fixture
def pbx() -> Iterator[Switch]:
    switch = Switch()
    yield switch
    switch.close()


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_a_prompt_arrives_as_it_was_encoded(pbx: Switch, codec: str) -> None:
    """pyVoIP itself would send µ-law under A-law's payload type, with 8 bits a sample."""
    pbx.answer((codec,))
    pbx.line.play("c1", "rating", PROMPT)
    pbx.until(lambda: pbx.of(PlaybackFinished))
    pbx.until(lambda: len(pbx.voice) > 2 * len(PROMPT))
    frames = [payload for _, payload in pbx.voice]
    began = frames.index(PROMPT.frames(codec)[0])
    assert tuple(frames[began : began + len(PROMPT)]) == PROMPT.frames(codec)
    assert {each for each, _ in pbx.voice} == {codec}


def test_a_key_that_the_bye_overtook_is_told_before_the_end(pbx: Switch) -> None:
    call = pbx.answer()
    pbx.endpoint.media(call).press("3", 0.05)
    pbx.until(lambda: pbx.of(KeyPressed))
    pbx.agent.bye(call, time.monotonic(), q850=16)
    pbx.until(lambda: pbx.of(Ended))
    assert [type(event) for event in pbx.told] == [Answered, KeyPressed, Ended]
    assert (pbx.told[-1].q850, pbx.told[-1].by) == (16, "them")


def test_lost_media_ends_the_call(pbx: Switch) -> None:
    call = pbx.answer()
    pbx.endpoint.close_media(call)
    pbx.until(lambda: pbx.of(Ended))
    end = pbx.of(Ended)[0]
    assert (end.disposition, end.by) == (Disposition.MEDIA_LOST, "network")
    pbx.until(lambda: pbx.from_us(DialogEnded))


def test_nobody_there_ends_after_the_total_time(pbx: Switch) -> None:
    """pyVoIP itself would wait for ever for a 100."""
    pbx.agent.receive = lambda *ignored: None  # type: ignore[method-assign]
    pbx.line.dial(Dial("c1", "13803790001", "city", ring_timeout=1, total_timeout=0.3))
    pbx.until(lambda: pbx.of(Ended))
    end = pbx.of(Ended)[0]
    assert (end.disposition, end.sip_status, end.q850) == (Disposition.NETWORK_FAIL, None, None)


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended(pbx: Switch) -> None:
    call = pbx.dial()
    pbx.agent.provisional(call, 180, time.monotonic())
    pbx.until(lambda: pbx.of(Ringing))
    local = pbx.endpoint.open_media(call, ("pcma",))
    pbx.agent.answer(call, local, time.monotonic())
    pbx.line.hangup("c1")
    pbx.until(lambda: pbx.of(Ended) and pbx.from_us(DialogEnded))
    assert (pbx.of(Ended)[0].disposition, pbx.of(Ended)[0].sip_status) == (Disposition.CANCELLED, 487)


@pytest.mark.parametrize(
    ("status", "q850", "disposition", "by"),
    [
        (404, 1, Disposition.UNALLOCATED, "them"),
        (480, 20, Disposition.POWERED_OFF, "them"),
        (480, None, Disposition.NO_ANSWER, "them"),
        (403, None, Disposition.TRUNK_REFUSED, "them"),
        (503, 34, Disposition.NETWORK_FAIL, "network"),  # pyVoIP raises KeyError
        (500, None, Disposition.NETWORK_FAIL, "network"),
        (486, 17, Disposition.BUSY, "them"),  # pyVoIP hangs
    ],
)
def test_failures_are_mapped(
    pbx: Switch, status: int, q850: int | None, disposition: Disposition, by: str
) -> None:
    pbx.agent.reject(pbx.dial(), status, time.monotonic(), q850=q850)
    pbx.until(lambda: pbx.of(Ended))
    end = pbx.of(Ended)[0]
    assert (end.sip_status, end.q850, end.disposition, end.by) == (status, q850, disposition, by)
    pbx.until(lambda: pbx.agent.idle)  # our ACK came: nothing is sent again


def test_its_threads_and_descriptors_end_with_it() -> None:
    threads, files = threading.active_count(), open_files()
    pbx = Switch()
    pbx.answer()
    pbx.line.play("c1", "rating", LONG_PROMPT)
    assert threading.active_count() == threads + 3
    pbx.close()
    assert (threading.active_count(), open_files()) == (threads, files)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trunks": ()}, "pyVoIP has one trunk, not 0"),
        ({"sip_port": "taken"}, "sip_port: 127.0.0.1:.*choose another"),
        ({"rtp": "taken"}, "rtp_port_min"),
    ],
)
def test_a_setting_that_cant_be(changes: dict[str, object], words: str) -> None:
    files = open_files()
    with udp_socket(HOST, 0) as taken:
        port = taken.getsockname()[1]
        settings: dict[str, object] = {"lines": 1}
        if changes.get("rtp"):
            even = port - port % 2
            settings |= {"rtp_port_min": even, "rtp_port_max": even + 1}
        else:
            settings |= {name: port if value == "taken" else value for name, value in changes.items()}
        with pytest.raises(LineError, match=words):
            PyvoipLine(quick_voice(5060, **settings))
    assert open_files() == files


# -- a PBX that asks who we are


class Registrar:
    """Answers by hand: each REGISTER and INVITE is challenged, the first datagram is lost."""

    def __init__(self) -> None:
        self.socket = udp_socket(HOST, 0)
        self.seen: list[tuple[str, str]] = []
        self.lost = False

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def turn(self) -> None:
        while True:
            try:
                data, source = self.socket.recvfrom(65535)
            except BlockingIOError:
                return
            if not self.lost:
                self.lost = True
                continue
            request = parse(data)
            if isinstance(request, Request) and request.method != "ACK":
                self.take(request, Hop(*source))

    def take(self, request: Request, source: Hop) -> None:
        name, status = ("", 401) if request.method == "REGISTER" else ("Proxy-", 407)
        login = request.first(f"{name}Authorization" if name else "Authorization")
        headers: tuple[tuple[str, str], ...] = ()
        if login is None:
            headers = ((f"{name}Authenticate" if name else "WWW-Authenticate", CHALLENGE),)
            self.seen.append((request.method, "asked"))
        else:
            status = 200 if request.method == "REGISTER" else 486
            headers = (("Expires", "60"),)
            right = self.is_right(request, login)
            self.seen.append((f"{request.method} {request.first('Expires') or ''}".strip(), right))
        envelope = envelope_of(request)
        answer = reply(request, envelope, source, status, to_tag="pbx", headers=headers)
        self.socket.sendto(serialise(answer), source[:2])

    @staticmethod
    def is_right(request: Request, login: str) -> str:
        params = parse_params(";".join(split_list(login.removeprefix("Digest "), "login")), "login")
        challenge = parse_challenge("WWW-Authenticate", CHALLENGE)
        assert challenge is not None and request.uri == params["uri"]
        count = int(params["nc"] or "", 16)
        account = Credentials("8001", "geheim")
        right = response_digest(
            challenge, account, request.method, request.uri, params["cnonce"] or "", count
        )
        return "right" if right == params["response"] else "wrong"


def test_it_registers_calls_with_its_account_and_leaves() -> None:
    registrar = Registrar()
    trunk = TrunkSettings(
        name="pbx", host=HOST, port=registrar.port, caller_number="8001", username="8001", password="geheim"
    )
    line = PyvoipLine(quick_voice(5060, trunks=(trunk,)))
    told: list[LineEvent] = []

    def until(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, registrar.seen
            registrar.turn()
            told.extend(line.run_once(0.01))

    until(lambda: line.registration.done)
    assert registrar.seen == [("REGISTER", "asked"), ("REGISTER 120", "right")]
    line.dial(Dial("c1", "13803790001", "pbx"))
    until(lambda: told)
    assert registrar.seen[2:4] == [("INVITE", "asked"), ("INVITE", "right")]
    assert isinstance(told[0], Ended) and told[0].disposition is Disposition.BUSY
    line.registration.leave()
    until(lambda: line.registration.done is False)
    assert registrar.seen[-1] == ("REGISTER 0", "right")
    line.close()
    registrar.socket.close()


# -- calls that come in


class Pair:
    """A caller's line and the extension that it calls, each the other's trunk."""

    def __init__(self) -> None:
        ours = free_port()
        self.caller = SipLine(quick_voice(ours))
        self.line = PyvoipLine(self.settings(ours))
        self.there, self.here = Driver(self.caller), Driver(self.line)

    def settings(self, port: int) -> VoiceSettings:
        trunk = TrunkSettings(name="pbx", host=HOST, port=self.caller.port, caller_number="8001")
        return quick_voice(5060, lines=2, sip_port=port, trunks=(trunk,))

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, (self.there.events, self.here.events)
            self.there.events += self.caller.run_once(0.005)
            self.here.events += self.line.run_once(0.005)

    def come_in(self, number: str = "037963110110") -> str:
        self.caller.dial(Dial("out", number, "city"))
        self.until(lambda: self.here.events)
        event = self.here.events[0]
        assert isinstance(event, Incoming)
        assert (event.uri, event.caller) == (f"sip:{number}@{HOST}:{self.line.port}", "037963110110")
        return event.call

    def ended(self, call: str) -> tuple[Ended, Ended]:
        self.until(lambda: self.there.of(Ended, "out") and self.here.of(Ended, call))
        return self.there.of(Ended, "out")[0], self.here.of(Ended, call)[0]  # type: ignore[return-value]


@pytest.fixture
def pair() -> Iterator[Pair]:
    both = Pair()
    yield both
    both.line.close()
    both.caller.close()


def test_a_call_comes_in_is_answered_and_heard(pair: Pair) -> None:
    call = pair.come_in()
    pair.line.ring(call)
    pair.until(lambda: pair.there.of(Ringing, "out"))
    pair.line.answer(call)
    pair.until(lambda: pair.there.of(Answered, "out") and pair.here.of(Answered, call))
    pair.line.play(call, "welcome", PROMPT)
    pair.until(lambda: pair.here.of(PlaybackFinished, call))
    pair.caller._endpoint.media("out").press("5", 0.06)
    pair.until(lambda: pair.here.of(KeyPressed, call))
    assert pair.here.of(KeyPressed, call)[0].key == "5"
    pair.caller.hangup("out")
    _, end = pair.ended(call)
    assert (end.disposition, end.by) == (Disposition.ANSWERED, "them")
    assert [type(event) for event in pair.here.events].count(Ended) == 1


def test_we_hang_up_on_a_call_that_came_in(pair: Pair) -> None:
    call = pair.come_in()
    pair.line.answer(call)
    pair.until(lambda: pair.there.of(Answered, "out"))
    pair.line.hangup(call)
    there, here = pair.ended(call)
    assert (there.by, here.by) == ("them", "us")


@pytest.mark.parametrize("status", [486, 503])
def test_a_call_that_comes_in_is_rejected(pair: Pair, status: int) -> None:
    call = pair.come_in()
    pair.line.reject(call, status)
    there, here = pair.ended(call)
    assert (there.sip_status, here.sip_status, here.by) == (status, status, "us")


def test_a_caller_is_sent_to_each_address_in_its_order(pair: Pair) -> None:
    """pyVoIP itself writes no 302."""
    heard: list[Request | Response] = []
    take = pair.caller._endpoint.agent.receive

    def listen(data: bytes, *rest: object) -> None:
        heard.append(parse(data))
        take(data, *rest)  # type: ignore[arg-type]

    pair.caller._endpoint.agent.receive = listen  # type: ignore[method-assign]
    call = pair.come_in()
    pair.line.redirect(call, ["sip:8001@127.0.0.1:5099", "sip:8002@127.0.0.1:5099"])
    there, _ = pair.ended(call)
    assert there.sip_status == 302
    contacts = next(
        each.every("Contact") for each in heard if isinstance(each, Response) and each.status == 302
    )
    assert list(contacts) == ["<sip:8001@127.0.0.1:5099>", "<sip:8002@127.0.0.1:5099>"]


def test_an_orders_headers_are_in_its_invite(pbx: Switch) -> None:
    pbx.line.dial(Dial("c1", "13803790001", "city", headers=(("Call-Info", "<sip:pop@127.0.0.1>"),)))
    pbx.until(lambda: pbx.from_us(InviteReceived))
    assert ("Call-Info", "<sip:pop@127.0.0.1>") in pbx.from_us(InviteReceived)[0].headers


def test_a_caller_gives_up_while_it_rings(pair: Pair) -> None:
    call = pair.come_in()
    pair.line.ring(call)
    pair.until(lambda: pair.there.of(Ringing, "out"))
    pair.caller.hangup("out")
    there, here = pair.ended(call)
    assert (there.sip_status, here.sip_status, here.by) == (487, 487, "them")
    pair.line.answer(call)  # too late, and harmless
    pair.line.ring("nobody")


def test_one_call_goes_out_while_another_is_in(pair: Pair) -> None:
    call = pair.come_in()
    pair.line.answer(call)
    pair.line.dial(Dial("back", "13803790001", "pbx"))
    with pytest.raises(LineError, match="one call out at a time"):
        pair.line.dial(Dial("second", "13803790001", "pbx"))
    pair.until(lambda: pair.here.of(Ended, "back"))
    assert pair.here.of(Ended, "back")[0].sip_status == 403  # a caller's line takes none
    assert not pair.here.of(Ended, call)
