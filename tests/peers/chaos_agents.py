"""The agents of a city whose roles are killed: they take what is queued, call, and say what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Attempt, Callback, CasePhone, Line
from callbacks.models_office import AgentCall, AgentCallState, ContactOutcome
from callbacks.service.agent_calls import NoCall, ask_for_call
from callbacks.service.agents import Contact, Told, claim, contact, newest_contact
from callbacks.service.core import Context
from callbacks.states import State
from callbacks.target_settings import TargetSettings
from callbacks.vocabulary import Channel, Disposition

# The last digit tells how the city's telephones behave: these are answered, and say nothing.
TARGETS = {f"desk-{no}": TargetSettings(number=f"80{no}7", logins=(f"agent{no}",)) for no in range(1, 6)}
RATED = Contact(ContactOutcome.RATED, value=2)
NOBODY = Contact(ContactOutcome.NO_CONTACT)


@dataclass
class Agents:
    """One on each telephone of TARGETS; each has at most one callback at a time."""

    ctx: Context
    at_work: dict[str, int] = field(default_factory=dict)  # telephone → callback

    def work_for(self, seconds: float) -> None:
        """What they do in that time, a look every so often."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.work()
            time.sleep(min(left, 0.2))

    def work(self) -> None:
        with self.ctx.sessions() as session:
            queued = list(session.scalars(_QUEUED))
        for target, callback_id in list(self.at_work.items()):
            if callback_id not in queued:
                del self.at_work[target]
            elif (given := self._outcome(callback_id)) is not None:
                self._store(callback_id, target, given)
                del self.at_work[target]
            else:
                self._ask(callback_id, target)
        waiting = [each for each in queued if each not in self.at_work.values()]
        free = [target for target in TARGETS if target not in self.at_work]
        for target, callback_id in zip(free, waiting, strict=False):
            if claim(self.ctx, callback_id, _login(target), _now()).told is Told.DONE:
                self.at_work[target] = callback_id
                self._ask(callback_id, target)

    def _ask(self, callback_id: int, target: str) -> None:
        """Refused while a call is live, and while a number rests: then the next look asks again.

        When the round is over nobody is called any more, and the agent says so; else its claim would hold
        the end for a quarter of an hour.
        """
        with self.ctx.sessions() as session:
            case = session.get_one(Callback, callback_id).case_id
            phone = session.scalars(select(CasePhone.id).where(CasePhone.case_id == case)).one()
        asked = ask_for_call(self.ctx, callback_id, phone, _login(target), target, _now(), TARGETS)
        if asked.why is NoCall.DEADLINE:
            self._store(callback_id, target, NOBODY)

    def _outcome(self, callback_id: int) -> Contact | None:
        """What the newest call came to; None while there is none that is over, or none knows how it ended."""
        with self.ctx.sessions() as session:
            row = session.execute(_NEWEST.where(AgentCall.callback_id == callback_id)).first()
        if row is None or row.state is not AgentCallState.ENDED:
            return None
        if row.disposition in (None, Disposition.UNKNOWN, Disposition.NETWORK_FAIL):
            return None
        return RATED if row.disposition is Disposition.ANSWERED else NOBODY

    def _store(self, callback_id: int, target: str, given: Contact) -> None:
        with self.ctx.sessions() as session:
            seen = newest_contact(session, callback_id)
        contact(self.ctx, callback_id, _login(target), given, _now(), seen=seen)


def _login(target: str) -> str:
    return TARGETS[target].logins[0]


def _now() -> datetime:
    return datetime.now(UTC)


_QUEUED = select(Callback.id).where(Callback.state == State.AGENT_QUEUE).order_by(Callback.id)
_NEWEST = (
    select(AgentCall.state, Attempt.disposition)
    .join(Attempt, Attempt.id == AgentCall.attempt_id, isouter=True)
    .order_by(AgentCall.id.desc())
    .limit(1)
)


# -- what must hold


def calls_that_never_ended(session: Session) -> list[str]:
    """A killed role's calls: each is over, with its lines."""
    live = session.scalars(select(AgentCall).where(AgentCall.state != AgentCallState.ENDED))
    wrong = [f"agent call {call.id} is still {call.state}" for call in live]
    return wrong + [f"line {line.trunk} {line.no} is still held" for line in held_lines(session)]


def held_lines(session: Session) -> list[Line]:
    query = select(Line).where(Line.attempt_id.is_not(None) | Line.agent_call_id.is_not(None))
    return list(session.scalars(query))


def uncounted_unknowns(session: Session) -> Iterator[str]:
    """What may have rung unseen counts, and the agent is told that the call was lost."""
    query = select(Attempt, AgentCall.error).join(AgentCall, AgentCall.attempt_id == Attempt.id)
    for attempt, error in session.execute(query.where(Attempt.channel == Channel.AGENT)):
        if attempt.invited_at is not None and attempt.disposition is None:
            yield f"attempt {attempt.id}: invited, and nothing came of it"
        if attempt.disposition is Disposition.UNKNOWN and (not attempt.counts or error != "lost"):
            yield f"attempt {attempt.id}: unknown, counts={attempt.counts}, told {error!r}"
