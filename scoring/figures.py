"""What the demo prints and writes: coverage, attempts, ratings and the ranking, read from the tables."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from callbacks.ledger import read_ledger
from callbacks.models import ASKING, Attempt, Case, Rating, TextMessage, Unit
from callbacks.vocabulary import Channel
from scoring.models import AssessmentRecord
from scoring.models_items import DissatisfactionItem
from scoring.rules import show


def figures(session: Session) -> dict[str, Any]:
    """What `huifang demo --json` writes."""
    ledger = read_ledger(session)
    return {
        "closed": ledger.total("closed"),
        "coverage": ledger.coverage,
        "without_number": ledger.without_number,
        "ledger_balanced": ledger.balanced,
        "breaches": [breach.case for breach in ledger.breaches],
        "outcomes": ledger.outcomes,
        "attempts": attempts(session),
        "ratings": ratings(session),
        "ranking": ranking(session),
        "dissatisfied": dissatisfied(session),
    }


def attempts(session: Session) -> dict[str, dict[str, int]]:
    """Calls that were begun by disposition, evaluation texts by what became of them."""
    calls = select(Attempt.disposition, func.count()).where(
        Attempt.channel == Channel.VOICE, Attempt.invited_at.is_not(None)
    )
    texts = (
        select(TextMessage.state, func.count())
        .join(Attempt, Attempt.id == TextMessage.attempt_id)
        .where(TextMessage.kind.in_(ASKING))
    )
    voice = Counter({str(d or "live"): n for d, n in session.execute(calls.group_by(Attempt.disposition))})
    sms = Counter({str(s): n for s, n in session.execute(texts.group_by(TextMessage.state))})
    return {"voice": dict(sorted(voice.items())), "sms": dict(sorted(sms.items()))}


def ratings(session: Session) -> dict[str, dict[str, int]]:
    """Counted ratings by channel and value."""
    query = select(Rating.channel, Rating.value, func.count()).where(Rating.counted)
    found: dict[str, dict[str, int]] = {}
    for channel, value, number in session.execute(query.group_by(Rating.channel, Rating.value)):
        found.setdefault(channel.value, {})[str(value)] = number
    return found


def ranking(session: Session) -> dict[str, list[dict[str, Any]]]:
    """The newest month's units by group: ranked ones first, then those listed apart."""
    month = session.scalar(select(func.max(AssessmentRecord.month)))
    query = (
        select(AssessmentRecord, Unit)
        .join(Unit, Unit.id == AssessmentRecord.unit_id)
        .where(AssessmentRecord.month == month)
        .order_by(AssessmentRecord.rank.is_(None), AssessmentRecord.rank, Unit.code)
    )
    groups: dict[str, list[dict[str, Any]]] = {}
    for record, unit in session.execute(query):
        groups.setdefault(unit.group.value, []).append(
            {
                "rank": record.rank,
                "unit": unit.code,
                "name": unit.name,
                "score": record.score,
                "score_shown": _shown(record.score),
                "item_points": record.item_points,
                "points_shown": _shown(record.item_points),
                "listed_apart": record.listed_apart,
                "month": record.month,
            }
        )
    return groups


def _shown(exact: str | None) -> str:
    return "—" if exact is None else show(Fraction(exact))


def dissatisfied(session: Session) -> list[dict[str, Any]]:
    """The dissatisfaction list, oldest first."""
    query = (
        select(Case.number, Unit.code, DissatisfactionItem.state, Rating.value, Rating.channel)
        .join(Rating, Rating.id == DissatisfactionItem.rating_id)
        .join(Unit, Unit.id == DissatisfactionItem.unit_id)
        .join(DissatisfactionItem.callback)
        .join(Case)
        .order_by(DissatisfactionItem.id)
    )
    return [
        {"case": number, "unit": unit, "state": state, "rating": value, "channel": channel.value}
        for number, unit, state, value, channel in session.execute(query)
    ]
