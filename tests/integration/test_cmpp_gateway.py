"""CMPP over TCP: what is on the wire, bytes that no gateway should send, every way a link may end."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callbacks.stopping import Stop
from sms.cmpp_city import CityIsmg
from sms.cmpp_codec import (
    NO_ID,
    ActiveTest,
    ActiveTestResp,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Packet,
    Submit,
    SubmitResp,
    Terminate,
    authenticator_ismg,
    authenticator_source,
    pack,
    take_frame,
    unpack,
)
from sms.cmpp_gateway import CmppGateway
from sms.cmpp_settings import CmppSettings, IsmgSettings
from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReceiptStatus,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.message import encode, udh

DATA = Path(__file__).parents[1] / "data" / "cmpp"
SENDER, CITIZEN = "106380110", "13803790001"
SECRET = "s3cret"
THREE_PARTS = "满" * 140


def by_hand(name: str) -> bytes:
    lines = (DATA / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def settings(port: int, **changes: Any) -> CmppSettings:
    base = {"port": port, "source_addr": "901234", "shared_secret": SECRET, "service_id": "110HF"}
    return CmppSettings(**(base | {"reconnect_first": 0.05, "rate_per_second": 2000} | changes))


class Far:
    """A listening socket in the test's own hands, and the gateway that connects to it."""

    def __init__(self, **changes: Any) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.gateway = CmppGateway(settings(self._listener.getsockname()[1], **changes))
        self.events: list[GatewayEvent] = []
        self.socket: socket.socket | None = None
        self._received = bytearray()

    def close(self) -> None:
        self.gateway.close()
        self._listener.close()
        if self.socket is not None:
            self.socket.close()

    def accept(self) -> tuple[int, Connect]:
        """Takes the gateway's next connection; its login."""
        if self.socket is not None:
            self.socket.close()
        self._listener.settimeout(0.01)
        deadline = time.monotonic() + 10
        while True:
            assert time.monotonic() < deadline, self.events
            self.poll()
            try:
                self.socket = self._listener.accept()[0]
            except TimeoutError:
                continue
            break
        self.socket.setblocking(False)
        self._received.clear()
        sequence, connect = self.expect(Connect)
        return sequence, connect

    def log_in(self) -> None:
        sequence, connect = self.accept()
        proof = authenticator_ismg(0, connect.authenticator_source, SECRET)
        self.send(ConnectResp(0, proof), sequence)
        self.until(LinkUp)

    def poll(self) -> None:
        self.events += self.gateway.poll(0.01)

    def send(self, packet: Packet, sequence: int) -> None:
        self.say(pack(packet, sequence))

    def say(self, raw: bytes) -> None:
        self.socket.sendall(raw)
        self.poll()

    def next(self) -> bytes:
        """The next packet from the gateway, as bytes."""
        deadline = time.monotonic() + 10
        while (frame := take_frame(self._received)) is None:
            assert time.monotonic() < deadline, f"nothing came; {self.events}"
            self.poll()
            self._hear()
        return frame

    def _hear(self) -> None:
        try:
            self._received += self.socket.recv(65536)
        except BlockingIOError:
            return

    def expect(self, kind: type) -> tuple[int, Any]:
        sequence, packet = unpack(self.next())
        assert isinstance(packet, kind), packet
        return sequence, packet

    def quiet(self) -> bool:
        """Whether the gateway has nothing to say in a few turns."""
        for _ in range(5):
            self.poll()
            self._hear()
        return not self._received

    def until(self, kind: type, count: int = 1) -> Any:
        """The last of `count` events of a kind, taken out of those that came."""
        deadline = time.monotonic() + 10
        while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
            assert time.monotonic() < deadline, self.events
            self.poll()
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found[-1]

    def submit(self, ref: int, text: str = "您好") -> None:
        self.gateway.submit(Submission(ref, SENDER, CITIZEN, text))

    def deliver(self, sequence: int, text: str = "1", **fields: Any) -> None:
        base = {"src_terminal_id": CITIZEN, "dest_id": SENDER, "msg_content": encode(text)}
        self.send(Deliver(msg_id(sequence), **(base | fields)), sequence)


def msg_id(number: int) -> bytes:
    return (0x2190518100000000 + number).to_bytes(8, "big")


