"""The four transaction machines (RFC 3261 §17, RFC 6026). Pure.

The rules, as tables: in a state, an input makes the machine do some acts and go to a state. What isn't in
the table changes nothing. A state may run two timers: one that repeats a message (A, E, G) and one that
ends the state (B, D, F, H, I, J, K, L, M). Over a reliable transport nothing is repeated, and a state that
waits for nothing but repetitions is over at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["MACHINES", "Act", "Input", "Kind", "Machine", "State", "Timers", "Transaction"]


class Kind(Enum):
    INVITE_CLIENT = auto()
    CLIENT = auto()
    INVITE_SERVER = auto()
    SERVER = auto()


class State(Enum):
    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    ACCEPTED = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    TERMINATED = auto()


class Input(Enum):
    REQUEST = auto()  # the request again (server)
    ACK = auto()
    PROVISIONAL = auto()  # 1xx: received (client), or the user's (server)
    SUCCESS = auto()  # 2xx
    FAILURE = auto()  # 300-699
    REPEAT = auto()  # timer A, E or G
    EXPIRE = auto()  # timer B, D, F, H, I, J, K, L or M


class Act(Enum):
    SEND = auto()  # the last message of ours, once more
    ACK = auto()  # to a failure (§17.1.1.3)
    TELL = auto()  # the user is told of what came
    FAIL = auto()  # the user is told that nothing came


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds: round-trip estimate, longest pause between retransmissions, life of a message."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def patience(self) -> float:
        """64*T1: how long an answer is waited for."""
        return 64 * self.t1


class Lasts(Enum):
    """How long a state lasts."""

    PATIENCE = auto()  # 64*T1
    T4 = auto()


@dataclass(frozen=True, slots=True)
class Machine:
    """`table`: what an input does; `lasts`: the states that end by themselves, and when; `repeats`: the
    states in which our message is sent again; `capped`: whether the pause stops growing at T2; `absorbs`: the
    states that only wait for repetitions, which a reliable transport doesn't make (D, I, J, K are zero)."""

    begins: State
    table: dict[tuple[State, Input], tuple[tuple[Act, ...], State]]
    lasts: dict[State, Lasts]
    repeats: frozenset[State]
    capped: bool
    absorbs: frozenset[State]


_CALLING, _TRYING, _PROCEEDING = State.CALLING, State.TRYING, State.PROCEEDING
_ACCEPTED, _COMPLETED, _CONFIRMED, _OVER = State.ACCEPTED, State.COMPLETED, State.CONFIRMED, State.TERMINATED

MACHINES = {
    Kind.INVITE_CLIENT: Machine(  # §17.1.1, figure 5; RFC 6026 §7.2
        begins=_CALLING,
        table={
            (_CALLING, Input.REPEAT): ((Act.SEND,), _CALLING),
            (_CALLING, Input.EXPIRE): ((Act.FAIL,), _OVER),
            (_CALLING, Input.PROVISIONAL): ((Act.TELL,), _PROCEEDING),
            (_CALLING, Input.SUCCESS): ((Act.TELL,), _ACCEPTED),
            (_CALLING, Input.FAILURE): ((Act.ACK, Act.TELL), _COMPLETED),
            (_PROCEEDING, Input.PROVISIONAL): ((Act.TELL,), _PROCEEDING),
            (_PROCEEDING, Input.SUCCESS): ((Act.TELL,), _ACCEPTED),
            (_PROCEEDING, Input.FAILURE): ((Act.ACK, Act.TELL), _COMPLETED),
            (_ACCEPTED, Input.SUCCESS): ((Act.TELL,), _ACCEPTED),
            (_ACCEPTED, Input.EXPIRE): ((), _OVER),
            (_COMPLETED, Input.FAILURE): ((Act.ACK,), _COMPLETED),
            (_COMPLETED, Input.EXPIRE): ((), _OVER),
        },
        lasts={_CALLING: Lasts.PATIENCE, _ACCEPTED: Lasts.PATIENCE, _COMPLETED: Lasts.PATIENCE},  # B, M, D
        repeats=frozenset({_CALLING}),  # A
        capped=False,
        absorbs=frozenset({_COMPLETED}),  # D
    ),
    Kind.CLIENT: Machine(  # §17.1.2, figure 6
        begins=_TRYING,
        table={
            (_TRYING, Input.REPEAT): ((Act.SEND,), _TRYING),
            (_TRYING, Input.EXPIRE): ((Act.FAIL,), _OVER),
            (_TRYING, Input.PROVISIONAL): ((Act.TELL,), _PROCEEDING),
            (_TRYING, Input.SUCCESS): ((Act.TELL,), _COMPLETED),
            (_TRYING, Input.FAILURE): ((Act.TELL,), _COMPLETED),
            (_PROCEEDING, Input.REPEAT): ((Act.SEND,), _PROCEEDING),
            (_PROCEEDING, Input.EXPIRE): ((Act.FAIL,), _OVER),
            (_PROCEEDING, Input.PROVISIONAL): ((Act.TELL,), _PROCEEDING),
            (_PROCEEDING, Input.SUCCESS): ((Act.TELL,), _COMPLETED),
            (_PROCEEDING, Input.FAILURE): ((Act.TELL,), _COMPLETED),
            (_COMPLETED, Input.EXPIRE): ((), _OVER),
        },
        lasts={_TRYING: Lasts.PATIENCE, _COMPLETED: Lasts.T4},  # F, which runs on in PROCEEDING; K
        repeats=frozenset({_TRYING, _PROCEEDING}),  # E
        capped=True,
        absorbs=frozenset({_COMPLETED}),  # K
    ),
    Kind.INVITE_SERVER: Machine(  # §17.2.1, figure 7; RFC 6026 §7.1
        begins=_PROCEEDING,
        table={
            (_PROCEEDING, Input.REQUEST): ((Act.SEND,), _PROCEEDING),
            (_PROCEEDING, Input.PROVISIONAL): ((Act.SEND,), _PROCEEDING),
            (_PROCEEDING, Input.SUCCESS): ((Act.SEND,), _ACCEPTED),
            (_PROCEEDING, Input.FAILURE): ((Act.SEND,), _COMPLETED),
            (_ACCEPTED, Input.REQUEST): ((), _ACCEPTED),
            (_ACCEPTED, Input.SUCCESS): ((Act.SEND,), _ACCEPTED),
            (_ACCEPTED, Input.ACK): ((Act.TELL,), _ACCEPTED),
            (_ACCEPTED, Input.EXPIRE): ((), _OVER),
            (_COMPLETED, Input.REQUEST): ((Act.SEND,), _COMPLETED),
            (_COMPLETED, Input.REPEAT): ((Act.SEND,), _COMPLETED),
            (_COMPLETED, Input.ACK): ((), _CONFIRMED),
            (_COMPLETED, Input.EXPIRE): ((), _OVER),
            (_CONFIRMED, Input.ACK): ((), _CONFIRMED),
            (_CONFIRMED, Input.EXPIRE): ((), _OVER),
        },
        lasts={_ACCEPTED: Lasts.PATIENCE, _COMPLETED: Lasts.PATIENCE, _CONFIRMED: Lasts.T4},  # L, H, I
        repeats=frozenset({_COMPLETED}),  # G
        capped=True,
        absorbs=frozenset({_CONFIRMED}),  # I
    ),
    Kind.SERVER: Machine(  # §17.2.2, figure 8
        begins=_TRYING,
        table={
            (_TRYING, Input.REQUEST): ((), _TRYING),
            (_TRYING, Input.PROVISIONAL): ((Act.SEND,), _PROCEEDING),
            (_TRYING, Input.SUCCESS): ((Act.SEND,), _COMPLETED),
            (_TRYING, Input.FAILURE): ((Act.SEND,), _COMPLETED),
            (_PROCEEDING, Input.REQUEST): ((Act.SEND,), _PROCEEDING),
            (_PROCEEDING, Input.PROVISIONAL): ((Act.SEND,), _PROCEEDING),
            (_PROCEEDING, Input.SUCCESS): ((Act.SEND,), _COMPLETED),
            (_PROCEEDING, Input.FAILURE): ((Act.SEND,), _COMPLETED),
            (_COMPLETED, Input.REQUEST): ((Act.SEND,), _COMPLETED),
            (_COMPLETED, Input.EXPIRE): ((), _OVER),
        },
        lasts={_COMPLETED: Lasts.PATIENCE},  # J
        repeats=frozenset(),
        capped=False,
        absorbs=frozenset({_COMPLETED}),  # J
    ),
}


