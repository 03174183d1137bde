"""Twilio's calls between two webhooks: the step that is due goes on, its keys are stored once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import structlog

from callbacks.service import calls, late, provider_calls
from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome
from callbacks.service.core import Context
from callbacks.service.messages import has_message, message_record
from callbacks.service.provider_calls import Known, Step
from callbacks.twilio_settings import AGAIN
from callbacks.vocabulary import Channel
from ivr.carried_call import Script
from ivr.conversation import Prompts
from ivr.flow import LEAST_MESSAGE
from ivr.flow_events import (
    ChangeRating,
    HandOver,
    Prompt,
    StoreRating,
    StoreReason,
    StoreResolved,
    WrongPerson,
)
from ivr.twilio_recordings import ComeAgain, Gone, NoRecording, TwilioRecordings
from ivr.twilio_rest import FINAL
from ivr.twilio_settings import TwilioVoiceSettings
from ivr.twilio_steps import Message, Posted, Question, Ringing, StepResult, Steps, Turn
from ivr.twilio_targets import Numbers, may_transfer
from ivr.twilio_twiml import Asked, Dialled, HungUp, Recorded, Sent, Then, document

__all__ = ["Dialogues", "first_dialogue"]

_log = structlog.get_logger(__name__)
Record = dict[str, Any]


def first_dialogue(variables: Mapping[str, Any], callbacks: Sequence[int]) -> dict[str, Any]:
    """What is kept of a call before its first step: whom it's about, and what the flow must know."""
    return {"variables": dict(variables), "callbacks": list(callbacks), "steps": None, "left": ""}


