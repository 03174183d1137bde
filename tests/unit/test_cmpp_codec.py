"""CMPP 2.0 on bytes that were written by hand from the field tables (tests/data/cmpp), and on any bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms import cmpp_codec
from sms.cmpp_codec import (
    HEADER,
    LONGEST,
    VERSION,
    ActiveTest,
    ActiveTestResp,
    BadPacket,
    Connect,
    ConnectResp,
    Deliver,
    DeliverResp,
    Packet,
    Report,
    Submit,
    SubmitResp,
    Terminate,
    TerminateResp,
    Unknown,
    authenticator_ismg,
    authenticator_source,
    pack,
    pack_fields,
    take_frame,
    unpack,
    unpack_report,
)
from sms.cmpp_deliver import part_in, status_of, text_of
from sms.cmpp_fields import Content, Numbers, Raw, Text, Unsigned
from sms.cmpp_pace import Pace
from sms.events import ReceiptStatus
from sms.long_reply import Part
from sms.message import BrokenText

DATA = Path(__file__).parents[1] / "data" / "cmpp"
SOURCE = bytes.fromhex("afb3f37ed1de6640e8c2579a3bd6c093")
ISMG = bytes.fromhex("4bd1f9b40b051ae27ffc41ae4708d691")
TEXT_ID = bytes.fromhex("21905181b6690007")
REPORT = Report(TEXT_ID, "DELIVRD", "2602030405", "2602030406", "13803790001", 99)


def by_hand(name: str) -> bytes:
    lines = (DATA / f"{name}.hex").read_text().splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


WRITTEN = [
    ("connect", 1, Connect("901234", SOURCE, VERSION, 203040506)),
    ("connect_resp", 1, ConnectResp(0, ISMG, VERSION)),
    (
        "submit",
        2,
        Submit(
            registered_delivery=1,
            service_id="110HF",
            fee_user_type=2,
            msg_src="901234",
            fee_type="01",
            fee_code="000000",
            src_id="106380110",
            dest_terminal_ids=("13803790001",),
            msg_content="您好".encode("utf-16-be"),
        ),
    ),
    ("submit_resp", 2, SubmitResp(TEXT_ID, 0)),
    ("submit_resp_throttled", 3, SubmitResp(bytes(8), 8)),
    (
        "deliver",
        42,
        Deliver(
            bytes.fromhex("21905181b6690008"),
            dest_id="106380110",
            service_id="110HF",
            msg_fmt=15,
            src_terminal_id="13803790001",
            msg_content="不满意".encode("gbk"),
        ),
    ),
    (
        "deliver_report",
        43,
        Deliver(
            bytes.fromhex("21905181b6690009"),
            dest_id="106380110",
            service_id="110HF",
            msg_fmt=0,
            src_terminal_id="13803790001",
            registered_delivery=1,
            msg_content=pack_fields(REPORT),
        ),
    ),
    ("deliver_resp", 42, DeliverResp(bytes.fromhex("21905181b6690008"), 0)),
    ("active_test", 7, ActiveTest()),
    ("active_test_resp", 7, ActiveTestResp()),
    ("terminate", 9, Terminate()),
    ("terminate_resp", 9, TerminateResp()),
]


@pytest.mark.parametrize(("name", "sequence", "packet"), WRITTEN, ids=[name for name, *_ in WRITTEN])
def test_packets_as_written_from_the_tables(name: str, sequence: int, packet: Packet) -> None:
    assert unpack(by_hand(name)) == (sequence, packet)
    assert pack(packet, sequence) == by_hand(name)


def test_a_report_as_written() -> None:
    _, deliver = unpack(by_hand("deliver_report"))
    assert unpack_report(deliver.msg_content) == REPORT
    assert unpack_report(deliver.msg_content + b"more") == REPORT
    for kept in range(60):
        with pytest.raises(BadPacket, match="cut off"):
            unpack_report(deliver.msg_content[:kept])


def test_the_login_proofs() -> None:
    """The digests were computed by md5sum, not by us. A month below 10 keeps its zero."""
    assert authenticator_source("901234", "s3cret", 203040506) == SOURCE
    assert authenticator_ismg(0, SOURCE, "s3cret") == ISMG
    assert authenticator_ismg(1, SOURCE, "s3cret") != ISMG


def test_the_longest_packet_is_let_in() -> None:
    longest = Submit(dest_terminal_ids=("1" * 21,) * 99, msg_content=bytes(255))
    assert len(pack(longest, 1)) == 2472 <= LONGEST
    assert unpack(pack(longest, 1)) == (1, longest)


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (Submit(service_id="12345678901", dest_terminal_ids=("1",)), "Submit.service_id"),  # 11 of 10
        (Submit(src_id="1" * 22, dest_terminal_ids=("1",)), "Submit.src_id"),
        (Submit(src_id="１０６", dest_terminal_ids=("1",)), "Submit.src_id"),  # full-width isn't ASCII
        (Submit(src_id="1\x002", dest_terminal_ids=("1",)), "Submit.src_id"),  # a NUL would end it
        (Submit(dest_terminal_ids=()), "Submit.dest_terminal_ids"),
        (Submit(dest_terminal_ids=("1",) * 100), "Submit.dest_terminal_ids"),
        (Submit(dest_terminal_ids=("1" * 22,)), "Submit.dest_terminal_ids"),
        (Submit(dest_terminal_ids=("1",), msg_content=bytes(256)), "Submit.msg_content"),
        (Submit(dest_terminal_ids=("1",), pk_total=256), "Submit.pk_total"),
        (SubmitResp(bytes(7), 0), "SubmitResp.msg_id"),
        (Connect("901234", SOURCE, VERSION, 1 << 32), "Connect.timestamp"),
        (Connect("901234", SOURCE, -1, 0), "Connect.version"),
    ],
)
def test_what_does_not_fit_is_named(packet: Packet, told: str) -> None:
    with pytest.raises(BadPacket, match=told):
        pack(packet, 1)


def test_longer_fields_than_2_0_has_are_not_guessed_at() -> None:
    with pytest.raises(BadPacket, match="SubmitResp has 24 bytes instead of 21") as told:
        unpack(by_hand("submit_resp_of_3_0"))
    assert (told.value.command, told.value.sequence) == (SubmitResp.COMMAND, 2)


@pytest.mark.parametrize("name", ["submit", "deliver", "deliver_report", "connect", "submit_resp"])
def test_a_packet_cut_off_anywhere_is_never_a_shorter_one(name: str) -> None:
    whole = by_hand(name)
    for kept in range(12, len(whole)):
        cut = struct.pack(">L", kept) + whole[4:kept]
        with pytest.raises(BadPacket) as told:
            unpack(cut)
        assert told.value.sequence == unpack(whole)[0]


def test_other_commands_are_told_apart_from_broken_packets() -> None:
    assert unpack(HEADER.pack(14, 0x7, 5) + b"\0\0") == (5, Unknown(0x7))
    assert unpack(HEADER.pack(12, 0x80000008, 5)) == (5, ActiveTestResp())  # sent without its Reserved
    assert unpack(HEADER.pack(16, 0x8, 5) + bytes(4)) == (5, ActiveTest())
    with pytest.raises(BadPacket, match="no header"):
        unpack(b"\0\0\0")
    with pytest.raises(BadPacket, match="Total_Length 13"):
        unpack(HEADER.pack(13, 0x8, 5))


@pytest.mark.parametrize("length", [0, 11, LONGEST + 1, 0x47455420])  # the last is "GET " of a web client
def test_a_length_that_no_packet_has(length: int) -> None:
    with pytest.raises(BadPacket, match=f"a packet of {length} bytes"):
        take_frame(bytearray(struct.pack(">L", length)))


@given(st.lists(st.sampled_from([name for name, *_ in WRITTEN]), max_size=6), st.integers(1, 200))
@settings(max_examples=60)
def test_frames_come_whole_however_they_are_cut_on_the_way(names: list[str], step: int) -> None:
    stream, received, found = b"".join(by_hand(name) for name in names), bytearray(), []
    for start in range(0, len(stream), step):
        received += stream[start : start + step]
        while (frame := take_frame(received)) is not None:
            found.append(frame)
    assert found == [by_hand(name) for name in names]
    assert not received


def _values(kind: Any) -> st.SearchStrategy[Any]:
    printable = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
    match kind:
        case Unsigned(size):
            return st.integers(0, (1 << 8 * size) - 1)
        case Raw(size):
            return st.binary(min_size=size, max_size=size)
        case Text(size):
            return st.text(printable, max_size=size)
        case Numbers():
            return st.lists(st.text(printable, max_size=21), min_size=1, max_size=4).map(tuple)
        case Content():
            return st.binary(max_size=255)
    raise AssertionError(kind)


def _packets() -> st.SearchStrategy[Packet]:
    return st.one_of(
        st.builds(packet, **{name: _values(kind) for name, kind in cmpp_codec._LAYOUTS[packet]})
        for packet in get_args(Packet)
        if packet is not ActiveTestResp  # whose one byte is passed over
    )


@given(_packets(), st.integers(0, 0xFFFFFFFF))
@settings(max_examples=200)
def test_what_is_packed_is_unpacked(packet: Packet, sequence: int) -> None:
    assert unpack(pack(packet, sequence)) == (sequence, packet)


@given(st.sampled_from([packet.COMMAND for packet in get_args(Packet)]), st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_are_a_packet_or_a_bad_one(command: int, body: bytes) -> None:
    raw = HEADER.pack(12 + len(body), command, 1) + body
    try:
        unpack(raw)
    except BadPacket as error:
        assert (error.command, error.sequence) == (command, 1)


@given(st.binary(max_size=400))
@settings(max_examples=150)
def test_any_stream_is_frames_or_a_bad_one(stream: bytes) -> None:
    received = bytearray(stream)
    try:
        while (frame := take_frame(received)) is not None:
            unpack(frame)
    except BadPacket:
        pass


@pytest.mark.parametrize(
    ("stat", "status", "code"),
    [
        ("DELIVRD", ReceiptStatus.DELIVERED, ""),
        ("EXPIRED", ReceiptStatus.EXPIRED, ""),
        ("DELETED", ReceiptStatus.DELETED, ""),
        ("UNDELIV", ReceiptStatus.UNDELIVERABLE, ""),
        ("ACCEPTD", ReceiptStatus.ACCEPTED, ""),
        ("UNKNOWN", ReceiptStatus.UNKNOWN, ""),
        ("REJECTD", ReceiptStatus.REJECTED, ""),
        ("delivrd", ReceiptStatus.DELIVERED, ""),  # as some write it
        ("MA:0054", ReceiptStatus.UNKNOWN, "MA:0054"),  # the SMSC gave no answer
        ("IC:0055", ReceiptStatus.UNKNOWN, "IC:0055"),  # no report from the next gateway
        ("MB:1041", ReceiptStatus.UNDELIVERABLE, "MB:1041"),  # the SMSC refused
        ("CB:0053", ReceiptStatus.UNDELIVERABLE, "CB:0053"),
        ("MI:0000", ReceiptStatus.EXPIRED, "MI:0000"),  # the SMSC's EXPIRED with its own code
        ("MK:0001", ReceiptStatus.UNDELIVERABLE, "MK:0001"),
        ("MN:0001", ReceiptStatus.REJECTED, "MN:0001"),
        ("DB:0141", ReceiptStatus.UNDELIVERABLE, "DB:0141"),  # on a blacklist
        ("NOROUTE", ReceiptStatus.UNDELIVERABLE, ""),
        ("ENROUTE", ReceiptStatus.ENROUTE, ""),
        ("MBBLACK", ReceiptStatus.UNKNOWN, "MBBLACK"),  # somebody's own word: it may have been delivered
        ("", ReceiptStatus.UNKNOWN, ""),
    ],
)
def test_what_a_report_says(stat: str, status: ReceiptStatus, code: str) -> None:
    assert status_of(stat) == (status, code)


@pytest.mark.parametrize(
    ("raw", "msg_fmt", "text"),
    [
        ("满意".encode("utf-16-be"), 8, "满意"),
        ("2，很好".encode("gbk"), 15, "2，很好"),
        ("㐂".encode("gb18030"), 15, "㐂"),  # four bytes, outside GBK
        (b"1", 0, "1"),
        (b"1", 15, "1"),
    ],
)
def test_texts_in_their_formats(raw: bytes, msg_fmt: int, text: str) -> None:
    assert text_of(raw, msg_fmt) == text


@pytest.mark.parametrize(
    ("raw", "msg_fmt"),
    [
        (b"\xd8\x00\x00", 8),  # half a pair, and an odd byte
        (b"\xb2", 15),  # half a character
        (b"\xb2\xbb", 0),
        (b"1", 3),  # an order to the SIM card
        (b"1", 4),  # binary
    ],
)
def test_bytes_that_are_no_text(raw: bytes, msg_fmt: int) -> None:
    with pytest.raises(BrokenText):
        text_of(raw, msg_fmt)


def test_a_part_is_known_by_its_header_and_indicator() -> None:
    raw = b"\x05\x00\x03\x2a\x02\x01" + "很".encode("utf-16-be")
    deliver = Deliver(TEXT_ID, "106380110", tp_udhi=1, msg_content=raw)
    assert part_in(deliver) == (Part(0x2A, 2, 1, "很".encode("utf-16-be")), "很".encode("utf-16-be"))
    assert part_in(Deliver(TEXT_ID, "106380110", msg_content=raw)) == (None, raw)


def test_the_pace() -> None:
    pace = Pace(10, now=0.0)
    assert pace.allowance(0.0) == 1  # nothing is saved up at the start
    assert pace.allowance(5.0) == 10  # a second's worth at most
    pace.take(12)  # a long text borrows
    assert pace.allowance(5.0) == 0
    assert pace.allowance(5.35) == 1
    pace.rest(until=9.0)
    assert pace.allowance(8.9) == 0
    assert pace.allowance(9.0) == 1  # it begins gently again
    assert pace.allowance(9.5) == 6
