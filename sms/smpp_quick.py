"""The four PDUs that each text takes, as an ESME writes and reads them, in one step. No I/O.

smpplib keeps an object and a table of fields for each PDU, which costs more than the text's rows. All other
PDUs are its own still (`smpp_codec`), and so are these four at the far end of our tests: neither end reads
only what it wrote itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

HEADER = struct.Struct(">LLLL")
_TLV = struct.Struct(">HH")
_SUBMIT_SM, _SUBMIT_SM_RESP = 0x00000004, 0x80000004
_DELIVER_SM, _DELIVER_SM_RESP = 0x00000005, 0x80000005
_ADDRESS, _TIME, _SERVICE_TYPE, _MESSAGE_ID = 21, 17, 6, 65  # the longest, with their NUL (§4.4, §4.6)
_MESSAGE_PAYLOAD = 0x0424
_OPTIONAL = {  # of a deliver_sm, what we ask for (§5.3.2): its name, and whether it's a number
    0x001E: ("receipted_message_id", False),
    0x0427: ("message_state", True),
    _MESSAGE_PAYLOAD: ("message_payload", False),
    0x020C: ("sar_msg_ref_num", True),
    0x020E: ("sar_total_segments", True),
    0x020F: ("sar_segment_seqnum", True),
}


@dataclass(slots=True)
class SubmitSmResp:
    """The SMSC's answer to a submit_sm; no id where it refuses."""

    status: int
    sequence: int
    message_id: bytes
    command: str = "submit_sm_resp"


@dataclass(slots=True)
class DeliverSm:
    """A receipt or a citizen's text."""

    status: int
    sequence: int
    source_addr: bytes
    destination_addr: bytes
    esm_class: int
    data_coding: int
    sm_length: int
    short_message: bytes
    message_payload: bytes | None = None
    receipted_message_id: bytes | None = None
    message_state: int | None = None
    sar_msg_ref_num: int | None = None
    sar_total_segments: int | None = None
    sar_segment_seqnum: int | None = None
    command: str = "deliver_sm"


# -- out


def submit_sm(sequence: int, fields: Mapping[str, Any]) -> bytes:
    """A submit_sm (§4.4.1); `fields` by the names of the specification, what is left out is 0 or empty."""
    text = fields["short_message"]
    body = b"".join(
        (
            b"\0",  # service_type
            bytes((fields["source_addr_ton"], fields["source_addr_npi"])),
            _address(fields["source_addr"]),
            bytes((fields["dest_addr_ton"], fields["dest_addr_npi"])),
            _address(fields["destination_addr"]),
            bytes((fields["esm_class"], 0, 0, 0, 0)),  # protocol, priority; empty times
            bytes((fields["registered_delivery"], 0, fields["data_coding"], 0, len(text))),
            text,
        )
    )
    payload = fields.get("message_payload")
    if payload is not None:
        body += _TLV.pack(_MESSAGE_PAYLOAD, len(payload)) + payload
    return HEADER.pack(HEADER.size + len(body), _SUBMIT_SM, 0, sequence) + body


def _address(value: str) -> bytes:
    return value[: _ADDRESS - 1].encode("latin-1") + b"\0"


def deliver_sm_resp(sequence: int, status: int) -> bytes:
    """A deliver_sm_resp; its message_id is unused (§4.6.2)."""
    return HEADER.pack(HEADER.size + 1, _DELIVER_SM_RESP, status, sequence) + b"\0"


# -- in; ValueError or IndexError for what is cut off


def _read_submit_sm_resp(status: int, sequence: int, body: bytes) -> SubmitSmResp:
    if not body:
        return SubmitSmResp(status, sequence, b"")
    message_id, end = _string(body, 0, _MESSAGE_ID, "message_id")
    _options(body[end:])
    return SubmitSmResp(status, sequence, message_id)


def _read_deliver_sm(status: int, sequence: int, body: bytes) -> DeliverSm:
    _, at = _string(body, 0, _SERVICE_TYPE, "service_type")
    source, at = _string(body, at + 2, _ADDRESS, "source_addr")
    destination, at = _string(body, at + 2, _ADDRESS, "destination_addr")
    esm_class = body[at]
    _, at = _string(body, at + 3, _TIME, "schedule_delivery_time")
    _, at = _string(body, at, _TIME, "validity_period")
    data_coding, length = body[at + 2], body[at + 4]
    end = at + 5 + length
    if end > len(body):
        raise ValueError("short_message is cut off")
    text, options = body[at + 5 : end], _options(body[end:])
    return DeliverSm(status, sequence, source, destination, esm_class, data_coding, length, text, **options)


READERS: Mapping[int, Callable[[int, int, bytes], Any]] = {
    _SUBMIT_SM_RESP: _read_submit_sm_resp,
    _DELIVER_SM: _read_deliver_sm,
}


def _string(body: bytes, begin: int, longest: int, field: str) -> tuple[bytes, int]:
    """The C-octet string at `begin`, and where what follows begins."""
    stop = body.find(b"\0", begin)
    if not 0 <= stop - begin < longest:
        raise ValueError(f"{field} has no end")
    return body[begin:stop], stop + 1


def _options(rest: bytes) -> dict[str, Any]:
    """The optional parameters that we ask for; up to 3 stray bytes at the end are borne."""
    found: dict[str, Any] = {}
    while len(rest) >= _TLV.size:
        tag, length = _TLV.unpack_from(rest)
        value, rest = rest[_TLV.size : _TLV.size + length], rest[_TLV.size + length :]
        if len(value) < length:
            raise ValueError(f"optional parameter 0x{tag:04X} is cut off")
        if tag in _OPTIONAL:
            name, is_number = _OPTIONAL[tag]
            found[name] = int.from_bytes(value, "big") if is_number else value
    return found