class Dialogues:
    """`script` is asked for when a call needs it: the voice role, which starts beside us, may be making it.

    `now` is aware UTC; a dialogue's clock is its seconds since 1970, the same in every process.
    """

    def __init__(
        self,
        ctx: Context,
        settings: TwilioVoiceSettings,
        script: Callable[[], Script],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        numbers: Numbers = MappingProxyType({}),
    ) -> None:
        self.ctx, self.settings, self._script, self._now = ctx, settings, script, now
        self._numbers = numbers
        self._recordings = TwilioRecordings(settings)

    @property
    def prompts(self) -> Prompts:
        return self._script().prompts

    def step(self, known: Known, number: int, posted: Posted) -> str | None:
        """The document that answers step `number`; None where it's to be refused."""
        if known.is_pending:  # the process that took the last step died before it stored its keys
            provider_calls.play_pending(self.ctx, known.key)
        if known.is_over and not (posted.digits and number == known.step):
            return None
        if number == known.step:
            return self._take(known, posted)
        return known.document or document([], Sent(self._action(known.key, known.step)))

    def status(self, known: Known, status: str) -> bool:
        """What the provider says of the call, once or again; False where it's to be refused."""
        now, of = self._now(), (self.ctx, known.attempt_id, known.token)
        if known.is_over:
            return status in FINAL
        if status == "ringing":
            calls.ringing(*of, now)
        elif status == "in-progress":
            calls.answered(*of, now)
        elif status in FINAL:
            provider_calls.play_pending(self.ctx, known.key)
            left = known.dialogue["left"]
            outcome = CallOutcome(
                FINAL[status],
                cause_raw=f"Twilio {status}",
                handed_over=left == "0",
                wrong_person=left == "9",
                sip_call_id=known.sid,
            )
            calls.ended(*of, outcome, now)
            provider_calls.end_call(self.ctx, known.key, now)
            _log.info("call_ended", attempt=known.attempt_id, disposition=FINAL[status].value)
        return True

    def message(self, known: Known, case: int, address: str, seconds: float) -> bool:
        """Keeps what the citizen said about that case of the call; once, however often it's told.

        False where it's to be refused; ComeAgain where it can't be had now.
        """
        callbacks = known.dialogue["callbacks"]
        if case >= len(callbacks):
            return False
        try:
            if seconds >= LEAST_MESSAGE:  # less is a breath; the flow went on without it
                message = self._recordings.fetch(address)
                record = message_record(known.attempt_id, callbacks[case], message, self._now())
                late.play_key(self.ctx, record)
            self._recordings.take_away(address)
        except Gone as error:  # told again
            if not has_message(self.ctx, known.attempt_id, callbacks[case]):
                raise ComeAgain(str(error)) from error
        except NoRecording as error:
            _log.error("message_not_kept", attempt=known.attempt_id, reason=str(error))
            return False
        return True

    # -- a step

    def _take(self, known: Known, posted: Posted) -> str:
        now = self._now()
        if known.step == 0:
            calls.answered(self.ctx, known.attempt_id, known.token, now)
        try:
            steps, turn = self._turn(known, posted, now.timestamp())
        except ValueError as error:  # the flow was changed while the call was up
            _log.error("dialogue_lost", attempt=known.attempt_id, reason=str(error))
            return document([], HungUp())
        text = self._document(known, turn)
        left = next((key for key in map(_left, turn.results) if key), known.dialogue["left"])
        dialogue = {**known.dialogue, "steps": steps.to_json(), "left": left}
        records = [record for result in turn.results for record in self._records(known, result, now)]
        if provider_calls.advance(self.ctx, known, Step(dialogue, text, records)):
            provider_calls.play_pending(self.ctx, known.key)
            return text
        other = provider_calls.find_call(self.ctx, known.key)  # the same request, twice at a time
        return other.document if other is not None else document([], HungUp())

    def _turn(self, known: Known, posted: Posted, now: float) -> tuple[Steps, Turn]:
        flow = self._script().flow
        if known.step == 0:
            able = ["record", *(["transfer"] if may_transfer(flow, self._numbers) else [])]
            variables = {**known.dialogue["variables"], "can": able}
            return Steps.begin(flow, variables, now, self._seconds)
        steps = Steps.from_json(flow, known.dialogue["steps"], self._seconds)
        return steps, steps.go_on(posted, now)

    def _seconds(self, prompts: Sequence[Prompt]) -> float:
        return self.prompts.audio(prompts).seconds

    # -- what it leads to

    def _document(self, known: Known, turn: Turn) -> str:
        action = self._action(known.key, known.step + 1)
        then: Then = HungUp()
        match turn.waits:
            case Question(prompts, wait, most, ends):
                then = Asked(tuple(map(self._sound, prompts)), wait, action, most, ends)
            case Message(case, seconds, ends):
                kept = self.settings.address(f"{known.key}/message/{case}") + AGAIN
                then = Recorded(seconds, ends, action, kept)
            case Ringing(target, seconds):
                then = Dialled(tuple(self._numbers[target]), self.settings.number, seconds, action)
        return document([self._sound(prompt) for prompt in turn.said], then)

    def _action(self, key: str, step: int) -> str:
        return self.settings.address(f"{key}/{step}") + AGAIN

    def _sound(self, prompt: Prompt) -> str:
        values = urlencode(sorted(prompt.variables))
        return self.settings.address(f"prompt/{self._script().prompt_version}/{prompt.id}.wav") + (
            f"?{values}" if values else ""
        )

    def _records(self, known: Known, result: StepResult, now: datetime) -> list[Record]:
        attempt, callbacks = known.attempt_id, known.dialogue["callbacks"]
        match result:
            case StoreRating() | ChangeRating():
                answer = Answer(
                    value=result.value,
                    channel=Channel.VOICE,
                    raw=result.key,
                    attempt_id=attempt,
                    prompt_id=result.prompt_id,
                    ms_since_prompt_end=None,  # Twilio doesn't tell when the key went down
                )
                return [late.rated_record(attempt, callbacks[result.case], answer, now)]
            case StoreResolved(case, resolved):
                return [late.resolved_record(attempt, callbacks[case], resolved, now)]
            case StoreReason(case, reason):
                return [late.reason_record(attempt, callbacks[case], reason, now)]
            case HandOver() | WrongPerson() if known.is_over:  # the call's end was told before its last key
                return [late.left_record(attempt, _left(result), now)]
        return []


def _left(result: StepResult) -> str:
    """Key 0 (a person, please) or 9 (not the person), "" for another result."""
    return "0" if isinstance(result, HandOver) else "9" if isinstance(result, WrongPerson) else ""
