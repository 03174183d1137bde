"""Several binds at one SMSC: a window each, answers where they belong, and one dead bind stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sms.events import LinkDown, LinkUp, ReceiptArrived, ReplyArrived, SubmitFailed, Submitted, SubmitUnknown
from sms.message import encode, udh
from tests.integration.smpp_peer import Peer

LONG = "3，" + "还没修好" * 20
PARTS = [udh(7, 2, 1) + encode(LONG[:67]), udh(7, 2, 2) + encode(LONG[67:])]


@pytest.fixture
def connect() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def make(**settings: Any) -> Peer:
        peers.append(Peer(**settings))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


def two_binds(connect: Callable[..., Peer], **settings: Any) -> Peer:
    peer = connect(binds=2, **settings)
    peer.take_bind()
    peer.take_bind()
    return peer


def split(connect: Callable[..., Peer]) -> Peer:
    """Links: the transmitter, the receiver."""
    peer = connect(bind="split")
    peer.take_bind("bind_transmitter")
    peer.take_bind("bind_receiver")
    return peer


def expect_on(peer: Peer, number: int, command: str = "submit_sm") -> Any:
    peer.use(peer.links[number])
    return peer.expect(command)


def answer(peer: Peer, number: int, pdu: Any, message_id: str) -> None:
    peer.links[number].answer(pdu, "submit_sm_resp", message_id=message_id)


def test_each_bind_has_its_window(connect: Callable[..., Peer]) -> None:
    peer = two_binds(connect, window=1)
    for ref in (1, 2, 3):
        peer.submit(ref)
    one, other = expect_on(peer, 0), expect_on(peer, 1)
    assert one.sequence == other.sequence  # each link counts for itself
    assert peer.quiet() and peer.gateway.room == 0
    answer(peer, 1, other, "B")
    assert peer.until(Submitted).message_ids == ("B",)
    assert expect_on(peer, 1).sequence == other.sequence + 1
    answer(peer, 0, one, "A")
    assert peer.until(Submitted).message_ids == ("A",)


def test_a_dead_bind_takes_its_own_submits_alone(connect: Callable[..., Peer]) -> None:
    peer = two_binds(connect, window=1)
    for ref in (1, 2, 3):
        peer.submit(ref)
    expect_on(peer, 0)
    other = expect_on(peer, 1)
    peer.links[0].close()
    lost = peer.until(SubmitUnknown).ref
    answer(peer, 1, other, "B")
    kept = peer.until(Submitted).ref
    answer(peer, 1, expect_on(peer, 1), "C")
    assert {lost, kept, peer.until(Submitted).ref} == {1, 2, 3}
    assert not [event for event in peer.events if isinstance(event, LinkDown | SubmitFailed)]
    peer.take_bind()  # it comes back by itself
    peer.submit(4)
    peer.submit(5)
    assert expect_on(peer, 2).sequence and expect_on(peer, 1).sequence


def test_the_last_bind_to_go_is_told(connect: Callable[..., Peer]) -> None:
    peer = two_binds(connect)
    peer.until(LinkUp, count=2)
    peer.links[0].close()
    peer.use(peer.links[1])
    assert peer.quiet() and not [event for event in peer.events if isinstance(event, LinkDown)]
    peer.links[1].close()
    peer.until(LinkDown)
    assert peer.gateway.room == 0


def test_deliveries_are_answered_on_the_bind_they_came_on(connect: Callable[..., Peer]) -> None:
    peer = two_binds(connect)
    arrived = []
    for number in (1, 0):
        peer.use(peer.links[number])
        peer.deliver(short_message=encode(str(number)))
        arrived.append(peer.until(ReplyArrived))
    for reply in arrived:
        peer.gateway.acknowledge(reply.handle, ok=reply.text == "1")
    assert expect_on(peer, 1, "deliver_sm_resp").status == 0
    assert expect_on(peer, 0, "deliver_sm_resp").status == 0x64


def test_the_parts_of_a_reply_over_two_binds(connect: Callable[..., Peer]) -> None:
    peer = two_binds(connect)
    for number in (1, 0):
        peer.use(peer.links[number])
        peer.deliver(esm_class=0x40, short_message=PARTS[number])
    arrived = peer.until(ReplyArrived)
    assert arrived.text == LONG
    peer.gateway.acknowledge(arrived.handle, ok=True)
    assert expect_on(peer, 0, "deliver_sm_resp").status == expect_on(peer, 1, "deliver_sm_resp").status == 0


def test_a_bind_lost_amid_a_reply_over_two(connect: Callable[..., Peer]) -> None:
    """The part on the other waits on; what the lost one brought comes again there."""
    peer = two_binds(connect)
    peer.deliver(esm_class=0x40, short_message=PARTS[1])
    peer.use(peer.links[0])
    peer.deliver(esm_class=0x40, short_message=udh(7, 3, 1) + encode("另一条"))  # another text's, forgotten
    peer.deliver(esm_class=0x40, short_message=udh(8, 2, 1) + encode("甲"))
    assert peer.quiet()
    peer.links[0].close()
    peer.use(peer.links[1])
    for raw in (PARTS[0], udh(8, 2, 2) + encode("乙")):
        assert peer.quiet()
        peer.deliver(esm_class=0x40, short_message=raw)
    arrived = peer.until(ReplyArrived)
    assert arrived.text == LONG
    peer.gateway.acknowledge(arrived.handle, ok=True)
    assert [peer.expect("deliver_sm_resp").status for _ in range(2)] == [0, 0]
    peer.deliver(esm_class=0x40, short_message=udh(8, 2, 1) + encode("甲"))
    assert peer.until(ReplyArrived).text == "甲乙"


def test_a_pair_sends_on_one_and_receives_on_the_other(connect: Callable[..., Peer]) -> None:
    peer = split(connect)
    peer.submit(1)
    answer(peer, 0, expect_on(peer, 0), "A")
    assert peer.until(Submitted).ref == 1
    peer.use(peer.links[1])
    peer.deliver(esm_class=4, data_coding=0, short_message=b"id:A stat:DELIVRD err:000")
    receipt = peer.until(ReceiptArrived)
    peer.gateway.acknowledge(receipt.handle, ok=True)
    assert expect_on(peer, 1, "deliver_sm_resp").status == 0


def test_without_its_transmitter_nothing_goes_and_replies_still_come(connect: Callable[..., Peer]) -> None:
    peer = split(connect)
    peer.links[0].close()
    peer.until(LinkDown)
    assert peer.gateway.room == 0
    peer.submit(1)
    assert peer.until(SubmitFailed).permanent is False
    peer.use(peer.links[1])
    peer.deliver(short_message=encode("1"))
    assert peer.until(ReplyArrived).text == "1"
    peer.take_bind("bind_transmitter")
    assert peer.gateway.room > 0


def test_without_its_receiver_texts_still_go(connect: Callable[..., Peer]) -> None:
    peer = split(connect)
    peer.links[1].close()
    peer.submit(1)
    answer(peer, 0, expect_on(peer, 0), "A")
    assert peer.until(Submitted).ref == 1
    assert not [event for event in peer.events if isinstance(event, LinkDown)]
    peer.take_bind("bind_receiver")
