"""What a provider's answer says of a text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sms.http_json import BadJson, find, read_json, shown, word
from sms.http_settings import AnswerSettings

_ID_LENGTH = 80  # of text_part.provider_id
_STATUS_LENGTH = 120  # of text_message.error
_OURS_TO_MEND = frozenset({401, 403, 404, 405, 407, 429})


@dataclass(frozen=True, slots=True)
class Taken:
    """The gateway took the text. No ids where its answer names none: no receipt will find it then."""

    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """It didn't. `resting`: no other text would do better now, so the gateway rests."""

    permanent: bool
    status: str
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody can say whether it went."""

    reason: str


Verdict = Taken | Refused | Unclear


def read_answer(answer: AnswerSettings, http_status: int, body: bytes, own_id: str | None = None) -> Verdict:
    """The verdict of an HTTP answer; `own_id` is the id under which receipts come, where it's ours."""
    code, ids = _read_text(answer, body) if answer.format == "text" else _read_json(answer, body)
    if own_id is not None:
        ids = (own_id,)
    verdict = None if code is None else _by_code(answer, code, ids)
    if http_status >= 500 and not isinstance(verdict, Refused):
        if answer.server_errors == "transient":
            return Refused(False, f"HTTP {http_status}", resting=True)
        return Unclear(f"HTTP {http_status}")
    if verdict is not None:
        return verdict
    if not 200 <= http_status < 300:
        return _by_http_status(http_status, code)
    if answer.format == "json" and answer.code is None:
        return Taken(ids)
    if code is None:
        return Unclear(f"HTTP {http_status} without a code")
    return Refused(answer.otherwise == "permanent", shown(code, _STATUS_LENGTH))


def _by_code(answer: AnswerSettings, code: str, ids: tuple[str, ...]) -> Verdict | None:
    if _among(code, answer.accepted):
        return Taken(ids)
    if _among(code, answer.resting):
        return Refused(False, shown(code, _STATUS_LENGTH), resting=True)
    if _among(code, answer.transient):
        return Refused(False, shown(code, _STATUS_LENGTH))
    return Refused(True, shown(code, _STATUS_LENGTH)) if _among(code, answer.permanent) else None


def _by_http_status(status: int, code: str | None) -> Verdict:
    if status == 408:  # it tired of waiting for our request, or of its own work
        return Unclear("HTTP 408")
    name = shown(f"HTTP {status} {code or ''}".strip(), _STATUS_LENGTH)
    ours = status < 400 or status in _OURS_TO_MEND  # an address or account that is wrong, or too fast
    return Refused(not ours, name, resting=ours)


def _among(code: str, listed: Sequence[str]) -> bool:
    return any(code.startswith(each[:-1]) if each.endswith("*") else code == each for each in listed)


def _read_text(answer: AnswerSettings, body: bytes) -> tuple[str | None, tuple[str, ...]]:
    found = re.search(answer.pattern or "", body.decode("utf-8", "replace"))
    if found is None:
        return None, ()
    groups = found.groupdict()
    return groups["code"], _usable([groups.get("id")])


def _read_json(answer: AnswerSettings, body: bytes) -> tuple[str | None, tuple[str, ...]]:
    try:
        tree = read_json(body)
    except BadJson:
        return None, ()
    codes = [word(value) for value in find(tree, answer.code)] if answer.code else []
    values = find(tree, answer.ids) if answer.ids else []
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return (codes[0] if codes else None), _usable([word(value) for value in flat])


def _usable(ids: Sequence[str | None]) -> tuple[str, ...]:
    """Ids that a receipt can be matched by, each once."""
    usable = [each for each in ids if each and len(each) <= _ID_LENGTH and each.isprintable()]
    return tuple(dict.fromkeys(usable))
