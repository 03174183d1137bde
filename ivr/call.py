"""One test call with a flow: the engine of `huifang call`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from callbacks.vocabulary import Disposition, MachineSign
from ivr.conversation import Conversation, HeardKey, Prompts, Result
from ivr.events import Answered, Codec, Ended, LineEvent
from ivr.flow import Flow
from ivr.flow_events import ChangeRating, StoreRating
from ivr.line import Dial, Line
from ivr.lines import open_line
from ivr.settings import VoiceSettings

__all__ = ["CallResult", "converse", "place_call"]

_GOODBYE_SECONDS = 40.0  # our CANCEL may wait for its 487 as long as 64*T1 (RFC 3261 §9.1)


@dataclass(frozen=True, slots=True)
class CallResult:
    """What came of the call. `duration_ms` is from the answer to the end; `call_id` the SIP Call-ID.

    `machine` is advice, None where nothing tells; `machine_sign` is what was heard, even if a key came.
    """

    disposition: Disposition | None
    sip_status: int | None
    q850: int | None
    answered: bool
    keys: tuple[HeardKey, ...]
    rating: int | None
    duration_ms: int
    call_id: str
    codec: Codec | None
    machine: bool | None = None
    machine_sign: MachineSign | None = None


def place_call(
    settings: VoiceSettings, order: Dial, flow: Flow, variables: Mapping[str, Any], prompts: Prompts
) -> CallResult:
    """Call `order.number` and hold the dialogue to its end. KeyboardInterrupt hangs up and still returns.

    LineError when the telephone can't start or the order can't be dialled.
    """
    line = open_line(settings)
    try:
        return converse(line, order, flow, variables, prompts, line.sip_call_id, time.monotonic)
    finally:
        line.close()


def converse(
    line: Line,
    order: Dial,
    flow: Flow,
    variables: Mapping[str, Any],
    prompts: Prompts,
    call_id: Callable[[str], str | None],
    clock: Callable[[], float],
) -> CallResult:
    """The same on any line; `clock` is the line's."""
    conversation = Conversation(order.call, flow, variables, prompts, line)
    heard: list[LineEvent] = []
    results: list[Result] = []
    line.dial(order)
    known_as = call_id(order.call) or order.call
    try:
        _turn_to_the_end(line, conversation, heard, results, clock)
    except KeyboardInterrupt:
        line.hangup(order.call)
        _turn_to_the_end(line, conversation, heard, results, clock, clock() + _GOODBYE_SECONDS)
    return _result(heard, results, conversation, known_as)


def _turn_to_the_end(
    line: Line,
    conversation: Conversation,
    heard: list[LineEvent],
    results: list[Result],
    clock: Callable[[], float],
    until: float = float("inf"),
) -> None:
    while not any(isinstance(event, Ended) for event in heard) and clock() < until:
        deadline = conversation.deadline
        wait = 0.5 if deadline is None else min(0.5, max(0.0, deadline - clock()))
        for event in line.run_once(wait):
            heard.append(event)
            results += conversation.receive(event)
        results += conversation.tick(clock())


def _result(
    heard: list[LineEvent], results: list[Result], conversation: Conversation, call_id: str
) -> CallResult:
    answer = next((event for event in heard if isinstance(event, Answered)), None)
    end = next((event for event in heard if isinstance(event, Ended)), None)
    ratings = [result.value for result in results if isinstance(result, StoreRating | ChangeRating)]
    return CallResult(
        disposition=end.disposition if end else None,
        sip_status=end.sip_status if end else None,
        q850=end.q850 if end else None,
        answered=answer is not None,
        keys=tuple(conversation.keys),
        rating=ratings[-1] if ratings else None,
        duration_ms=round((end.at - answer.at) * 1000) if answer and end else 0,
        call_id=call_id,
        codec=answer.codec if answer else None,
        machine=conversation.is_machine,
        machine_sign=conversation.machine_heard.sign if conversation.machine_heard else None,
    )
