"""SIP by TCP and TLS, names of trunks, and the first wall, on loopback with our own agent at the far end."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import pytest

from callbacks.vocabulary import Disposition
from ivr.events import Answered, Ended, Incoming, LineEvent
from ivr.line import Dial, LineError
from ivr.media.ports import mark_of
from ivr.sip.events import AckReceived, DialogEnded, InviteAccepted, InviteReceived
from ivr.sip.hop import Hop, Transport
from ivr.sip_endpoint import EndpointEvent
from ivr.sip_line import SipLine
from ivr.sip_streams import Failed, Lost, SipStreams, StreamEvent
from ivr.sip_tls import client_context, server_context
from ivr.sip_wires import WirePlan
from ivr.trunk_settings import TrunkSettings
from tests.integration.certificates import tls_of, tls_plan
from tests.line_and_trunk import far_endpoint
from tests.loopback_city import HOST, open_files, quick_voice
from tests.name_server import name_server

STRANGER = "127.0.0.9"


class Trunk:
    """The far end: takes every call at once, and calls when it's told to."""

    def __init__(self, plan: WirePlan) -> None:
        self.endpoint = far_endpoint(calls=4, plan=plan)
        self.events: list[EndpointEvent] = []

    def port(self, transport: Transport) -> int:
        return self.endpoint.tls_port if transport == "tls" else self.endpoint.port

    def turn(self) -> None:
        for event in self.endpoint.turn(0.005):
            self.events.append(event)
            if isinstance(event, InviteReceived):
                local = self.endpoint.open_media(event.call, ("pcma",))
                self.endpoint.agent.answer(event.call, local, time.monotonic())
                self.endpoint.flush()

    def call(self, hop: Hop) -> None:
        local = self.endpoint.open_media("out", ("pcma",))
        self.endpoint.invite("out", f"sip:110@{hop}", hop, local, f"sip:13803790001@{HOST}")

    def of(self, kind: type) -> list[EndpointEvent]:
        return [event for event in self.events if isinstance(event, kind)]


class Ends:
    """A trunk and the line that knows it, turned together."""

    def __init__(
        self, plan: WirePlan, transport: Transport, takes_calls: bool = False, **changes: object
    ) -> None:
        trunk_changes = changes.pop("trunk", {})
        self.trunk = Trunk(plan)
        try:
            trunk = {
                "name": "city",
                "host": HOST,
                "port": self.trunk.port(transport) or 9,
                "transport": transport,
                "caller_number": "037963110110",
            } | dict(trunk_changes)  # type: ignore[call-overload]
            voice = quick_voice(9, trunks=(TrunkSettings.model_validate(trunk),), **changes)
            self.line = SipLine(voice, takes_calls=takes_calls)
        except BaseException:
            self.trunk.endpoint.close()
            raise
        self.told: list[LineEvent] = []

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.trunk.events, self.line.counters)
            self.told += self.line.run_once(0.005)
            self.trunk.turn()

    def of(self, kind: type[LineEvent]) -> list[LineEvent]:
        return [event for event in self.told if isinstance(event, kind)]

    def ended(self) -> Ended:
        self.until(lambda: self.of(Ended))
        end = self.of(Ended)[0]
        assert isinstance(end, Ended)
        return end

    def close(self) -> None:
        self.line.close()
        self.trunk.endpoint.close()


@contextlib.contextmanager
def ends(plan: WirePlan, transport: Transport = "udp", **changes: object) -> Iterator[Ends]:
    made = Ends(plan, transport, **changes)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


TCP = WirePlan(tcp=True)


def test_what_leaves_is_marked_for_the_network() -> None:
    with ends(WirePlan()) as both:
        both.line.dial(Dial("c1", "13803790001", "city"))
        both.until(lambda: both.of(Answered))
        endpoint = both.line._endpoint
        media = endpoint.media("c1")
        assert media is not None
        assert [mark_of(each) for each in (endpoint.wires.udp, media.rtp, media.rtcp)] == [24, 46, 46]