@pytest.fixture
def connect() -> Iterator[Callable[..., Far]]:
    ends: list[Far] = []

    def make(*, log_in: bool = True, **changes: Any) -> Far:
        ends.append(Far(**changes))
        if log_in:
            ends[-1].log_in()
        return ends[-1]

    yield make
    for far in ends:
        far.close()


# -- logging in


def test_the_login_on_the_wire(connect: Callable[..., Far]) -> None:
    far = connect(log_in=False)
    _, login = far.accept()
    assert (login.source_addr, login.version) == ("901234", 0x20)
    assert login.authenticator_source == authenticator_source("901234", SECRET, login.timestamp)
    assert 101000000 <= login.timestamp <= 1231235959
    assert far.gateway.room == 0
    far.submit(1)
    assert far.until(SubmitFailed) == SubmitFailed(1, False, "not connected")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ConnectResp(0), "authenticator is wrong"),  # an impostor, or another secret
        (ConnectResp(1), "1, message structure"),
        (ConnectResp(2), "2, unknown source address"),
        (ConnectResp(3), "3, authentication; check source_addr and shared_secret"),
        (ConnectResp(4), "4, version too high"),
        (ConnectResp(9), "9, no reason known"),
        (Deliver(NO_ID, SENDER), "Deliver before the login"),  # nobody is believed yet
        (SubmitResp(NO_ID, 0), "SubmitResp before the login"),
    ],
)
def test_no_login_no_text(connect: Callable[..., Far], answer: Packet, reason: str) -> None:
    far = connect(log_in=False)
    sequence, _ = far.accept()
    far.send(answer, sequence)
    assert reason in far.until(LinkDown).reason
    assert far.gateway.room == 0
    assert not [event for event in far.events if isinstance(event, LinkUp | ReplyArrived)]
    far.log_in()  # tried again by itself


def test_a_gateway_that_speaks_3_0_is_named(connect: Callable[..., Far]) -> None:
    far = connect(log_in=False)
    sequence, _ = far.accept()
    far.say(struct.pack(">LLL", 33, 0x80000001, sequence) + bytes(20) + b"\x30")  # a Status of four bytes
    assert "ConnectResp has 33 bytes instead of 30" in far.until(LinkDown).reason


def test_a_login_without_an_answer(connect: Callable[..., Far]) -> None:
    far = connect(log_in=False, connect_timeout=0.2)
    far.accept()
    assert "no answer to the login" in far.until(LinkDown).reason


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gateway = CmppGateway(settings(port))
    events: list[GatewayEvent] = []
    for _ in range(40):
        events += gateway.poll(0.05)
        if len(events) >= 2:
            break
    gateway.close()
    assert len(events) >= 2
    assert all(f"127.0.0.1:{port}: Connection refused" in event.reason for event in events)


def test_an_address_that_is_none() -> None:
    gateway = CmppGateway(settings(7890, host="x" * 64))  # longer than a label may be
    [down] = gateway.poll(0.01)
    assert down.reason.startswith("x" * 64 + ":7890: ")
    gateway.close()


# -- submits


def test_a_text_byte_for_byte(connect: Callable[..., Far]) -> None:
    far = connect()
    far.submit(1)
    assert far.next() == by_hand("submit")
    assert far.gateway.in_flight == 1
    far.say(by_hand("submit_resp"))
    assert far.until(Submitted) == Submitted(1, ("21905181B6690007",))
    assert far.gateway.in_flight == 0


def test_the_parts_of_a_long_text(connect: Callable[..., Far]) -> None:
    far = connect()
    far.submit(1, THREE_PARTS)
    sent = [far.expect(Submit) for _ in range(3)]
    submits = [submit for _, submit in sent]
    assert [(s.pk_total, s.pk_number, s.tp_udhi) for s in submits] == [(3, 1, 1), (3, 2, 1), (3, 3, 1)]
    assert [s.msg_content[:6] for s in submits] == [udh(1, 3, number) for number in (1, 2, 3)]
    assert [len(s.msg_content) for s in submits] == [140, 140, 18]
    assert b"".join(s.msg_content[6:] for s in submits) == encode(THREE_PARTS)
    for number, (sequence, _) in reversed(list(enumerate(sent))):  # answered in any order
        far.send(SubmitResp(msg_id(number), 0), sequence)
    ids = tuple(msg_id(number).hex().upper() for number in range(3))
    assert far.until(Submitted) == Submitted(1, ids)


