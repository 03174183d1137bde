"""A gateway in a thread of its own, which alone calls it: one that is slow holds no other up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from sms.events import GatewayEvent, Submission
from sms.gateway import Gateway

_LOOK = 0.2  # seconds at most until a room that only time made is seen
_JOIN_SECONDS = 10.0

Order = Callable[[Gateway], None]


class Carrier:
    """Runs `gateway`; whatever it tells is left here under `changed`, whose owner calls all but `_run`."""

    def __init__(self, gateway: Gateway, priority: int, changed: threading.Condition) -> None:
        self.priority = priority
        self._gateway, self._changed = gateway, changed
        self._orders: deque[Order] = deque()
        self._events: list[GatewayEvent] = []
        self._error: Exception | None = None
        self._room = 0
        self._handed = self._submitted = 0  # texts: to the thread, by the thread
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=f"gateway-{gateway.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def room(self) -> int:
        """What the gateway took when it was last looked at, less what is on its way to it."""
        return max(0, self._room - (self._handed - self._submitted))

    @property
    def has_news(self) -> bool:
        return bool(self._events) or self._error is not None

    def take(self) -> list[GatewayEvent]:
        """What was told since; what broke the thread is raised."""
        if self._error is not None:
            raise self._error
        events, self._events = self._events, []
        return events

    def submit(self, submission: Submission) -> None:
        with self._changed:
            self._handed += 1
        self.order(lambda gateway: self._submit(gateway, submission))

    def _submit(self, gateway: Gateway, submission: Submission) -> None:
        gateway.submit(submission)
        self._look(submitted=1)

    def order(self, order: Order) -> None:
        """Has the thread do this next."""
        self._orders.append(order)
        self._gateway.wake()

    def close(self) -> None:
        """Orders that were given before are done first."""
        if not self._is_closing:
            self._is_closing = True
            self._gateway.wake()

    def join(self) -> None:
        """Waits for its last turn; one that hangs in the network is left behind."""
        self._thread.join(_JOIN_SECONDS)

    # -- the thread

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._do_orders()
                events = self._gateway.poll(_LOOK)
                self._look(events)
            self._do_orders()
        except Exception as error:  # for whoever polls: a role that can't go on ends
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            self._gateway.close()

    def _do_orders(self) -> None:
        while self._orders:
            self._orders.popleft()(self._gateway)

    def _look(self, events: list[GatewayEvent] | None = None, submitted: int = 0) -> None:
        room = self._gateway.room
        with self._changed:
            self._room, self._submitted = room, self._submitted + submitted
            self._events += events or []
            if self._events:
                self._changed.notify_all()
