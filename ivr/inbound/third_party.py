"""Whom an operator brings into a talk with a caller: a unit, 12345, another operator. Pure.

In a three-way call they all hear one another; in a transfer the operator goes once the other has answered, or
has gone before: then the caller hears it ring, and who isn't reached waits again, before all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from callbacks.vocabulary import LegKind
from ivr.inbound.switchboard_data import (
    Bridge,
    Caller,
    Command,
    HangUp,
    HearRinging,
    Leg,
    Refer,
    Stage,
    Told,
)

if TYPE_CHECKING:
    from ivr.inbound.switchboard import Switchboard

__all__ = ["ThirdParties"]

_BUSY, _NOT_REACHED, _PENDING, _DONE = 486, 480, 491, 200


class ThirdParties:
    """The board's; every method gives what is to be done."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    # -- what an operator wants

    def ask(
        self, leg: str, target: str, now: float, *, leaves: bool, may_refer: bool = False
    ) -> list[Command]:
        """The operator on `leg` wants `target` in the talk, and `leaves` it to them or stays.

        `may_refer`: the caller's trunk makes a transfer itself when it's asked to.
        """
        caller = self._talk_of(leg)
        if caller is None or caller.third is not None or caller.referred is not None:
            return [Told(leg, _PENDING)]
        if leaves and may_refer:
            caller.referred = target
            return [Refer(caller.name, target)]
        return list(self._ring(caller, target, leaves, now))

    def call_off(self, leg: str, now: float) -> list[Command]:
        """The operator on `leg` wants whom they asked for no more, be it ringing or in the talk."""
        caller = self._talk_of(leg)
        third = None if caller is None or caller.third is None else self._board.leg(caller.third)
        if caller is None or third is None:
            return []
        caller.third = None
        return [*self._board.end_leg(third, now, wrap_up=third.answered), *self._board.go_on(now)]

    def _talk_of(self, leg: str) -> Caller | None:
        known = self._board.leg(leg)
        caller = None if known is None else self._board.callers[known.caller]
        return caller if caller is not None and caller.with_leg == leg else None

    def _ring(self, caller: Caller, target: str, leaves: bool, now: float) -> Iterator[Command]:
        board = self._board
        seat = next((seat for seat in board.seats if seat.rule.name == target), None)
        if seat is not None and not board.is_free(seat, now):
            if caller.with_leg is None:
                yield from board.wait_again(caller, now)
            else:
                yield Told(caller.with_leg, _BUSY)
            return
        kind = LegKind.TRANSFER if leaves else LegKind.THREE_WAY
        order = board.dial(caller, target, seat, board.rules.third_ring_time, kind)
        caller.third, caller.leaves = order.leg, leaves
        yield order

    # -- what comes of it

    def answered(self, caller: Caller, leg: Leg, now: float) -> list[Command]:
        """The third party has picked up."""
        board, operator = self._board, caller.with_leg
        if operator is not None and not caller.leaves:
            return [Bridge(caller.name, (operator, leg.name)), Told(operator, _DONE)]
        caller.with_leg, caller.third, caller.stage = leg.name, None, Stage.TALKING
        commands: list[Command] = [Bridge(caller.name, (leg.name,))]
        if operator is not None and (left := board.leg(operator)):
            commands += [Told(operator, _DONE), *board.end_leg(left, now, wrap_up=True), *board.go_on(now)]
        return commands

    def ended(self, caller: Caller, leg: Leg, now: float) -> list[Command]:
        """The third party is gone, or was never there."""
        caller.third = None
        if caller.with_leg is None:
            return self._board.wait_again(caller, now)
        told = [] if leg.answered else [Told(caller.with_leg, _NOT_REACHED)]
        return [*told, *self._board.go_on(now)]

    def operator_ended(self, caller: Caller, now: float) -> list[Command] | None:
        """The operator is gone; None where nobody else is with the caller, or on their way."""
        third = None if caller.third is None else self._board.leg(caller.third)
        if third is not None and third.answered:
            caller.with_leg, caller.third = third.name, None
            return self._board.go_on(now)
        if third is None and caller.referred is None:
            return None
        caller.with_leg, caller.stage, caller.leaves = None, Stage.PASSED_ON, True
        return [HearRinging(caller.name), *self._board.go_on(now)]

    def refer_answered(self, name: str, status: int, now: float) -> list[Command]:
        """What the caller's trunk says: they talk with the other now, or we are to ring them ourselves."""
        caller = self._board.callers.get(name)
        if caller is None or caller.referred is None:
            return []
        target, caller.referred = caller.referred, None
        if status >= 300:
            return list(self._ring(caller, target, True, now))
        operator = caller.with_leg
        told = [] if operator is None else [Told(operator, _DONE)]
        return [*told, HangUp(name), *self._board.forget(caller, now)]
