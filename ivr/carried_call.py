"""One claimed call on its way, and what of it is written: with its token, or kept for later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from callbacks.service import calls, late
from callbacks.service.answers import Answer
from callbacks.service.calls import CallOutcome, MachineAdvice
from callbacks.service.claims import ClaimedCall, give_back
from callbacks.service.core import Context
from callbacks.service.messages import Message, message_left, message_record
from callbacks.spool import Record
from callbacks.vocabulary import Channel, Disposition
from callbacks.writer import Writer
from ivr.conversation import Conversation, Prompts
from ivr.events import Codec, Ended
from ivr.flow import Flow
from ivr.flow_events import ChangeRating, StoreRating

__all__ = ["CallWrites", "CarriedCall", "Script"]

_SHORTEST_MESSAGE = 0.5  # seconds; less is a breath before the telephone is put down

_Write = Callable[[Context, int, int, datetime], bool]
_Keep = Callable[[int, datetime], Record]


@dataclass(frozen=True)
class Script:
    """What a call says: the flow, the prompts' audio, and the version of the words.

    `look` takes up newer recordings, between the calls and in the writer's thread.
    """

    flow: Flow
    prompts: Prompts
    prompt_version: str
    look: Callable[[], None] = lambda: None


@dataclass
class CarriedCall:
    """A claimed call on its way."""

    claimed: ClaimedCall
    script: Script
    conversation: Conversation
    rang: bool = False
    answered: bool = False
    sip_call_id: str | None = None
    codec: Codec | None = None  # once it's answered
    handed_over: bool = False
    wrong_person: bool = False
    machine_at: datetime | None = None
    lost: bool = False  # another owner, or nobody, has the attempt: write nothing

    @property
    def left_by(self) -> str | None:
        """The key by which the citizen left the dialogue: 0 for a person, 9 who isn't whom we want."""
        return "0" if self.handed_over else "9" if self.wrong_person else None

    def outcome(self, event: Ended, listened: bool, elsewhere: frozenset[str]) -> CallOutcome:
        """As it's stored; whether a machine took it only where one was listened for."""
        return CallOutcome(
            disposition=event.disposition or Disposition.UNKNOWN,
            sip_status=event.sip_status,
            q850=event.q850,
            cause_raw=event.cause_text,
            handed_over=self.handed_over,
            wrong_person=self.wrong_person,
            machine=self._advice if listened else None,
            elsewhere=elsewhere,
            sip_call_id=self.sip_call_id,
            quality=event.heard,
        )

    @property
    def _advice(self) -> MachineAdvice | None:
        is_machine, heard = self.conversation.is_machine, self.conversation.machine_heard
        if is_machine is None:
            return None
        return MachineAdvice(is_machine, heard.sign if heard else None, self.machine_at)


class CallWrites:
    """Queues what calls have come to; `lose` is told of one whose attempt isn't ours any more."""

    def __init__(self, ctx: Context, writer: Writer, lose: Callable[[CarriedCall], None]) -> None:
        self._ctx, self._writer, self._lose = ctx, writer, lose

    def ringing(self, call: CarriedCall, call_id: str | None) -> None:
        self._write(call, lambda ctx, a, t, now: calls.ringing(ctx, a, t, now, call_id))

    def answered(self, call: CarriedCall) -> None:
        self._write(call, calls.answered)

    def given_back(self, call: CarriedCall) -> None:
        """Its trunk can't carry it: it costs nothing."""
        self._write(call, give_back)

    def ended(self, call: CarriedCall, outcome: CallOutcome) -> None:
        key = call.left_by
        self._write(
            call,
            lambda ctx, a, t, now: calls.ended(ctx, a, t, outcome, now),
            None if key is None else lambda attempt, now: late.left_record(attempt, key, now),
        )

    def rated(self, call: CarriedCall, rated: StoreRating | ChangeRating) -> None:
        callback = call.claimed.cases[rated.case].callback_id
        answer = Answer(
            value=rated.value,
            channel=Channel.VOICE,
            raw=rated.key,
            attempt_id=call.claimed.attempt_id,
            prompt_id=rated.prompt_id,
            ms_since_prompt_end=rated.ms_since_prompt_end,
        )
        self._write(
            call,
            lambda ctx, a, t, now: calls.rated(ctx, a, t, callback, answer, now),
            lambda attempt, now: late.rated_record(attempt, callback, answer, now),
        )

    def resolved(self, call: CarriedCall, case: int, resolved: bool) -> None:
        callback = call.claimed.cases[case].callback_id
        self._write(
            call,
            lambda ctx, a, t, now: calls.resolved(ctx, a, t, callback, resolved, now),
            lambda attempt, now: late.resolved_record(attempt, callback, resolved, now),
        )

    def reason_given(self, call: CarriedCall, case: int, reason: str) -> None:
        callback = call.claimed.cases[case].callback_id
        self._write(
            call,
            lambda ctx, a, t, _now: calls.reason_given(ctx, a, t, callback, reason),
            lambda attempt, now: late.reason_record(attempt, callback, reason, now),
        )

    def message_left(self, call: CarriedCall, case: int, message: Message) -> None:
        if message.seconds < _SHORTEST_MESSAGE:
            return
        callback = call.claimed.cases[case].callback_id
        self._write(
            call,
            lambda ctx, a, t, now: message_left(ctx, a, t, callback, message, now),
            lambda attempt, now: message_record(attempt, callback, message, now),
        )

    def _write(self, call: CarriedCall, write: _Write, keep: _Keep | None = None) -> None:
        """Queues a write with the call's token; a stale token ends the call here too.

        `keep` makes the record of what the citizen did. That's stored even when the attempt is no longer
        ours: they pressed it.
        """
        now, claimed = datetime.now(UTC), call.claimed
        record = keep(claimed.attempt_id, now) if keep else None
        if call.lost and record is None:
            return

        def job() -> bool:
            ours = not call.lost and write(self._ctx, claimed.attempt_id, claimed.token, now)
            if not ours and record is not None:
                late.play_key(self._ctx, record)
            return ours

        def done(was_ours: bool) -> None:
            if not was_ours and not call.lost:
                self._lose(call)

        self._writer.submit(job, done, record)
