"""Deliveries and the link over SMPP: answered when stored, and a broken far end harms nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sms.events import LinkDown, ReceiptArrived, ReceiptStatus, ReplyArrived, Submitted
from sms.message import encode, udh
from sms.smpp_link import SmppLink
from sms.smpp_quick import HEADER
from tests.integration.smpp_peer import CITIZEN, SENDER, Peer

LONG = "3，" + "还没修好" * 20


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    peer.bind()
    yield peer
    peer.close()


def send(peer: Peer, raw: bytes) -> None:
    """Bytes as they are, in one go."""
    peer.link._socket.sendall(raw)


def reply(peer: Peer, text: str) -> bytes:
    pdu = peer.link.make(
        "deliver_sm",
        source_addr=CITIZEN,
        destination_addr=SENDER,
        data_coding=8,
        short_message=encode(text),
    )
    return bytes(pdu.generate())


def long_parts(reference: int = 7) -> list[bytes]:
    first, second = LONG[:67], LONG[67:]
    return [udh(reference, 2, 1) + encode(first), udh(reference, 2, 2) + encode(second)]


@pytest.mark.parametrize(("ok", "status"), [(True, 0), (False, 0x64)])
def test_a_reply_is_answered_when_its_owner_says_so(peer: Peer, ok: bool, status: int) -> None:
    sequence = peer.deliver(short_message=encode("满意"))
    arrived = peer.until(ReplyArrived)
    assert (arrived.source, arrived.destination, arrived.text) == (CITIZEN, SENDER, "满意")
    assert peer.quiet()  # not before
    peer.gateway.acknowledge(arrived.handle, ok)
    answer = peer.expect("deliver_sm_resp")
    assert (answer.sequence, answer.status) == (sequence, status)
    peer.gateway.acknowledge(arrived.handle, ok)
    assert peer.quiet()  # nor twice


def test_the_digest_is_of_what_was_said(peer: Peer) -> None:
    """The same again has the same, whatever its sequence; another number, word or coding has another."""
    told = [
        {"short_message": encode("1")},
        {"short_message": encode("1")},
        {"short_message": encode("2")},
        {"short_message": encode("1"), "source_addr": "13803790002"},
        {"short_message": encode("1"), "data_coding": 0},
    ]
    digests = []
    for fields in told:
        peer.deliver(**fields)
        digests.append(peer.until(ReplyArrived).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == len(told) - 1


def test_a_long_reply_is_one_and_all_its_parts_are_answered(peer: Peer) -> None:
    first, second = long_parts()
    sequences = {peer.deliver(esm_class=0x40, short_message=second)}
    assert peer.quiet()
    sequences.add(peer.deliver(esm_class=0x40, short_message=second))  # again, for want of an answer
    sequences.add(peer.deliver(esm_class=0x40, short_message=first))
    arrived = peer.until(ReplyArrived)
    assert arrived.text == LONG
    assert peer.quiet()
    peer.gateway.acknowledge(arrived.handle, ok=True)
    assert {peer.expect("deliver_sm_resp").sequence for _ in range(3)} == sequences


def test_a_long_reply_by_sar_parameters(peer: Peer) -> None:
    for number, raw in enumerate(long_parts(), start=1):
        sar = {"sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": number}
        peer.deliver(short_message=raw[6:], **sar)
    assert peer.until(ReplyArrived).text == LONG


def test_a_part_alone_is_not_waited_for_without_end(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms.long_reply.PATIENCE", 0.1)
    peer.deliver(esm_class=0x40, short_message=long_parts()[0])
    assert peer.until(ReplyArrived).text == LONG[:67]


def test_a_link_lost_amid_a_long_reply(peer: Peer) -> None:
    """Nothing of it was answered, so all of it comes again, and is the same reply."""
    peer.deliver(esm_class=0x40, short_message=long_parts()[1])
    assert peer.quiet()
    peer.bind()
    for raw in long_parts():
        peer.deliver(esm_class=0x40, short_message=raw)
    assert peer.until(ReplyArrived).text == LONG
    assert not [event for event in peer.events if isinstance(event, ReplyArrived)]


def test_a_reply_where_long_texts_go(peer: Peer) -> None:
    peer.deliver(message_payload=encode("不满意"))
    assert peer.until(ReplyArrived).text == "不满意"


def test_receipts_are_answered_when_stored_too(peer: Peer) -> None:
    sequence = peer.deliver(esm_class=4, data_coding=0, short_message=b"id:A1 stat:UNDELIV err:027")
    arrived = peer.until(ReceiptArrived)
    assert (arrived.message_id, arrived.status, arrived.error) == ("A1", ReceiptStatus.UNDELIVERABLE, "027")
    assert peer.quiet()
    peer.gateway.acknowledge(arrived.handle, ok=True)
    assert peer.expect("deliver_sm_resp").sequence == sequence


def test_a_receipt_about_nothing_is_answered_and_counted(peer: Peer) -> None:
    peer.deliver(esm_class=4, data_coding=0, short_message=b"hello")
    assert peer.expect("deliver_sm_resp").status == 0
    assert peer.gateway.counters == {"receipt_without_id": 1}
    assert not [event for event in peer.events if isinstance(event, ReceiptArrived)]


def test_a_handle_of_the_old_link_answers_nothing_on_the_new(peer: Peer) -> None:
    """The new link counts its sequences from the start, so one of them may look the same."""
    peer.deliver(short_message=encode("1"))
    old = peer.until(ReplyArrived)
    peer.bind()
    sequence = peer.deliver(short_message=encode("1"))
    new = peer.until(ReplyArrived)
    peer.gateway.acknowledge(old.handle, ok=True)
    assert peer.quiet()
    peer.gateway.acknowledge(new.handle, ok=True)
    assert peer.expect("deliver_sm_resp").sequence == sequence


def test_what_is_no_pdu_is_refused_and_the_link_goes_on(peer: Peer) -> None:
    whole = reply(peer, "1")
    send(peer, HEADER.pack(len(whole) - 4, *HEADER.unpack_from(whole)[1:]) + whole[16:-4])
    nack = peer.expect("generic_nack")
    assert nack.sequence == HEADER.unpack_from(whole)[3]
    send(peer, HEADER.pack(16, 0x0777, 0, 78))  # a command that nobody knows
    assert peer.expect("generic_nack").sequence == 78
    send(peer, HEADER.pack(20, 0x80000004, 0, 79) + b"xxxx")  # a response is never answered
    peer.deliver(short_message=encode("2"))
    assert peer.until(ReplyArrived).text == "2"
    assert peer.gateway.counters == {"bad_pdu": 3}
    assert peer.quiet()


def test_a_length_that_cannot_be_ends_the_link_after_what_came_before(peer: Peer) -> None:
    send(peer, reply(peer, "1") + b"GET / HTTP/1.1\r\n\r\n")
    assert peer.until(ReplyArrived).text == "1"
    assert "bytes" in peer.until(LinkDown).reason
    peer.bind()


def test_pdus_in_drips_and_in_floods(peer: Peer) -> None:
    for byte in reply(peer, "慢"):
        send(peer, bytes([byte]))
        peer.events += peer.gateway.poll(0)
    assert peer.until(ReplyArrived).text == "慢"
    send(peer, b"".join(reply(peer, str(number)) for number in range(300)))
    peer.until(ReplyArrived, count=300)


def test_the_far_end_asks_and_leaves(peer: Peer) -> None:
    peer.link.send(peer.link.make("enquire_link"))
    peer.expect("enquire_link_resp")
    peer.link.send(peer.link.make("unbind"))
    peer.expect("unbind_resp")
    peer.lost()
    assert "unbound" in peer.until(LinkDown).reason
    peer.bind()
    peer.submit(1)
    peer.link.answer(peer.expect("submit_sm"), "submit_sm_resp", message_id="A")
    assert peer.until(Submitted).ref == 1


def test_a_silent_far_end_is_asked_then_left() -> None:
    peer = Peer(enquire_seconds=0.5)
    peer.bind()
    peer.link.answer(peer.expect("enquire_link"), "enquire_link_resp")
    peer.expect("enquire_link")
    peer.lost()
    assert peer.until(LinkDown).reason.endswith(": no answer to enquire_link")
    peer.bind()
    peer.close()


def test_a_far_end_that_never_answers_the_bind() -> None:
    peer = Peer(connect_timeout=0.5)
    assert peer.until(LinkDown).reason.endswith(": no answer to the bind")
    assert peer.gateway.room == 0
    peer.close()


def greet(peer: Peer, command: str, status: int = 0) -> str:
    """Answers a new connection's bind with this instead; how the gateway takes it."""
    peer.use(SmppLink(peer._accept()))
    bind = peer.expect("bind_transceiver")
    if command.endswith("_resp") or command == "generic_nack":
        peer.link.answer(bind, command, status)
    else:
        peer.deliver(short_message=encode("1"))
    reason = peer.until(LinkDown).reason
    peer.link.close()
    return reason


