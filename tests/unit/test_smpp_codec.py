"""PDUs out of bytes: what is whole is read, what is cut off is told, and nothing makes the reader stumble."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import smpp

from sms.events import ReceiptStatus
from sms.message import encode
from sms.smpp_codec import BadPdu, Sequence, parse, text_of
from sms.smpp_quick import HEADER, deliver_sm_resp, submit_sm
from sms.smpp_receipt import comparable, is_receipt, read_receipt

DELIVER = 0x05


def deliver(**fields: Any) -> bytes:
    base = {"source_addr": "13803790001", "destination_addr": "106380110", "data_coding": 8}
    return smpp.make_pdu("deliver_sm", client=Sequence(), **(base | fields)).generate()


def framed(command: int, body: bytes, sequence: int = 9) -> bytes:
    return HEADER.pack(HEADER.size + len(body), command, 0, sequence) + body


def with_tlv(raw: bytes, tag: int, value: bytes, length: int | None = None) -> bytes:
    body = raw[16:] + struct.pack(">HH", tag, len(value) if length is None else length) + value
    return framed(DELIVER, body)


def test_a_delivery_is_read_whole() -> None:
    pdu = parse(deliver(short_message=encode("满意")))
    assert (text_of(pdu.source_addr), text_of(pdu.destination_addr)) == ("13803790001", "106380110")
    assert (pdu.short_message, pdu.data_coding) == (encode("满意"), 8)


@given(st.integers(0, 200))
@settings(max_examples=60)
def test_a_delivery_cut_off_anywhere_is_never_a_shorter_text(kept: int) -> None:
    """smpplib alone would read `不` out of `不满意`, or a number's half."""
    body = deliver(short_message=encode("不满意"))[16:]
    read = parse(framed(DELIVER, body[:kept]))
    assert isinstance(read, BadPdu) == (kept < len(body))


@pytest.mark.parametrize(
    ("tag", "value", "name", "read"),
    [
        (0x0424, encode("1"), "message_payload", encode("1")),
        (0x001E, b"0000ABCD\0", "receipted_message_id", b"0000ABCD\0"),
        (0x001E, b"0000ABCD", "receipted_message_id", b"0000ABCD"),  # without its NUL, as some send it
        (0x0427, b"\x02", "message_state", 2),
        (0x0427, b"\x00\x02", "message_state", 2),  # longer than it should be
        (0x020C, b"\x01\x02", "sar_msg_ref_num", 0x0102),
        (0x0005, b"\x01", "message_state", None),  # dest_addr_subunit, which deliver_sm doesn't have
        (0x1501, b"carrier", "message_state", None),  # a vendor's own
    ],
)
def test_optional_parameters(tag: int, value: bytes, name: str, read: object) -> None:
    assert getattr(parse(with_tlv(deliver(), tag, value)), name) == read


def test_the_end_of_optional_parameters() -> None:
    assert isinstance(parse(with_tlv(deliver(), 0x0424, b"\x00\x31", length=400)), BadPdu)
    stray = framed(DELIVER, deliver(short_message=b"\x00\x31")[16:] + b"\0\0")
    assert parse(stray).short_message == b"\x00\x31"


def test_responses_may_have_no_body() -> None:
    refused = HEADER.pack(16, 0x80000004, 0x58, 3)
    pdu = parse(refused)
    assert (pdu.command, pdu.status, pdu.sequence) == ("submit_sm_resp", 0x58, 3)
    assert text_of(pdu.message_id) == ""


@given(
    st.text("0123456789", max_size=24),
    st.text("0123456789", min_size=1, max_size=24),
    st.sampled_from([0, 0x40]),
    st.binary(max_size=140),
    st.none() | st.binary(min_size=1, max_size=400),
)
@settings(max_examples=60)
def test_a_submit_is_written_as_smpplib_writes_it(
    source: str, destination: str, esm_class: int, text: bytes, payload: bytes | None
) -> None:
    fields: dict[str, Any] = {
        "source_addr_ton": 0,
        "source_addr_npi": 1,
        "source_addr": source,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": destination,
        "esm_class": esm_class,
        "data_coding": 8,
        "registered_delivery": 1,
        "short_message": text if payload is None else b"",
    }
    if payload is not None:
        fields["message_payload"] = payload
    theirs = smpp.make_pdu("submit_sm", client=Sequence(), **fields)
    assert submit_sm(theirs.sequence, fields) == theirs.generate()


