"""The pushes of a described provider: who may send them, what is in them, what answers them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sms.http_json import shown
from sms.http_push import BadElement, Element, form_fields, read_receipts, read_replies
from sms.http_push_settings import HmacCheck, NoCheck, PushSettings, TokenCheck
from sms.http_signing import Written, matches, sign
from sms.http_template import render


class PushKind(StrEnum):
    RECEIPTS = "receipts"
    REPLIES = "replies"


class NotPushed(LookupError):
    """This provider doesn't push that."""


@dataclass(frozen=True, slots=True)
class PushRequest:
    """A push as it came. Names of `headers` in lower case; `query` as it stood in the address."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What tells the provider that its push was taken."""

    status: int
    body: str
    content_type: str


class PushSource(Protocol):
    """One gateway's pushes, read in the web role."""

    @property
    def name(self) -> str:
        """The gateway's name, as in the address."""

    def is_genuine(self, request: PushRequest) -> bool:
        """Whether the provider sent it. BadPush where that can't even be read."""

    def read(self, kind: PushKind, request: PushRequest) -> list[Element]:
        """Its elements in order. `http_push.BadPush` or NotPushed."""

    def answer(self, kind: PushKind, refused: Sequence[BadElement]) -> PushAnswer:
        """The answer once all but the refused is kept."""


class HttpPushes:
    """The pushes described by `settings`."""

    def __init__(self, name: str, settings: PushSettings) -> None:
        self._name, self._settings = name, settings

    @property
    def name(self) -> str:
        return self._name

    def is_genuine(self, request: PushRequest) -> bool:
        match self._settings.check:
            case NoCheck():
                return True
            case TokenCheck() as check:
                return _has_token(check, request)
            case HmacCheck() as check:
                return _is_signed(check, request)

    def read(self, kind: PushKind, request: PushRequest) -> list[Element]:
        settings = self._settings
        if kind is PushKind.RECEIPTS and settings.receipts is not None:
            return read_receipts(settings.receipts, request.body, request.query)
        if kind is PushKind.REPLIES and settings.replies is not None:
            return read_replies(settings.replies, self._name, request.body, request.query)
        raise NotPushed(kind.value)

    def answer(self, kind: PushKind, refused: Sequence[BadElement]) -> PushAnswer:
        body, member = self._settings.answer, self._settings.errors
        if refused and member is not None:
            listed = [
                {"index": each.index, "field": shown(each.field, 60), "reason": each.reason}
                for each in refused
            ]
            body = json.dumps({**json.loads(body), member: listed}, ensure_ascii=False)
        return PushAnswer(200, body, self._settings.content_type)


def _has_token(check: TokenCheck, request: PushRequest) -> bool:
    if check.place == "header":
        given = request.headers.get(check.field.lower(), "")
    else:
        given = form_fields(request.query).get(check.field, "")
    return matches(check.token.get_secret_value(), given, Written.BASE64)


def _is_signed(check: HmacCheck, request: PushRequest) -> bool:
    values = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "body": request.body.decode("utf-8", "surrogateescape"),
        "timestamp": request.headers.get((check.timestamp_header or "").lower(), ""),
    }
    try:
        text = render(check.string, values).encode("utf-8", "surrogateescape")
    except UnicodeError:  # an encoding inside the string of a body that is no UTF-8
        return False
    expected = sign(check.algorithm, check.key.get_secret_value(), text, check.written)
    return matches(expected, request.headers.get(check.header.lower(), ""), check.written)