def test_nobody_is_believed_before_the_bind() -> None:
    peer = Peer()
    assert "0x0000000E" in greet(peer, "bind_transceiver_resp", 0x0E)  # ESME_RINVPASWD
    assert "bind refused" in greet(peer, "generic_nack")
    assert "deliver_sm before" in greet(peer, "deliver_sm")
    assert "submit_sm_resp before" in greet(peer, "submit_sm_resp")
    assert "bind_receiver_resp before" in greet(peer, "bind_receiver_resp")
    assert not [event for event in peer.events if isinstance(event, ReplyArrived)]
    peer.use(SmppLink(peer._accept()))
    peer.expect("bind_transceiver")
    peer.link.send(peer.link.make("enquire_link"))  # impatient, but no harm
    peer.expect("enquire_link_resp")
    peer.link.close()
    peer.close()


def test_a_request_that_is_none_of_ours_is_refused(peer: Peer) -> None:
    peer.link.send(peer.link.make("query_sm", message_id="A1", source_addr=SENDER))
    assert peer.expect("generic_nack").status == 3
    peer.deliver(short_message=encode("1"))
    assert peer.until(ReplyArrived).text == "1"
    assert peer.gateway.counters == {"unexpected_pdu": 1}


def test_closing_takes_leave(peer: Peer) -> None:
    peer.gateway.close()
    [leave] = peer.link.read()
    assert leave.command == "unbind"
