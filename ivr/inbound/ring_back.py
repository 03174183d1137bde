"""The callback number: who was called and rings back is asked by the flow `callback_line`, on this role.

Their cases are looked up while it rings. Where that takes too long, a person answers, as on 110.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from callbacks.service.messages import Message, told_message
from callbacks.service.ring_back import CallerCase
from callbacks.writer import Writer
from ivr.conversation import Conversation, Prompts, Result, StoreMessage
from ivr.events import Codec, Ended, LineEvent
from ivr.flow import Flow
from ivr.flow_events import (
    ChangeRating,
    HandOver,
    PutThrough,
    StopTransfer,
    StoreRating,
    StoreReason,
    StoreResolved,
    Transfer,
    WrongPerson,
)
from ivr.line import Line
from ivr.put_through import NOBODY, Dialled, People, Switch, Told

__all__ = ["RingBackRules", "RingBacks"]

log = structlog.get_logger(__name__)

_PATIENCE = 2.0  # seconds until a person answers instead

Look = Callable[[str], Sequence[CallerCase]]
Keep = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class RingBackRules:
    """`flow` reads the flow that holds now, in the writer's thread; `scale` is the office's.

    `may_record`: messages may be left. `in_hours` says whether `people`, who are put through to, are there.
    """

    flow: Callable[[], Flow]
    prompts: Prompts
    scale: str
    timezone: str
    may_record: bool = False
    people: People = NOBODY
    in_hours: Callable[[datetime], bool] = lambda _now: False


@dataclass
class _Caller:
    number: str
    since: float
    codec: Codec | None = None
    cases: Sequence[CallerCase] = ()
    talk: Conversation | None = None
    asked_person: bool = False  # by key 0, or by a message about no case
    had_person: bool = False


class RingBacks:
    """Callers whose dialogue runs. `look` and `keep` are called in the writer's thread."""

    def __init__(self, line: Line, rules: RingBackRules, writer: Writer, look: Look, keep: Keep) -> None:
        self._line, self._rules, self._writer, self._look, self._keep = line, rules, writer, look, keep
        self._callers: dict[str, _Caller] = {}
        self._switch = Switch(line, rules.people.ring_time)

    def __contains__(self, call: str) -> bool:
        return call in self._callers

    def __len__(self) -> int:
        return len(self._callers)

    def on_dialled(self, dialled: Dialled) -> None:
        """Tell `dialled` of each telephone that is rung for one of them."""
        self._switch.dialled = dialled

    def came(self, call: str, number: str, codec: Codec | None, now: float) -> None:
        self._line.ring(call)
        self._callers[call] = _Caller(number, now, codec)
        self._writer.submit(
            lambda: (self._look(number), self._rules.flow()), lambda found: self._found(call, *found)
        )

    def _found(self, call: str, cases: Sequence[CallerCase], flow: Flow) -> None:
        caller = self._callers.get(call)
        if caller is None:  # gone meanwhile, or with a person
            return
        zone, rules = ZoneInfo(self._rules.timezone), self._rules
        days = [case.accepted_at.astimezone(zone) for case in cases]
        told = [
            {"month": day.month, "day": day.day, "category": case.category, "round": case.round}
            for case, day in zip(cases, days, strict=True)
        ]
        variables = {
            "scale": rules.scale,
            "in_hours": rules.in_hours(datetime.now(UTC)),
            "may_record": rules.may_record,
            "cases": told,
            "can": ["transfer"],
        }
        caller.cases = cases
        caller.talk = Conversation(call, flow, variables, rules.prompts, self._line)
        self._line.answer(call)

    def impatient(self, now: float) -> list[str]:
        """Callers whose cases weren't found in time: they're for a person, and no more ours."""
        late = [
            call
            for call, caller in self._callers.items()
            if caller.talk is None and now - caller.since > _PATIENCE
        ]
        for call in late:
            del self._callers[call]
        return late

    def take(self, event: LineEvent) -> bool:
        """An event of one of the callers. True when they end unanswered by a person whom they asked for."""
        caller = self._callers[event.call]
        self._switch.take(event)
        if caller.talk is not None:
            self._store(caller, caller.talk.receive(event), event.at)
        if isinstance(event, Ended):
            del self._callers[event.call]
            self._switch.call_off(event.call)
        return caller.asked_person and not caller.had_person and not caller.cases

    def take_leg(self, event: LineEvent) -> None:
        """An event of a telephone that is rung for one of them; harmless for another's."""
        for call, told in self._switch.take(event):
            self._tell(call, told, event.at)

    def _tell(self, call: str, told: Told, now: float) -> None:
        caller = self._callers[call]
        caller.had_person = caller.had_person or isinstance(told, PutThrough)
        if caller.talk is not None:
            self._store(caller, caller.talk.tell(told, now), now)

    def tick(self, now: float) -> None:
        for caller in list(self._callers.values()):
            if caller.talk is not None:
                self._store(caller, caller.talk.tick(now), now)

    def _store(self, caller: _Caller, results: list[Result], now: float) -> None:
        assert caller.talk is not None
        call = caller.talk.call
        for record in self._records(call, caller, results):
            kept = {"kind": "ring_back", "at": datetime.now(UTC).isoformat(), **record}
            self._writer.submit(lambda kept=kept: self._keep(kept), record=kept)  # type: ignore[misc]
        for result in results:
            if isinstance(result, Transfer):
                telephones = self._rules.people.telephones.get(result.target, ())
                for told in self._switch.begin(call, telephones, caller.number, caller.codec):
                    self._tell(call, told, now)
            elif isinstance(result, StopTransfer):
                self._switch.call_off(call)

    def _records(self, call: str, caller: _Caller, results: list[Result]) -> Iterator[dict[str, Any]]:
        callbacks = [case.callback_id for case in caller.cases]
        for result in results:
            match result:
                case StoreRating() | ChangeRating():
                    told = {"value": result.value, "raw": result.key, "prompt": result.prompt_id}
                    told["ms"] = result.ms_since_prompt_end
                    yield {"what": "rated", "callback": callbacks[result.case], **told}
                case StoreResolved(case, resolved):
                    yield {"what": "resolved", "callback": callbacks[case], "resolved": resolved}
                case StoreReason(case, reason):
                    yield {"what": "reason", "callback": callbacks[case], "reason": reason}
                case StoreMessage(case, payload, codec, seconds):
                    told = told_message(Message(payload, codec, seconds))
                    if case is None:
                        caller.asked_person = True  # somebody is to hear it, and may ring back
                        yield {"what": "own_message", "call": call, **told}
                    else:
                        yield {"what": "message", "callback": callbacks[case], **told}
                case HandOver() | WrongPerson():
                    caller.asked_person = isinstance(result, HandOver)
                    key = "0" if caller.asked_person else "9"
                    yield {"what": "left", "callbacks": callbacks, "key": key, "number": caller.number}
                case _:
                    pass
