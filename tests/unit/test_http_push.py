"""Pushes and answers: what is out of shape is named, and nothing that anybody sends breaks the reading."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms.events import ReceiptArrived, ReceiptStatus, ReplyArrived
from sms.http_answer import Refused, Taken, Unclear, read_answer
from sms.http_json import BadJson, find, read_json
from sms.http_push import BadElement, BadPush, read_receipts, read_replies
from sms.http_push_settings import HmacCheck, PushSettings, ReceiptsSettings, RepliesSettings
from sms.http_pushes import HttpPushes, NotPushed, PushKind, PushRequest
from sms.http_settings import AnswerSettings
from sms.http_signing import Written, sign

REPLIES = RepliesSettings(
    format="array",
    number="from",
    text="text",
    sender_code="to",
    sequence="seq",
    sent_at="at",
    sender_codes={"1068501": "106380110"},
    our_code="106380110",
)
FORM = REPLIES.model_copy(update={"format": "form"})
RECEIPTS = ReceiptsSettings(
    format="array", at="data.list", id="id", status="s", error="e", statuses={"true": "delivered"}
)


def replies(*elements: Any) -> list[Any]:
    return read_replies(REPLIES, "gw", json.dumps(elements).encode(), "")


WHOLE = {"from": "13803790001", "to": "1068501", "text": "1", "seq": 5}


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"from": None}, "from", "missing"),
        ({"from": ""}, "from", "missing"),
        ({"from": "1" * 33}, "from", "longer than 32"),
        ({"from": {"number": 1}}, "from", "neither text nor number"),
        ({"from": "138\n"}, "from", "holds what can't be printed"),
        ({"from": "138\ud800"}, "from", "holds what can't be printed"),
        ({"to": "1" * 25}, "to", "longer than 24"),
        ({"text": None}, "text", "missing"),
        ({"text": ["1"]}, "text", "neither text nor number"),
        ({"seq": "s" * 101}, "seq", "longer than 100"),
        ({"seq": []}, "seq", "neither text nor number"),
    ],
)
def test_an_element_out_of_shape_is_named_and_the_others_are_taken(
    change: dict[str, Any], field: str, reason: str
) -> None:
    before, bad, after = replies(WHOLE, WHOLE | change, WHOLE | {"seq": 6})
    assert bad == BadElement(1, field, reason)
    assert isinstance(before, ReplyArrived) and isinstance(after, ReplyArrived)
    assert (before.delivery, after.delivery) == ("gw:5", "gw:6")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("13803790001", "106380110", "1")),
        ({"text": ""}, ("13803790001", "106380110", "")),  # a text without words is a text
        ({"text": 1}, ("13803790001", "106380110", "1")),  # a number where a text was meant
        ({"from": 13803790001}, ("13803790001", "106380110", "1")),
        ({"to": "1068502"}, ("13803790001", "1068502", "1")),  # a code that nobody mapped
        ({"to": None}, ("13803790001", "106380110", "1")),  # none: ours
        ({"text": "x\0y"}, ("13803790001", "106380110", None)),  # PostgreSQL keeps no NUL: bytes alone
        ({"text": "\ud83d"}, ("13803790001", "106380110", None)),  # half a surrogate pair
        ({"text": "满意👍"}, ("13803790001", "106380110", "满意👍")),
    ],
)
def test_replies(change: dict[str, Any], expected: tuple[str, str, str | None]) -> None:
    [reply] = replies(WHOLE | change)
    assert (reply.source, reply.destination, reply.text) == expected


def test_the_same_push_has_the_same_digest_and_another_hasnt() -> None:
    no_sequence = {key: value for key, value in WHOLE.items() if key != "seq"}
    first, again = replies(WHOLE, WHOLE)
    assert (first.digest, first.delivery) == (again.digest, again.delivery)
    others = replies(
        WHOLE | {"seq": 6}, WHOLE | {"text": "2"}, no_sequence, no_sequence | {"at": "2026-11-23 12:00"}
    )
    assert len({first.digest, *(each.digest for each in others)}) == 5
    assert others[2].delivery is None


def test_receipts_stand_where_the_description_says() -> None:
    listed = [{"id": 1, "s": True, "e": "0"}, {"id": "2", "s": "NEW"}, {"id": "x" * 81, "s": True}, []]
    body = json.dumps({"data": {"list": listed}}).encode()
    taken, unknown, long, no_object = read_receipts(RECEIPTS, body, "")
    assert taken == ReceiptArrived(0, "1", ReceiptStatus.DELIVERED, "0")
    assert unknown == ReceiptArrived(0, "2", ReceiptStatus.UNKNOWN, "")
    assert long == BadElement(2, "id", "longer than 80")
    assert no_object == BadElement(3, "", "no object")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" + b"9" * 5000 + b"]", "no JSON"),  # a number too long for Python to read
        (b"[]", "nothing at data.list"),
        (b'{"data":{"list":{}}}', "no list"),
        (b'{"data":{"list":"abc"}}', "no list"),
    ],
)
def test_a_push_without_elements(body: bytes, told: str) -> None:
    with pytest.raises(BadPush, match=told):
        read_receipts(RECEIPTS, body, "")


@pytest.mark.parametrize(
    ("charset", "encoded", "expected"),
    [
        ("utf-8", quote("满意"), "满意"),
        ("utf-8", quote("满意", encoding="gb18030"), None),  # not what was agreed: kept as bytes
        ("gb18030", quote("满意", encoding="gb18030"), "满意"),
        ("utf-16-be", quote("满意".encode("utf-16-be")), "满意"),
        ("utf-16-be", "%D8%00%00", None),
        ("utf-8", "1+2%2B", "1 2+"),
    ],
)
def test_forms_in_their_charsets(charset: str, encoded: str, expected: str | None) -> None:
    shape = FORM.model_copy(update={"charset": charset})
    [reply] = read_replies(shape, "gw", b"", f"from=13803790001&seq=1&text={encoded}")
    assert isinstance(reply, ReplyArrived)
    assert reply.text == expected
    [posted] = read_replies(shape, "gw", f"from=13803790001&seq=1&text={encoded}".encode(), "token=x")
    assert posted == reply


def test_a_form_with_too_many_fields() -> None:
    with pytest.raises(BadPush, match="fields"):
        read_replies(FORM, "gw", b"&".join(b"a=1" for _ in range(501)), "")


def test_paths() -> None:
    tree = {"a": [{"id": 1}, {"id": 2}, {}], "b": {"0": "zero"}}
    assert find(tree, "a.*.id") == [1, 2]
    assert find(tree, "a.1.id") == [2]
    assert find(tree, "a.9.id") == find(tree, "a.-1") == find(tree, "nothing.at.all") == []
    assert find(tree, "b.0") == ["zero"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["from", "to", "text", "seq", "id", "s", "e", "data", "list"]), inner
        )
    ),
    max_leaves=12,
)
BODIES = (
    st.binary(max_size=60)
    | JSON.map(lambda tree: json.dumps(tree).encode())
    | st.lists(JSON, max_size=4).map(lambda tree: json.dumps(tree).encode())
    | st.lists(JSON, max_size=4).map(lambda tree: json.dumps({"data": {"list": tree}}).encode())
    | st.dictionaries(st.sampled_from(["from", "to", "text", "seq"]), st.text(max_size=8)).map(
        lambda form: urlencode(form, errors="surrogatepass").encode()
    )
)


@given(BODIES, st.text(st.characters(max_codepoint=255), max_size=40))
@settings(max_examples=200)
def test_garbage_is_told_or_taken_but_never_breaks(body: bytes, query: str) -> None:
    shapes = [REPLIES, FORM, REPLIES.model_copy(update={"format": "object"})]
    for read in [lambda: read_receipts(RECEIPTS, body, query)] + [
        lambda shape=shape: read_replies(shape, "gw", body, query) for shape in shapes
    ]:
        try:
            elements = read()
        except BadPush:
            continue
        for element in elements:
            if isinstance(element, ReplyArrived):
                assert_can_be_stored(element.source, 32)
                assert_can_be_stored(element.destination, 24)
                assert_can_be_stored(element.delivery or "", 160)
                assert_can_be_stored(element.text or "", None)
            elif isinstance(element, ReceiptArrived):
                assert_can_be_stored(element.message_id, 80)
                assert_can_be_stored(element.error, 40)


def assert_can_be_stored(word: str, longest: int | None) -> None:
    assert "\0" not in word
    word.encode()
    assert longest is None or len(word) <= longest


@given(st.integers(100, 599), st.binary(max_size=80) | JSON.map(lambda tree: json.dumps(tree).encode()))
@settings(max_examples=200)
def test_any_answer_has_one_verdict_that_can_be_stored(status: int, body: bytes) -> None:
    for answer in (
        AnswerSettings(code="id", ids="data", accepted=("0", "1*")),
        AnswerSettings(format="text", pattern=r"(?P<code>\w+):?(?P<id>.*)", accepted=("0",)),
        AnswerSettings(ids="list"),
    ):
        match read_answer(answer, status, body):
            case Taken(ids):
                assert status < 500
                for each in ids:
                    assert_can_be_stored(each, 80)
            case Refused(_, told, _):
                assert_can_be_stored(told, 120)
            case Unclear(reason):
                assert reason


def test_the_http_status_says_where_no_code_is_described() -> None:
    answer = AnswerSettings(ids="id")
    assert read_answer(answer, 201, b'{"id":7}') == Taken(("7",))
    assert read_answer(answer, 204, b"") == Taken(())
    assert read_answer(answer, 400, b'{"id":7}') == Refused(True, "HTTP 400")
    assert read_answer(answer, 429, b"") == Refused(False, "HTTP 429", resting=True)
    assert read_answer(answer, 408, b"") == Unclear("HTTP 408")
    calm = answer.model_copy(update={"server_errors": "transient"})
    assert read_answer(calm, 503, b"") == Refused(False, "HTTP 503", resting=True)


def test_json_that_is_none() -> None:
    with pytest.raises(BadJson):
        read_json(b'{"a":')


@pytest.mark.parametrize("written", list(Written))
def test_a_push_signed_over_its_body(written: Written) -> None:
    check = HmacCheck(
        kind="hmac", header="X-Sig", key="password", written=written, timestamp_header="X-At",
        string="{timestamp}.{body}",
    )  # fmt: skip
    pushes = HttpPushes("gw", PushSettings(check=check, replies=FORM))
    body = "text=满意".encode()
    good = sign(check.algorithm, "password", b"17." + body, written)

    def genuine(signature: str, at: str = "17", body: bytes = body) -> bool:
        headers = {"x-sig": signature, "x-at": at}
        return pushes.is_genuine(PushRequest("POST", "/sms/gw/replies", "", headers, body))

    assert genuine(good)
    assert not genuine(good, at="18")
    assert not genuine(good, body=body + b"1")
    assert not genuine("")
    assert not genuine(good, body=b"\xff")
    with pytest.raises(NotPushed):
        pushes.read(PushKind.RECEIPTS, PushRequest("POST", "/sms/gw/receipts", "", {}, b""))


def test_bytes_that_are_no_text_can_be_signed_too() -> None:
    check = HmacCheck(kind="hmac", header="X-Sig", key="password")
    pushes = HttpPushes("gw", PushSettings(check=check))
    signature = sign(check.algorithm, "password", b"\xff\x00", Written.HEX)
    assert pushes.is_genuine(PushRequest("POST", "/", "", {"x-sig": signature.upper()}, b"\xff\x00"))
    hashed = check.model_copy(update={"string": "{body|sha256}"})
    assert not HttpPushes("gw", PushSettings(check=hashed)).is_genuine(
        PushRequest("POST", "/", "", {"x-sig": signature}, b"\xff\x00")
    )


def test_refused_elements_stand_in_the_answer_where_it_has_a_place() -> None:
    check = {"kind": "none"}
    pushes = HttpPushes("gw", PushSettings(check=check, answer='{"code":0,"msg":"成功"}', errors="refused"))
    told = pushes.answer(PushKind.REPLIES, [BadElement(1, "from", "missing")])
    assert json.loads(told.body) == {
        "code": 0,
        "msg": "成功",
        "refused": [{"index": 1, "field": "from", "reason": "missing"}],
    }
    assert json.loads(pushes.answer(PushKind.REPLIES, []).body) == {"code": 0, "msg": "成功"}
