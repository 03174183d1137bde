"""PDUs out of bytes: smpplib's codec, held to the lengths that the bytes themselves state. No I/O.

smpplib alone takes a string without its end, or a short_message that is cut off, for a whole one, and
stumbles on an optional parameter that it doesn't expect in a command. Here the first two are refused and the
last is passed over, as SMPP 3.4 §3.3 asks. What comes for each text has its own way (`smpp_quick`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from smpplib import consts, smpp
from smpplib.client import SimpleSequenceGenerator
from smpplib.pdu import extract_command

from sms.smpp_quick import HEADER, READERS

_TLV = struct.Struct(">HH")
_NAMES = {tag: name for name, tag in consts.OPTIONAL_PARAMS.items()}


@dataclass(frozen=True, slots=True)
class BadPdu:
    """Bytes that are framed as a PDU and aren't one."""

    sequence: int
    reason: str
    is_response: bool  # which is never answered


class Sequence(SimpleSequenceGenerator):  # type: ignore[misc]
    """Sequence numbers of one link; smpplib's PDUs ask their client for them."""


def parse(raw: bytes) -> Any:
    """The PDU in `raw`, a whole frame; BadPdu for whatever can't be read."""
    _, command, status, sequence = HEADER.unpack_from(raw)
    is_response = bool(command & 0x80000000)
    try:
        if (read := READERS.get(command)) is not None:
            return read(status, sequence, raw[HEADER.size :])
        pdu = smpp.make_pdu(extract_command(raw), client=Sequence())
        body = raw[HEADER.size :]
        end = _mandatory_end(pdu, body) if body else 0
        if end == 0 and not is_response and pdu.params_order:
            raise ValueError("no body")
        pdu.parse(HEADER.pack(HEADER.size + end, command, status, sequence) + body[:end])
        _set_optional(pdu, body[end:])
    except Exception as error:  # whatever the codec stumbles on
        return BadPdu(sequence, f"{type(error).__name__}: {error}", is_response)
    return pdu


def _mandatory_end(pdu: Any, body: bytes) -> int:
    """Where the mandatory fields end; ValueError where one is cut off or too long."""
    end = last = 0
    for field in pdu.params_order:
        if pdu.field_is_optional(field):
            break
        param = pdu.params[field]
        if param.type is int:
            last = int.from_bytes(body[end : end + param.size], "big")
            end += param.size
        elif param.type is str:
            stop = body.find(b"\0", end)
            if not 0 <= stop - end < param.max:
                raise ValueError(f"{field} has no end")
            end = stop + 1
        else:
            end += last  # an octet string follows its length
        if end > len(body):
            raise ValueError(f"{field} is cut off")
    return end


def _set_optional(pdu: Any, rest: bytes) -> None:
    """Sets the optional parameters that the command knows; up to 3 stray bytes at the end are borne."""
    while len(rest) >= _TLV.size:
        tag, length = _TLV.unpack_from(rest)
        value, rest = rest[_TLV.size : _TLV.size + length], rest[_TLV.size + length :]
        if len(value) < length:
            raise ValueError(f"optional parameter 0x{tag:04X} is cut off")
        param = pdu.params.get(_NAMES.get(tag))
        if param is not None:
            setattr(pdu, _NAMES[tag], int.from_bytes(value, "big") if param.type is int else value)


def text_of(value: bytes | str | None) -> str:
    """A C-octet string field, which the codec gives as bytes."""
    if value is None:
        return ""
    return value if isinstance(value, str) else value.rstrip(b"\0").decode("latin-1")
