"""节点监控: each case's nodes as a line with its two clocks, and whom the handlers' texts reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy import case as sql_case
from sqlalchemy.orm import Session

from callbacks.database import UtcDateTime
from callbacks.models import Case, CaseNode, Closing, TextMessage, TextState, Unit
from callbacks.models_office import Reminder, ReminderStage
from callbacks.vocabulary import NodeKind
from scoring.queries import Page, Scope, of_cases, one_page
from scoring.queries_cases import handled_in
from scoring.queries_filter import Filter, Sort

RECENT = timedelta(days=30)  # so long a closed case stays on the list


@dataclass(frozen=True, slots=True)
class Step:
    """One of the six nodes. `at` None: not yet; `due` None: it has no clock; `times`: how often."""

    kind: NodeKind
    at: datetime | None
    by: str
    times: int
    due: datetime | None

    def late(self, now: datetime) -> timedelta | None:
        """How late it was, or is by now; None when it's in time or has no clock."""
        if self.due is None or (self.at or now) <= self.due:
            return None
        return (self.at or now) - self.due


@dataclass(frozen=True, slots=True)
class Reminded:
    """A reminder to the handler and what became of its text; `state` None: there was no number to send to."""

    stage: ReminderStage
    at: datetime
    number: str | None
    state: TextState | None
    sent_at: datetime | None
    ended_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A case's line, of the closing that is worked on, or of the last one when it's closed."""

    number: str
    unit_code: str
    unit: str
    unit_en: str
    category: str
    enterprise: bool
    accepted_at: datetime
    closed: bool
    steps: tuple[Step, ...]
    reminders: tuple[Reminded, ...]

    def is_late(self, now: datetime) -> bool:
        return any(step.late(now) is not None for step in self.steps)


def read_nodes(
    session: Session, scope: Scope, chosen: Filter, sign_within: timedelta, now: datetime
) -> Page[NodeRow]:
    """Open cases and those closed within RECENT, the newest first unless the filter says otherwise."""
    conditions = _conditions(scope, chosen, sign_within, now)
    total = session.scalar(_joined(select(func.count())).where(*conditions)) or 0
    query = _joined(select(Case.accepted_at, Case.id, Case, Unit)).where(*conditions)
    rows, before, after = one_page(
        session, query, (Case.accepted_at, Case.id), chosen.page, newest_first=chosen.sort is not Sort.OLDEST
    )
    found = _lines(session, scope, [(row[2], row[3]) for row in rows], sign_within)
    return Page(found, total, before, after)


def count_late(
    session: Session, scope: Scope, chosen: Filter, sign_within: timedelta, now: datetime
) -> tuple[int, int]:
    """(all, late) of the filter without its own `late`."""
    every = _conditions(scope, chosen, sign_within, now, but_late=True)
    total = session.scalar(_joined(select(func.count())).where(*every)) or 0
    late = session.scalar(_joined(select(func.count())).where(*every, _late(sign_within, now))) or 0
    return total, late


def nodes_of(session: Session, scope: Scope, case: Case, sign_within: timedelta) -> NodeRow:
    """One case's line."""
    return _lines(session, scope, [(case, case.lead_unit)], sign_within)[0]


def _joined(query: Any) -> Any:
    return query.select_from(Case).join(Unit, Unit.id == Case.lead_unit_id)


def _conditions(
    scope: Scope, chosen: Filter, sign_within: timedelta, now: datetime, *, but_late: bool = False
) -> list[ColumnElement[bool]]:
    found = [*handled_in(scope), or_(Case.closed_at.is_(None), Case.closed_at > now - RECENT)]
    found += of_cases(chosen)
    if chosen.late and not but_late:
        found.append(_late(sign_within, now))
    return found


def _late(sign_within: timedelta, now: datetime) -> ColumnElement[bool]:
    """Past its due time, closed after it, or unsigned for too long; as `_steps` says of one."""
    assigned = (
        select(func.max(CaseNode.at))
        .where(CaseNode.case_id == Case.id, CaseNode.kind == NodeKind.ASSIGN)
        .correlate(Case)
        .scalar_subquery()
    )
    period = Case.closing_no + sql_case((Case.closed_at.is_(None), 1), else_=0)
    before = (
        select(func.max(Closing.closed_at))
        .where(Closing.case_id == Case.id, Closing.closing_no < period)
        .correlate(Case)
        .scalar_subquery()
    )
    is_open = Case.closed_at.is_(None)
    begun = func.coalesce(assigned, Case.accepted_at)
    unsigned = or_(Case.signed_at.is_(None), Case.signed_at < begun)
    first = before.is_(None)
    return or_(
        and_(
            or_(first, Case.due_at > before),
            Case.due_at < func.coalesce(Case.closed_at, literal(now, UtcDateTime())),
        ),
        and_(is_open, unsigned, or_(first, begun > before), begun < now - sign_within),
    )