def test_the_window_bounds_what_is_on_the_wire(connect: Callable[..., Far]) -> None:
    far = connect(window=2)
    far.submit(1, THREE_PARTS)
    sequences = [far.expect(Submit)[0] for _ in range(2)]
    assert far.quiet()
    assert far.gateway.room == 0
    far.send(SubmitResp(msg_id(1), 0), sequences[0])
    last, submit = far.expect(Submit)
    assert submit.pk_number == 3
    far.send(SubmitResp(msg_id(2), 0), sequences[1])
    far.send(SubmitResp(msg_id(3), 0), last)
    assert len(far.until(Submitted).message_ids) == 3


@pytest.mark.parametrize(
    ("result", "permanent"),
    [
        (1, True),  # message structure
        (3, False),  # a sequence number twice: ours begin anew
        (5, True),  # tariff
        (7, True),  # service
        (8, False),  # flow control
        (9, True),
        (13, True),  # the number
        (54, False),  # a gateway's own
    ],
)
def test_refusals(connect: Callable[..., Far], result: int, permanent: bool) -> None:
    far = connect()
    far.submit(1)
    sequence, _ = far.expect(Submit)
    far.send(SubmitResp(NO_ID, result), sequence)
    assert far.until(SubmitFailed) == SubmitFailed(1, permanent, f"CMPP result {result}")


def test_after_flow_control_nothing_goes_for_a_while(connect: Callable[..., Far]) -> None:
    far = connect(throttle_pause=300, window=1)
    far.submit(1)
    sequence, _ = far.expect(Submit)
    far.submit(2)  # more than there was room for: held
    far.send(SubmitResp(NO_ID, 8), sequence)
    assert far.until(SubmitFailed).ref == 1
    assert far.gateway.room == 0
    assert far.quiet()


def test_what_was_held_goes_after_the_pause(connect: Callable[..., Far]) -> None:
    far = connect(throttle_pause=0.05, window=1)
    far.submit(1)
    sequence, _ = far.expect(Submit)
    far.submit(2)
    far.send(SubmitResp(NO_ID, 8), sequence)
    sequence, _ = far.expect(Submit)
    far.send(SubmitResp(msg_id(2), 0), sequence)
    assert far.until(Submitted).ref == 2


def test_half_a_text_is_not_sent_again(connect: Callable[..., Far]) -> None:
    far = connect(window=1)
    far.submit(1, THREE_PARTS)
    sequence, _ = far.expect(Submit)
    far.send(SubmitResp(msg_id(1), 0), sequence)
    sequence, _ = far.expect(Submit)
    far.send(SubmitResp(NO_ID, 8), sequence)
    assert far.until(SubmitFailed) == SubmitFailed(1, True, "CMPP result 8")
    assert far.quiet()  # and its third part isn't sent at all


def test_an_answer_that_never_comes_or_too_late(connect: Callable[..., Far]) -> None:
    far = connect(submit_timeout=0.2)
    far.submit(1)
    sequence, _ = far.expect(Submit)
    assert far.until(SubmitUnknown) == SubmitUnknown(1)
    far.send(SubmitResp(msg_id(1), 0), sequence)
    far.poll()
    assert far.gateway.counters == {"late_answer": 1}
    assert not [event for event in far.events if isinstance(event, Submitted)]


def test_an_answer_of_another_version_does_not_count_as_success(connect: Callable[..., Far]) -> None:
    far = connect(submit_timeout=0.3)
    far.submit(1)
    far.next()
    far.say(by_hand("submit_resp_of_3_0"))
    assert far.until(SubmitUnknown) == SubmitUnknown(1)
    assert far.gateway.counters == {"bad_packet": 1}


def test_a_sender_that_is_too_long_is_refused_here(connect: Callable[..., Far]) -> None:
    far = connect()
    far.gateway.submit(Submission(1, "1" * 22, CITIZEN, "您好"))
    failed = far.until(SubmitFailed)
    assert failed.permanent
    assert "Submit.src_id" in failed.status
    assert far.quiet()


def test_a_lost_link_leaves_the_unanswered_unknown(connect: Callable[..., Far]) -> None:
    far = connect()
    far.submit(1)
    far.expect(Submit)
    far.socket.close()
    assert far.until(SubmitUnknown) == SubmitUnknown(1)
    assert "closed by the other end" in far.until(LinkDown).reason
    far.log_in()
    assert far.quiet()  # nothing is sent a second time