def test_an_acknowledgement_is_written_as_smpplib_writes_it() -> None:
    theirs = smpp.make_pdu("deliver_sm_resp", client=Sequence())
    theirs.sequence, theirs.status = 41, 0x64
    assert deliver_sm_resp(41, 0x64) == theirs.generate()


def test_what_is_unknown_or_broken_keeps_its_sequence() -> None:
    unknown = parse(framed(0x0777, b"", 41))
    assert (unknown.sequence, unknown.is_response) == (41, False)
    assert "0x777" in unknown.reason
    broken = parse(framed(0x80000004, b"no end", 42))
    assert isinstance(broken, BadPdu)
    assert (broken.sequence, broken.is_response) == (42, True)


@given(st.sampled_from([0x05, 0x04, 0x80000004, 0x80000009, 0x15, 0x102, 0x777]), st.binary(max_size=120))
@settings(max_examples=200)
def test_no_bytes_make_it_stumble(command: int, body: bytes) -> None:
    read = parse(framed(command, body))
    assert read.sequence == 9
    if not isinstance(read, BadPdu) and read.command == "deliver_sm":
        assert len(read.short_message or b"") == read.sm_length
        read_receipt(read)


APPENDIX_B = b"id:%b sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:%b err:%b text:"


@pytest.mark.parametrize(
    ("esm_class", "fields", "tlvs", "expected"),
    [
        # by the optional parameters, which go before the text
        (4, {"short_message": b""}, [(0x1E, b"AB\0"), (0x427, b"\x05")], ("AB", "undeliverable", "")),
        (
            4,
            {"short_message": APPENDIX_B % (b"CD", b"DELIVRD", b"000")},
            [(0x1E, b"AB\0"), (0x427, b"\x03")],
            ("AB", "expired", "000"),
        ),
        # by the text alone
        (4, {"short_message": APPENDIX_B % (b"AB", b"UNDELIV", b"027")}, [], ("AB", "undeliverable", "027")),
        (4, {"short_message": APPENDIX_B % (b"AB", b"REJECTD", b"MK:1")}, [], ("AB", "rejected", "MK:1")),
        (4, {"short_message": b"id:AB stat:delivrd"}, [], ("AB", "delivered", "")),  # shorter, small letters
        (4, {"short_message": APPENDIX_B % (b"AB", b"XYZ", b"1")}, [], ("AB", "unknown", "1")),
        # the text where long texts go
        (4, {}, [(0x424, APPENDIX_B % (b"AB", b"EXPIRED", b"0"))], ("AB", "expired", "0")),
        # its type left out, or on the way still
        (0, {"short_message": b""}, [(0x1E, b"AB\0"), (0x427, b"\x02")], ("AB", "delivered", "")),
        (0x20, {"short_message": b"id:AB stat:ENROUTE"}, [], ("AB", "enroute", "")),
        # about no message: nothing can be done with it
        (4, {"short_message": b"stat:DELIVRD"}, [], None),
        (4, {"short_message": b""}, [], None),
    ],
)
def test_receipts(
    esm_class: int,
    fields: dict[str, Any],
    tlvs: list[tuple[int, bytes]],
    expected: tuple[str, str, str] | None,
) -> None:
    raw = deliver(esm_class=esm_class, **fields)
    for tag, value in tlvs:
        raw = with_tlv(raw, tag, value)
    pdu = parse(raw)
    assert is_receipt(pdu)
    read = read_receipt(pdu)
    assert read == (expected and (expected[0], ReceiptStatus(expected[1]), expected[2]))


@pytest.mark.parametrize("esm_class", [0, 0x40, 0x03])
def test_a_citizens_text_is_no_receipt(esm_class: int) -> None:
    """Not even one that reads like a receipt."""
    assert not is_receipt(parse(deliver(esm_class=esm_class, short_message=b"id:1 stat:DELIVRD")))


@pytest.mark.parametrize(
    ("answered", "receipt", "written"),
    [
        ("0000ABCD", "43981", "decimal"),
        ("0000abcd", "ABCD", "hex"),
        ("0x1F", "31", "decimal"),
        ("0001-7f", "0001-7f", "text"),
        ("not hex", "not hex", "hex"),  # left as it is
    ],
)
def test_one_message_has_one_id_however_it_is_written(answered: str, receipt: str, written: str) -> None:
    assert comparable(answered, "text" if written == "text" else "hex") == comparable(receipt, written)
