"""The voice role with a cloud number: claims calls, has Twilio dial them, and keeps their leases.

What happens on a call is told to the web role (`ivr.twilio_app`), and written there with the attempt's token;
here it's seen by the lease that is no longer ours. People's calls need a line of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import requests
import structlog
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]

from callbacks.service import calls, provider_calls
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ClaimedCall, begin_invite, claim_calls, ensure_lines
from callbacks.service.core import Context
from callbacks.service.leases import renew
from callbacks.service.policy_versions import PolicyWatch
from callbacks.stopping import Stop
from callbacks.vocabulary import Disposition
from ivr.carried_call import Script
from ivr.dialplan import DialPlan, NotDialled
from ivr.line import Capabilities, LineError
from ivr.media.recorder import LONGEST
from ivr.settings import VoiceSettings
from ivr.twilio_dialogues import first_dialogue
from ivr.twilio_rest import NotTaken, TwilioCalls
from ivr.twilio_targets import Numbers, may_transfer
from ivr.worker import call_variables

__all__ = ["CAPABILITIES", "TRUNK", "TwilioWorker"]

_log = structlog.get_logger(__name__)
TRUNK = "twilio"
CAPABILITIES = Capabilities(
    early_media=False, sip_status=False, q850=False, key_time=False, recording=True, transfer=True
)
_SLACK = 60.0  # seconds for the webhooks to tell the end
_FORGET_EVERY = 3600.0
_LONGEST_TALK = 3600.0  # seconds with a person to whom they were put through


@dataclass(slots=True)
class _Live:
    """A call that Twilio has, as far as we know. After `until` its lease is left to run out."""

    key: str
    sid: str | None
    until: float
    withdrawn: bool = False


class TwilioWorker:
    """`run` ends after `stop`, when its calls are over or the drain's time is up. One thread."""

    def __init__(
        self,
        ctx: Context,
        voice: VoiceSettings,
        script: Script,
        plan: DialPlan,
        *,
        owner: str,
        poll_seconds: float,
        numbers: Numbers = MappingProxyType({}),
        in_hours: Callable[[datetime], bool] = lambda _now: False,
    ) -> None:
        """`numbers` are those of whom flows put through to; agents are there while `in_hours` says so."""
        if voice.twilio is None:
            raise LineError("voice.twilio: an account is needed for line = twilio")
        self._ctx, self._voice, self._script, self._plan = ctx, voice, script, plan
        self._owner, self._poll = owner, poll_seconds
        self._twilio = TwilioCalls(voice.twilio)
        self._live: dict[int, _Live] = {}
        self._look_for_policy = PolicyWatch(ctx)
        self._renew_at = self._forget_at = 0.0
        self._longest = script.flow.call_seconds + voice.ring_timeout + _SLACK
        self._in_hours = in_hours
        if may_transfer(script.flow, numbers):
            self._longest += _LONGEST_TALK

    def run(self, stop: Stop, drain_seconds: float) -> None:
        ensure_lines(self._ctx, TRUNK, self._voice.lines)
        while not stop.is_set():
            self.turn()
            stop.wait(self._poll)
        self._drain(time.monotonic() + drain_seconds)
        self._twilio.close()

    def turn(self) -> None:
        """Claims what there are free lines for, dials it, and renews the leases of what is up."""
        self._look_for_policy()
        room = self._voice.lines - len(self._live)
        flow = (self._script.flow.name, self._script.flow.version, self._script.prompt_version)
        if room > 0:
            now = datetime.now(UTC)
            for claimed in claim_calls(self._ctx, self._owner, {TRUNK: room}, now, flow):
                self._dial(claimed)
        self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Which calls are over; the others' leases are renewed, and what was withdrawn is hung up."""
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
            provider_calls.forget_calls(self._ctx, datetime.now(UTC))
        if now < self._renew_at:
            return
        self._renew_at = now + min(1.0, self._ctx.policy.lease.total_seconds() / 3)
        for attempt in [attempt for attempt, live in self._live.items() if now >= live.until]:
            _log.error("call_never_ended", attempt=attempt)
            del self._live[attempt]
        renewal = renew(self._ctx, self._owner, list(self._live))
        for attempt in renewal.lost:
            del self._live[attempt]
        for attempt in renewal.cancel:
            self._withdraw(self._live[attempt])

    def _drain(self, end: float) -> None:
        """No new calls; those that are up finish within most of the time, then they're hung up."""
        patience = time.monotonic() + 0.6 * (end - time.monotonic())
        while self._live and time.monotonic() < patience:
            time.sleep(min(self._poll, 0.2))
            self.look(time.monotonic())
        for live in self._live.values():
            self._withdraw(live)
        while self._live and time.monotonic() < end:
            time.sleep(min(self._poll, 0.2))
            self.look(time.monotonic())

    # -- one call

    def _dial(self, claimed: ClaimedCall) -> None:
        attempt, key = claimed.attempt_id, claimed.key
        try:
            digits = self._plan.citizen(claimed.number)
        except NotDialled as error:
            self._end(claimed, CallOutcome(Disposition.CANCELLED, cause_raw=str(error), not_dialled=True))
            return
        now = datetime.now(UTC)
        asked = begin_invite(self._ctx, attempt, claimed.token, key, now)
        if not asked:
            return
        claimed = claimed.only(asked)
        callbacks = [case.callback_id for case in claimed.cases]
        variables = call_variables(self._ctx, claimed, self._voice.messages, self._in_hours(now))
        longest = self._longest + (len(callbacks) * LONGEST if self._voice.messages else 0.0)
        provider_calls.begin_call(self._ctx, key, attempt, first_dialogue(variables, callbacks), now)
        said = self._twilio.dial(key, digits, self._voice.ring_timeout, longest)
        if isinstance(said, NotTaken):
            self._end(claimed, CallOutcome(said.disposition, cause_raw=said.cause))
            provider_calls.end_call(self._ctx, key, datetime.now(UTC))
            return
        if said.sid is not None:
            provider_calls.is_of(self._ctx, key, said.sid)
        self._live[attempt] = _Live(key, said.sid, time.monotonic() + longest + _SLACK)
        _log.info("call_dialled", attempt=attempt, number=claimed.masked, trunk=TRUNK)

    def _end(self, claimed: ClaimedCall, outcome: CallOutcome) -> None:
        calls.ended(self._ctx, claimed.attempt_id, claimed.token, outcome, datetime.now(UTC))
        _log.info("call_ended", attempt=claimed.attempt_id, disposition=outcome.disposition.value)

    def _withdraw(self, live: _Live) -> None:
        """Once; a call whose id we never heard has it from its first webhook."""
        known = provider_calls.find_call(self._ctx, live.key) if live.sid is None else None
        sid = live.sid or (known.sid if known is not None else None)
        if live.withdrawn or sid is None:
            return
        live.withdrawn = True
        try:
            self._twilio.hang_up(sid)
        except (TwilioException, requests.RequestException) as error:
            live.withdrawn = False
            _log.warning("hang_up_failed", call=live.key, error=type(error).__name__)