# -- what a gateway delivers


def test_a_delivery_is_answered_by_who_stored_it(connect: Callable[..., Far]) -> None:
    far = connect()
    far.say(by_hand("deliver"))
    reply = far.until(ReplyArrived)
    assert (reply.source, reply.destination, reply.text) == (CITIZEN, SENDER, "不满意")
    assert far.quiet()
    far.gateway.acknowledge(reply.handle, ok=True)
    assert far.next() == by_hand("deliver_resp")


def test_what_is_not_stored_is_asked_for_again(connect: Callable[..., Far]) -> None:
    far = connect()
    far.deliver(7, "2")
    reply = far.until(ReplyArrived)
    far.gateway.acknowledge(reply.handle, ok=False)
    sequence, answer = far.expect(DeliverResp)
    assert (sequence, answer.msg_id) == (7, msg_id(7))
    assert answer.result != 0
    far.gateway.acknowledge(reply.handle, ok=True)  # answered once only
    assert far.quiet()


def test_a_report(connect: Callable[..., Far]) -> None:
    far = connect()
    far.say(by_hand("deliver_report"))
    receipt = far.until(ReceiptArrived)
    assert (receipt.message_id, receipt.status) == ("21905181B6690007", ReceiptStatus.DELIVERED)
    far.gateway.acknowledge(receipt.handle, ok=True)
    sequence, answer = far.expect(DeliverResp)
    assert (sequence, answer) == (43, DeliverResp(bytes.fromhex("21905181b6690009"), 0))


def test_a_report_that_is_cut_off_is_refused(connect: Callable[..., Far]) -> None:
    far = connect()
    far.deliver(5, registered_delivery=1, msg_content=b"short")
    assert far.expect(DeliverResp) == (5, DeliverResp(msg_id(5), 1))
    assert far.gateway.counters == {"broken_report": 1}


def test_a_long_reply_is_joined_and_all_its_parts_answered(connect: Callable[..., Far]) -> None:
    far = connect()
    halves = ["不满意，", "没有人来过"]
    for number in (2, 1):  # in any order
        content = udh(9, 2, number) + encode(halves[number - 1])
        far.deliver(number, tp_udhi=1, msg_content=content)
    reply = far.until(ReplyArrived)
    assert reply.text == "不满意，没有人来过"
    assert far.quiet()
    far.gateway.acknowledge(reply.handle, ok=True)
    answers = [far.expect(DeliverResp) for _ in range(2)]
    assert sorted(answers, key=lambda each: each[0]) == [
        (number, DeliverResp(msg_id(number), 0)) for number in (1, 2)
    ]


def test_a_broken_delivery_is_refused_and_the_next_is_read(connect: Callable[..., Far]) -> None:
    far = connect()
    whole = by_hand("deliver")
    far.say(struct.pack(">L", 60) + whole[4:60] + whole)
    assert far.expect(DeliverResp) == (42, DeliverResp(NO_ID, 1))
    assert far.until(ReplyArrived).text == "不满意"
    assert far.gateway.counters == {"bad_packet": 1}


def test_an_unknown_command_is_passed_over(connect: Callable[..., Far]) -> None:
    far = connect()
    far.say(struct.pack(">LLL", 14, 0x00000011, 3) + b"\0\0" + by_hand("active_test"))
    assert far.next() == by_hand("active_test_resp")
    far.send(Submit(dest_terminal_ids=("1",)), 4)  # a command that is for the other side alone
    far.deliver(5)
    far.until(ReplyArrived)
    assert far.gateway.counters == {"unknown_packet": 1, "unexpected_packet": 1}


def test_a_length_that_no_packet_has_ends_the_link(connect: Callable[..., Far]) -> None:
    far = connect()
    far.submit(1)
    far.expect(Submit)
    far.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert "a packet of 1213486160 bytes" in far.until(LinkDown).reason
    assert far.until(SubmitUnknown) == SubmitUnknown(1)
    far.log_in()


