"""A gateway in memory, for tests and trials without an SMSC: it keeps what it is given."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from dataclasses import replace

from sms.events import (
    GatewayEvent,
    ReceiptArrived,
    ReceiptStatus,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.message import BrokenText, decode, encode, parts


class SimulatedGateway:
    """Takes every text to a mobile; `answer` decides otherwise per number: `reject`, `throttle` or `lose`."""

    name = "simulated"

    def __init__(self, window: int = 10) -> None:
        self.sent: list[Submission] = []
        self.acknowledged: list[int] = []
        self.answers: dict[str, str] = {}
        self._window = window
        self._events: deque[GatewayEvent] = deque()
        self._owed: dict[int, ReceiptArrived | ReplyArrived] = {}
        self._ids = self._handles = 0
        self._woken = threading.Event()

    @property
    def room(self) -> int:
        return self._window

    @property
    def in_flight(self) -> int:
        return 0

    def submit(self, submission: Submission) -> None:
        match self.answers.get(submission.destination):
            case "reject":
                self._events.append(SubmitFailed(submission.ref, True, "rejected"))
            case "throttle":
                self._events.append(SubmitFailed(submission.ref, False, "throttled"))
            case "lose":
                self.sent.append(submission)
                self._events.append(SubmitUnknown(submission.ref))
            case _:
                self._take(submission)

    def _take(self, submission: Submission) -> None:
        self.sent.append(submission)
        first = self._ids + 1
        self._ids += len(parts(submission.text))
        ids = tuple(str(number) for number in range(first, self._ids + 1))
        self._events.append(Submitted(submission.ref, ids))
        for message_id in ids:
            self._deliver(ReceiptArrived(0, message_id, ReceiptStatus.DELIVERED, "000"))

    def say(self, source: str, destination: str, text: str, raw: bytes | None = None) -> None:
        """A citizen writes; `raw` are other bytes than the text's."""
        raw = encode(text) if raw is None else raw
        try:
            read: str | None = decode(raw, 8)
        except BrokenText:
            read = None
        digest = hashlib.sha256(b"\0".join((source.encode(), destination.encode(), raw))).hexdigest()
        self._deliver(ReplyArrived(0, source, destination, read, raw, digest))

    def _deliver(self, delivery: ReceiptArrived | ReplyArrived) -> None:
        self._handles += 1
        delivery = replace(delivery, handle=self._handles)
        self._owed[delivery.handle] = delivery
        self._events.append(delivery)

    def acknowledge(self, handle: int, ok: bool) -> None:
        delivery = self._owed.pop(handle, None)
        if delivery is None:
            return
        if ok:
            self.acknowledged.append(handle)
        else:
            self._deliver(delivery)

    def poll(self, timeout: float) -> list[GatewayEvent]:
        if not self._events:
            self._woken.wait(timeout)
        self._woken.clear()
        events = list(self._events)
        self._events.clear()
        return events

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._events.clear()
