"""People's calls, carried out: an agent's telephone is rung, then the citizen's, then they talk.

The voice role hands in every event of a call that isn't its own. What is to be stored goes to the role's
writer, in order; the citizen is dialled when `invited_at` is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from callbacks.models_trunks import PersonLegKind
from callbacks.service import agent_calls, calls
from callbacks.service.agent_calls import ClaimedAgentCall, NoCall, Taken
from callbacks.service.calls import CallOutcome
from callbacks.service.core import Context
from callbacks.service.leases import Renewal, renew
from callbacks.target_settings import Targets
from callbacks.vocabulary import Disposition
from callbacks.writer import Writer
from ivr.dialled import dialled
from ivr.dialplan import DialPlan, NotDialled
from ivr.events import Answered, Codec, EarlyMedia, Ended, LineEvent, PlaybackFinished, Ringing
from ivr.leg_book import LegBook
from ivr.line import Dial, Line, LineError, with_first
from ivr.media import tones
from ivr.settings import VoiceSettings

__all__ = ["AgentCalls"]

log = structlog.get_logger(__name__)

_RENEW_EVERY = 1.0  # seconds: an agent who gives up doesn't wait for a third of the lease
_RINGBACK, _BUSY = "ringback", "busy"  # what an agent hears of us
_AGENTS_END: dict[Disposition | None, NoCall] = {
    Disposition.BUSY: NoCall.AGENT_BUSY,
    Disposition.NO_ANSWER: NoCall.AGENT_NO_ANSWER,
    Disposition.REJECTED: NoCall.AGENT_REJECTED,
}


@dataclass
class _Call:
    """A call and its two legs, by their names on the line."""

    claimed: ClaimedAgentCall
    agent: str
    citizen: str
    agent_up: bool = False  # from its INVITE to its Ended
    citizen_up: bool = False
    codec: Codec | None = None  # of the agent's leg, once it's answered
    asking: bool = False  # whether the citizen may be dialled
    sip_call_id: str | None = None  # of the citizen's leg
    joined: bool = False
    talking: bool = False
    outcome: CallOutcome | None = None  # of the citizen's leg
    why: NoCall | None = None  # what ended it before that leg could tell
    ended_at: datetime | None = None
    settled: bool = False  # its end is stored, or another's to store


_Write = Callable[[Context, int, int, datetime], bool]


class AgentCalls:
    """The people's calls of one voice role. Everything belongs to the thread that turns the line."""

    def __init__(
        self,
        ctx: Context,
        line: Line,
        voice: VoiceSettings,
        plan: DialPlan,
        targets: Targets,
        writer: Writer,
        owner: str,
        legs: LegBook,
    ) -> None:
        self._ctx, self._line, self._voice, self._plan = ctx, line, voice, plan
        self._targets, self._writer, self._owner, self._book = targets, writer, owner, legs
        self._calls: list[_Call] = []
        self._legs: dict[str, _Call] = {}
        self._claiming = self._renewing = False
        self._renew_at = 0.0
        self.waiting = False  # an agent waits for a line: the machine takes none before

    @property
    def legs(self) -> int:
        """How many calls of the line they are, or will be."""
        return 2 * len(self._calls)

    # -- taking what is asked for

    def claim(self, trunks: Sequence[str], room: int, spend: Callable[[str, int], None]) -> None:
        """Takes what agents asked for, as far as `room` reaches; citizens are called by the first of `trunks`
        that has the lines.

        `spend` is told how many calls will be begun by which.
        """
        if self._claiming or not self._targets or room < 2:
            return
        self._claiming = True

        def claimed(taken: Taken) -> None:
            self._claiming, self.waiting = False, taken.waiting
            for each in taken.calls:
                spend(each.trunk, 2)
                self._begin(each)

        limit = room // 2
        self._writer.submit(
            lambda: agent_calls.claim_agent_calls(
                self._ctx, self._owner, trunks, limit, datetime.now(UTC), self._targets
            ),
            claimed,
        )

    def _begin(self, claimed: ClaimedAgentCall) -> None:
        name = claimed.key
        call = _Call(claimed, agent=f"{name}-agent", citizen=name)
        self._calls.append(call)
        try:
            self._digits(call)  # what can't be dialled needn't have an agent's telephone rung
            number = self._plan.target(claimed.target)
            agents = self._targets[claimed.target].trunk or claimed.trunk
            self._dial(call.agent, number, agents)
        except (NotDialled, LineError) as error:
            log.warning("agent_not_rung", attempt=claimed.attempt_id, target=claimed.target, why=str(error))
            refused = isinstance(error, NotDialled)
            self._end(call, NoCall.NEVER_DIALLED if refused else NoCall.AGENT_UNREACHABLE)
            self._settle(call)
        else:
            call.agent_up, self._legs[call.agent] = True, call
            kind = PersonLegKind.AGENT
            self._book.dialled(call.agent, claimed.attempt_id, kind, claimed.target, number, agents)
            log.info("agent_rung", attempt=claimed.attempt_id, target=claimed.target)

    def _dial(self, leg: str, number: str, trunk: str, codecs: tuple[Codec, ...] | None = None) -> None:
        """`codecs` are a citizen's, who hears what the agent's telephone does."""
        ring, total = self._voice.ring_timeout, self._voice.total_timeout
        self._line.dial(Dial(leg, number, trunk, ring, total, codecs=codecs, is_public=codecs is not None))

    def _digits(self, call: _Call) -> str:
        """The citizen's number as the trunk wants it; NotDialled where it isn't one, else LineError."""
        return dialled(self._plan, call.claimed.number, self._voice.trunk(call.claimed.trunk))

    # -- what the line tells

    def take(self, event: LineEvent) -> None:
        """An event of one of these calls; harmless for any other."""
        call = self._legs.get(event.call)
        if call is None:
            return
        if event.call == call.agent:
            self._of_agent(call, event)
        else:
            self._of_citizen(call, event)

    def _of_agent(self, call: _Call, event: LineEvent) -> None:
        match event:
            case Answered(codec=codec):
                call.codec = codec
                self._line.play(call.agent, _RINGBACK, tones.ringback())
                self._ask(call)
            case PlaybackFinished(token="ringback") if not call.joined:
                self._line.play(call.agent, _RINGBACK, tones.ringback())
            case PlaybackFinished(token="busy"):
                self._line.hangup(call.agent)
            case Ended(disposition=disposition):
                call.agent_up = False
                del self._legs[call.agent]
                if call.codec is None:
                    self._end(call, _AGENTS_END.get(disposition, NoCall.AGENT_UNREACHABLE))
                elif not call.talking:
                    self._end(call, NoCall.AGENT_HUNG_UP)
                self._line.hangup(call.citizen)
                self._settle(call)

    def _ask(self, call: _Call) -> None:
        """Every gate once more, and `invited_at`."""
        call.asking, attempt, token = True, call.claimed.attempt_id, call.claimed.token
        self._writer.submit(
            lambda: agent_calls.begin_citizen(self._ctx, attempt, token, call.citizen, datetime.now(UTC)),
            lambda granted: self._asked(call, granted),
        )

    def _asked(self, call: _Call, granted: bool) -> None:
        call.asking = False
        if not granted:  # its end is stored already
            call.settled = True
            self._say_busy(call)
        elif call.agent_up and call.why is None:
            assert call.codec is not None
            codecs = with_first(call.codec, self._voice.codecs)
            self._dial(call.citizen, self._digits(call), call.claimed.trunk, codecs)
            call.citizen_up, self._legs[call.citizen] = True, call
            call.sip_call_id = self._line.sip_call_id(call.citizen)
        self._settle(call)

    def _of_citizen(self, call: _Call, event: LineEvent) -> None:
        match event:
            case Ringing():
                call.sip_call_id = self._line.sip_call_id(call.citizen)
                call_id = call.sip_call_id
                self._write(call, lambda ctx, a, t, now: calls.ringing(ctx, a, t, now, call_id))
            case EarlyMedia():
                self._join(call)  # the network's own tone or announcement says more than ours
            case Answered():
                call.talking = True
                self._join(call)
                self._write(call, agent_calls.talking)
            case Ended():
                call.citizen_up = False
                del self._legs[call.citizen]
                call.outcome = _outcome(event, call.sip_call_id)
                call.ended_at = call.ended_at or datetime.now(UTC)
                if call.talking:
                    self._line.hangup(call.agent)
                else:
                    self._say_busy(call)
                self._settle(call)

    def _join(self, call: _Call) -> None:
        call.joined = True
        self._line.stop(call.agent)
        self._line.bridge(call.agent, call.citizen)

    def _say_busy(self, call: _Call) -> None:
        """The agent hears that it came to nothing, and is hung up on after it."""
        if call.agent_up and call.why is None:
            call.joined = True
            self._line.play(call.agent, _BUSY, tones.busy())

    # -- how it ends

    def give_way(self) -> None:
        """Somebody waits on 110: who isn't talking yet gives the line up."""
        for call in [call for call in self._calls if not call.talking]:
            self._hang_up(call, NoCall.GAVE_WAY)

    def stop(self) -> None:
        """Hangs up on all: the role ends."""
        for call in list(self._calls):
            self._hang_up(call, NoCall.STOPPED)

    def _end(self, call: _Call, why: NoCall) -> None:
        """Why the call ends, where the citizen's leg hasn't told already."""
        if call.outcome is None and call.why is None:
            call.why, call.ended_at = why, datetime.now(UTC)

    def _hang_up(self, call: _Call, why: NoCall | None = None) -> None:
        if why is not None:
            self._end(call, why)
        self._line.hangup(call.citizen)
        self._line.hangup(call.agent)

    def _settle(self, call: _Call) -> None:
        """When nothing of it is up, and nothing is being asked, its end is stored and it is forgotten."""
        if call.agent_up or call.citizen_up or call.asking or call not in self._calls:
            return
        self._calls.remove(call)
        attempt, outcome, why = call.claimed.attempt_id, call.outcome, call.why
        log.info("agent_call_ended", attempt=attempt, disposition=outcome and outcome.disposition, why=why)
        at = call.ended_at or datetime.now(UTC)
        self._write(call, lambda ctx, a, t, _now: agent_calls.call_over(ctx, a, t, outcome, why, at))

    def _write(self, call: _Call, write: _Write) -> None:
        """Queues a write with the call's token; a stale token ends the call."""
        if call.settled:
            return
        attempt, token, now = call.claimed.attempt_id, call.claimed.token, datetime.now(UTC)

        def done(was_ours: bool) -> None:
            if not was_ours and not call.settled:
                self._lose(call)

        self._writer.submit(lambda: write(self._ctx, attempt, token, now), done)

    def _lose(self, call: _Call) -> None:
        call.settled = True
        log.error("lease_lost", attempt=call.claimed.attempt_id, number=call.claimed.masked)
        self._hang_up(call)

    # -- leases

    def renew(self, now: float) -> None:
        """Keeps the leases, and learns who has given up; for each turn of the line."""
        if not self._calls or self._renewing or now < self._renew_at:
            return
        self._renewing, self._renew_at = True, now + _RENEW_EVERY
        attempts = [call.claimed.attempt_id for call in self._calls if not call.settled]
        self._writer.submit(lambda: renew(self._ctx, self._owner, attempts), self._renewed)

    def _renewed(self, renewal: Renewal) -> None:
        self._renewing = False
        for call in list(self._calls):
            attempt = call.claimed.attempt_id
            if attempt in renewal.lost and not call.settled:
                self._lose(call)
            elif attempt in renewal.cancel:
                self._hang_up(call, None if call.talking else NoCall.CANCELLED)


def _outcome(event: Ended, sip_call_id: str | None) -> CallOutcome:
    return CallOutcome(
        event.disposition or Disposition.UNKNOWN,
        event.sip_status,
        event.q850,
        event.cause_text,
        sip_call_id=sip_call_id,
        quality=event.heard,
    )
