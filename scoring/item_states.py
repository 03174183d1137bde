"""The dissatisfaction item's states as a table (domain.md §6). Pure.

Rules:
- Every item ends in one of FIXED, REMOVED, EXPLAINED, UNVERIFIED, PERSISTENT.
- The guards (appealed before? the third try? two reworks?) are asked in `scoring.item_rules`; a trigger is
  their answer, so that each (state, trigger) has one outcome here. Another pair is an error.
- §6 has the unit sign within one working day and appeal within two of the assignment, and an appeal stops
  the rework's clock: so who has signed may still appeal. Rejected, who hadn't signed is assigned again, and
  who had goes on with the same rework: it's neither signed nor counted twice.
- A trigger that leaves the state as it is (urge, supervise, a try, a note) is a step all the same.
"""

from __future__ import annotations

from enum import StrEnum


class ItemState(StrEnum):
    LISTED = "listed"
    VERIFYING = "verifying"
    EXPLAINING = "explaining"
    ASSIGNED = "assigned"
    APPEALED = "appealed"
    REWORKING = "reworking"
    CHECKING = "checking"
    SECOND_CALLBACK = "second_callback"
    ESCALATED = "escalated"
    HARD_CASE = "hard_case"
    FIXED = "fixed"
    REMOVED = "removed"
    EXPLAINED = "explained"
    UNVERIFIED = "unverified"
    PERSISTENT = "persistent"


class ItemTrigger(StrEnum):
    VERIFY = "verify"  # listed: verification begins at once
    TRIED = "tried"  # the office called and reached nobody; the third time it's NOT_REACHED
    UPHOLD = "uphold"
    MISRATED = "misrated"  # by the citizen's own words, recorded or noted
    NO_BASIS = "no_basis"  # the claim has no legal basis: it's explained
    NOT_REACHED = "not_reached"
    EXPLAIN = "explain"  # the citizen was told; the rating is removed
    SIGN = "sign"
    SIGN_BY_DEFAULT = "sign_by_default"
    URGE = "urge"
    SUPERVISE = "supervise"
    REASSIGN = "reassign"
    APPEAL = "appeal"
    APPEAL_UPHELD = "appeal_upheld"
    APPEAL_REJECTED = "appeal_rejected"
    APPEAL_REJECTED_SIGNED = "appeal_rejected_signed"  # the unit had signed before: its rework goes on
    ASK_TIME = "ask_time"  # the unit asks for more; the office answers
    EXTEND = "extend"
    REFUSE_TIME = "refuse_time"
    SUBMIT = "submit"
    ACCEPT = "accept"  # the evidence is right: the citizen is asked again
    SEND_BACK = "send_back"
    SATISFIED = "satisfied"  # the second callback's answer isn't dissatisfied
    DISSATISFIED = "dissatisfied"
    DISSATISFIED_AGAIN = "dissatisfied_again"  # after two reworks
    NO_ANSWER = "no_answer"
    REWORK = "rework"  # after escalation the unit works on it again
    MEET = "meet"  # a joint meeting was held or set
    FIX = "fix"
    PERSIST = "persist"  # closed by the joint meeting, with a published reason
    NOTE = "note"


_S, _T = ItemState, ItemTrigger

ENDED = frozenset({_S.FIXED, _S.REMOVED, _S.EXPLAINED, _S.UNVERIFIED, _S.PERSISTENT})
OPEN = frozenset(ItemState) - ENDED

_TABLE: dict[tuple[ItemState, ItemTrigger], ItemState] = {
    (_S.LISTED, _T.VERIFY): _S.VERIFYING,
    (_S.VERIFYING, _T.TRIED): _S.VERIFYING,
    (_S.VERIFYING, _T.UPHOLD): _S.ASSIGNED,
    (_S.VERIFYING, _T.MISRATED): _S.REMOVED,
    (_S.VERIFYING, _T.NO_BASIS): _S.EXPLAINING,
    (_S.VERIFYING, _T.NOT_REACHED): _S.ASSIGNED,
    (_S.EXPLAINING, _T.EXPLAIN): _S.EXPLAINED,
    (_S.ASSIGNED, _T.SIGN): _S.REWORKING,
    (_S.ASSIGNED, _T.SIGN_BY_DEFAULT): _S.REWORKING,
    (_S.ASSIGNED, _T.URGE): _S.ASSIGNED,
    (_S.ASSIGNED, _T.REASSIGN): _S.ASSIGNED,
    (_S.ASSIGNED, _T.APPEAL): _S.APPEALED,
    (_S.APPEALED, _T.APPEAL_UPHELD): _S.REMOVED,
    (_S.APPEALED, _T.APPEAL_REJECTED): _S.ASSIGNED,
    (_S.APPEALED, _T.APPEAL_REJECTED_SIGNED): _S.REWORKING,
    (_S.REWORKING, _T.URGE): _S.REWORKING,
    (_S.REWORKING, _T.SUPERVISE): _S.REWORKING,
    (_S.REWORKING, _T.ASK_TIME): _S.REWORKING,
    (_S.REWORKING, _T.EXTEND): _S.REWORKING,
    (_S.REWORKING, _T.REFUSE_TIME): _S.REWORKING,
    (_S.REWORKING, _T.APPEAL): _S.APPEALED,
    (_S.REWORKING, _T.SUBMIT): _S.CHECKING,
    (_S.CHECKING, _T.ACCEPT): _S.SECOND_CALLBACK,
    (_S.CHECKING, _T.SEND_BACK): _S.REWORKING,
    (_S.SECOND_CALLBACK, _T.SATISFIED): _S.FIXED,
    (_S.SECOND_CALLBACK, _T.DISSATISFIED): _S.ESCALATED,
    (_S.SECOND_CALLBACK, _T.DISSATISFIED_AGAIN): _S.HARD_CASE,
    (_S.SECOND_CALLBACK, _T.NO_ANSWER): _S.UNVERIFIED,
    (_S.ESCALATED, _T.REWORK): _S.REWORKING,
    (_S.HARD_CASE, _T.MEET): _S.HARD_CASE,
    (_S.HARD_CASE, _T.FIX): _S.FIXED,
    (_S.HARD_CASE, _T.PERSIST): _S.PERSISTENT,
    **{(state, _T.NOTE): state for state in ItemState},
}


class UnknownItemTransition(Exception):
    """The table has no such transition: a fault of ours, or a page that is older than the item."""


def next_item_state(state: ItemState, trigger: ItemTrigger) -> ItemState:
    """The state after `trigger`; UnknownItemTransition where the table has none."""
    try:
        return _TABLE[state, trigger]
    except KeyError:
        raise UnknownItemTransition(f"{state} has no {trigger}") from None


def triggers_of(state: ItemState) -> frozenset[ItemTrigger]:
    """What may happen to an item in `state`."""
    return frozenset(trigger for of, trigger in _TABLE if of is state)
