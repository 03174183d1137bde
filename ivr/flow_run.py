"""Holds a flow at the terminal: its prompts are printed, keys are typed, and what it stores is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from callbacks.rating import SCALES
from ivr.conversation import Conversation, Result, StoreMessage
from ivr.events import Ended
from ivr.flow import Flow
from ivr.flow_events import (
    ChangeRating,
    EnterQueue,
    HandOver,
    HangUp,
    LeaveQueue,
    Prompt,
    PutThrough,
    QueueLeft,
    QueueMoved,
    SetVariable,
    StopTransfer,
    StoreRating,
    StoreReason,
    StoreResolved,
    Transfer,
    TransferDone,
    TransferFailed,
    WrongPerson,
)
from ivr.flow_words import ENDS
from ivr.keypad_line import KeypadLine, Reader
from ivr.line import Dial
from ivr.media.audio import Audio
from prompts.catalogue import Catalogue

__all__ = ["HELP", "run_flow"]

HELP = (
    "按键直接输入后回车；空行是不按键；留言时输入文字代替说话；"
    "转接或排队时：a 有人接听，f 无人接听，p3 排在第 3 位；h 挂机。"
)
_SECONDS_A_LETTER = 0.2


class _Printed:
    """Prompts that are read and not heard."""

    def __init__(self, catalogue: Catalogue, language: str, write: Callable[[str], None]) -> None:
        self._catalogue, self._language, self._write = catalogue, language, write

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        text = "".join(self._text(prompt) for prompt in prompts)
        self._write(f"  “{text}”")
        return Audio.silence(len(text) * _SECONDS_A_LETTER)

    def _text(self, prompt: Prompt) -> str:
        values = dict(prompt.variables)
        if category := values.get("category"):
            known = self._catalogue.categories.get(category, self._catalogue.categories["other"])
            values["category"] = known[self._language]
        if rating := values.get("rating"):
            scale, _, value = rating.partition(".")
            values["rating"] = self._catalogue.ratings[scale][value][self._language]
        return self._catalogue.speech(prompt.id, self._language).format_map(
            {"office": "示例市110联动办", **values}
        )


class _Others:
    """Whoever is behind a queue or a transfer: the same person who types."""

    def __init__(self) -> None:
        self.conversation: Conversation | None = None
        self.line: KeypadLine | None = None
        self.pending: list[Result] = []
        self._queued = False

    def note(self, result: Result) -> None:
        if isinstance(result, EnterQueue | Transfer):
            self._queued = isinstance(result, EnterQueue)

    def typed(self, line: str) -> bool:
        """True where the line is an order of these."""
        if line == "h":
            assert self.line is not None
            self.line.close()
        elif line == "a":
            self._tell(PutThrough(), QueueLeft(True) if self._queued else TransferDone())
        elif line == "f":
            self._tell(QueueLeft(False) if self._queued else TransferFailed())
        elif line[:1] == "p" and line[1:].isdecimal():
            self._tell(QueueMoved(int(line[1:])))
        else:
            return False
        return True

    def _tell(self, *events: Any) -> None:
        assert self.conversation is not None and self.line is not None
        for event in events:
            self.pending += self.conversation.tell(event, self.line.now)


def run_flow(
    flow: Flow,
    variables: Mapping[str, Any],
    catalogue: Catalogue,
    language: str,
    read: Reader,
    write: Callable[[str], None],
    *,
    wall: bool = False,
) -> list[Result]:
    """Hold the dialogue to its end; all that it handed over. `variables` are those of `flow_holds.Facts`."""
    others = _Others()
    line = KeypadLine(read, others.typed, lambda words: write(f"    {words}"), wall=wall)
    known = {**variables, "can": [*variables.get("can", ()), "queue", "transfer"]}
    conversation = Conversation("run", flow, known, _Printed(catalogue, language, write), line)
    others.conversation, others.line = conversation, line
    results: list[Result] = []
    ended = False
    line.dial(Dial("run", "0", "keypad"))
    while not ended:
        deadline = conversation.deadline
        for event in line.run_once(30.0 if deadline is None else max(0.0, deadline - line.now)):
            ended = ended or isinstance(event, Ended)
            others.pending += conversation.receive(event)
        others.pending += conversation.tick(line.now)
        for result in others.pending:
            others.note(result)
            write(f"    {words_of(flow, result, line.message)}")
        results += others.pending
        others.pending.clear()
    return results


def words_of(flow: Flow, result: Result, message: str) -> str:
    """What was handed over, in words."""
    match result:
        case StoreRating(case, value, key):
            return f"记录：第 {case + 1} 件评价为{SCALES[flow.scale].labels[value]}（按 {key}）"
        case ChangeRating(case, value, key):
            return f"记录：第 {case + 1} 件评价改为{SCALES[flow.scale].labels[value]}（按 {key}）"
        case StoreResolved(case, resolved):
            return f"记录：第 {case + 1} 件{'已解决' if resolved else '未解决'}"
        case StoreReason(case, reason):
            return f"记录：第 {case + 1} 件不满意的原因 {reason}"
        case StoreMessage(case, _, _, seconds):
            about = "留言" if case is None else f"第 {case + 1} 件的留言"
            return f"记录：{about} {seconds:.1f} 秒" + (f"：{message}" if message else "")
        case SetVariable(name, value):
            return f"记下：{name}={value}"
        case Transfer(target):
            return f"转接 {target}"
        case StopTransfer():
            return "转接无人接听，取消"
        case EnterQueue(queue):
            return f"进入队列 {queue}"
        case LeaveQueue(queue):
            return f"离开队列 {queue}"
        case HandOver():
            return "交人工处理"
        case WrongPerson():
            return "非本人，不再拨打这个号码"
        case HangUp(outcome):
            return f"挂机：{ENDS[outcome]}"
