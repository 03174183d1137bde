"""Templates of requests, and what they're signed with."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, unquote, unquote_plus, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.http_request import build, written_time
from sms.http_settings import RequestSettings
from sms.http_signing import Algorithm, Written, matches, sign
from sms.http_template import BadTemplate, names, percent, render

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{text}", "a b{x}"),  # what a value holds is never read as a template
        ("{{{text}}}", "{a b{x}}"),  # braces written twice are braces
        ("{{text}}", "{text}"),
        ('{{"content":{text|json}}}', '{"content":"a b{x}"}'),
        ("{text|percent}", "a%20b%7Bx%7D"),  # a blank isn't + (RFC 3986)
        ("{text|form}", "a+b%7Bx%7D"),
        ("Basic {text|base64}", "Basic YSBie3h9"),
        ("{none|sha256}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("", ""),
    ],
)
def test_templates(template: str, expected: str) -> None:
    assert render(template, {"text": "a b{x}", "none": ""}) == expected


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{nobody}", "isn't known here"),
        ("{text", "a single {"),
        ("text}", "a single }"),
        ("{Text}", "a single {"),  # names are of lower case
        ("{text|rot13}", "no encoding"),
        ("{text.__class__}", "a single {"),  # nothing but names
        ("{0}", "a single {"),
    ],
)
def test_bad_templates(template: str, told: str) -> None:
    with pytest.raises(BadTemplate, match=told):
        render(template, {"text": "x"})


def test_names() -> None:
    assert names("{a}{{b}}{c|json}{a}") == {"a", "c"}


@given(TEXTS)
def test_every_encoding_can_be_read_back(text: str) -> None:
    values = {"text": text}
    assert unquote(render("{text|percent}", values)) == text
    assert unquote_plus(render("{text|form}", values)) == text
    assert json.loads(render("{text|json}", values)) == text
    assert base64.b64decode(render("{text|base64}", values)).decode() == text


@given(TEXTS)
def test_percent_leaves_only_unreserved_characters(text: str) -> None:
    kept = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%")
    assert set(percent(text)) <= kept


@given(TEXTS, TEXTS)
def test_a_text_can_add_no_field(text: str, number: str) -> None:
    """Whatever a text holds, the provider reads exactly the described fields, in a query, form and JSON."""
    values = {"text": text, "number": number}
    query = RequestSettings(method="GET", url="http://x.example/a", query={"t": "{text}", "n": "{number}"})
    assert parse_qsl(urlsplit(build(query, values).url).query, keep_blank_values=True) == [
        ("t", text),
        ("n", number),
    ]
    form = RequestSettings(url="http://x.example/", body={"t": "<{text}>", "n": "{number}"})
    body = (build(form, values).body or b"").decode()
    assert parse_qsl(body, keep_blank_values=True) == [("t", f"<{text}>"), ("n", number)]
    tree = {"to": ["{number}"], "s": {"text": "{text}", "n": 1, "yes": True, "none": None}}
    as_json = RequestSettings(url="http://x.example/", body=tree, encoding="json")
    assert json.loads(build(as_json, values).body or b"") == {
        "to": [number],
        "s": {"text": text, "n": 1, "yes": True, "none": None},
    }


def test_aliyun_documents_this_signature() -> None:
    """The example of its document on the SMS service's signatures (RPC style)."""
    fields = {
        "AccessKeyId": "testId",
        "Action": "SendSms",
        "Format": "XML",
        "OutId": "123",
        "PhoneNumbers": "15300000001",
        "RegionId": "cn-hangzhou",
        "SignName": "阿里云短信测试专用",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466",
        "SignatureVersion": "1.0",
        "TemplateCode": "SMS_71390007",
        "TemplateParam": '{{"customer":"test"}}',
        "Timestamp": "2017-07-12T02:42:19Z",
        "Version": "2017-05-25",
    }
    signing = {"algorithm": "hmac-sha1", "key": "{secret}&", "string": "{method}&%2F&{pairs|percent}"}
    backwards = dict(reversed(fields.items()))  # the order of the description doesn't matter
    for query in (fields, backwards):
        described = RequestSettings(
            method="GET",
            url="https://dysmsapi.aliyuncs.com/",
            query={"Signature": "{signature}", **query},
            signing=signing,
        )
        url = build(described, {"secret": "testSecret"}).url
        assert parse_qs(urlsplit(url).query)["Signature"] == ["zJDF+Lrzhj/ThnlvIToysFRq6t4="]


def test_a_body_is_signed_as_it_is_sent() -> None:
    described = RequestSettings(
        url="https://x.example/v1/send",
        headers={"X-Signature": "{signature}"},
        body={"text": "{text}"},
        encoding="json",
        signing={
            "algorithm": "hmac-sha256",
            "written": "hex",
            "string": "{method}\n{host}{path}\n{body|sha256}",
        },
    )
    request = build(described, {"text": "您好", "secret": "k"})
    assert request.body == '{"text":"您好"}'.encode()
    text = "POST\nx.example/v1/send\n" + render("{body|sha256}", {"body": '{"text":"您好"}'})
    assert request.headers["X-Signature"] == sign(Algorithm.HMAC_SHA256, "k", text.encode(), Written.HEX)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        # RFC 2202 §3, test case 2; RFC 4231 §4.3; FIPS 180-2 of the text alone
        (Algorithm.HMAC_SHA1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (Algorithm.HMAC_SHA256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (Algorithm.SHA256, "b381e7fec653fc3ab9b178272366b8ac87fed8d31cb25ed1d0e1f3318644c89c"),
    ],
)
def test_signatures(algorithm: Algorithm, expected: str) -> None:
    text = b"what do ya want for nothing?"
    assert sign(algorithm, "Jefe", text, Written.HEX) == expected
    assert base64.b64decode(sign(algorithm, "Jefe", text, Written.BASE64)).hex() == expected


def test_signatures_match_in_either_case_of_hex_alone() -> None:
    assert matches("ab", "AB", Written.HEX)
    assert not matches("ab", "AB", Written.BASE64)
    assert not matches("ab", "", Written.HEX)
    assert not matches("ab", "成功\udcff", Written.HEX)  # what isn't ASCII is no match, and no error


def test_times_as_providers_write_them() -> None:
    now = datetime(2026, 11, 23, 4, 0, 0, 500_000, tzinfo=UTC)
    assert written_time(now, "unix", "UTC") == "1795406400"
    assert written_time(now, "unix_ms", "UTC") == "1795406400500"
    assert written_time(now, "%Y%m%d%H%M%S", "Asia/Shanghai") == "20261123120000"
    with pytest.raises(ValueError, match="aware"):
        written_time(datetime(2026, 11, 23, 4, 0), "unix", "UTC")  # noqa: DTZ001
