"""Submits over SMPP: what is on the wire, how much of it at once, and every way an answer may go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sms.events import LinkDown, ReceiptArrived, Submission, SubmitFailed, Submitted, SubmitUnknown
from sms.message import decode
from sms.smpp_status import RINVDSTADR, RMSGQFUL, RTHROTTLED
from tests.integration.smpp_peer import CITIZEN, SENDER, Peer, address

THREE_PARTS = "满" * 140


@pytest.fixture
def connect() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def make(**settings: Any) -> Peer:
        peers.append(Peer(**settings))
        peers[-1].bind()
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def answer(peer: Peer, pdu: Any, message_id: str = "A1", status: int = 0) -> None:
    fields = {"message_id": message_id} if status == 0 else {}
    peer.link.answer(pdu, "submit_sm_resp", status, **fields)


def test_a_text_on_the_wire(connect: Callable[..., Peer]) -> None:
    peer = connect()
    peer.submit(1, "【示例市110联动】您好")
    pdu = peer.expect("submit_sm")
    assert address(pdu) == (SENDER, "8613803790001")
    assert (pdu.data_coding, pdu.registered_delivery, pdu.esm_class) == (8, 1, 0)
    assert decode(pdu.short_message, 8) == "【示例市110联动】您好"
    assert peer.gateway.in_flight == 1
    answer(peer, pdu)
    assert peer.until(Submitted) == Submitted(1, ("A1",))
    assert peer.gateway.in_flight == 0


def test_the_parts_of_a_long_text(connect: Callable[..., Peer]) -> None:
    peer = connect()
    peer.submit(1, THREE_PARTS)
    pdus = [peer.expect("submit_sm") for _ in range(3)]
    headers = [pdu.short_message[:6] for pdu in pdus]
    assert [header[:3] for header in headers] == [b"\x05\x00\x03"] * 3
    assert [tuple(header[4:]) for header in headers] == [(3, 1), (3, 2), (3, 3)]
    assert len({header[3] for header in headers}) == 1  # one reference
    assert all(pdu.esm_class == 0x40 and len(pdu.short_message) <= 140 for pdu in pdus)
    assert "".join(decode(pdu.short_message[6:], 8) for pdu in pdus) == THREE_PARTS
    for pdu, message_id in zip(reversed(pdus), "CBA", strict=True):  # answered in any order
        answer(peer, pdu, message_id)
    assert peer.until(Submitted) == Submitted(1, ("A", "B", "C"))


def test_the_window_bounds_parts_on_the_wire(connect: Callable[..., Peer]) -> None:
    peer = connect(window=2)
    peer.submit(1, THREE_PARTS)
    first, second = peer.expect("submit_sm"), peer.expect("submit_sm")
    assert peer.gateway.room == 0
    assert peer.quiet()  # the third waits
    answer(peer, first, "A")
    third = peer.expect("submit_sm")
    answer(peer, second, "B")
    answer(peer, third, "C")
    assert peer.until(Submitted) == Submitted(1, ("A", "B", "C"))
    assert peer.quiet()
    assert peer.gateway.room == 2


def test_the_rate_bounds_what_is_taken(connect: Callable[..., Peer]) -> None:
    peer = connect(rate_per_second=0.01)
    assert peer.gateway.room == 1
    peer.submit(1)
    answer(peer, peer.expect("submit_sm"))
    peer.until(Submitted)
    assert peer.gateway.room == 0


@pytest.mark.parametrize(
    ("status", "permanent"),
    [
        (RTHROTTLED, False),  # too fast: later
        (RMSGQFUL, False),  # full: later
        (RINVDSTADR, True),  # no such number
        (0x45, True),  # ESME_RSUBMITFAIL
        (0xFF, True),  # ESME_RUNKNOWNERR
        (0x0501, True),  # a carrier's own
    ],
)
def test_refusals(connect: Callable[..., Peer], status: int, permanent: bool) -> None:
    peer = connect(submit_timeout=0.5)  # too short for a second try
    peer.submit(1)
    answer(peer, peer.expect("submit_sm"), status=status)
    assert peer.until(SubmitFailed) == SubmitFailed(1, permanent, f"0x{status:08X}")


def test_a_generic_nack_is_a_refusal(connect: Callable[..., Peer]) -> None:
    peer = connect()
    peer.submit(1)
    peer.link.answer(peer.expect("submit_sm"), "generic_nack", 0x02)
    assert peer.until(SubmitFailed).permanent


def test_a_text_refused_before_its_end_goes_no_further(connect: Callable[..., Peer]) -> None:
    peer = connect(window=1)
    peer.submit(1, THREE_PARTS)
    answer(peer, peer.expect("submit_sm"), status=RINVDSTADR)
    assert peer.until(SubmitFailed).permanent is True
    assert peer.quiet()
    assert peer.gateway.room == 1


def test_half_a_text_is_not_sent_again(connect: Callable[..., Peer]) -> None:
    peer = connect(window=1, submit_timeout=0.5)
    peer.submit(1, THREE_PARTS)
    answer(peer, peer.expect("submit_sm"))
    answer(peer, peer.expect("submit_sm"), status=RTHROTTLED)
    assert peer.until(SubmitFailed).permanent is True


@pytest.mark.parametrize("status", [RTHROTTLED, RMSGQFUL])
def test_throttled_it_rests_then_sends_the_same_again(
    connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("sms.smpp_pace.REST", 0.3)
    peer = connect(rate_per_second=100)
    peer.submit(1, THREE_PARTS)
    first, *others = [peer.expect("submit_sm") for _ in range(3)]
    answer(peer, first, status=status)
    for pdu, message_id in zip(others, "BC", strict=True):
        answer(peer, pdu, message_id)
    assert peer.quiet()
    assert peer.gateway.room == 0  # nothing is claimed meanwhile
    again = peer.expect("submit_sm")
    assert (again.short_message, again.esm_class) == (first.short_message, 0x40)
    assert again.sequence != first.sequence
    answer(peer, again, "A")
    assert peer.until(Submitted) == Submitted(1, ("A", "B", "C"))
    assert peer.gateway.counters == {"throttled": 1}


def test_a_long_text_whole_in_message_payload(connect: Callable[..., Peer]) -> None:
    peer = connect(long_messages="payload")
    peer.submit(1, THREE_PARTS)
    pdu = peer.expect("submit_sm")
    assert decode(pdu.message_payload, 8) == THREE_PARTS
    assert (pdu.esm_class, pdu.data_coding) == (0, 8)
    assert not pdu.short_message  # one or the other (SMPP 3.4 §4.4.1)
    answer(peer, pdu)
    assert peer.until(Submitted) == Submitted(1, ("A1",))
    peer.submit(2, "短")
    assert decode(peer.expect("submit_sm").short_message, 8) == "短"


def test_answers_to_citizens_go_first(connect: Callable[..., Peer]) -> None:
    peer = connect(window=1)
    for ref, text in enumerate(("一", "二", "三"), start=1):
        peer.submit(ref, text)
    peer.gateway.submit(Submission(4, SENDER, CITIZEN, "谢谢", urgent=True))
    texts = []
    for _ in range(4):
        pdu = peer.expect("submit_sm")
        texts.append(decode(pdu.short_message, 8))
        answer(peer, pdu)
    assert texts == ["一", "谢谢", "二", "三"]


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (("A", "A", "A"), ("A",)),  # one id for all parts
        (("", "", ""), ()),  # none at all: receipts can't be matched
        (("A", "", "C"), ("A", "C")),
    ],
)
def test_ids_that_a_gateway_is_careless_with(
    connect: Callable[..., Peer], ids: tuple[str, ...], told: tuple[str, ...]
) -> None:
    peer = connect()
    peer.submit(1, THREE_PARTS)
    for message_id in ids:
        answer(peer, peer.expect("submit_sm"), message_id)
    assert peer.until(Submitted).message_ids == told


@pytest.mark.parametrize(
    ("settings", "answered", "receipt"),
    [
        ({"message_id": "text"}, "0000abcd", b"0000abcd"),  # letter by letter
        ({"message_id": "hex"}, "0000abcd", b"ABCD"),  # case and zeros at will
        ({"message_id": "decimal"}, "0000ABCD", b"43981"),
        ({"message_id": "decimal"}, "abcd", b"0000043981"),
        ({"message_id": "decimal", "answer_id": "decimal"}, "0043981", b"43981"),
        ({"message_id": "hex", "answer_id": "decimal"}, "43981", b"0xabcd"),
        ({"message_id": "hex"}, "7f1c-22", b"7f1c-22"),  # no number at all: as it is
        ({"message_id": "decimal"}, "FFFFFFFFFFFFFFFF", b"18446744073709551615"),  # 64 bits
    ],
)
def test_an_answer_and_its_receipt_name_the_same_id(
    connect: Callable[..., Peer], settings: dict[str, Any], answered: str, receipt: bytes
) -> None:
    peer = connect(**settings)
    peer.submit(1)
    answer(peer, peer.expect("submit_sm"), answered)
    [told] = peer.until(Submitted).message_ids
    peer.deliver(esm_class=4, data_coding=0, short_message=b"id:" + receipt + b" stat:DELIVRD err:000")
    assert peer.until(ReceiptArrived).message_id == told


def test_no_answer_in_time_is_unknown_and_the_late_one_harmless(connect: Callable[..., Peer]) -> None:
    peer = connect(submit_timeout=0.5)
    peer.submit(1)
    late = peer.expect("submit_sm")
    assert peer.until(SubmitUnknown).ref == 1
    answer(peer, late)
    peer.submit(2)
    answer(peer, peer.expect("submit_sm"), "B2")
    assert peer.until(Submitted) == Submitted(2, ("B2",))
    assert peer.events == []
    assert peer.gateway.counters == {"late_answer": 1}


def test_a_lost_link_and_what_was_on_it(connect: Callable[..., Peer]) -> None:
    """Answered before it broke: answered. Unanswered: unknown. Never sent: for another time."""
    peer = connect(window=2)
    peer.submit(1)
    peer.submit(2, THREE_PARTS)
    peer.submit(3)
    answer(peer, peer.expect("submit_sm"), "A")
    peer.expect("submit_sm")
    peer.link.close()
    peer.until(LinkDown)
    outcomes = [event for event in peer.events if isinstance(event, Submitted | SubmitUnknown | SubmitFailed)]
    assert outcomes == [Submitted(1, ("A",)), SubmitUnknown(2), SubmitFailed(3, False, "not sent")]
    peer.bind()
    assert peer.quiet()  # nothing of it is sent again
    assert peer.gateway.in_flight == 0