# -- TCP


def test_a_call_by_tcp() -> None:
    before = open_files()
    with ends(TCP, "tcp") as both:
        both.line.dial(Dial("c1", "13803790001", "city"))
        both.until(lambda: both.of(Answered) and both.trunk.of(AckReceived))
        (invite,) = both.trunk.of(InviteReceived)
        assert isinstance(invite, InviteReceived)
        assert invite.source.transport == "tcp"
        both.line.hangup("c1")
        assert both.ended().disposition is Disposition.ANSWERED
        both.until(lambda: both.trunk.of(DialogEnded))
    assert open_files() <= before


def test_who_calls_us_by_tcp_hears_us_by_the_same_connection() -> None:
    with ends(TCP, "tcp", takes_calls=True) as both:
        both.trunk.call(Hop(HOST, both.line.port, "tcp"))
        both.until(lambda: both.of(Incoming))
        both.line.answer(both.of(Incoming)[0].call)
        both.until(lambda: both.of(Answered) and both.trunk.of(InviteAccepted))
        both.trunk.endpoint.agent.bye("out", time.monotonic())
        assert both.ended().by == "them"


def test_where_nobody_listens_nothing_is_sent_and_the_attempt_is_not_spent() -> None:
    with ends(WirePlan(), "tcp") as both:  # UDP alone
        both.line.dial(Dial("c1", "13803790001", "city"))
        end = both.ended()
        assert (end.disposition, end.sip_status) == (Disposition.NETWORK_FAIL, 503)
        assert not both.trunk.events


LONG = (("Subject", "x" * 1400),)


def streams_of(
    host: str,
    mark: Callable[[socket.socket], None] = lambda _: None,
    server_tls: ssl.SSLContext | None = None,
) -> SipStreams:
    return SipStreams(
        host,
        0,
        0,
        server_tls=server_tls,
        client_tls=lambda hop: (ssl.create_default_context(), hop.host),
        allows=lambda _host: True,
        wake=lambda: None,
        mark=mark,
    )


def told_by(streams: SipStreams) -> list[StreamEvent]:
    """What comes next."""
    deadline = time.monotonic() + 15
    while not (told := streams.take()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return told


def test_we_connect_from_the_address_that_the_trunk_knows() -> None:
    """A machine with several of them: the kernel would take the first."""
    with socket.create_server((HOST, 0)) as peer:
        peer.settimeout(15)
        streams = streams_of("127.0.0.5")
        try:
            streams.send(b"x", Hop(HOST, peer.getsockname()[1], "tcp"))
            accepted, source = peer.accept()
            accepted.close()
        finally:
            streams.close()
    assert source[0] == "127.0.0.5"


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_connection_that_a_firewall_forgot_is_noticed_before_a_call_gives_up(is_ours: bool) -> None:
    """By the kernel: it asks after half a minute's silence, and waits 20 s for what it has sent."""
    marked: Queue[tuple[int, ...]] = Queue()
    options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)

    def mark(bare: socket.socket) -> None:
        assert bare.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        marked.put(tuple(bare.getsockopt(socket.IPPROTO_TCP, option) for option in options))

    with socket.create_server((HOST, 0)) as peer:
        streams = streams_of(HOST, mark)
        try:
            if is_ours:
                streams.send(b"x", Hop(HOST, peer.getsockname()[1], "tcp"))
                found = marked.get(timeout=15)
            else:
                with socket.create_connection((HOST, streams.ports[0])):
                    found = marked.get(timeout=15)
        finally:
            streams.close()
    idle, probe, probes, unacknowledged = found
    assert idle + probe * probes <= 60
    assert unacknowledged / 1000 < 64 * 0.5


