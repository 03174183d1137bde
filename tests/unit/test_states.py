"""The callback state machine is domain.md §5's, whole."""

from __future__ import annotations

import pytest

from callbacks.states import (
    DONE,
    NOT_DUE,
    OPEN,
    TABLE,
    TERMINAL,
    State,
    Trigger,
    UnknownTransition,
    next_state,
)


def test_open_done_and_not_due_are_all_states() -> None:
    assert set(State) == OPEN | DONE | NOT_DUE
    assert not OPEN & TERMINAL


@pytest.mark.parametrize("state", sorted(OPEN))
@pytest.mark.parametrize(
    ("trigger", "to"),
    [
        (Trigger.RATE, State.RATED),  # an answer, whatever the state
        (Trigger.REFUSE, State.REFUSED),  # an opt-out by text
        (Trigger.DEADLINE, State.UNREACHED),  # the round's deadline
        (Trigger.REOPEN, State.CANCELLED),  # the case is opened again
        (Trigger.HAND_OVER, State.AGENT_QUEUE),  # a person takes it
    ],
)
def test_any_open_state(state: State, trigger: Trigger, to: State) -> None:
    assert next_state(state, trigger) is to


def test_a_terminal_state_takes_only_a_late_answer() -> None:
    out = {(state, trigger) for state, trigger in TABLE if state in TERMINAL}
    late = {State.UNREACHED, State.REFUSED, State.INVALID_NUMBER}
    assert out == {(state, Trigger.RATE) for state in late}


def test_every_open_state_can_end() -> None:
    for state in OPEN:
        assert any(to in TERMINAL for (origin, _), to in TABLE.items() if origin is state)


def test_what_is_not_in_the_table_is_our_fault() -> None:
    with pytest.raises(UnknownTransition, match="rated takes no dial"):
        next_state(State.RATED, Trigger.DIAL)
