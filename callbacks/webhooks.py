"""Webhooks by rule: what is sent, how it's signed, when it's tried again. Pure.

A request is a POST of one outcome as JSON with three headers:

- `Huifang-Delivery`: the delivery's id, the same in every try; whoever has taken it answers 2xx and drops it.
- `Huifang-Timestamp`: unix seconds of this try.
- `Huifang-Signature`: `v1=` and the hex HMAC-SHA256 of timestamp, ".", and the body's bytes under the secret.

A receiver checks them with `verify` over the bytes that came, before it reads the JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

DELIVERY, TIMESTAMP, SIGNATURE = "Huifang-Delivery", "Huifang-Timestamp", "Huifang-Signature"
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=7)
TOLERANCE = timedelta(minutes=5)
GONE = 410  # RFC 9110 §15.5.11: it's likely to be permanent
_JITTER = 0.25
_AWAY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: the status, or None where none came; `error` says what else is known of it."""

    status: int | None
    error: str = ""

    @property
    def away(self) -> bool:
        """Nobody is there for any delivery, rather than that this one wasn't liked."""
        return self.status is None or self.status in _AWAY


@dataclass(frozen=True, slots=True)
class Delivered:
    """A 2xx came."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """At `at`; what comes later of the same case waits."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No more tries: an alarm says so, and what comes later of the same case goes on."""

    reason: str


Verdict = Delivered | TryAgain | GiveUp


def judge(answer: Answer, tries: int, outcome_at: datetime, now: datetime, luck: float) -> Verdict:
    """What follows from the answer to try number `tries` (from 1). Redirects aren't followed: they failed."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Delivered()
    if answer.status == GONE:
        return GiveUp("gone")
    if now - outcome_at >= GIVEN_UP_AFTER:
        return GiveUp("too old")
    return TryAgain(now + wait_after(tries, luck))


def wait_after(tries: int, luck: float) -> timedelta:
    """The wait after try number `tries`: 1 min, doubling to 6 h, less up to a quarter by `luck` (0–1)."""
    doubled = FIRST_WAIT * (1 << min(tries - 1, 16))
    return min(doubled, LONGEST_WAIT) * (1 - _JITTER * luck)


def wants(events: frozenset[str], of_platform: str | None, kind: str, platform: str | None) -> bool:
    """Whether a webhook takes an outcome: no `events` are all, no platform is every one."""
    return (not events or kind in events) and (of_platform is None or of_platform == platform)


def body_of(seq: int, case: str, kind: str, at: datetime, payload: Mapping[str, Any]) -> bytes:
    """The request's body: a row as `GET /api/v1/outcomes` gives it; the same bytes at every try."""
    row = {"seq": seq, "case": case, "kind": kind, "at": at.isoformat(), "payload": payload}
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def headers_of(secret: str, delivery_id: int, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of one try."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Huifang",
        DELIVERY: str(delivery_id),
        TIMESTAMP: timestamp,
        SIGNATURE: sign(secret, timestamp, body),
    }


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature header's value."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def verify(secret: str, timestamp: str, body: bytes, signature: str, now: datetime) -> bool:
    """For receivers: whether the request is ours, whole and from the last five minutes (or the next).

    `timestamp` and `signature` are the headers as they came, `body` the bytes before parsing, `now` aware.
    A signature header may one day carry several values with commas, so that a secret can be changed; one
    that fits is enough. Five minutes stop an old request from being played again; within them drop what has
    a `Huifang-Delivery` that was taken already.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return False
    expected = sign(secret, timestamp, body).encode()
    # As bytes: compare_digest refuses texts that aren't ASCII.
    return any(
        hmac.compare_digest(expected, each.strip().encode(errors="replace")) for each in signature.split(",")
    )
