"""A gateway whose texts go out one exchange each, on a few threads: `poll` never waits for the network."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from sms.cmpp_pace import Pace
from sms.events import GatewayEvent, LinkDown, LinkUp, Submission, SubmitFailed, Submitted, SubmitUnknown
from sms.http_answer import Refused, Taken, Unclear, Verdict

log = structlog.get_logger(__name__)

_JOIN_SECONDS = 1.0


class Sender(Protocol):
    """Sends texts for one thread."""

    def send(self, submission: Submission) -> Verdict:
        """What became of it; takes as long as its time-outs allow."""

    def close(self) -> None:
        """Ends its connections."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """`submit_timeout` counts from the order to submit, whatever a thread waits for."""

    connections: int
    rate_per_second: float
    submit_timeout: float
    rest_first: float
    rest_longest: float


@dataclass(slots=True)
class _Job:
    submission: Submission
    deadline: float
    begun: bool = False


class PooledGateway:
    """Meets `sms.gateway.Gateway`. After a fault it rests, each time longer, and then tries one text."""

    def __init__(self, name: str, make_sender: Callable[[], Sender], limits: PoolLimits) -> None:
        self._name, self._make_sender, self._limits = name, make_sender, limits
        self._pace = Pace(limits.rate_per_second, time.monotonic())
        self._orders: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()  # guards all below
        self._open: dict[int, _Job] = {}
        self._busy = 0  # threads in an exchange, those whose text was given up among them
        self._events: list[GatewayEvent] = [LinkUp()]
        self._rest = limits.rest_first
        self._resting = self._doubtful = self._woken = self._closed = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def in_flight(self) -> int:
        with self._changed:
            return len(self._open)

    @property
    def room(self) -> int:
        with self._changed:
            if self._closed or self._resting:
                return 0
            free = (1 if self._doubtful else self._limits.connections) - max(self._busy, len(self._open))
            return max(0, min(free, self._pace.allowance(time.monotonic())))

    # -- orders

    def submit(self, submission: Submission) -> None:
        with self._changed:
            if self._closed or self._resting:
                self._events.append(SubmitFailed(submission.ref, False, "the gateway rests"))
                return
            self._pace.take(1)
            job = _Job(submission, time.monotonic() + self._limits.submit_timeout)
            self._open[submission.ref] = job
            waiting = sum(not each.begun for each in self._open.values())
            if len(self._threads) < min(self._limits.connections, self._busy + waiting):
                thread = threading.Thread(target=self._work, name=f"{self._name}-sender", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._orders.put(job)

    def acknowledge(self, handle: int, ok: bool) -> None:
        """Pushes come to the web role and are answered there."""

    def wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """What hasn't begun never will; what has is unknown. Threads get a second to end by themselves."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            for job in list(self._open.values()):
                self._give_up(job, "closed")
            self._events.append(LinkDown("closed"))
            self._changed.notify_all()
        for _ in self._threads:
            self._orders.put(None)
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # -- the turn

    def poll(self, timeout: float) -> list[GatewayEvent]:
        until = time.monotonic() + timeout
        with self._changed:
            while not self._events and not self._woken:
                self._timers(time.monotonic())
                left = min(until, self._next_timer()) - time.monotonic()
                if self._events or time.monotonic() >= until:
                    break
                self._changed.wait(max(0.0, left))
            self._timers(time.monotonic())
            self._woken = False
            events, self._events = self._events, []
            return events

    def _next_timer(self) -> float:
        due = [job.deadline for job in self._open.values()]
        return min([*due, self._pace.rests_until] if self._resting else due, default=float("inf"))

    def _timers(self, now: float) -> None:
        for job in [job for job in self._open.values() if now >= job.deadline]:
            self._give_up(job, "no connection was free")
            if job.begun:
                self._fault("no answer in time")
        if self._resting and now >= self._pace.rests_until and not self._closed:
            self._resting = False
            self._events.append(LinkUp())

    def _give_up(self, job: _Job, why: str) -> None:
        ref = job.submission.ref
        del self._open[ref]
        self._events.append(SubmitUnknown(ref) if job.begun else SubmitFailed(ref, False, why))

    # -- the threads

    def _work(self) -> None:
        with contextlib.closing(self._make_sender()) as sender:
            while (job := self._orders.get()) is not None:
                if not self._begin(job):
                    continue
                try:
                    verdict = sender.send(job.submission)
                except Exception as error:  # a fault of ours: the text may have gone all the same
                    log.exception("submit_broke", gateway=self._name)
                    verdict = Unclear(type(error).__name__)
                self._done(job, verdict)

    def _begin(self, job: _Job) -> bool:
        """Whether it's still wanted. From here on it may leave."""
        with self._changed:
            if self._open.get(job.submission.ref) is not job:
                return False
            job.begun = True
            self._busy += 1
            return True

    def _done(self, job: _Job, verdict: Verdict) -> None:
        with self._changed:
            self._busy -= 1
            if self._open.get(job.submission.ref) is job:
                del self._open[job.submission.ref]
                self._tell(job.submission.ref, verdict)
            self._changed.notify_all()

    def _tell(self, ref: int, verdict: Verdict) -> None:
        match verdict:
            case Taken(message_ids):
                self._events.append(Submitted(ref, message_ids))
                self._well()
            case Refused(permanent, status, resting):
                self._events.append(SubmitFailed(ref, permanent, status))
                if resting:
                    self._fault(status)
                else:
                    self._well()
            case Unclear(reason):
                self._events.append(SubmitUnknown(ref))
                self._fault(reason)

    def _well(self) -> None:
        """It answered: the next fault is a first one again. A rest under way is kept."""
        if not self._resting:
            self._rest, self._doubtful = self._limits.rest_first, False

    def _fault(self, reason: str) -> None:
        """The others under way when the first failed don't make the rest longer."""
        if self._resting or self._closed:
            return
        self._pace.rest(time.monotonic() + self._rest)
        self._rest = min(2 * self._rest, self._limits.rest_longest)
        self._resting = self._doubtful = True
        self._events.append(LinkDown(reason))
