"""What a text gateway tells (nouns). `ref` is our id of a text, `handle` the gateway's of a delivery.

`gateway` names the one of several that an event comes from; it's empty where the one that tells is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReceiptStatus(StrEnum):
    """What became of a text (SMPP 3.4 §5.2.28); FINAL failures are known to `callbacks.service.submits`."""

    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Submission:
    """A text to send; an `urgent` one, an answer to a citizen's own, goes before those that wait."""

    ref: int
    source: str
    destination: str
    text: str
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """The gateway took it under these ids, one a part."""

    ref: int
    message_ids: tuple[str, ...]
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class SubmitFailed:
    """The gateway refused it, for good or for the moment."""

    ref: int
    permanent: bool
    status: str


@dataclass(frozen=True, slots=True)
class SubmitUnknown:
    """The answer never came: it may have left, so it isn't sent again."""

    ref: int


@dataclass(frozen=True, slots=True)
class ReceiptArrived:
    """A delivery receipt, to be acknowledged when it's stored."""

    handle: int
    message_id: str
    status: ReceiptStatus
    error: str
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class ReplyArrived:
    """A citizen's text, to be acknowledged when it's stored. `text` is None where its bytes are no UCS-2.

    `digest` finds the same delivery sent again soon after; `delivery`, where the provider gives each an id
    of its own, finds it however late.
    """

    handle: int
    source: str
    destination: str
    text: str | None
    raw: bytes
    digest: str
    delivery: str | None = None
    gateway: str = ""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Bound."""

    gateway: str = ""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Not bound any more; it's tried again by itself."""

    reason: str
    gateway: str = ""


GatewayEvent = Submitted | SubmitFailed | SubmitUnknown | ReceiptArrived | ReplyArrived | LinkUp | LinkDown
