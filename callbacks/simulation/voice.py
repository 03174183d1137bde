"""The voice role in virtual time: the real claims and writes, virtual lines and citizens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import count

from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome, MachineAdvice, answered, ended, rated, resolved, ringing
from callbacks.service.claims import ClaimedCall, begin_invite, claim_calls, ensure_lines
from callbacks.service.core import Context
from callbacks.service.leases import renew
from callbacks.service.web_answers import web_rated
from callbacks.simulation.people import Citizen, Pickup
from callbacks.simulation.world import World
from callbacks.vocabulary import Channel, Disposition, MachineSign
from callbacks.windows import is_evening_or_rest_day

TRUNK = "virtual"
_FLOW = ("satisfaction_survey", "2", "virtual")
_SETUP = 2.0  # seconds from the INVITE to the first 18x


class VirtualVoice:
    """A voice worker. `kill` drops what it holds, as a dead process does; a new one goes on."""

    def __init__(
        self, ctx: Context, world: World, lines: int, citizen: Callable[[str], Citizen], name: str = "a"
    ) -> None:
        self._ctx, self._world, self.lines, self._citizen = ctx, world, lines, citizen
        self._name, self._lives = name, count(1)
        self._calls: dict[int, ClaimedCall] = {}
        self._peak = 0
        self._more_wait = False
        self.busy_seconds = 0.0
        self.dead = False
        self.delay: Callable[[], float] = lambda: 0.0  # from the claim to the INVITE; a stall is a long one
        self._be_born()
        ensure_lines(ctx, TRUNK, lines)

    def _be_born(self) -> None:
        self.owner = f"voice:{self._name}:{next(self._lives)}"

    @property
    def peak(self) -> int:
        """The most lines that were in use at once."""
        return self._peak

    def kill(self, down_for: timedelta) -> None:
        """Dies at once; another process begins after `down_for`."""
        self._calls.clear()
        self.dead = True
        self._world.at(self._world.now + down_for, self._revive)

    def _revive(self) -> None:
        self.dead = False
        self._be_born()

    def renew(self) -> None:
        """What a living worker does every few seconds."""
        lost = renew(self._ctx, self.owner, list(self._calls)).lost
        for attempt_id in lost:
            self._calls.pop(attempt_id, None)

    def look(self) -> None:
        """Claims for the free lines and dials, each after `delay` seconds."""
        room = self.lines - len(self._calls)
        if self.dead or room <= 0:
            return
        calls = claim_calls(self._ctx, self.owner, {TRUNK: room}, self._world.now, _FLOW)
        self._more_wait = len(calls) == room
        for call in calls:
            self._calls[call.attempt_id] = call
            self._world.after(self.delay(), partial(self._dial, call, self.owner))
        self._peak = max(self._peak, len(self._calls))

    def _is_ours(self, call: ClaimedCall, owner: str) -> bool:
        """The process that claimed it still lives."""
        return not self.dead and self.owner == owner and call.attempt_id in self._calls

    def _dial(self, call: ClaimedCall, owner: str) -> None:
        if not self._is_ours(call, owner):
            return
        now = self._world.now
        asked = begin_invite(self._ctx, call.attempt_id, call.token, f"v{call.attempt_id}", now)
        if not asked:
            del self._calls[call.attempt_id]
            return
        call = self._calls[call.attempt_id] = call.only(asked)
        citizen = self._citizen(call.number)
        windows = self._ctx.policy.windows
        pickup = citizen.takes_call(is_evening_or_rest_day(now, windows))
        then = partial(self._ring, call, owner, citizen, pickup)
        if pickup.ring:
            self._world.after(_SETUP, then)
        else:
            self._world.after(_SETUP, partial(self._end, call, owner, pickup))

    def _ring(self, call: ClaimedCall, owner: str, citizen: Citizen, pickup: Pickup) -> None:
        if not self._is_ours(call, owner):
            return
        ringing(self._ctx, call.attempt_id, call.token, self._world.now)
        if pickup.talk:
            self._world.after(pickup.ring, partial(self._talk, call, owner, pickup))
        else:
            self._world.after(pickup.ring, partial(self._end, call, owner, pickup))
        if pickup.rings_back_after is not None:
            self._world.at(
                self._world.now + pickup.rings_back_after, partial(self._rings_back, call, citizen)
            )

    def _talk(self, call: ClaimedCall, owner: str, pickup: Pickup) -> None:
        if not self._is_ours(call, owner):
            return
        answered(self._ctx, call.attempt_id, call.token, self._world.now)
        each = pickup.talk
        if pickup.key is not None:
            for number, case in enumerate(call.cases, start=1):
                self._world.after(
                    each * number - 5, partial(self._press, call, owner, case.callback_id, pickup)
                )
            each *= len(call.cases)
        self._world.after(each, partial(self._end, call, owner, pickup))

    def _press(self, call: ClaimedCall, owner: str, callback_id: int, pickup: Pickup) -> None:
        if not self._is_ours(call, owner) or pickup.key is None:
            return
        answer = Answer(pickup.key, Channel.VOICE, str(pickup.key), call.attempt_id, prompt_id="q_rating")
        rated(self._ctx, call.attempt_id, call.token, callback_id, answer, self._world.now)
        if pickup.resolved is not None:
            resolved(self._ctx, call.attempt_id, call.token, callback_id, pickup.resolved, self._world.now)

    def _end(self, call: ClaimedCall, owner: str, pickup: Pickup) -> None:
        if not self._is_ours(call, owner):
            return
        self.busy_seconds += _SETUP + pickup.ring + pickup.talk
        outcome = CallOutcome(
            pickup.disposition,
            handed_over=pickup.handed_over,
            wrong_person=pickup.wrong_person,
            machine=_advice(pickup, self._world.now),
        )
        ended(self._ctx, call.attempt_id, call.token, outcome, self._world.now)
        del self._calls[call.attempt_id]
        if self._more_wait:
            self._more_wait = False
            self._world.after(1.0, self.look)

    def _rings_back(self, call: ClaimedCall, citizen: Citizen) -> None:
        """The citizen saw our number and calls it: the first of the cases is rated there."""
        answer = Answer(citizen.opinion, Channel.VOICE, str(citizen.opinion))
        web_rated(self._ctx, call.cases[0].callback_id, answer, self._world.now)


def _advice(pickup: Pickup, now: datetime) -> MachineAdvice | None:
    if pickup.key is not None:
        return MachineAdvice(False)
    is_machine = pickup.disposition is Disposition.MACHINE
    return MachineAdvice(True, MachineSign.SPEECH, now) if is_machine else None
