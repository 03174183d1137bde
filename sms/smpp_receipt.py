"""Delivery receipts: by the optional parameters of SMPP 3.4, else by the text of its Appendix B. Pure."""

from __future__ import annotations

import re
from typing import Any

from sms.events import ReceiptStatus

_STATES = {
    1: ReceiptStatus.ENROUTE,
    2: ReceiptStatus.DELIVERED,
    3: ReceiptStatus.EXPIRED,
    4: ReceiptStatus.DELETED,
    5: ReceiptStatus.UNDELIVERABLE,
    6: ReceiptStatus.ACCEPTED,
    7: ReceiptStatus.UNKNOWN,
    8: ReceiptStatus.REJECTED,
}
_WORDS = {
    "ENROUTE": ReceiptStatus.ENROUTE,
    "DELIVRD": ReceiptStatus.DELIVERED,
    "EXPIRED": ReceiptStatus.EXPIRED,
    "DELETED": ReceiptStatus.DELETED,
    "UNDELIV": ReceiptStatus.UNDELIVERABLE,
    "ACCEPTD": ReceiptStatus.ACCEPTED,
    "UNKNOWN": ReceiptStatus.UNKNOWN,
    "REJECTD": ReceiptStatus.REJECTED,
}
_TYPES = frozenset({0x04, 0x20})  # delivery receipt; intermediate notification
_TEXT = re.compile(
    rb"id:(?P<id>\S+).*?stat:(?P<stat>[A-Z]+)(?:.*?err:(?P<err>\S+))?", re.DOTALL | re.IGNORECASE
)
_DECIMAL = re.compile(r"[0-9]{1,65}")
_HEX = re.compile(r"(0[xX])?[0-9A-Fa-f]{1,65}")


def is_receipt(pdu: Any) -> bool:
    """Whether a deliver_sm is one, final or between (§5.2.12: message type in bits 5–2).

    Some gateways leave the type out; only a receipt names the message that it is about.
    """
    return (pdu.esm_class or 0) & 0x3C in _TYPES or bool(pdu.receipted_message_id)


def read_receipt(pdu: Any) -> tuple[str, ReceiptStatus, str] | None:
    """Message id, status and error of a receipt; None where it names no message."""
    match = _TEXT.search(pdu.short_message or pdu.message_payload or b"")
    identity = (pdu.receipted_message_id or b"").rstrip(b"\0")
    message_id = identity or (match["id"] if match else b"")
    if not message_id:
        return None
    state = _STATES.get(pdu.message_state or 0)
    if state is None and match:
        state = _WORDS.get(match["stat"].decode().upper())
    error = match["err"].decode("latin-1") if match and match["err"] else ""
    return message_id.decode("latin-1"), state or ReceiptStatus.UNKNOWN, error


def comparable(message_id: str, written: str) -> str:
    """A message id in one form: some gateways answer a submit in hex and write receipts in decimal.

    `written` is `text` (kept as it is), `hex` or `decimal`; what isn't written so is kept as it is, too.
    """
    if written == "decimal" and _DECIMAL.fullmatch(message_id):
        return format(int(message_id), "X")
    if written == "hex" and _HEX.fullmatch(message_id):
        return format(int(message_id, 16), "X")
    return message_id
