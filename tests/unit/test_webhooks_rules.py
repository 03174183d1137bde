from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.webhooks import (
    FIRST_WAIT,
    GIVEN_UP_AFTER,
    LONGEST_WAIT,
    SIGNATURE,
    TIMESTAMP,
    Answer,
    Delivered,
    GiveUp,
    TryAgain,
    body_of,
    headers_of,
    judge,
    sign,
    verify,
    wait_after,
    wants,
)

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
SECRET = "invented-secret-of-a-test"
BODY = '{"case":"110-0001","kind":"rated","label":"满意"}'.encode()


@pytest.mark.parametrize(
    ("status", "age", "expected"),
    [
        (200, 0, Delivered()),
        (204, 0, Delivered()),
        (202, 30, Delivered()),  # late, but taken
        (410, 0, GiveUp("gone")),  # the receiver wants no more of it
        (301, 0, TryAgain(NOON + FIRST_WAIT)),  # not followed: another address is another receiver
        (307, 0, TryAgain(NOON + FIRST_WAIT)),
        (400, 0, TryAgain(NOON + FIRST_WAIT)),  # a receiver's fault is mended, too
        (404, 6, TryAgain(NOON + FIRST_WAIT)),
        (500, 0, TryAgain(NOON + FIRST_WAIT)),
        (None, 0, TryAgain(NOON + FIRST_WAIT)),  # no answer
        (None, 7, GiveUp("too old")),
        (503, 8, GiveUp("too old")),
    ],
)
def test_what_follows_from_an_answer(status: int | None, age: int, expected: object) -> None:
    assert judge(Answer(status), 1, NOON - timedelta(days=age), NOON, 0.0) == expected


def test_the_wait_doubles_to_six_hours() -> None:
    minutes = [wait_after(tries, 0.0) / timedelta(minutes=1) for tries in range(1, 12)]
    assert minutes == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]


@settings(max_examples=200)
@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_wait_is_bounded_whatever_the_luck(tries: int, luck: float) -> None:
    assert FIRST_WAIT * 0.75 <= wait_after(tries, luck) <= LONGEST_WAIT


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=50, max_size=50))
def test_every_delivery_ends_after_a_week_at_the_latest_and_a_last_wait(lucks: list[float]) -> None:
    now = NOON
    for tries, luck in enumerate(lucks, 1):
        match judge(Answer(500), tries, NOON, now, luck):
            case TryAgain(at):
                assert at > now
                now = at
            case GiveUp():
                break
    assert GIVEN_UP_AFTER <= now - NOON < GIVEN_UP_AFTER + LONGEST_WAIT


@pytest.mark.parametrize(
    ("events", "of_platform", "platform", "expected"),
    [
        (set(), None, None, True),  # no events are all of them
        ({"rated"}, None, "论坛", True),
        ({"settled"}, None, "论坛", False),
        (set(), "论坛", "论坛", True),
        (set(), "论坛", "公众号", False),
        (set(), "论坛", None, False),  # a case of no platform is no platform's business
    ],
)
def test_who_takes_a_rated_case(
    events: set[str], of_platform: str | None, platform: str | None, expected: bool
) -> None:
    assert wants(frozenset(events), of_platform, "rated", platform) is expected


def test_the_signature_is_what_a_receiver_computes_without_us() -> None:
    headers = headers_of(SECRET, 7, BODY, NOON)
    assert headers["Huifang-Delivery"] == "7"
    assert headers["Huifang-Timestamp"] == str(int(NOON.timestamp()))
    signed = headers["Huifang-Timestamp"].encode() + b"." + BODY
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Huifang-Signature"] == f"v1={expected}"


STAMP = str(int(NOON.timestamp()))
SIGNED = sign(SECRET, STAMP, BODY)


@pytest.mark.parametrize(
    ("timestamp", "body", "signature", "late", "expected"),
    [
        (STAMP, BODY, SIGNED, 0, True),
        (STAMP, BODY, SIGNED, 300, True),  # five minutes are within
        (STAMP, BODY, SIGNED, 301, False),  # played again later
        (STAMP, BODY, SIGNED, -301, False),  # from a clock that runs ahead
        (STAMP, BODY + b" ", SIGNED, 0, False),
        (str(int(STAMP) + 1), BODY, SIGNED, 0, False),  # the timestamp is signed, too
        (STAMP, BODY, f"v1=00, {SIGNED}", 0, True),  # two secrets while one is changed
        (STAMP, BODY, SIGNED.removeprefix("v1="), 0, False),
        (STAMP, BODY, "", 0, False),
        (STAMP, BODY, "v1=签名", 0, False),
        ("", BODY, SIGNED, 0, False),
        ("-1", BODY, SIGNED, 0, False),
        ("١٢٣", BODY, SIGNED, 0, False),  # digits to Python, not to us
        ("9" * 400, BODY, SIGNED, 0, False),
    ],
)
def test_what_a_receiver_believes(
    timestamp: str, body: bytes, signature: str, late: int, expected: bool
) -> None:
    now = NOON + timedelta(seconds=late)
    assert verify(SECRET, timestamp, body, signature, now) is expected


def test_a_receivers_clock_must_have_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        verify(SECRET, STAMP, BODY, SIGNED, NOON.replace(tzinfo=None))


@settings(max_examples=150)
@given(st.text(), st.text())
def test_verify_never_raises_on_what_a_stranger_sends(timestamp: str, signature: str) -> None:
    assert verify(SECRET, timestamp, BODY, signature, NOON) is False


def test_the_body_is_the_row_of_the_api_and_the_same_bytes_each_time() -> None:
    payload = {"rating": {"value": 1, "label": "满意"}, "case": "110-0001"}
    body = body_of(3, "110-0001", "rated", NOON, payload)
    assert json.loads(body) == {
        "seq": 3,
        "case": "110-0001",
        "kind": "rated",
        "at": "2026-11-23T04:00:00+00:00",
        "payload": payload,
    }
    assert body == body_of(3, "110-0001", "rated", NOON, dict(reversed(payload.items())))
    headers = headers_of(SECRET, 1, body, NOON)
    assert verify(SECRET, headers[TIMESTAMP], body, headers[SIGNATURE], NOON)
