"""The clock role: APScheduler wakes it, the due times live in our tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from callbacks.service.agent_calls import end_untaken
from callbacks.service.core import Context
from callbacks.service.leases import settle_leases
from callbacks.service.planning import plan_due, settle_due
from callbacks.service.texts import expire_questions
from callbacks.stopping import Stop

log = structlog.get_logger(__name__)

Job = Callable[[datetime], object]
_BATCH = 200
_FIRST = (
    60.0  # seconds until each has had its first turn: a clock that is restarted each day does the daily ones
)


def run_clock(ctx: Context, stop: Stop, every: float, more: Mapping[str, tuple[float, Job]]) -> None:
    """Plans, settles and expires each `every` seconds; `more` is name → (seconds, job) of other packages."""
    jobs: dict[str, tuple[float, Job]] = {
        "plan": (every, lambda now: _drain(plan_due, ctx, now)),
        "settle_leases": (every, lambda now: settle_leases(ctx, now)),
        "end_untaken": (every, lambda now: end_untaken(ctx, now)),
        "settle_ratings": (every, lambda now: _drain(settle_due, ctx, now)),
        "expire_questions": (every, lambda now: expire_questions(ctx, now)),
        **more,
    }
    # One job at a time, and none begun again while it runs: that one waits for its turn is no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    first = datetime.now(UTC)
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    for name, (seconds, job) in jobs.items():
        scheduler.add_job(
            _guarded,
            "interval",
            args=[name, job],
            seconds=seconds,
            next_run_time=first + timedelta(seconds=min(seconds, _FIRST)),
            id=name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    scheduler.start()
    try:
        while not stop.wait(1.0):
            pass
    finally:
        scheduler.shutdown(wait=True)


def _drain(step: Callable[[Context, datetime, int], int], ctx: Context, now: datetime) -> None:
    """Batch after batch, each its own transaction, while batches are full."""
    while step(ctx, now, _BATCH) == _BATCH:
        pass


def _guarded(name: str, job: Job) -> None:
    """One job's fault (a database that is away, say) doesn't stop the clock; it is tried again next time."""
    try:
        job(datetime.now(UTC))
    except Exception:
        log.exception("clock_job_failed", job=name)
