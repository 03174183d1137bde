"""Several gateways behind one: each text goes over the best route, and every event names its gateway."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import structlog

from sms.events import (
    GatewayEvent,
    LinkDown,
    LinkUp,
    ReceiptArrived,
    ReplyArrived,
    Submission,
    SubmitFailed,
    Submitted,
    SubmitUnknown,
)
from sms.gateway import Gateway
from sms.route_carrier import Carrier
from sms.route_choice import Health, Limits, Route, choose

log = structlog.get_logger(__name__)

_REMEMBERED = 10_000  # texts that failed somewhere; what isn't tried again is forgotten in its turn


class Routes:
    """The gateway port over `gateways`, each with its priority (the lowest first).

    A text has one route and one outcome: one that fails for the moment is the caller's to submit again, and
    then takes another route where there is one.
    """

    def __init__(self, gateways: Sequence[tuple[Gateway, int]], limits: Limits) -> None:
        self._changed = threading.Condition()
        self._is_woken = False
        self._carriers = {
            gateway.name: Carrier(gateway, priority, self._changed) for gateway, priority in gateways
        }
        self._healths = {name: Health(limits) for name in self._carriers}
        self._carrying: dict[int, str] = {}  # ref → route
        self._failed_on: OrderedDict[int, set[str]] = OrderedDict()  # ref → routes
        self._deliveries: dict[int, tuple[str, int]] = {}  # our handle → route and its handle
        self._handles = 0
        self._last = min(self._carriers, key=lambda name: self._carriers[name].priority)
        for carrier in self._carriers.values():
            carrier.start()

    @property
    def name(self) -> str:
        chosen = self._choose()
        return chosen.name if chosen is not None else self._last

    @property
    def room(self) -> int:
        """What the route takes that the next text goes over: a batch has one name."""
        chosen = self._choose()
        return chosen.room_at(time.monotonic()) if chosen is not None else 0

    @property
    def in_flight(self) -> int:
        return len(self._carrying)

    def _choose(self, ref: int | None = None) -> Route | None:
        carried = list(self._carrying.values())
        with self._changed:
            routes = [
                Route(name, carrier.priority, carrier.room, carried.count(name), self._healths[name])
                for name, carrier in self._carriers.items()
            ]
        return choose(routes, time.monotonic(), self._failed_on.get(ref or 0, ()))

    # -- orders

    def submit(self, submission: Submission) -> None:
        """Over the best route; where none has room, over the last: its gateway says how that goes."""
        chosen = self._choose(submission.ref)
        self._last = chosen.name if chosen is not None else self._last
        self._carrying[submission.ref] = self._last
        self._carriers[self._last].submit(submission)

    def acknowledge(self, handle: int, ok: bool) -> None:
        if handle in self._deliveries:
            name, of_gateway = self._deliveries.pop(handle)
            self._carriers[name].order(lambda gateway: gateway.acknowledge(of_gateway, ok))

    def wake(self) -> None:
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def close(self) -> None:
        for carrier in self._carriers.values():
            carrier.close()
        for carrier in self._carriers.values():
            carrier.join()

    # -- the turn

    def poll(self, timeout: float) -> list[GatewayEvent]:
        """What happened on any route. What broke a gateway's own turn is raised here."""
        with self._changed:
            self._changed.wait_for(self._has_news, timeout)
            self._is_woken = False
            told = [(name, carrier.take()) for name, carrier in self._carriers.items()]
        return [self._pass_on(name, event) for name, events in told for event in events]

    def _has_news(self) -> bool:
        return self._is_woken or any(carrier.has_news for carrier in self._carriers.values())

    def _pass_on(self, name: str, event: GatewayEvent) -> GatewayEvent:
        match event:
            case Submitted() | SubmitFailed() | SubmitUnknown():
                self._ended(name, event)
            case ReceiptArrived() | ReplyArrived():
                self._handles += 1
                self._deliveries[self._handles] = (name, event.handle)
                return replace(event, handle=self._handles, gateway=name)
        return replace(event, gateway=name) if isinstance(event, Submitted | LinkUp | LinkDown) else event

    def _ended(self, name: str, outcome: Submitted | SubmitFailed | SubmitUnknown) -> None:
        self._carrying.pop(outcome.ref, None)
        for_the_moment = isinstance(outcome, SubmitFailed) and not outcome.permanent
        if for_the_moment:
            self._failed_on.setdefault(outcome.ref, set()).add(name)
            while len(self._failed_on) > _REMEMBERED:
                self._failed_on.popitem(last=False)
        else:
            self._failed_on.pop(outcome.ref, None)
        before, now = self._healths[name], time.monotonic()
        failed = for_the_moment or isinstance(outcome, SubmitUnknown)
        self._healths[name] = health = before.failed(now) if failed else before.went()
        if health.aside_until > now >= before.aside_until:
            log.warning("gateway_set_aside", gateway=name, failures=health.failures)
