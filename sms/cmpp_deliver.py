"""What a DELIVER says: a report's status, or a citizen's text. Pure."""

from __future__ import annotations

from sms.cmpp_codec import Deliver
from sms.events import ReceiptStatus
from sms.long_reply import Part, part_of
from sms.message import UCS2, BrokenText, decode, without_zeros

_ASCII, _GBK = 0, 15
_UDH_INDICATOR = 0x40

_WORDS = {
    "DELIVRD": ReceiptStatus.DELIVERED,
    "EXPIRED": ReceiptStatus.EXPIRED,
    "DELETED": ReceiptStatus.DELETED,
    "UNDELIV": ReceiptStatus.UNDELIVERABLE,
    "ACCEPTD": ReceiptStatus.ACCEPTED,
    "UNKNOWN": ReceiptStatus.UNKNOWN,
    "REJECTD": ReceiptStatus.REJECTED,
    "ENROUTE": ReceiptStatus.ENROUTE,
    "NOROUTE": ReceiptStatus.UNDELIVERABLE,
}
# Codes of the stations on the way: XA that the next one gave no answer, XC that it sent no report, XB that it
# refused. MI to MN carry the SMSC's own state.
_NEVER_TOLD = frozenset({"MA", "CA", "DA", "SA", "IA", "MC", "IC"})
_STATES = {
    "MI": ReceiptStatus.EXPIRED,
    "MJ": ReceiptStatus.DELETED,
    "MK": ReceiptStatus.UNDELIVERABLE,
    "ML": ReceiptStatus.ACCEPTED,
    "MM": ReceiptStatus.UNKNOWN,
    "MN": ReceiptStatus.REJECTED,
}


def status_of(stat: str) -> tuple[ReceiptStatus, str]:
    """What a report's Stat means, and its code where it isn't a word of the specification's."""
    word = stat.upper()
    if word in _WORDS:
        return _WORDS[word], ""
    station, colon, _ = word.partition(":")
    if not colon or station in _NEVER_TOLD:
        return ReceiptStatus.UNKNOWN, stat
    return _STATES.get(station, ReceiptStatus.UNDELIVERABLE), stat


def text_of(raw: bytes, msg_fmt: int) -> str:
    """A text's characters; BrokenText for bytes that are none in their format, or another format."""
    if msg_fmt == _GBK:
        try:
            return without_zeros(raw.decode("gb18030"))
        except UnicodeDecodeError as error:
            raise BrokenText(f"Msg_Fmt 15: {error.reason} at byte {error.start}") from None
    if msg_fmt not in (UCS2, _ASCII):
        raise BrokenText(f"Msg_Fmt {msg_fmt} is no text")
    return decode(raw, msg_fmt)


def part_in(deliver: Deliver) -> tuple[Part | None, bytes]:
    """The part that a text is, or None for a whole one, and its bytes without a user data header."""
    indicator = _UDH_INDICATOR if deliver.tp_udhi else 0
    return part_of(indicator, deliver.msg_content, (None, None, None))