def test_bodies_at_random_never_end_the_gateway(connect: Callable[..., Far]) -> None:
    """Whole frames of every command with any body: counted, refused or stored, and the link stays."""
    far, dice = connect(), random.Random(20)
    commands = [0x1, 0x80000001, 0x4, 0x80000004, 0x5, 0x80000005, 0x8, 0x80000008, 0x99]
    for number in range(300):
        body = dice.randbytes(dice.choice([0, 1, 9, 18, 73, 74, 133, 200]))
        far.say(struct.pack(">LLL", 12 + len(body), dice.choice(commands), number) + body)
        far._hear()
        for event in far.events:
            if isinstance(event, ReplyArrived | ReceiptArrived):
                far.gateway.acknowledge(event.handle, ok=dice.random() < 0.5)
        far.events = [event for event in far.events if isinstance(event, LinkDown)]
    assert far.events == []


# -- keeping the link


def test_silence_is_asked_about_three_times(connect: Callable[..., Far]) -> None:
    far = connect(active_test_seconds=0.05)
    asked = [far.expect(ActiveTest)[0] for _ in range(3)]
    assert len(set(asked)) == 3
    assert "no answer to 3 active tests" in far.until(LinkDown).reason


def test_an_answered_question_begins_anew(connect: Callable[..., Far]) -> None:
    far = connect(active_test_seconds=0.05)
    for _ in range(6):
        sequence, _ = far.expect(ActiveTest)
        far.send(ActiveTestResp(), sequence)
    assert not [event for event in far.events if isinstance(event, LinkDown)]


def test_terminating_both_ways(connect: Callable[..., Far]) -> None:
    far = connect()
    far.say(by_hand("terminate"))
    assert "terminated by the other end" in far.until(LinkDown).reason
    assert far.next() == by_hand("terminate_resp")
    far.log_in()
    far.gateway.close()
    far.socket.settimeout(10)
    assert isinstance(unpack(far.socket.recv(100))[1], Terminate)


# -- with the city's own gateway


@pytest.fixture
def ismg() -> Iterator[CityIsmg]:
    city = IsmgSettings(port=0, shared_secret=SECRET, receipt_delay=0.02, redeliver_after=0.2)
    ismg, stop = CityIsmg(city), Stop()
    thread = threading.Thread(target=ismg.run, args=(stop,))
    thread.start()
    yield ismg
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def collect(gateway: CmppGateway, kind: type, count: int = 1) -> list[Any]:
    found: list[Any] = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline, found
        found += [event for event in gateway.poll(0.05) if isinstance(event, kind)]
    return found


def test_a_hundred_texts_through_a_window_of_16(ismg: CityIsmg) -> None:
    gateway = CmppGateway(settings(ismg.port))
    collect(gateway, LinkUp)
    answers, receipts, ref = dict[int, str](), set[str](), 0
    deadline = time.monotonic() + 30
    while len(answers) < 100 or len(receipts) < 100:
        assert time.monotonic() < deadline
        for _ in range(min(gateway.room, 100 - ref)):
            ref += 1
            gateway.submit(Submission(ref, SENDER, f"138037900{ref % 100:02}", "您好"))
        assert gateway.in_flight <= 16
        for event in gateway.poll(0.02):
            match event:
                case Submitted(of, (message_id,)):
                    answers[of] = message_id
                case ReceiptArrived(handle, message_id):
                    receipts.add(message_id)
                    gateway.acknowledge(handle, ok=True)
    gateway.close()
    assert len(ismg.submits) == 100
    assert receipts == set(answers.values())


def test_what_was_not_acknowledged_comes_again_after_a_reconnect(ismg: CityIsmg) -> None:
    gateway = CmppGateway(settings(ismg.port))
    collect(gateway, LinkUp)
    ismg.order(lambda: ismg.say(CITIZEN, SENDER, "3"))
    [first] = collect(gateway, ReplyArrived)
    ismg.order(ismg.drop_links)
    [again] = collect(gateway, ReplyArrived)
    assert again.digest == first.digest
    gateway.acknowledge(first.handle, ok=True)  # of the old link: answers nothing
    gateway.acknowledge(again.handle, ok=True)
    gateway.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shared_secret": "other"}, "login refused: 3, authentication"),
        ({"source_addr": "900000"}, "login refused: 2, unknown source address"),
    ],
)
def test_a_wrong_account_is_named(ismg: CityIsmg, changes: dict[str, str], reason: str) -> None:
    gateway = CmppGateway(settings(ismg.port, **changes))
    [down] = collect(gateway, LinkDown)
    assert reason in down.reason
    gateway.close()
