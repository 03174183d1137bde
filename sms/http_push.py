"""What a provider pushes: receipts and replies of described shapes, each element judged by itself. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sms.events import ReceiptArrived, ReceiptStatus, ReplyArrived
from sms.http_json import BadJson, find, read_json, shown, word
from sms.http_push_settings import PushShape, ReceiptsSettings, RepliesSettings

# What the tables hold (callbacks.models).
_ID_LENGTH, _ERROR_LENGTH, _CODE_LENGTH, _SEQUENCE_LENGTH = 80, 40, 24, 100
_NUMBER_LENGTH = 32
_MOST_FIELDS = 500


class BadPush(ValueError):
    """A push that can't be read at all."""


@dataclass(frozen=True, slots=True)
class BadElement:
    """One element that is out of schema: nothing of it is taken."""

    index: int
    field: str
    reason: str


Element = ReceiptArrived | ReplyArrived | BadElement


class _Unfit(Exception):
    """A field that is missing or that can't be what it should be."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of one element, as words; `charset` where they came in a form, as bytes in Latin-1."""

    tree: Any
    charset: str | None = None

    def raw(self, path: str) -> str | None:
        found = find(self.tree, path)
        if not found or found[0] is None:
            return None
        value = word(found[0])
        if value is None:
            raise _Unfit(path, "neither text nor number")
        return value

    def maybe(self, path: str | None, longest: int) -> str | None:
        """A field of one line, if it's there."""
        value = None if path is None else self.raw(path)
        if path is None or value is None or value == "":
            return None
        value = self._decoded(path, value)
        if len(value) > longest:
            raise _Unfit(path, f"longer than {longest}")
        if not value.isprintable():
            raise _Unfit(path, "holds what can't be printed")
        return value

    def must(self, path: str, longest: int) -> str:
        value = self.maybe(path, longest)
        if value is None:
            raise _Unfit(path, "missing")
        return value

    def text(self, path: str) -> tuple[str | None, bytes]:
        """A citizen's words and their bytes; no words where the bytes are no text that can be kept."""
        value = self.raw(path)
        if value is None:
            raise _Unfit(path, "missing")
        if self.charset is not None:
            raw = value.encode("latin-1")
            try:
                value = raw.decode(self.charset)
            except UnicodeDecodeError:
                return None, raw
        else:
            raw = value.encode("utf-8", "surrogatepass")
        whole = "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
        return (value if whole else None), raw

    def _decoded(self, path: str, value: str) -> str:
        if self.charset is None or value.isascii():
            return value
        try:
            return value.encode("latin-1").decode("utf-8" if self.charset == "utf-16-be" else self.charset)
        except UnicodeDecodeError:
            raise _Unfit(path, f"not {self.charset}") from None


def read_receipts(shape: ReceiptsSettings, body: bytes, query: str) -> list[Element]:
    """The receipts of a push, in order. BadPush where it has no elements to speak of."""

    def receipt(fields: _Fields) -> Element:
        message_id = fields.must(shape.id, _ID_LENGTH)
        told = fields.must(shape.status, _NUMBER_LENGTH)
        status = shape.statuses.get(told, shape.otherwise)
        default = None if status is ReceiptStatus.DELIVERED else told
        error = fields.raw(shape.error) if shape.error else default
        return ReceiptArrived(0, message_id, status, shown(error or "", _ERROR_LENGTH))

    return _each(shape, body, query, receipt)


def read_replies(shape: RepliesSettings, gateway: str, body: bytes, query: str) -> list[Element]:
    """The replies of a push, in order. BadPush where it has no elements to speak of."""

    def reply(fields: _Fields) -> Element:
        number = fields.must(shape.number, _NUMBER_LENGTH)
        told = fields.maybe(shape.sender_code, _CODE_LENGTH) or shape.our_code
        code = shape.sender_codes.get(told, told)
        text, raw = fields.text(shape.text)
        sequence = fields.maybe(shape.sequence, _SEQUENCE_LENGTH)
        sent_at = fields.maybe(shape.sent_at, _NUMBER_LENGTH)
        digest = digest_of(number, code, raw, sequence or sent_at or "")
        delivery = None if sequence is None else f"{gateway}:{sequence}"
        return ReplyArrived(0, number, code, text, raw, digest, delivery)

    return _each(shape, body, query, reply)


def digest_of(number: str, code: str, raw: bytes, told_apart_by: str) -> str:
    """What finds the same delivery again."""
    return hashlib.sha256(
        b"\0".join((number.encode(), code.encode(), raw, told_apart_by.encode()))
    ).hexdigest()


def _each(shape: PushShape, body: bytes, query: str, make: Callable[[_Fields], Element]) -> list[Element]:
    elements: list[Element] = []
    for index, fields in enumerate(_elements(shape, body, query)):
        try:
            if not isinstance(fields.tree, Mapping):
                raise _Unfit("", "no object")
            elements.append(make(fields))
        except _Unfit as unfit:
            elements.append(BadElement(index, unfit.field, unfit.reason))
    return elements


def _elements(shape: PushShape, body: bytes, query: str) -> Sequence[_Fields]:
    if shape.format == "form":
        return [_Fields(form_fields(query) | form_fields(body.decode("latin-1")), shape.charset)]
    try:
        tree = read_json(body)
    except BadJson as error:
        raise BadPush(f"no JSON: {error}") from None
    if shape.at is not None:
        found = find(tree, shape.at)
        if not found:
            raise BadPush(f"nothing at {shape.at}")
        tree = found[0]
    if shape.format == "object":
        return [_Fields(tree)]
    if not isinstance(tree, list):
        raise BadPush("no list")
    return [_Fields(each) for each in tree]


def form_fields(encoded: str) -> dict[str, str]:
    """A form or query with its bytes kept: each byte a character of Latin-1. The first of a name counts."""
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, encoding="latin-1", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadPush(str(error)) from None
    return dict(reversed(pairs))
