"""The voice role: pulls calls while lines are free, dials them, holds the dialogues, stores the outcomes.

One thread carries SIP, RTP and the dialogues; one writes to the database (`callbacks.writer`). Nothing is
dialled before its `invited_at` is committed, and nothing is written with a stale token.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.orm import Session

from callbacks.alarms import AlarmKind, raise_alarm
from callbacks.models_trunks import PersonLegKind
from callbacks.service import late
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ClaimedCall, begin_invite, claim_calls, ensure_lines
from callbacks.service.core import Context
from callbacks.service.inbound_lines import do_callbacks_wait
from callbacks.service.leases import Renewal, renew
from callbacks.service.messages import Message
from callbacks.service.policy_versions import PolicyWatch
from callbacks.service.trunk_states import forget_trunks, tell_trunks
from callbacks.spool import Record, own_spool, play_orphans
from callbacks.stopping import Stop
from callbacks.target_settings import Targets
from callbacks.vocabulary import Disposition
from callbacks.writer import Writer
from ivr.agent_calls import AgentCalls
from ivr.carried_call import CallWrites, CarriedCall, Script
from ivr.conversation import Conversation, Result, StoreMessage
from ivr.dialled import dialled
from ivr.dialplan import DialPlan, NotDialled
from ivr.events import Answered, Ended, LineEvent, MachineHeard, Ringing
from ivr.flow_events import (
    ChangeRating,
    HandOver,
    HangUp,
    StopTransfer,
    StoreRating,
    StoreReason,
    StoreResolved,
    Transfer,
    WrongPerson,
)
from ivr.leg_book import LegBook
from ivr.line import Dial, Line, LineError
from ivr.put_through import NOBODY, People, Telephone, Told
from ivr.settings import VoiceSettings
from ivr.survey_transfers import SurveyTransfers
from ivr.trunk_choice import TrunkChoice
from ivr.trunk_reports import TrunkReports

log = structlog.get_logger(__name__)

_ROLE = "voice"
_TURN = 0.05
_MOST_UNWRITTEN = 200  # a database this far behind gets no new calls


class VoiceWorker:
    """Carries out the calls of one process. `run` ends after `stop`, when its calls are over."""

    def __init__(
        self,
        ctx: Context,
        line: Line,
        voice: VoiceSettings,
        script: Script,
        plan: DialPlan,
        *,
        trunks: TrunkChoice,
        owner: str,
        poll_seconds: float,
        spool_folder: Path,
        targets: Targets = MappingProxyType({}),
        look_for_script: Callable[[Script], Script] = lambda script: script,
        people: People = NOBODY,
        in_hours: Callable[[datetime], bool] = lambda _now: False,
    ) -> None:
        """`look_for_script` gives the script that holds now; it is asked before each claim, in the writer.

        `people` are put through to, and there while `in_hours` says so. `trunks` are the line's.
        """
        self._ctx, self._line, self._voice, self._script, self._plan = ctx, line, voice, script, plan
        self._look_for_script = look_for_script
        self._owner, self._poll = owner, poll_seconds
        self._trunks = trunks
        self._calls: dict[str, CarriedCall] = {}
        self._spool_folder = spool_folder
        self._writer = Writer(line.wake, own_spool(spool_folder, _ROLE, ctx.privacy), self._spooled)
        self._writes = CallWrites(ctx, self._writer, self._lose)
        self._reports = TrunkReports(
            trunks,
            self._writer,
            lambda told: tell_trunks(ctx, owner, told, datetime.now(UTC)),
            lambda: forget_trunks(ctx, owner),
        )
        self._look_for_policy = PolicyWatch(ctx)
        self._legs = LegBook(ctx, line, self._writer)
        self._people = AgentCalls(ctx, line, voice, plan, targets, self._writer, owner, self._legs)
        self._in_hours = in_hours
        self._transfers = SurveyTransfers(
            ctx, line, people, self._writer, owner, self._tell, self._person_rung
        )
        self._claiming = self._renewing = self._looking = False
        self._claim_at = self._people_at = self._renew_at = self._look_at = 0.0

    def run(self, stop: Stop, drain_seconds: float) -> None:
        for wanted in self._voice.trunks:
            ensure_lines(self._ctx, wanted.name, wanted.lines, wanted.inbound_reserve)
        self._writer.submit(self._play_orphans)
        stop.on_set(self._line.wake)
        while not stop.is_set():
            self._turn()
            self._claim_peoples(time.monotonic())
            self._claim(time.monotonic())
        self._drain(time.monotonic(), drain_seconds)

    def _play_orphans(self) -> None:
        """The keys that dead processes could not write any more."""

        def play(record: Record) -> None:
            late.play_key(self._ctx, record)

        if played := play_orphans(self._spool_folder, _ROLE, self._ctx.privacy, play):
            self._spooled(played, False)

    def _spooled(self, played: int, refused: bool) -> None:
        """A seat learns that keys waited for the database, and whether any could be lost."""
        now = datetime.now(UTC)

        def work(session: Session) -> None:
            raise_alarm(session, AlarmKind.SPOOL, _ROLE, now, played=played, refused=refused)

        self._ctx.run(work)
        log.warning("spool_played", records=played, refused=refused)

    def _drain(self, now: float, seconds: float) -> None:
        """No new calls; those that are up finish within most of the bound, then they're hung up."""
        log.info("draining", calls=len(self._calls), people=self._people.legs)
        patience, end = now + 0.6 * seconds, now + 0.9 * seconds
        while self._up and time.monotonic() < patience:
            self._turn()
        for call in list(self._calls):
            self._line.hangup(call)
        self._people.stop()
        while self._up and time.monotonic() < end:
            self._turn()
        self._line.close()
        self._reports.close()
        if not self._writer.close(max(1.0, now + seconds - time.monotonic())):
            log.error("unwritten", jobs=self._writer.backlog)

    # -- the turn

    def _turn(self) -> None:
        for event in self._line.run_once(_TURN):
            self._take(event)
        self._writer.deliver()
        now = time.monotonic()
        for name, call in list(self._calls.items()):
            deadline = call.conversation.deadline
            if deadline is not None and now >= deadline:
                self._store(name, call.conversation.tick(now))
        self._renew(now)
        self._people.renew(now)
        self._transfers.keep(now)
        self._look_for_callers(now)
        self._reports.turn(now)

    @property
    def _up(self) -> int:
        """Calls of the line, those of people among them."""
        return len(self._calls) + self._people.legs + self._transfers.legs

    def _take(self, event: LineEvent) -> None:
        self._legs.take(event)
        self._transfers.take(event)
        call = self._calls.get(event.call)
        if call is None:
            self._people.take(event)
            return
        match event:
            case Ringing():
                call.rang = True
                call_id = call.sip_call_id = self._line.sip_call_id(event.call)
                self._writes.ringing(call, call_id)
            case Answered(codec=codec):
                call.answered, call.codec = True, codec
                self._writes.answered(call)
            case MachineHeard(sign=sign):
                call.machine_at = datetime.now(UTC)
                log.info("machine_heard", attempt=call.claimed.attempt_id, sign=sign.value)
        self._store(event.call, call.conversation.receive(event))
        if isinstance(event, Ended):
            del self._calls[event.call]
            self._transfers.call_off(event.call)
            outcome = call.outcome(event, self._voice.machine != "off", self._elsewhere(event, call))
            self._writes.ended(call, outcome)
            log.info("call_ended", attempt=call.claimed.attempt_id, disposition=outcome.disposition.value)

    def _elsewhere(self, event: Ended, call: CarriedCall) -> frozenset[str]:
        """The trunks to which a 503 sends it on at once: nobody's telephone rang (RFC 3261 §21.5.4)."""
        is_free = event.disposition is Disposition.NETWORK_FAIL and event.sip_status == 503 and not call.rang
        return self._trunks.others(call.claimed.trunk, event.at) if is_free else frozenset()

    # -- results of the dialogue

    def _tell(self, name: str, told: Told) -> None:
        """What came of putting the citizen through."""
        if call := self._calls.get(name):
            self._store(name, call.conversation.tell(told, time.monotonic()))

    def _person_rung(self, name: str, leg: str, telephone: Telephone) -> None:
        attempt, kind = self._calls[name].claimed.attempt_id, PersonLegKind.TRANSFER
        self._legs.dialled(leg, attempt, kind, telephone.name, telephone.number, telephone.trunk)

    def _store(self, name: str, results: list[Result]) -> None:
        call = self._calls[name]
        for result in results:
            match result:
                case StoreRating() | ChangeRating():
                    self._writes.rated(call, result)
                case StoreResolved(case, resolved):
                    self._writes.resolved(call, case, resolved)
                case StoreReason(case, reason):
                    self._writes.reason_given(call, case, reason)
                case StoreMessage(case, payload, codec, seconds) if case is not None:
                    self._writes.message_left(call, case, Message(payload, codec, seconds))
                case Transfer(target):
                    self._transfers.begin(name, target, call.claimed.number, call.codec)
                case StopTransfer():
                    self._transfers.call_off(name)
                case HandOver():
                    call.handed_over = True
                case WrongPerson():
                    call.wrong_person = True
                case HangUp():
                    pass

    def _lose(self, call: CarriedCall) -> None:
        call.lost = True
        log.error("lease_lost", attempt=call.claimed.attempt_id, number=call.claimed.masked)
        self._line.hangup(call.claimed.key)

    # -- claiming and leases

    def _claim_peoples(self, now: float) -> None:
        """People first: what agents ask for takes the lines that it needs."""
        if now < self._people_at or self._writer.backlog > _MOST_UNWRITTEN:
            return
        self._people_at = now + self._poll
        if rooms := self._rooms(now):
            room = self._voice.lines - self._up
            self._people.claim(tuple(rooms), room, lambda trunk, calls: self._trunks.spend(trunk, calls, now))

    def _rooms(self, now: float) -> dict[str, int]:
        """Trunks in the order in which they're taken, and how many calls each may begin."""
        return self._trunks.rooms(now, Counter(call.claimed.trunk for call in self._calls.values()))

    def _claim(self, now: float) -> None:
        if self._claiming or now < self._claim_at or self._writer.backlog > _MOST_UNWRITTEN:
            return
        self._claim_at = now + self._poll
        most, rooms = self._voice.lines - self._up, self._rooms(now)
        if most <= 0 or not rooms or self._people.waiting:
            return
        self._claiming = True

        def claim() -> tuple[Script, list[ClaimedCall]]:
            self._look_for_policy()
            self._script.look()
            script = self._look_for_script(self._script)
            words = (script.flow.name, script.flow.version, script.prompt_version)
            return script, claim_calls(self._ctx, self._owner, rooms, datetime.now(UTC), words, most)

        self._writer.submit(claim, lambda found: self._claimed(*found))

    def _claimed(self, script: Script, claimed: Sequence[ClaimedCall]) -> None:
        self._claiming, self._script = False, script
        for trunk, begun in Counter(each.trunk for each in claimed).items():
            self._trunks.spend(trunk, begun, time.monotonic())
        if claimed:
            self._claim_at = 0.0  # there may be more: ask again at once
        for each in claimed:
            self._invite(each)

    def _invite(self, claimed: ClaimedCall) -> None:
        name = claimed.key
        call = self._calls[name] = CarriedCall(
            claimed, self._script, self._conversation(claimed, self._script)
        )
        try:
            digits = dialled(self._plan, claimed.number, self._voice.trunk(claimed.trunk))
        except NotDialled as error:
            del self._calls[name]
            refused = CallOutcome(Disposition.CANCELLED, cause_raw=str(error)[:200], not_dialled=True)
            self._writes.ended(call, refused)
            log.warning("not_dialled", attempt=claimed.attempt_id, number=claimed.masked)
            return
        except LineError as error:  # the trunk's fault, not the number's
            del self._calls[name]
            self._trunks.refused(claimed.trunk, None, time.monotonic())
            self._writes.given_back(call)
            log.error("trunk_misconfigured", trunk=claimed.trunk, why=str(error))
            return
        order = Dial(
            call=name,
            number=digits,
            trunk=claimed.trunk,
            ring_timeout=self._voice.ring_timeout,
            total_timeout=self._voice.total_timeout,
            detect_machine=self._voice.machine == "advice",
            is_public=True,
        )
        self._writer.submit(
            lambda: begin_invite(self._ctx, claimed.attempt_id, claimed.token, name, datetime.now(UTC)),
            lambda asked: self._dial(order, asked),
        )

    def _conversation(self, claimed: ClaimedCall, script: Script) -> Conversation:
        there = self._in_hours(datetime.now(UTC))
        variables = call_variables(self._ctx, claimed, self._voice.messages, there)
        return Conversation(claimed.key, script.flow, variables, script.prompts, self._line)

    def _dial(self, order: Dial, asked: frozenset[int]) -> None:
        """`invited_at` is committed, or it must not be dialled. It speaks of what is asked for alone."""
        call = self._calls[order.call]
        if not asked or call.lost:
            del self._calls[order.call]
            return
        if len(asked) < len(call.claimed.cases):
            call.claimed = call.claimed.only(asked)
            call.conversation = self._conversation(call.claimed, call.script)
        self._line.dial(order)
        call.sip_call_id = self._line.sip_call_id(order.call)

    def _look_for_callers(self, now: float) -> None:
        """Whether somebody waits for a person on 110: what still rings is given up, what talks goes on."""
        if self._looking or now < self._look_at or not self._up:
            return
        self._looking, self._look_at = True, now + self._poll
        self._writer.submit(lambda: do_callbacks_wait(self._ctx), self._give_way)

    def _give_way(self, waits: bool) -> None:
        self._looking = False
        if waits:
            for name in [name for name, call in self._calls.items() if not call.answered]:
                self._line.hangup(name)
            self._people.give_way()

    def _renew(self, now: float) -> None:
        if self._renewing or now < self._renew_at or not self._calls:
            return
        self._renewing = True
        self._renew_at = now + self._ctx.policy.lease.total_seconds() / 3
        attempts = [call.claimed.attempt_id for call in self._calls.values() if not call.lost]
        self._writer.submit(lambda: renew(self._ctx, self._owner, attempts), self._renewed)

    def _renewed(self, renewal: Renewal) -> None:
        self._renewing = False
        for name, call in list(self._calls.items()):
            attempt = call.claimed.attempt_id
            if attempt in renewal.lost and not call.lost:
                self._lose(call)
            elif attempt in renewal.cancel:
                self._line.hangup(name)


def call_variables(
    ctx: Context, claimed: ClaimedCall, may_record: bool, in_hours: bool = False
) -> Mapping[str, Any]:
    """What the flow must know: date and category of each case, never the citizen's words.

    `in_hours`: somebody is there to whom they can be put through.
    """
    zone = ZoneInfo(ctx.policy.windows.timezone)
    cases = []
    for case in claimed.cases:
        day = case.accepted_at.astimezone(zone)
        cases.append({"month": day.month, "day": day.day, "category": case.category, "round": case.round})
    known = {"scale": ctx.policy.scale, "cases": cases, "may_record": may_record, "in_hours": in_hours}
    return known | {"can": ["transfer"] if in_hours else []}
