"""Plays the open callbacks through a policy: the clock, the lines and the citizens of a preflight. Pure."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from heapq import heappop, heappush, heapreplace
from zoneinfo import ZoneInfo

from callbacks.gates import Facts, Go, Hold, Never, known_end, may_begin, may_join
from callbacks.policy import (
    AwaitWeb,
    Call,
    Exclude,
    GiveUp,
    HandOver,
    PastCall,
    Text,
    View,
    Wait,
    attempts_left,
    is_sensitive_case,
    next_step,
    retry_at,
)
from callbacks.preflight import Assumptions, Comparison, Forecast, Hour, Outcome, Snapshot, Waiting
from callbacks.settings import PolicySettings
from callbacks.states import State
from callbacks.toll import Spent, Toll
from callbacks.vocabulary import Channel, Disposition
from callbacks.windows import next_open

_CALLABLE = frozenset({State.CALL_QUEUED, State.RETRY_WAIT})


_STOCK = Assumptions()


def compare(
    snapshot: Snapshot, held: PolicySettings, wanted: PolicySettings, assumed: Assumptions = _STOCK
) -> Comparison:
    """Plays the same callbacks under both policies."""
    return Comparison(
        at=snapshot.at,
        played=len(snapshot.waiting),
        open_in_all=max(snapshot.open_in_all, len(snapshot.waiting)),
        with_person=snapshot.with_person,
        lines=snapshot.lines,
        assumed=assumed,
        now=forecast(snapshot, held, assumed),
        then=forecast(snapshot, wanted, assumed),
    )


def forecast(snapshot: Snapshot, policy: PolicySettings, assumed: Assumptions = _STOCK) -> Forecast:
    """Plays the open callbacks to their end under `policy`; the same input gives the same answer."""
    run = _Run(snapshot, policy, assumed)
    run.play()
    return run.forecast()


@dataclass(slots=True, eq=False)
class _Item:
    """A callback on its way. `turn` counts its plans: what was arranged for an older one is void."""

    of: Waiting
    state: State
    state_since: datetime
    next_at: datetime
    sensitive: bool
    calls: list[PastCall]
    text_number: str = ""
    turn: int = 0
    asked: bool = False
    ended: bool = False
    live_until: datetime | None = None

    @property
    def rank(self) -> tuple[int, datetime, int]:
        """The order in which workers pull."""
        return self.of.priority, self.of.view.closed_at, self.of.id


class _What(IntEnum):
    LOOK = 0  # the next step
    TEXT = 1  # its queued text may leave
    ANSWER = 2  # the citizen answers the text


class _Run:
    """The clock of a forecast: what is due, who waits for a line, when lines are free."""

    def __init__(self, snapshot: Snapshot, policy: PolicySettings, assumed: Assumptions) -> None:
        self._snapshot, self._policy, self._assumed = snapshot, policy, assumed
        self._zone = ZoneInfo(policy.windows.timezone)
        self._toll = Toll(snapshot.toll, policy.windows.timezone, Spent(snapshot.at))
        self._due: list[tuple[datetime, int, _What, int, _Item]] = []
        self._order = 0
        self._ready: list[tuple[tuple[int, datetime, int], int, _Item]] = []
        self._lines = [snapshot.at] * max(1, round(snapshot.lines * snapshot.share))
        self._history = defaultdict(list, {number: list(past) for number, past in snapshot.history.items()})
        self._asking = defaultdict(dict, {number: dict(open_) for number, open_ in snapshot.asking.items()})
        self._busy_until: dict[str, datetime] = {}
        self._by_number: dict[str, list[_Item]] = defaultdict(list)
        self._begun: dict[Channel, Counter[datetime]] = {Channel.VOICE: Counter(), Channel.SMS: Counter()}
        self._outcomes: Counter[Outcome] = Counter()
        self._last_begun: datetime | None = None
        self._ends: datetime | None = None
        for waiting in snapshot.waiting:
            self._take(waiting)
        for items in self._by_number.values():
            items.sort(key=lambda item: item.rank)

    def _take(self, waiting: Waiting) -> None:
        view, now = waiting.view, self._snapshot.at
        state = State.CALL_QUEUED if view.state in (State.DIALING, State.IN_IVR) else view.state
        sensitive = is_sensitive_case(waiting.sensitive, waiting.category, self._policy)
        item = _Item(waiting, state, view.state_since, view.next_at, sensitive, list(view.calls))
        item.text_number = waiting.text_number
        item.asked = bool(view.calls) or state is State.AWAIT_REPLY
        for phone in view.phones:
            self._by_number[phone.index].append(item)
        if state is State.SMS_QUEUED:
            self._arrange(item, max(now, waiting.text_at or now), _What.TEXT)
        else:
            self._arrange(item, max(now, min(view.next_at, view.deadline)), _What.LOOK)

    def play(self) -> None:
        """From one happening to the next, until nothing is arranged any more."""
        now = self._snapshot.at
        while self._due or self._ready:
            if self._ready:
                free = next_open(max(now, self._lines[0]), Channel.VOICE, self._policy.windows)
                if not self._due or free < self._due[0][0]:
                    now = free
                    self._pull(now)
                    continue
            at, _, what, turn, item = heappop(self._due)
            if item.ended or (turn != item.turn and what is not _What.ANSWER):
                continue
            now = at
            match what:
                case _What.LOOK:
                    self._look(item, now)
                case _What.TEXT:
                    self._text(item, now)
                case _What.ANSWER:
                    self._end(item, Outcome.ANSWERED, now)

    def forecast(self) -> Forecast:
        scale = 1 / self._snapshot.share
        calls, texts = self._begun[Channel.VOICE], self._begun[Channel.SMS]
        hours = tuple(
            Hour(at, round(calls[at] * scale), round(texts[at] * scale)) for at in sorted({*calls, *texts})
        )
        outcomes = {outcome: round(self._outcomes[outcome] * scale) for outcome in Outcome}
        return Forecast(hours, outcomes, self._last_begun, self._ends)

    # -- happenings

    def _look(self, item: _Item, now: datetime) -> None:
        """What `callbacks.service.planning` and `claims` do with a step."""
        match next_step(self._view(item, now), now, self._policy):
            case Exclude():
                self._end(item, Outcome.EXCLUDED, now)
            case HandOver():
                self._end(item, Outcome.HANDED_OVER, now)
            case GiveUp():
                self._end(item, Outcome.UNREACHED if item.asked else Outcome.UNASKED, now)
            case Text(number, at):
                item.state, item.text_number = State.SMS_QUEUED, number
                self._arrange(item, at, _What.TEXT)
            case AwaitWeb():
                item.state, item.state_since = State.AWAIT_REPLY, now
                self._arrange(item, item.of.view.deadline, _What.LOOK)
            case Wait(until):
                self._arrange(item, until, _What.LOOK)
            case Call(_, at):
                if item.state not in _CALLABLE:
                    item.state, item.next_at = State.CALL_QUEUED, at
                self._arrange_call(item, at, now)

    def _text(self, item: _Item, now: datetime) -> None:
        number = item.text_number
        facts = self._facts(item, number)
        match may_begin(Channel.SMS, facts, now, self._policy):
            case Hold() as hold:
                self._arrange(item, self._held_until(item, hold, facts, now), _What.TEXT)
            case Never():  # opted out, or too late: a call, or the end
                item.state, item.next_at = State.CALL_QUEUED, now
                self._arrange(item, now, _What.LOOK)
            case Go():
                self._count(Channel.SMS, now)
                item.state, item.state_since, item.asked = State.AWAIT_REPLY, now, True
                self._asking[number][item.of.id] = now + self._policy.text_answerable
                self._arrange(item, now, _What.LOOK)
                answer = now + self._assumed.text_answer_after
                if _luck(item, "text") < self._assumed.texts_answered and answer < item.of.view.deadline:
                    self._arrange(item, answer, _What.ANSWER)

    def _held_until(self, item: _Item, hold: Hold, facts: Facts, now: datetime) -> datetime:
        """Workers look at what is paused every few minutes; here at its end, or at the deadline."""
        end = known_end(hold, facts, now)
        return min(end or item.of.view.deadline, item.of.view.deadline)

    def _pull(self, now: datetime) -> None:
        """The first that waits for the line that is free."""
        _, turn, item = heappop(self._ready)
        if item.ended or turn != item.turn:
            return
        match next_step(self._view(item, now), now, self._policy):
            case Call(number, at) if at <= now:
                self._claim(item, number, now)
            case _:
                self._look(item, now)

    def _claim(self, item: _Item, number: str, now: datetime) -> None:
        facts = self._facts(item, number)
        gate = may_begin(Channel.VOICE, facts, now, self._policy)
        busy = self._busy_until.get(number, now)
        if isinstance(gate, Hold):
            item.next_at = self._held_until(item, gate, facts, now)
            self._arrange(item, item.next_at, _What.LOOK)
        elif isinstance(gate, Never):
            self._arrange(item, now, _What.LOOK)
        elif busy > now:
            self._arrange(item, busy, _What.LOOK)
        else:
            self._call([item, *self._others(item, number, now)], number, now)

    def _others(self, item: _Item, number: str, now: datetime) -> list[_Item]:
        others: list[_Item] = []
        for other in self._by_number[number]:
            if len(others) + 1 >= self._policy.cases_per_call:
                break
            is_live = other.live_until is not None and other.live_until > now
            if other is item or other.ended or is_live or other.state not in _CALLABLE:
                continue
            barred = any(phone.index == number and phone.barred for phone in other.of.view.phones)
            facts = self._facts(other, number)
            if not barred and may_join(facts, other.sensitive, now, self._policy):
                others.append(other)
        return others

    def _call(self, items: Sequence[_Item], number: str, now: datetime) -> None:
        first = items[0]
        is_answered = _luck(first, f"call {len(first.calls)}") < self._assumed.calls_answered
        lasts = self._assumed.answered_call * len(items) if is_answered else self._assumed.unanswered_call
        over = now + lasts
        heapreplace(self._lines, over)
        self._busy_until[number] = over
        self._count(Channel.VOICE, now)
        disposition = Disposition.ANSWERED if is_answered else Disposition.NO_ANSWER
        call = PastCall(now, disposition, True, number)
        self._history[number].append(call)
        for item in items:
            item.calls.append(call)
            item.asked, item.live_until = True, over
            if is_answered:
                self._end(item, Outcome.ANSWERED, over)
            else:
                self._again(item, over)

    def _again(self, item: _Item, now: datetime) -> None:
        item.state = State.RETRY_WAIT
        item.next_at = now
        if attempts_left(item.calls, self._policy):
            luck = _luck(item, str(len(item.calls)))
            item.next_at = min(retry_at(item.calls, now, self._policy, luck), item.of.view.deadline)
        self._arrange(item, item.next_at, _What.LOOK)

    # -- the book

    def _arrange(self, item: _Item, at: datetime, what: _What) -> None:
        if what is not _What.ANSWER:  # an answer comes whatever else is planned
            item.turn += 1
        self._order += 1
        heappush(self._due, (at, self._order, what, item.turn, item))

    def _arrange_call(self, item: _Item, at: datetime, now: datetime) -> None:
        if at > now:
            self._arrange(item, at, _What.LOOK)
            return
        item.turn += 1
        heappush(self._ready, (item.rank, item.turn, item))

    def _end(self, item: _Item, outcome: Outcome, now: datetime) -> None:
        item.ended = True
        self._outcomes[outcome] += 1
        at = min(now, item.of.view.deadline)
        self._ends = at if self._ends is None else max(self._ends, at)
        for phone in item.of.view.phones:  # its question is closed: who waits for the number may ask
            if self._asking[phone.index].pop(item.of.id, None) is not None:
                for other in self._by_number[phone.index]:
                    if other.state is State.PENDING and not other.ended:
                        self._arrange(other, now, _What.LOOK)

    def _count(self, channel: Channel, now: datetime) -> None:
        hour = now.astimezone(self._zone).replace(minute=0, second=0, microsecond=0)
        self._begun[channel][hour] += 1
        self._last_begun = now if self._last_begun is None else max(self._last_begun, now)

    def _view(self, item: _Item, now: datetime) -> View:
        view = item.of.view
        phones = view.phones
        if item.state is State.PENDING:  # only a first step asks for it
            phones = [replace(phone, open_text=self._is_open(phone.index, item, now)) for phone in phones]
        return replace(
            view,
            state=item.state,
            state_since=item.state_since,
            next_at=item.next_at,
            sensitive=item.sensitive,
            phones=phones,
            calls=item.calls,
        )

    def _is_open(self, number: str, item: _Item, now: datetime) -> bool:
        """Whether every sender code has another's question open to the number."""
        others = [until for one, until in self._asking[number].items() if one != item.of.id and until > now]
        return len(others) >= self._snapshot.sender_codes

    def _facts(self, item: _Item, number: str) -> Facts:
        return Facts(
            number_index=number,
            unit_id=item.of.unit_id,
            category=item.of.category,
            history=self._history[number],
            pauses=self._snapshot.pauses,
            suppressed=number in self._snapshot.suppressed,
            deadline=item.of.view.deadline,
            attempts_left=attempts_left(item.calls, self._policy),
            toll=self._toll,
        )


def _luck(item: _Item, what: str) -> float:
    """0 to 1, the same for the same callback and try."""
    return zlib.crc32(f"{item.of.id}:{what}".encode()) / 2**32
