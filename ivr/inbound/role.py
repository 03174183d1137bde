"""The inbound role: brings who calls 110 to a person. It needs no database for that.

One thread carries SIP, RTP and the switchboard; what is to be kept goes to the writer's, and to the spool
while the database is away.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from callbacks.inbound_figures import CALLBACK_LINE
from callbacks.stopping import Stop
from callbacks.target_settings import Targets
from callbacks.vocabulary import LegKind
from callbacks.writer import Writer
from ivr.events import (
    Answered,
    Codec,
    Ended,
    Incoming,
    KeyPressed,
    LineEvent,
    PlaybackFinished,
    Ringing,
    TransferAnswered,
    TransferAsked,
)
from ivr.inbound.directory import Directory
from ivr.inbound.facts import Service, read_facts
from ivr.inbound.journal import CallRecord
from ivr.inbound.recordings import Recordings
from ivr.inbound.ring_back import RingBacks
from ivr.inbound.settings import InboundSettings, rules_of
from ivr.inbound.switchboard import Switchboard
from ivr.inbound.switchboard_data import (
    Announce,
    Answer,
    Bridge,
    Command,
    DialLeg,
    Drop,
    HangUp,
    HearRinging,
    Redirect,
    Refer,
    RingBack,
    Stage,
    Told,
)
from ivr.inbound.transfers import Transfers
from ivr.line import CONNECT_SECONDS, Dial, Line, LineError, with_first
from ivr.media import tones
from ivr.media.audio import Audio
from ivr.put_through import Telephone
from ivr.recording_files import RecordingFiles
from ivr.trunk_reports import TrunkReports

__all__ = ["InboundRole", "QueuePrompts"]

log = structlog.get_logger(__name__)

_TURN = 0.05
_TONE = "tone"

Store = Callable[[Mapping[str, Any]], object]
Hold = Callable[[Mapping[str, int], int], object]
Load = tuple[Mapping[str, int], int]
_NOTHING: Load = ({}, 0)
_HOLD_EVERY = 1.0  # seconds; a line is held for five
_UNWRITTEN = 5.0  # seconds for what recordings still have to write
_LOOK_EVERY = 5.0  # seconds
_GIVEN_UP = 10.0  # seconds; a write that nothing was heard of has failed


class QueuePrompts(Protocol):
    """What a caller who waits hears."""

    def through(self, before: int, again: bool) -> Audio:
        """That they are through; `again`, how many wait before them."""


@dataclass(frozen=True, slots=True)
class _Caller:
    """`codec` is the caller's first, None where we are to offer; `place` where they are (`Incoming`)."""

    record: CallRecord
    codec: Codec | None
    place: bytes


@dataclass(frozen=True, slots=True)
class _Leg:
    """Of a caller, who may be gone before it."""

    record: CallRecord
    trunk: str