class Transaction:
    """One run of a machine. Feed it inputs, carry out the acts, and call `tick` at `deadline`.

    `is_reliable` is the transport's: then nothing of ours needs repeating.
    """

    __slots__ = ("_ends_at", "_gap", "_repeats_at", "is_reliable", "kind", "machine", "state", "timers")

    def __init__(self, kind: Kind, timers: Timers, now: float, *, is_reliable: bool = False) -> None:
        self.kind = kind
        self.is_reliable = is_reliable
        self.machine = MACHINES[kind]
        self.timers = timers
        self.state = self.machine.begins
        self._gap = timers.t1
        self._repeats_at: float | None = None
        self._ends_at: float | None = None
        self._enter(now)

    @property
    def deadline(self) -> float | None:
        times = [at for at in (self._repeats_at, self._ends_at) if at is not None]
        return min(times, default=None)

    def feed(self, what: Input, now: float) -> tuple[Act, ...]:
        """What to do about an input; nothing where the table has no row for it."""
        acts, state = self.machine.table.get((self.state, what), ((), self.state))
        if state is not self.state:
            self.state = state
            self._enter(now)
        elif what is Input.REPEAT and acts:
            self._repeats_at = now + self._next_gap()
        return acts

    def tick(self, now: float) -> tuple[Act, ...]:
        """What to do about the timers that are due at `now`; the ending one goes first."""
        if self._ends_at is not None and self._ends_at <= now:
            return self.feed(Input.EXPIRE, now)
        if self._repeats_at is not None and self._repeats_at <= now:
            return self.feed(Input.REPEAT, now)
        return ()

    def _enter(self, now: float) -> None:
        lasts = self.machine.lasts.get(self.state)
        if lasts is not None:
            self._ends_at = now + self._length(lasts)
        elif not (self.kind is Kind.CLIENT and self.state is State.PROCEEDING):  # there F runs on
            self._ends_at = None
        if self.state not in self.machine.repeats or self.is_reliable:
            self._repeats_at = None
        elif self.state is State.PROCEEDING:
            self._gap = self.timers.t2  # §17.1.2.2: after a 1xx the request is repeated every T2
        else:
            self._repeats_at = now + self._gap

    def _length(self, lasts: Lasts) -> float:
        if self.is_reliable and self.state in self.machine.absorbs:
            return 0.0
        return self.timers.t4 if lasts is Lasts.T4 else self.timers.patience

    def _next_gap(self) -> float:
        self._gap *= 2
        if self.machine.capped:
            self._gap = min(self._gap, self.timers.t2)
        return self._gap
