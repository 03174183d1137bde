"""The switchboard: callers wait in their order, operators are rung by the rules, nobody is hung up on. Pure.

`now` is monotonic seconds. The driver hands in what happened, carries out the commands in their order, and
calls `tick` when `deadline` has passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from callbacks.vocabulary import LegKind
from ivr.inbound.switchboard_data import (
    Announce,
    Answer,
    Bridge,
    Caller,
    Command,
    DialLeg,
    Drop,
    HangUp,
    HearRinging,
    Leg,
    Mode,
    Redirect,
    RingBack,
    Rules,
    Seat,
    Stage,
    Strategy,
)
from ivr.inbound.third_party import ThirdParties

__all__ = ["Switchboard"]


class Switchboard:
    """All callers and operators of one process."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.callers: dict[str, Caller] = {}  # by arrival
        self.seats = [Seat(rule) for rule in rules.seats]
        self._legs: dict[str, Leg] = {}
        self._number = count(1)
        self._turn: dict[str, int] = {}
        self.thirds = ThirdParties(self)

    # -- what the outside asks

    @property
    def waiting(self) -> list[Caller]:
        """Who isn't talking yet, or no more, the first first."""
        waits = (Stage.RINGING, Stage.QUEUED)
        return [caller for caller in self.callers.values() if caller.stage in waits]

    @property
    def deadline(self) -> float | None:
        """When `tick` is due; None while nothing waits for time to pass."""
        return min(self._times(), default=None)

    def _times(self) -> Iterator[float]:
        waiting = self.waiting
        for caller in waiting:
            if caller.overflows < len(self._steps):
                yield caller.overflow_at
            if caller.announce_at is not None:
                yield caller.announce_at
            yield from caller.retry.values()
        if waiting:
            yield from (seat.free_at for seat in self.seats if seat.caller is None and seat.free_at > 0)

    def leg(self, name: str) -> Leg | None:
        return self._legs.get(name)

    def _with(self, caller: Caller) -> tuple[str, ...]:
        """Whose voices the caller hears."""
        return tuple(
            leg.name
            for leg in caller.legs.values()
            if leg.answered and (leg.name in (caller.with_leg, caller.third))
        )

    # -- what happens

    def arrive(self, name: str, now: float, *, may_redirect: bool = False) -> list[Command]:
        """A caller. `may_redirect`: their trunk takes a 302."""
        if self.rules.mode is Mode.REDIRECT and may_redirect:
            return [Redirect(name)]
        rules = self.rules
        many = rules.mode is Mode.OPERATORS and len(self.waiting) >= rules.overflow_at
        self.callers[name] = Caller(name, now, overflow_at=now + rules.overflow_after)
        if rules.mode is Mode.REDIRECT:
            self.callers[name].overflows = 1
        elif many:  # those who ring nobody, not this one alone: who came first is first
            for caller in self.waiting:
                caller.overflows = caller.overflows if caller.legs else max(1, caller.overflows)
        return [RingBack(name), *self.go_on(now)]

    def caller_answered(self, name: str, now: float) -> list[Command]:
        """Our 200 has come up: the caller hears us."""
        caller = self.callers.get(name)
        if caller is None:
            return []
        caller.answering = False
        if caller.with_leg is not None:
            return [Bridge(name, self._with(caller))]
        if caller.stage is Stage.PASSED_ON:
            return [HearRinging(name)]
        return list(self._announce(caller, now))

    def caller_ended(self, name: str, now: float) -> list[Command]:
        """They hung up, before or after somebody answered."""
        caller = self.callers.get(name)
        return [] if caller is None else self.forget(caller, now)

    def leg_answered(self, name: str, now: float) -> list[Command]:
        """Somebody picked up; where another was quicker, they hear no more of it."""
        leg = self._legs.get(name)
        if leg is None:
            return []
        leg.answered = True
        caller = self.callers[leg.caller]
        if caller.third == name:
            return self.thirds.answered(caller, leg, now)
        if caller.with_leg is not None:
            return [*self.end_leg(leg, now, wrap_up=False), *self.go_on(now)]
        caller.with_leg = name
        queued, caller.stage, caller.announce_at = caller.stage is Stage.QUEUED, Stage.TALKING, None
        commands = list(self._drop(caller, now, but=name))
        if not queued:
            caller.answering = True
            commands.append(Answer(caller.name))
        elif not caller.answering:
            commands.append(Bridge(caller.name, (name,)))
        return [*commands, *self.go_on(now)]

    def leg_ended(self, name: str, now: float, *, lost: bool = False) -> list[Command]:
        """A leg is over: never answered, hung up, or `lost` by the network: then the caller waits again."""
        leg = self._legs.pop(name, None)
        if leg is None:
            return []
        caller = self.callers[leg.caller]
        caller.legs.pop(name, None)
        self._release(leg, now, self.rules.wrap_up if leg.answered else self.rules.rest)
        if caller.third == name:
            return self.thirds.ended(caller, leg, now)
        if caller.with_leg != name:
            self._not_reached(caller, leg, now)
            return self.go_on(now)
        if (taken_on := self.thirds.operator_ended(caller, now)) is not None:
            return taken_on
        if not lost:
            return [HangUp(caller.name), *self.forget(caller, now)]
        return self.wait_again(caller, now)

    def forget(self, caller: Caller, now: float) -> list[Command]:
        """The caller is gone: nothing is left of them."""
        del self.callers[caller.name]
        return [*self._drop(caller, now), *self.go_on(now)]

    def tick(self, now: float) -> list[Command]:
        """What is due: overflow, announcements, telephones that are free again."""
        for seat in self.seats:
            if seat.caller is None and 0 < seat.free_at <= now:
                seat.free_at = 0.0
        for caller in self.waiting:
            if caller.overflows < len(self._steps) and caller.overflow_at <= now:
                caller.overflows += 1
                caller.overflow_at = now + self.rules.overflow_after
            caller.retry = {target: at for target, at in caller.retry.items() if at > now}
        commands = self.go_on(now)
        for caller in self.waiting:
            if caller.announce_at is not None and caller.announce_at <= now:
                commands += self._announce(caller, now)
        return commands

    # -- who is rung

    @property
    def _steps(self) -> tuple[str, ...]:
        """In what order help joins in; a redirected caller's help is the desk alone, all of it in turn."""
        if self.rules.mode is Mode.REDIRECT:
            return self.rules.desk
        return self.rules.overflow

    def go_on(self, now: float) -> list[Command]:
        """Rings for each who waits, the first first; who rings nobody waits in the queue from then on."""
        commands: list[Command] = []
        for caller in self.waiting:
            commands += self._ring_for(caller, now)
            if caller.stage is Stage.RINGING and not caller.legs:
                caller.stage, caller.answering = Stage.QUEUED, True
                commands.append(Answer(caller.name))
        return commands

    def _ring_for(self, caller: Caller, now: float) -> Iterator[Command]:
        if self.rules.mode is Mode.OPERATORS:
            yield from self._ring_group(caller, self.rules.groups[:1], now)
        for step in self._steps[: caller.overflows]:
            if step in self.rules.groups:
                yield from self._ring_group(caller, (step,), now)
            else:
                yield from self._ring_target(caller, step, now)

    def _ring_group(self, caller: Caller, groups: tuple[str, ...], now: float) -> Iterator[Command]:
        ringing = [leg for leg in caller.legs.values() if leg.seat and leg.seat.rule.group in groups]
        free = [seat for seat in self.seats if seat.rule.group in groups and self.is_free(seat, now)]
        if not free or (ringing and self.rules.strategy is not Strategy.ALL):
            return
        for seat in self._chosen(free, groups[0]):
            yield self.dial(caller, seat.rule.name, seat, self.rules.ring_time)

    def _chosen(self, free: list[Seat], group: str) -> list[Seat]:
        match self.rules.strategy:
            case Strategy.ALL:
                return free
            case Strategy.LEAST_RECENT:
                return [min(free, key=lambda seat: seat.last_used)]
            case Strategy.IN_TURN:
                places = {id(seat): place for place, seat in enumerate(self.seats)}
                last = self._turn.get(group, -1)
                seat = min(free, key=lambda each: (places[id(each)] <= last, places[id(each)]))
                self._turn[group] = places[id(seat)]
                return [seat]

    def _ring_target(self, caller: Caller, target: str, now: float) -> Iterator[Command]:
        """One ringing at a time a target, and again after a rest for as long as they wait."""
        rings = any(leg.target == target for leg in caller.legs.values())
        if not rings and caller.retry.get(target, 0.0) <= now:
            yield self.dial(caller, target, None, self.rules.ring_time)

    @staticmethod
    def is_free(seat: Seat, now: float) -> bool:
        return seat.caller is None and seat.free_at <= now

    def dial(
        self,
        caller: Caller,
        target: str,
        seat: Seat | None,
        ring_time: float,
        kind: LegKind = LegKind.RUNG,
    ) -> DialLeg:
        """Another leg of the caller's."""
        leg = Leg(f"{caller.name}-{next(self._number)}", caller.name, target, seat)
        self._legs[leg.name] = caller.legs[leg.name] = leg
        if seat is not None:
            seat.caller = caller.name
        return DialLeg(leg.name, caller.name, target, ring_time, kind)

    # -- ends

    def _not_reached(self, caller: Caller, leg: Leg, now: float) -> None:
        if leg.seat is None:
            caller.retry[leg.target] = now + self.rules.rest
        if self.rules.mode is Mode.REDIRECT:  # the desk's next telephone joins in at once
            caller.overflows = min(caller.overflows + 1, len(self._steps))

    def wait_again(self, caller: Caller, now: float) -> list[Command]:
        """Before all who came later: they are still on the line, and whom they talked with is gone."""
        caller.with_leg, caller.stage = None, Stage.QUEUED
        caller.overflow_at = now + self.rules.overflow_after
        return [*self.go_on(now), *self._announce(caller, now)]

    def _drop(self, caller: Caller, now: float, but: str = "") -> Iterator[Command]:
        for leg in [leg for leg in caller.legs.values() if leg.name != but]:
            yield from self.end_leg(leg, now, wrap_up=leg.answered)
            caller.legs.pop(leg.name, None)

    def end_leg(self, leg: Leg, now: float, *, wrap_up: bool) -> Iterator[Command]:
        """We let a telephone go."""
        self._legs.pop(leg.name, None)
        if caller := self.callers.get(leg.caller):
            caller.legs.pop(leg.name, None)
        self._release(leg, now, self.rules.wrap_up if wrap_up else 0.0)
        yield Drop(leg.name)

    def _release(self, leg: Leg, now: float, rest: float) -> None:
        seat = leg.seat
        if seat is not None:
            seat.caller, seat.free_at = None, now + rest if rest else 0.0
            if leg.answered:
                seat.last_used = now

    def _announce(self, caller: Caller, now: float) -> Iterator[Command]:
        queued = [each for each in self.waiting if each.stage is Stage.QUEUED]
        caller.announce_at = now + self.rules.announce_every
        again, caller.announced = caller.announced, True
        yield Announce(caller.name, queued.index(caller), again)