class InboundRole:
    """The callers of one process. Everything but `store` belongs to the thread that turns the line.

    `store` is called in the writer's thread with a snapshot (`ivr.inbound.journal`), and again where the
    database was away; `hold` with the calls by trunk and how many callers wait; `look` takes up newer
    prompts. `clock` is the line's.
    With `files` each leg of a call to a person is recorded. `best_trunk` says by which trunk a telephone is
    rung for which the settings name none; without it, by the first.
    """

    def __init__(
        self,
        line: Line,
        settings: InboundSettings,
        targets: Targets,
        area_code: str,
        prompts: QueuePrompts,
        writer: Writer,
        store: Store,
        hold: Hold,
        clock: Callable[[], float] = time.monotonic,
        ring_backs: RingBacks | None = None,
        files: RecordingFiles | None = None,
        look: Callable[[], object] = lambda: None,
        owner: str = "",
        best_trunk: Callable[[float], str] | None = None,
        reports: TrunkReports | None = None,
    ) -> None:
        self._line, self._settings, self._targets, self._ring_backs = line, settings, targets, ring_backs
        self._area_code, self._prompts = area_code, prompts
        self._writer, self._store, self._hold, self._clock = writer, store, hold, clock
        self._load, self._held = _NOTHING, _NOTHING
        if ring_backs is not None:
            ring_backs.on_dialled(self._rung_for_ring_back)
        self._holding, self._hold_at = False, 0.0
        self._owner, self._reports = owner, reports
        self._best_trunk = best_trunk or (lambda _now: settings.trunks[0].name)
        self._look, self._looking, self._look_at = look, False, 0.0
        self.board = Switchboard(rules_of(settings))
        refer = frozenset(trunk.name for trunk in settings.trunks if trunk.accepts_refer)
        self._transfers = Transfers(line, self.board.thirds, _directory(settings, targets, area_code), refer)
        self._accept_302 = {trunk.name for trunk in settings.trunks if trunk.accepts_302}
        self._place_trunks = {trunk.name for trunk in settings.trunks if trunk.passes_place}
        self._callers: dict[str, _Caller] = {}
        self._legs: dict[str, _Leg] = {}
        self._due: float | None = None
        self._stopping = False
        self._recordings = Recordings(line, files, self._keep)

    # -- turning

    def run(self, stop: Stop) -> None:
        """Until `stop`; then who is on the line is still served, for the drain's time."""
        stop.on_set(self._line.wake)
        while not stop.is_set():
            self.turn(_TURN)
        self._stopping = True
        log.info("draining", callers=len(self.board.callers))
        end = time.monotonic() + self._settings.drain_seconds
        while (self.board.callers or self._ring_backs) and time.monotonic() < end:
            self.turn(_TURN)
        self._line.close()
        self._recordings.close(self._clock(), _wall(), _UNWRITTEN)
        self._writer.submit(lambda: self._hold(*_NOTHING))
        if self._reports:
            self._reports.close()
        if not self._writer.close(5.0):
            log.error("unwritten", jobs=self._writer.backlog)

    def turn(self, timeout: float) -> None:
        """One turn of the line and of what is due. With voice on the line it's a thousand a second."""
        for event in self._line.run_once(timeout):
            self.take(event)
        now = self._clock()
        if self._due is not None and self._due <= now:
            self._carry_out(self.board.tick(now), now)
        self._go_on_with_ring_backs(now)
        self._tell_load(now)
        self._recordings.tick(now, _wall)
        self._look_for_prompts(now)
        if self._reports:
            self._reports.turn(now)
        self._writer.deliver()

    def _go_on_with_ring_backs(self, now: float) -> None:
        if self._ring_backs:
            self._ring_backs.tick(now)
            for call in self._ring_backs.impatient(now):  # the database doesn't answer: a person does
                self._carry_out(self.board.arrive(call, now), now)

    def _tell_load(self, now: float) -> None:
        """The callbacks learn at once that somebody waits, and hear it again while it is so."""
        load = self._load
        if self._holding and now < self._hold_at + _GIVEN_UP:
            return
        if load == self._held and (load == _NOTHING or now < self._hold_at):
            return
        self._holding, self._held, self._hold_at = True, load, now + _HOLD_EVERY

        def told(_: object) -> None:
            self._holding = False

        self._writer.submit(lambda: self._hold(*load), told)

    def _look_for_prompts(self, now: float) -> None:
        if self._looking or now < self._look_at:
            return
        self._looking, self._look_at = True, now + _LOOK_EVERY

        def looked(_: object) -> None:
            self._looking = False

        self._writer.submit(self._look, looked)

    def _look_around(self) -> None:
        """After something has happened: what is due next; calls by trunk, and who doesn't talk yet."""
        self._due = self.board.deadline
        trunks = Counter(caller.record.trunk for caller in self._callers.values())
        trunks.update(leg.trunk for leg in self._legs.values())
        self._load = trunks, len(self.board.waiting)

    # -- what happens

    def take(self, event: LineEvent) -> None:
        """Whatever the line tells."""
        self._take(event)
        if isinstance(event, Incoming | Ended):
            self._look_around()

    def _take(self, event: LineEvent) -> None:
        now = event.at
        if self._ring_backs is not None and event.call in self._ring_backs:
            self._of_ring_back(self._ring_backs, event)
            return
        if self._ring_backs is not None:
            self._ring_backs.take_leg(event)
        match event:
            case Incoming():
                self._came(event)
            case Answered(call) if caller := self._callers.get(call):
                at = _wall()
                caller.record.note("answered_at", at)
                self._record(event, caller.record, at)
                self._carry_out(self.board.caller_answered(call, now), now)
                self._keep(caller.record)
            case Ringing(call) if leg := self._legs.get(call):
                leg.record.leg_rang(call, _wall())
            case Answered(call) if leg := self._legs.get(call):
                at = _wall()
                leg.record.leg_answered(call, at)
                self._record(event, leg.record, at)
                self._carry_out(self.board.leg_answered(call, now), now)
                self._keep(leg.record)
            case PlaybackFinished(call) if call in self._callers:
                self._play_on(call)
            case KeyPressed(call, key=key) if leg := self._legs.get(call):
                self._wish(leg, self._transfers.keyed(call, key, leg.record.trunk, now), now)
            case TransferAsked(call, uri=uri) if leg := self._legs.get(call):
                self._wish(leg, self._transfers.asked(call, uri, leg.record.trunk, now), now)
            case TransferAsked(call):
                self._line.refer_result(call, 603)  # callers don't put themselves through
            case TransferAnswered(call, status=status) if caller := self._callers.get(call):
                caller.record.refer_ended(status, _wall())
                self._carry_out(self.board.thirds.refer_answered(call, status, now), now)
                self._keep(caller.record)
            case Ended(call) if call in self._callers:
                self._caller_ended(event)
            case Ended(call) if call in self._legs:
                self._leg_ended(event)

    def _record(self, event: Answered, record: CallRecord, at: datetime) -> None:
        """Who is asked by the callback number's flow isn't recorded, nor is whom they're put through to."""
        if self._ring_backs is None or record.token not in self._ring_backs:
            self._recordings.begin(event.call, record, event.codec, event.at, at)

    def _came(self, event: Incoming) -> None:
        if self._stopping:
            self._line.reject(event.call, 503)  # the edge goes to the next
            return
        facts = read_facts(
            event.uri, event.caller, event.headers, self._area_code, self._settings.callback_numbers
        )
        call_id = self._line.sip_call_id(event.call)
        record = CallRecord(event.call, event.trunk, facts, _wall(), self._owner, call_id)
        self._callers[event.call] = _Caller(record, event.codec, event.place)
        if self._ring_backs is not None and facts.service is Service.CALLBACK and facts.number:
            self._ring_backs.came(event.call, facts.number, event.codec, event.at)
            self._keep(record)
            return
        may = event.trunk in self._accept_302
        self._carry_out(self.board.arrive(event.call, event.at, may_redirect=may), event.at)
        self._keep(record)

    def _of_ring_back(self, ring_backs: RingBacks, event: LineEvent) -> None:
        """Of somebody whom the flow asks. Who wants a person and has no case is to be rung back."""
        record = self._callers[event.call].record
        if isinstance(event, Answered):
            at = _wall()
            record.note("answered_at", at)
            record.heard_by(CALLBACK_LINE, at)
        if ring_backs.take(event):
            record.wants_a_person()
        if isinstance(event, Ended):
            del self._callers[event.call]
            record.ended_by = "caller" if event.by == "them" else event.by
            record.ended(event, _wall())
        if isinstance(event, Answered | Ended):
            self._keep(record)

    def _rung_for_ring_back(self, call: str, leg: str, telephone: Telephone) -> None:
        """A telephone rings for somebody who asked for a person on the callback number."""
        record = self._callers[call].record
        number, trunk = telephone.number, telephone.trunk
        record.leg_began(leg, telephone.name, _wall(), LegKind.TRANSFER, trunk, number)
        record.leg_left(leg, self._line.sip_call_id(leg))
        self._legs[leg] = _Leg(record, telephone.trunk)
        self._look_around()

    def _caller_ended(self, event: Ended) -> None:
        self._recordings.end(event.call, event.at, _wall())
        record = self._callers.pop(event.call).record
        caller = self.board.callers.get(event.call)
        if caller is not None:  # else we hung up, the person having done so, or sent them elsewhere
            record.ended_by = record.ended_by or ("network" if event.by == "network" else "caller")
        record.ended_by = record.ended_by or "us"
        record.ended(event, _wall())
        record.refer_ended(None, _wall())
        self._carry_out(self.board.caller_ended(event.call, event.at), event.at)
        self._keep(record)

    def _leg_ended(self, event: Ended) -> None:
        self._recordings.end(event.call, event.at, _wall())
        record = self._legs.pop(event.call).record
        self._transfers.forget(event.call)
        record.leg_ended(event.call, event, _wall())
        lost = event.by == "network"
        self._carry_out(self.board.leg_ended(event.call, event.at, lost=lost), event.at)
        self._keep(record)

    def _play_on(self, call: str) -> None:
        """Between announcements a caller hears that the line lives, and that it rings elsewhere."""
        caller = self.board.callers.get(call)
        if caller is not None and (caller.announce_at is not None or caller.stage is Stage.PASSED_ON):
            self._line.play(call, _TONE, tones.ringback())

    def _wish(self, leg: _Leg, commands: list[Command], now: float) -> None:
        """Of an operator who brings somebody in."""
        if commands:
            self._carry_out(commands, now)
            self._keep(leg.record)

    # -- what is to be done

    def _carry_out(self, commands: list[Command], now: float) -> None:
        for command in commands:
            self._do(command, now)
        self._look_around()

    def _do(self, command: Command, now: float) -> None:
        match command:
            case RingBack(caller):
                self._line.ring(caller)
            case Redirect(caller):
                self._callers[caller].record.note("redirected_at", _wall())
                self._line.redirect(caller, self._desk_uris())
            case Answer(caller):
                self._line.answer(caller)
            case Announce(caller, before, again):
                self._callers[caller].record.note("queued_at", _wall())
                self._line.play(caller, f"through-{before}", self._prompts.through(before, again))
            case DialLeg():
                self._dial(command, now)
            case Drop(leg):
                self._line.hangup(leg)
            case Bridge(caller, legs):
                self._callers[caller].record.talks_with(legs[0], _wall())
                self._line.stop(caller)
                self._line.bridge(caller, *legs)
            case HearRinging(caller):
                self._line.play(caller, _TONE, tones.ringback())
            case Refer(caller, target):
                self._refer(caller, target)
            case Told(leg, status):
                self._transfers.tell(leg, status)
            case HangUp(caller):
                record = self._callers[caller].record
                record.ended_by = record.ended_by or "person"
                self._line.hangup(caller)

    def _refer(self, caller: str, target: str) -> None:
        """The caller's own trunk knows the number."""
        record = self._callers[caller].record
        record.refer_began(target, _wall())
        self._line.refer(caller, self._uri_of(target, record.trunk))

    def _dial(self, order: DialLeg, now: float) -> None:
        caller, target = self._callers[order.caller], self._targets[order.target]
        record, codec, trunk = caller.record, caller.codec, target.trunk or self._best_trunk(now)
        record.leg_began(order.leg, order.target, _wall(), order.kind, trunk, target.number)
        self._legs[order.leg] = _Leg(record, trunk)
        codecs = self._settings.codecs
        if codec is not None:  # the caller's first: then nothing has to be changed on its way
            codecs = with_first(codec, codecs)
        number = record.facts.number
        dial = Dial(
            order.leg,
            target.number,
            trunk,
            ring_timeout=order.ring_time,
            total_timeout=order.ring_time + CONNECT_SECONDS,
            caller=number if number.isdigit() else None,
            codecs=codecs,
            headers=(*record.facts.passed_on, *self._pop(record)),
            place=caller.place if trunk in self._place_trunks else b"",
        )
        try:
            self._line.dial(dial)
        except LineError as error:
            log.error("leg_not_dialled", target=order.target, error=str(error))
            ended = Ended(order.leg, now, None, None, None, str(error), "us")
            self._leg_ended(ended)
        else:
            record.leg_left(order.leg, self._line.sip_call_id(order.leg))

    def _pop(self, record: CallRecord) -> list[tuple[str, str]]:
        """The caller's page, for the operator's telephone to open (RFC 3261 §20.9)."""
        url = self._settings.pop_url.replace("{call}", record.token)
        return [("Call-Info", f"<{url}>;purpose=info")] if url else []

    def _desk_uris(self) -> list[str]:
        """The emergency desk's addresses, as a trunk is told them."""
        first = self._settings.trunks[0].name
        return [self._uri_of(name, self._targets[name].trunk or first) for name in self._settings.desk]

    def _uri_of(self, target: str, trunk_name: str) -> str:
        return self._settings.trunk(trunk_name).uri(self._targets[target].number)

    # -- what is kept

    def _keep(self, record: CallRecord) -> None:
        snapshot = dict(record.snapshot())
        self._writer.submit(lambda: self._store(snapshot), record=snapshot)


def _directory(settings: InboundSettings, targets: Targets, area_code: str) -> Directory:
    numbers = {name: targets[name].number for name in settings.codes.values()}
    return Directory(settings.codes, numbers, area_code)


def _wall() -> datetime:
    return datetime.now(UTC)
