"""What Prometheus is told of the office: read from the tables when it asks, never counted on the way.

So any process may answer, and the figures are the database's own. The names are documented by their HELP.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import case, func, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind
from callbacks.cdr_store import read_traffic
from callbacks.database import dbnow
from callbacks.inbound_figures import Outcome, read_figures
from callbacks.ledger import COLUMNS, Ledger, read_ledger
from callbacks.models import Attempt, Callback, Line, Reply, TextMessage, TextState
from callbacks.models_office import Alarm, IntakeGap, LedgerProof
from callbacks.models_systems import DeliveryState, WebhookDelivery
from callbacks.models_voice import TrunkState
from callbacks.service.core import LIVE
from callbacks.spool import waiting_in
from callbacks.states import DONE, OPEN, State
from callbacks.vocabulary import Channel, MachineSign, TrunkStanding

log = structlog.get_logger(__name__)

_UNDER_WAY = (TextState.QUEUED, TextState.SUBMITTING, TextState.SUBMITTED, TextState.UNKNOWN)
_RECENT = timedelta(days=1)
_HOUR = timedelta(hours=1)


class OfficeCollector(Collector):
    """Reads at each scrape; the ledger, which reads whole tables, at most every `ledger_seconds`."""

    def __init__(
        self,
        read_sessions: sessionmaker[Session],
        spool_folder: Path,
        now: Callable[[], datetime],
        ledger_seconds: float = 60.0,
    ) -> None:
        self._sessions, self._spool, self._now = read_sessions, spool_folder, now
        self._ledger_seconds = ledger_seconds
        self._ledger: tuple[float, Ledger] | None = None

    def collect(self) -> Iterator[Metric]:
        """The spool is told whether the database is there or not."""
        yield from _spool(self._spool)
        try:
            with self._sessions() as session:
                found = [*self._of_ledger(session), *_of_tables(session, self._now())]
        except DBAPIError as error:
            log.error("database_away", error=type(error.orig).__name__)
            yield _gauge("huifang_database_up", "1 when the database answered this scrape", 0)
            return
        yield _gauge("huifang_database_up", "1 when the database answered this scrape", 1)
        yield from found

    def _of_ledger(self, session: Session) -> Iterator[Metric]:
        ledger = self._read_ledger(session)
        yield _gauge(
            "huifang_ledger_balanced",
            "1 when closed = done + open + excluded + cancelled for each unit and no case breaks a rule",
            int(ledger.balanced),
        )
        yield _gauge("huifang_ledger_breaches", "Cases that break the ledger", len(ledger.breaches))
        columns = {name: float(ledger.total(name)) for name in COLUMNS}
        yield _family(
            "huifang_ledger_closings", "Closings by what became of their first callback", "column", columns
        )
        taken = session.scalar(select(func.max(LedgerProof.taken_at)))
        if taken is not None:
            yield _gauge(
                "huifang_ledger_proof_timestamp_seconds",
                "When the last nightly proof was taken",
                taken.timestamp(),
            )

    def _read_ledger(self, session: Session) -> Ledger:
        at = time.monotonic()
        if self._ledger is None or at - self._ledger[0] >= self._ledger_seconds:
            self._ledger = (at, read_ledger(session))
        return self._ledger[1]


def office_registry(collector: OfficeCollector) -> CollectorRegistry:
    """A registry of its own: nothing of the process, nothing of other libraries."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry


def _of_tables(session: Session, now: datetime) -> Iterator[Metric]:
    yield from _callbacks(session, now)
    yield from _ways(session)
    yield from _trunks(session, now)
    yield from _machines(session)
    yield from _inbound(session, now)
    yield from _watch(session, now)


def _callbacks(session: Session, now: datetime) -> Iterator[Metric]:
    counted: dict[State, int] = dict(
        session.execute(select(Callback.state, func.count()).group_by(Callback.state)).all()
    )
    by_state = {state.value: float(counted.get(state, 0)) for state in State}
    yield _family("huifang_callbacks", "Callbacks of all rounds by state", "state", by_state)
    done = sum(counted.get(state, 0) for state in DONE)
    due = done + sum(counted.get(state, 0) for state in OPEN)
    yield _gauge("huifang_callbacks_due", "Callbacks that must come to an end: open and done ones", due)
    yield _gauge("huifang_callbacks_ended", "Due callbacks that have come to an end", done)
    waits = select(func.min(Callback.next_at)).where(Callback.state.in_(OPEN), Callback.next_at <= now)
    oldest = session.scalar(waits)
    yield _gauge(
        "huifang_callback_oldest_due_seconds",
        "For how long the oldest callback has been waiting for its next step; 0 when none is",
        0.0 if oldest is None else (now - oldest).total_seconds(),
    )


def _inbound(session: Session, now: datetime) -> Iterator[Metric]:
    """Who calls 110: now, and how the calls of the last day ended."""
    figures = read_figures(session, now - _RECENT)
    yield _gauge("huifang_inbound_waiting", "Callers who wait for a person", figures.waiting)
    yield _gauge("huifang_inbound_talking", "Callers who talk with one", figures.talking)
    outcomes = {outcome.value: float(figures.outcomes[outcome]) for outcome in Outcome}
    yield _family("huifang_inbound_calls", "Calls of the last day by what came of them", "outcome", outcomes)


