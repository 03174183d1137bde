"""A description that can't work is refused at the start, with the place and the reason."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from sms.http_settings import HttpSettings

GOOD: dict[str, Any] = {
    "request": {"url": "https://sms.example.com/send", "body": {"to": "{number}", "text": "{text}"}},
    "answer": {"code": "code", "ids": "id", "accepted": ["0"]},
    "push": {
        "answer": '{"code":0}',
        "check": {"kind": "token", "token": "a-word-of-sixteen-letters"},
        "receipts": {"format": "array", "id": "id", "status": "s", "statuses": {"0": "delivered"}},
    },
}


def test_a_good_one_is_taken() -> None:
    settings = HttpSettings(**GOOD)
    assert (settings.kind, settings.name, settings.priority) == ("http", "http", 1)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("request.body.text", "{txet}", "txet"),  # a name that there isn't
        ("request.body.text", "{text", "single {"),
        ("request.body.text", ["{text}"], "a form's fields are texts"),
        ("request.headers", {"X-Text": "{text}"}, "can't carry Chinese"),
        ("request.headers", {"X-Sign": "{signature}"}, "belong together"),  # nobody says how it's signed
        ("request.signing", {"algorithm": "hmac-sha1", "string": "{pairs}"}, "belong together"),
        ("request.url", "https://user@sms.example.com/", "pattern"),
        ("request.url", "https://sms.example.com/?a=1", "pattern"),  # the query has its own table
        ("request.url", "ftp://sms.example.com/", "pattern"),
        ("request.timestamp_zone", "Mars/Base", "no time zone"),
        ("request.method", "PUT", "GET"),
        ("answer.accepted", [], "accepted names no code"),
        ("answer.own_id", "{ref}", "not both"),
        ("answer.format", "text", "group named code"),
        ("answer.pattern", "(", "pattern"),
        ("push.check", {"kind": "token", "token": "short"}, "16"),
        ("push.check", None, "check"),  # nobody may push by an oversight
        ("push.receipts.statuses", {}, "at least 1"),
        ("push.receipts.statuses", {"0": "arrived"}, "arrived|delivered"),
        ("push.errors", "errors", None),  # allowed: the answer is an object
        ("push.answer", "OK", None),
        ("rest_first", 61, "less than or equal to 60"),
        ("name", "a/b", "pattern"),
        ("extra", 1, "Extra inputs"),
    ],
)
def test_descriptions(place: str, value: object, told: str | None) -> None:
    described = deepcopy(GOOD)
    *path, last = place.split(".")
    table = described
    for step in path:
        table = table[step]
    table[last] = value
    if told is None:
        HttpSettings(**described)
        return
    with pytest.raises(ValidationError, match=told):
        HttpSettings(**described)


def test_errors_need_an_object_to_stand_in() -> None:
    described = deepcopy(GOOD)
    for answer in ("OK", "[]", ""):
        described["push"] |= {"answer": answer, "errors": "errors"}
        with pytest.raises(ValidationError, match="JSON object"):
            HttpSettings(**described)


def test_a_body_cannot_hold_its_own_signature() -> None:
    described = deepcopy(GOOD)
    described["request"]["body"]["sign"] = "{signature}"
    described["request"]["signing"] = {"algorithm": "hmac-sha1", "string": "{body}"}
    with pytest.raises(ValidationError, match="sign \\{pairs\\}"):
        HttpSettings(**described)
    described["request"]["signing"]["string"] = "{pairs}"
    HttpSettings(**described)


def test_a_rest_is_no_longer_than_the_longest() -> None:
    with pytest.raises(ValidationError, match="rest_first"):
        HttpSettings(**GOOD, rest_first=2, rest_longest=1)