def _lines(
    session: Session, scope: Scope, cases: Sequence[tuple[Case, Unit]], sign_within: timedelta
) -> tuple[NodeRow, ...]:
    """Three questions for a whole page."""
    ids = [case.id for case, _ in cases]
    nodes = _by_case(session.scalars(select(CaseNode).where(CaseNode.case_id.in_(ids)).order_by(CaseNode.at)))
    closings = select(Closing).where(Closing.case_id.in_(ids)).order_by(Closing.closing_no)
    closed = _by_case(session.scalars(closings))
    texts = select(Reminder, TextMessage).outerjoin(TextMessage, TextMessage.id == Reminder.text_id)
    reminders = defaultdict(list)
    for reminder, text in session.execute(texts.where(Reminder.case_id.in_(ids)).order_by(Reminder.made_at)):
        reminders[reminder.case_id].append((reminder, text))
    return tuple(
        NodeRow(
            number=case.number,
            unit_code=unit.code,
            unit=unit.name,
            unit_en=unit.name_en,
            category=case.category,
            enterprise=case.enterprise,
            accepted_at=case.accepted_at,
            closed=case.closed_at is not None,
            steps=_steps(case, nodes[case.id], closed[case.id], sign_within),
            reminders=tuple(
                _reminded(*pair, scope) for pair in reminders[case.id] if pair[0].period == _period(case)
            ),
        )
        for case, unit in cases
    )


def _by_case(rows: Iterable[Any]) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.case_id].append(row)
    return found


def _period(case: Case) -> int:
    """The closing whose line is shown: the one that is worked on, or the last."""
    return case.closing_no if case.closed_at is not None else case.closing_no + 1


def _steps(
    case: Case, nodes: Sequence[CaseNode], closings: Sequence[Closing], sign_within: timedelta
) -> tuple[Step, ...]:
    """What came before the closing before belongs to that one."""
    period = _period(case)
    since = max((each.closed_at for each in closings if each.closing_no < period), default=None)

    def of_now(at: datetime | None) -> datetime | None:
        return at if at is not None and (since is None or at > since) else None

    done = _by_kind(node for node in nodes if of_now(node.at))
    assigned = done[NodeKind.ASSIGN][-1].at if done[NodeKind.ASSIGN] else None
    begun = assigned or of_now(case.accepted_at)
    known = {NodeKind.SIGN: of_now(case.signed_at), NodeKind.CLOSE: case.closed_at}
    dues = {
        NodeKind.SIGN: begun + sign_within if begun is not None else None,
        NodeKind.CLOSE: of_now(case.due_at),
    }
    return tuple(_step(kind, done[kind], known.get(kind), dues.get(kind)) for kind in NodeKind)


def _by_kind(nodes: Iterable[CaseNode]) -> defaultdict[NodeKind, list[CaseNode]]:
    found: defaultdict[NodeKind, list[CaseNode]] = defaultdict(list)
    for node in nodes:
        found[node.kind].append(node)
    return found


def _step(kind: NodeKind, nodes: Sequence[CaseNode], known: datetime | None, due: datetime | None) -> Step:
    """The last node of its kind; the case's own time where the source sent no node."""
    last = nodes[-1] if nodes else None
    at = known or (last.at if last is not None else None)
    return Step(kind, at, last.by if last is not None else "", max(len(nodes), int(at is not None)), due)


def _reminded(reminder: Reminder, text: TextMessage | None, scope: Scope) -> Reminded:
    return Reminded(
        stage=reminder.stage,
        at=reminder.made_at,
        number=text.number_masked if text is not None and scope.numbers else None,
        state=text.state if text is not None else None,
        sent_at=text.submitted_at if text is not None else None,
        ended_at=text.ended_at if text is not None else None,
        error=text.error if text is not None else "",
    )
