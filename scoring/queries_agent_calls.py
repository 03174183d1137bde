"""A person's call as the agent's page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, CasePhone
from callbacks.models_office import AgentCall, AgentCallState
from callbacks.service.agent_calls import NoCall
from callbacks.vocabulary import Disposition


@dataclass(frozen=True, slots=True)
class CallRow:
    """`number` is masked, `target` the agent's telephone; `why` is None where the citizen's leg tells."""

    number: str
    target: str
    state: AgentCallState
    asked_at: datetime
    why: NoCall | None
    disposition: Disposition | None
    talked: timedelta | None

    @property
    def is_live(self) -> bool:
        return self.state is not AgentCallState.ENDED


def read_call(session: Session, callback_id: int, login: str) -> CallRow | None:
    """This agent's newest call of the callback."""
    query = (
        select(AgentCall, CasePhone.number_masked, Attempt)
        .join(CasePhone, CasePhone.id == AgentCall.phone_id)
        .outerjoin(Attempt, Attempt.id == AgentCall.attempt_id)
        .where(AgentCall.callback_id == callback_id, AgentCall.login == login)
        .order_by(AgentCall.id.desc())
        .limit(1)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    call, number, attempt = row
    return CallRow(
        number=number,
        target=call.target,
        state=call.state,
        asked_at=call.asked_at,
        why=NoCall(call.error) if call.error else None,
        disposition=None if attempt is None else attempt.disposition,
        talked=None if attempt is None else _talked(attempt),
    )


def last_telephone(session: Session, login: str) -> str | None:
    """On which telephone this agent was rung last."""
    query = select(AgentCall.target).where(AgentCall.login == login).order_by(AgentCall.id.desc()).limit(1)
    return session.scalar(query)


def _talked(attempt: Attempt) -> timedelta | None:
    if attempt.answered_at is None or attempt.ended_at is None:
        return None
    return attempt.ended_at - attempt.answered_at