@pytest.mark.parametrize(("plan", "transport"), [(TCP, "tcp"), (WirePlan(), "udp")])
def test_a_large_request_goes_by_tcp_and_as_a_datagram_to_who_has_none(
    plan: WirePlan, transport: str
) -> None:
    with ends(plan) as both:
        both.line.dial(Dial("c1", "13803790001", "city", headers=LONG))
        both.until(lambda: both.of(Answered))
        (invite,) = both.trunk.of(InviteReceived)
        assert isinstance(invite, InviteReceived)
        assert invite.source.transport == transport


def received(peer: socket.socket) -> bytes:
    """All that comes until they close."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while octets := peer.recv(4096):
            found += octets
    return found


def connect(port: int, host: str = HOST) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=15, source_address=(host, 0))


def test_a_connection_that_ends_leaves_a_later_one_of_the_same_hop() -> None:
    """Trunks connect from the port that they listen at: theirs and ours are of one hop then."""
    with socket.socket() as listener, socket.socket() as theirs:
        for each in (listener, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            each.settimeout(15)
        listener.bind((HOST, 0))
        theirs.bind(listener.getsockname())
        listener.listen()
        hop = Hop(HOST, listener.getsockname()[1], "tcp")
        streams = streams_of(HOST)
        try:
            streams.send(b"first", hop)
            ours, _ = listener.accept()
            assert ours.recv(100) == b"first"
            theirs.connect((HOST, streams.ports[0]))
            theirs.sendall(b"\r\n\r\n")
            assert theirs.recv(2) == b"\r\n"  # it's taken
            ours.close()
            assert told_by(streams) == [Lost(hop, "closed by the far end")]
            streams.send(b"second", hop)
            assert theirs.recv(100) == b"second"
        finally:
            streams.close()


@pytest.mark.parametrize("shakes_hands", [True, False])
def test_what_is_sent_to_who_is_still_shaking_hands_leaves_or_is_told(
    shakes_hands: bool, papers: Path
) -> None:
    """A trunk that connects from the port that it listens at, in the moment of our call."""
    streams = streams_of(HOST, server_tls=server_context(tls_of(papers, "office.test")))
    comes, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
    safe = client_context(tls_of(papers, "trunk.test")).wrap_bio(comes, goes, server_hostname="office.test")
    try:
        with connect(streams.ports[1]) as peer:
            hop = Hop(HOST, peer.getsockname()[1], "tls")
            with pytest.raises(ssl.SSLWantReadError):
                safe.do_handshake()
            peer.sendall(goes.read())
            comes.write(peer.recv(65536))  # it has begun: the rest is ours to say
            streams.send(b"our call", hop)
            if not shakes_hands:
                peer.sendall(b"no TLS")
                assert [event.hop for event in told_by(streams) if isinstance(event, Failed)] == [hop]
                return
            safe.do_handshake()
            peer.sendall(goes.read())
            heard = b""
            while not heard:
                comes.write(peer.recv(65536))
                with contextlib.suppress(ssl.SSLWantReadError):
                    heard = safe.read(100)
            assert heard == b"our call"
    finally:
        streams.close()


def test_who_asks_whether_we_are_there_and_reads_no_answer_is_left() -> None:
    streams = streams_of(HOST)
    try:
        with connect(streams.ports[0]) as peer, pytest.raises(ConnectionError):
            for _ in range(10_000):
                peer.sendall(b"\r\n\r\n" * 16_000)
    finally:
        streams.close()


def test_who_ends_a_handshake_is_not_called_silent() -> None:
    with socket.create_server((HOST, 0)) as peer:
        peer.settimeout(15)
        streams = streams_of(HOST)
        try:
            streams.send(b"x", Hop(HOST, peer.getsockname()[1], "tls"))
            accepted, _ = peer.accept()
            accepted.recv(65536)  # what it asks, so that the end is an orderly one
            accepted.close()
            assert [event.reason for event in told_by(streams) if isinstance(event, Failed)] == [
                "closed by the far end"
            ]
        finally:
            streams.close()


def test_a_stranger_s_connection_ends_before_anything_is_read() -> None:
    with ends(TCP) as both, connect(both.line.port, STRANGER) as peer:
        assert received(peer) == b""


def test_what_can_not_be_framed_is_answered_and_the_connection_ends() -> None:
    with ends(TCP) as both, connect(both.line.port) as peer:
        peer.sendall(
            b"OPTIONS sip:110@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n"
            b"From: <sip:1@127.0.0.1>;tag=1\r\nTo: <sip:110@127.0.0.1>\r\nCall-ID: 1\r\n"
            b"CSeq: 1 OPTIONS\r\n\r\n"
        )
        peer.setblocking(False)
        answer = bytearray()

        def closed() -> bool:
            try:
                octets = peer.recv(4096)
            except BlockingIOError:
                return False
            answer.extend(octets)
            return not octets

        both.until(closed)
        assert answer.startswith(b"SIP/2.0 400 Bad Content-Length")


def test_a_keep_alive_of_a_stream_is_answered() -> None:
    with ends(TCP) as both, connect(both.line.port) as peer:
        peer.sendall(b"\r\n\r\n")  # RFC 5626 §3.5.1
        assert peer.recv(10) == b"\r\n"


# -- TLS


def test_a_call_by_tls_with_certificates_on_both_sides(papers: Path) -> None:
    plan = tls_plan(papers, client_certificates="required")
    trunk = {"tls_name": "trunk.test"}
    with ends(plan, "tls", takes_calls=True, trunk=trunk, tls=tls_of(papers, "office.test")) as both:
        both.line.dial(Dial("c1", "13803790001", "city"))
        both.until(lambda: both.of(Answered) and both.trunk.of(AckReceived))
        both.line.hangup("c1")
        assert both.ended().disposition is Disposition.ANSWERED
        both.trunk.call(Hop(HOST, both.line.tls_port, "tls"))
        both.until(lambda: both.of(Incoming))
        both.line.answer(both.of(Incoming)[0].call)
        both.until(lambda: both.trunk.of(InviteAccepted))


REFUSED = [
    ("another's name", {"tls_name": "other.test"}, {}, "trunk.test"),
    ("another authority's signature", {"tls_name": "forged.test"}, {}, "forged.test"),
    (
        "no certificate of ours, where one is asked for",
        {"tls_name": "trunk.test"},
        {"tls": None},
        "trunk.test",
    ),
]


@pytest.mark.parametrize(("why", "trunk", "changes", "shown"), REFUSED, ids=[each[0] for each in REFUSED])
def test_what_is_not_verified_is_not_called(
    why: str, trunk: dict[str, object], changes: dict[str, object], shown: str, papers: Path
) -> None:
    plan = tls_plan(papers, shown, client_certificates="required")
    with ends(plan, "tls", trunk=trunk, **{"tls": tls_of(papers, "office.test")} | changes) as both:
        both.line.dial(Dial("c1", "13803790001", "city", total_timeout=3.0))
        assert both.ended().disposition is Disposition.NETWORK_FAIL
        assert not both.trunk.events


def test_where_authorities_are_named_those_of_the_machine_are_none(
    papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(papers / "stranger.pem"))
    trunk: dict[str, object] = {"tls_name": "forged.test"}  # whom "stranger" vouches for
    with ends(tls_plan(papers, "forged.test"), "tls", trunk=trunk) as both:
        both.line.dial(Dial("c1", "13803790001", "city"))
        both.until(lambda: both.of(Answered))
    trunk["tls_authorities"] = papers / "authority.pem"
    with ends(tls_plan(papers, "forged.test"), "tls", trunk=trunk) as both:
        both.line.dial(Dial("c1", "13803790001", "city", total_timeout=3.0))
        assert both.ended().disposition is Disposition.NETWORK_FAIL
        assert not both.trunk.events


def test_a_city_may_leave_a_certificate_unverified(papers: Path) -> None:
    with ends(tls_plan(papers, "forged.test"), "tls", trunk={"tls_verify": False}) as both:
        both.line.dial(Dial("c1", "13803790001", "city"))
        both.until(lambda: both.of(Answered))


def test_faults_of_certificates_are_told_at_the_start(papers: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for changes, told in [
        ({"certificate": tmp_path / "none.pem"}, "tls.certificate: there is no file"),
        ({"key": papers / "trunk.test.key"}, "tls.key .*trunk.test.key"),
        ({"authorities": bad}, "authorities .*bad.pem"),
    ]:
        with pytest.raises(LineError, match=told):
            SipLine(
                quick_voice(9, tls=tls_of(papers, "office.test", client_certificates="required", **changes))
            )


def test_old_tls_is_not_spoken(papers: Path) -> None:
    with ends(TCP, tls=tls_of(papers, "office.test")) as both:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(papers / "authority.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            connect(both.line.tls_port) as peer,
            context.wrap_socket(peer, server_hostname="office.test") as safe,
        ):
            assert safe.version() == "TLSv1.2"
        with pytest.warns(DeprecationWarning):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with connect(both.line.tls_port) as peer, pytest.raises(ssl.SSLError):
            context.wrap_socket(peer, server_hostname="office.test")


# -- names


def test_a_trunk_is_called_by_its_name() -> None:
    with name_server() as server:
        changes = {"trunk": {"host": "trunk.test", "port": None}, "nameservers": (server.where,)}
        trunk = Trunk(WirePlan())
        server.records = {
            ("_sip._udp.trunk.test.", "SRV"): (60, [f"1 0 {trunk.endpoint.port} first.test."]),
            ("first.test.", "A"): (60, [HOST]),
        }
        with ends(WirePlan(), takes_calls=True, **changes) as both:
            both.trunk.endpoint.close()
            both.trunk = trunk
            both.line.dial(Dial("c1", "13803790001", "city"))
            both.until(lambda: both.of(Answered))
            trunk.call(Hop(HOST, both.line.port))
            both.until(lambda: both.of(Incoming))
            assert both.of(Incoming)[0].trunk == "city"


def test_a_name_that_is_not_known_is_not_called() -> None:
    with name_server() as server:
        changes = {"trunk": {"host": "trunk.test"}, "nameservers": (server.where,)}
        with ends(WirePlan(), **changes) as both:
            both.line.dial(Dial("c1", "13803790001", "city"))
            end = both.ended()
            assert (end.disposition, end.sip_status) == (Disposition.NETWORK_FAIL, None)
            assert end.cause_text == "no address is known of trunk.test"


# -- the first wall

OPTIONS = (
    b"OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK1;rport\r\n"
    b"From: <sip:1@127.0.0.9>;tag=1\r\nTo: <sip:100@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
)


@pytest.mark.parametrize(("unknown", "answer"), [("drop", None), ("403", b"SIP/2.0 403 Forbidden")])
def test_what_a_stranger_hears(unknown: str, answer: bytes | None) -> None:
    with (
        ends(WirePlan(), unknown_source=unknown) as both,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        stranger.bind((STRANGER, 0))
        for datagram in (OPTIONS, b"no SIP at all"):
            stranger.sendto(datagram, (HOST, both.line.port))
        both.until(lambda: both.line.counters.get("sip_stranger") == 2)
        stranger.setblocking(False)
        if answer is None:
            with pytest.raises(BlockingIOError):
                stranger.recv(4096)
        else:
            assert stranger.recv(4096).startswith(answer)
            with pytest.raises(BlockingIOError):
                stranger.recv(4096)


def test_a_trunk_s_flood_is_cut_to_its_limit_and_a_call_goes_on() -> None:
    with (
        ends(WirePlan(), source_limit=20) as both,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood,
    ):
        flood.bind((HOST, 0))
        for _ in range(60):
            flood.sendto(OPTIONS, (HOST, both.line.port))
        both.until(lambda: both.line.counters.get("sip_flood", 0) >= 30)
        both.line.dial(Dial("c1", "13803790001", "city"))  # its answers are sent again until they're heard
        both.until(lambda: both.of(Answered))