def _ways(session: Session) -> Iterator[Metric]:
    live = select(Attempt.channel, func.count()).where(Attempt.state.in_(LIVE)).group_by(Attempt.channel)
    attempts = {channel.value: 0.0 for channel in (Channel.VOICE, Channel.SMS)}
    attempts |= {channel.value: float(number) for channel, number in session.execute(live)}
    yield _family("huifang_attempts_live", "Attempts that are under way", "channel", attempts)
    held = Line.inbound_until >= dbnow()
    in_use = or_(Line.attempt_id.is_not(None), Line.agent_call_id.is_not(None), held)
    lines = select(Line.trunk, func.count(), func.sum(case((in_use, 1), else_=0))).group_by(Line.trunk)
    found = session.execute(lines).all()
    total = {trunk: float(number) for trunk, number, _ in found}
    used = {trunk: float(number or 0) for trunk, _, number in found}
    yield _family("huifang_lines", "Lines of a trunk", "trunk", total)
    yield _family("huifang_lines_in_use", "Lines of a trunk that carry a call", "trunk", used)
    up = func.min(case((TrunkState.standing == TrunkStanding.ASIDE, 0), else_=1))
    found_up = select(TrunkState.trunk, up).where(TrunkState.until >= dbnow()).group_by(TrunkState.trunk)
    yield _family(
        "huifang_trunk_up",
        "0 while a living process has set the trunk aside",
        "trunk",
        {trunk: float(number) for trunk, number in session.execute(found_up)},
    )
    states = select(TextMessage.state, func.count()).where(TextMessage.state.in_(_UNDER_WAY))
    texts = {state.value: 0.0 for state in _UNDER_WAY}
    texts |= {s.value: float(n) for s, n in session.execute(states.group_by(TextMessage.state))}
    yield _family("huifang_texts", "Texts that have no receipt yet, by state", "state", texts)


def _trunks(session: Session, now: datetime) -> Iterator[Metric]:
    """Of the last hour: ASR is answered/seizures, ACD is talk_seconds/talks."""
    traffic = read_traffic(session, now - _HOUR, now)
    for name, told, count in (
        ("seizures", "Calls of the last hour that were begun by a trunk, or came by it", "seizures"),
        ("answered", "Those of them that were answered", "answered"),
        ("talks", "Answered ones whose talk is over", "talks"),
        ("talk_seconds", "Seconds of these talks", "seconds"),
    ):
        family = GaugeMetricFamily(f"huifang_trunk_{name}", told, labels=["trunk", "direction"])
        for (trunk, direction), of in traffic.items():
            family.add_metric([trunk, direction.value], float(getattr(of, count)))
        yield family


def _machines(session: Session) -> Iterator[Metric]:
    """A machine's signs, and whether a key disproved them: so good is the advice."""
    query = select(Attempt.machine_sign, Attempt.machine, func.count()).where(Attempt.machine_at.is_not(None))
    counted = {
        (sign, machine): n
        for sign, machine, n in session.execute(query.group_by(Attempt.machine_sign, Attempt.machine))
    }
    family = CounterMetricFamily(
        "huifang_machines_heard",
        "Calls on which a machine was heard, by its sign and by whether a key was pressed all the same",
        labels=["sign", "key"],
    )
    for sign in MachineSign:
        for key in (False, True):
            family.add_metric([sign.value, "yes" if key else "no"], float(counted.get((sign, not key), 0)))
    yield family


def _watch(session: Session, now: datetime) -> Iterator[Metric]:
    alarms = select(Alarm.kind, func.count()).where(Alarm.acknowledged_at.is_(None)).group_by(Alarm.kind)
    kinds = {kind.value: 0.0 for kind in AlarmKind}
    kinds |= {kind: float(number) for kind, number in session.execute(alarms)}
    yield _family("huifang_alarms_open", "Alarms that nobody has acknowledged", "kind", kinds)
    missing = func.sum(IntakeGap.expected - IntakeGap.found)
    open_gaps = select(IntakeGap.source, func.count(), missing).where(IntakeGap.closed_at.is_(None))
    gaps = session.execute(open_gaps.group_by(IntakeGap.source)).all()
    yield _family(
        "huifang_intake_gaps_open",
        "Gaps at intake that are open",
        "source",
        {source: float(number) for source, number, _ in gaps},
    )
    yield _family(
        "huifang_intake_cases_missing",
        "Cases that a source had and didn't come",
        "source",
        {source: float(number) for source, _, number in gaps},
    )
    unclear = select(func.count(Reply.id)).where(Reply.unclear, Reply.received_at >= now - _RECENT)
    yield _gauge(
        "huifang_replies_unclear",
        "Replies of the last 24 hours that nothing could read",
        session.scalar(unclear),
    )
    pending = select(WebhookDelivery.webhook, func.count()).where(
        WebhookDelivery.state == DeliveryState.PENDING
    )
    yield _family(
        "huifang_webhook_deliveries_pending",
        "Outcomes that wait for their webhook",
        "webhook",
        {hook: float(n) for hook, n in session.execute(pending.group_by(WebhookDelivery.webhook))},
    )


def _spool(folder: Path) -> Iterator[Metric]:
    waiting = waiting_in(folder)
    yield _family(
        "huifang_spool_bytes",
        "Bytes that wait to be played into the database",
        "role",
        {role: float(size) for role, (size, _) in waiting.items()},
    )
    yield _family(
        "huifang_spool_records",
        "Records that wait to be played into the database",
        "role",
        {role: float(records) for role, (_, records) in waiting.items()},
    )


def _gauge(name: str, told: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, told, value=float(value or 0))


def _family(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, told, labels=[label])
    for of, value in sorted(values.items()):
        family.add_metric([of], value)
    return family
