"""The callback state machine of domain.md §5 as a table.

Rules:
- A callback reaches exactly one terminal state, and from some of them one more: a late answer makes
  UNREACHED, REFUSED or INVALID_NUMBER RATED. EXCLUDED and CANCELLED are never due.
- The guards ("attempts left?", "opted out?") are asked in `callbacks.policy`; a trigger is their answer, so
  that each (state, trigger) has one outcome here. A pair that isn't in the table is an error.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    PENDING = "pending"
    SMS_QUEUED = "sms_queued"
    AWAIT_REPLY = "await_reply"
    CALL_QUEUED = "call_queued"
    DIALING = "dialing"
    IN_IVR = "in_ivr"
    RETRY_WAIT = "retry_wait"
    AGENT_QUEUE = "agent_queue"
    RATED = "rated"
    UNREACHED = "unreached"
    REFUSED = "refused"
    INVALID_NUMBER = "invalid_number"
    WRONG_PERSON = "wrong_person"
    EXCLUDED = "excluded"
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    EXCLUDE = "exclude"  # scope_check found a reason
    TEXT = "text"  # delay_elapsed: a mobile that takes texts
    CALL = "call"  # delay_elapsed, wait_elapsed, another number of the case
    AWAIT_WEB = "await_web"  # delay_elapsed: no number, a platform that carries a code
    HAND_OVER = "hand_over"  # to a person
    TEXT_SENT = "text_sent"  # committed and handed to the gateway
    TEXT_FAILED = "text_failed"  # report_failed, or `unknown` for ten minutes
    DIAL = "dial"  # slot: every gate asked, lease taken
    NOT_INVITED = "not_invited"  # the lease was lost before `invited_at`: costs nothing
    ANSWERED = "answered"
    RETRY = "retry"  # an outcome after which it is tried again
    EXHAUSTED = "exhausted"  # no attempts left and no person to ask
    INVALID = "invalid"  # unallocated for the second time
    RATE = "rate"
    REFUSE = "refuse"  # opt-out, or refused to an agent
    WRONG = "wrong"  # a person says it's the wrong one
    DEADLINE = "deadline"  # the round's, or the agent's
    REOPEN = "reopen"  # case_reopened


class UnknownTransition(Exception):
    """The table has no such transition: a fault of ours, never of a citizen or a network."""


_S = State
_T = Trigger

OPEN = frozenset(
    {
        _S.PENDING,
        _S.SMS_QUEUED,
        _S.AWAIT_REPLY,
        _S.CALL_QUEUED,
        _S.DIALING,
        _S.IN_IVR,
        _S.RETRY_WAIT,
        _S.AGENT_QUEUE,
    }
)
DONE = frozenset({_S.RATED, _S.UNREACHED, _S.REFUSED, _S.INVALID_NUMBER, _S.WRONG_PERSON})
NOT_DUE = frozenset({_S.EXCLUDED, _S.CANCELLED})
TERMINAL = DONE | NOT_DUE
TAKES_LATE_ANSWER = frozenset({_S.UNREACHED, _S.REFUSED, _S.INVALID_NUMBER})
ON_THE_LINE = frozenset({_S.DIALING, _S.IN_IVR})

_ANY_OPEN = {
    _T.RATE: _S.RATED,
    _T.REFUSE: _S.REFUSED,
    _T.DEADLINE: _S.UNREACHED,
    _T.REOPEN: _S.CANCELLED,
    _T.HAND_OVER: _S.AGENT_QUEUE,
}

_SOME: dict[tuple[State, Trigger], State] = {
    (_S.PENDING, _T.EXCLUDE): _S.EXCLUDED,
    (_S.PENDING, _T.TEXT): _S.SMS_QUEUED,
    (_S.PENDING, _T.CALL): _S.CALL_QUEUED,
    (_S.PENDING, _T.AWAIT_WEB): _S.AWAIT_REPLY,
    (_S.SMS_QUEUED, _T.TEXT_SENT): _S.AWAIT_REPLY,
    (_S.SMS_QUEUED, _T.TEXT_FAILED): _S.CALL_QUEUED,
    (_S.AWAIT_REPLY, _T.TEXT_FAILED): _S.CALL_QUEUED,
    (_S.AWAIT_REPLY, _T.CALL): _S.CALL_QUEUED,
    (_S.CALL_QUEUED, _T.DIAL): _S.DIALING,
    (_S.RETRY_WAIT, _T.DIAL): _S.DIALING,
    (_S.CALL_QUEUED, _T.EXHAUSTED): _S.UNREACHED,
    (_S.RETRY_WAIT, _T.EXHAUSTED): _S.UNREACHED,
    (_S.DIALING, _T.NOT_INVITED): _S.RETRY_WAIT,
    (_S.DIALING, _T.ANSWERED): _S.IN_IVR,
    (_S.DIALING, _T.RETRY): _S.RETRY_WAIT,
    (_S.IN_IVR, _T.RETRY): _S.RETRY_WAIT,
    (_S.DIALING, _T.EXHAUSTED): _S.UNREACHED,
    (_S.IN_IVR, _T.EXHAUSTED): _S.UNREACHED,
    (_S.DIALING, _T.INVALID): _S.INVALID_NUMBER,
    (_S.DIALING, _T.CALL): _S.CALL_QUEUED,
    (_S.IN_IVR, _T.CALL): _S.CALL_QUEUED,
    (_S.AGENT_QUEUE, _T.WRONG): _S.WRONG_PERSON,
    (_S.AGENT_QUEUE, _T.CALL): _S.CALL_QUEUED,
    (_S.UNREACHED, _T.RATE): _S.RATED,
    (_S.REFUSED, _T.RATE): _S.RATED,
    (_S.INVALID_NUMBER, _T.RATE): _S.RATED,
}

TABLE: dict[tuple[State, Trigger], State] = {
    **{(state, trigger): to for state in OPEN for trigger, to in _ANY_OPEN.items()},
    **_SOME,
}


def next_state(state: State, trigger: Trigger) -> State:
    """Where `trigger` leads from `state`; UnknownTransition when domain.md §5 has no such row."""
    try:
        return TABLE[state, trigger]
    except KeyError:
        raise UnknownTransition(f"{state} takes no {trigger}") from None
