"""An extension on a PBX as the only trunk: pyVoIP behind the port of every line.

One call goes out at a time; calls come in beside it. pyVoIP's threads only receive and send: everything is
decided in `run_once`. What it can't do stands in the README's table of lines.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from uuid import uuid4

import structlog

from callbacks.numbers import mask
from ivr.events import Answered, EndedBy, Incoming, LineEvent, Ringing
from ivr.line import Capabilities, Dial, LineError
from ivr.media.ports import NoPorts
from ivr.pyvoip_call import Call, MediaOrders, never_left, open_media
from ivr.pyvoip_client import Message, PayloadType, codec_of, media_of, open_client
from ivr.pyvoip_registration import Registration
from ivr.pyvoip_rtp import Rtp
from ivr.settings import VoiceSettings
from ivr.sip.digest import Login
from ivr.sip.headers import parse_reason
from ivr.trunk_choice import TrunkChoice

__all__ = ["PyvoipLine"]

_log = structlog.get_logger(__name__)
_DIGITS = re.compile(r"\+?[0-9*#]{1,32}")
_Heard = Message | tuple[LineEvent, int | None] | None


class PyvoipLine(MediaOrders):
    """LineError at the start says what to change."""

    capabilities = Capabilities(early_media=False, sip_status=True, q850=True, key_time=True, recording=True)

    def __init__(self, settings: VoiceSettings) -> None:
        self._settings = settings
        self._calls: dict[str, Call] = {}
        self._heard: SimpleQueue[_Heard] = SimpleQueue()
        self._told: list[LineEvent] = []
        self._sip, self._ports = open_client(settings, self._heard.put)
        self.port = int(self._sip.myPort)
        (self._trunk,) = settings.trunks
        self.trunks = TrunkChoice(settings.trunks, random.random)
        self.registration = Registration(self._sip, wanted=self._trunk.username is not None)

    def sip_call_id(self, call: str) -> str | None:
        return self._calls[call].invite.call_id if call in self._calls else None

    # -- orders

    def dial(self, order: Dial) -> None:
        """LineError for an unknown trunk, a call's id in use, digits that are none, or a second call out."""
        self._check(order)
        now = time.monotonic()
        try:
            port, bound = open_media(self._ports)
        except NoPorts as error:  # nothing left us, so the citizen's attempt isn't spent
            self._told.append(never_left(order, now, str(error)))
            return
        login, call_id = self._sip.new_login(), self._sip.gen_call_id()
        invite = self._invite(order, port, call_id, login)
        call = Call(order.call, invite, port, bound, login, now, order, now + order.total_timeout)
        self._calls[order.call] = call
        _log.info("call_dialled", call=order.call, number=mask(order.number), sip_call_id=call_id)

    def _check(self, order: Dial) -> None:
        if order.call in self._calls:
            raise LineError(f"call {order.call} is already up")
        if order.trunk != self._trunk.name:
            raise LineError(f"no trunk is named {order.trunk!r}")
        if not _DIGITS.fullmatch(order.number):
            raise LineError(f"call {order.call}: a number is digits, not {order.number!r}")
        if any(call.order for call in self._calls.values()):
            raise LineError(f"call {order.call}: pyVoIP carries one call out at a time (voice.lines = 1)")

    def _invite(self, order: Dial, port: int, call_id: str, login: Login) -> Message:
        codecs = order.codecs or self._settings.codecs
        text = self._sip.gen_call(order, port, codecs, call_id, login)
        self._sip.surely(text)
        return Message(text.encode())

    def hangup(self, call: str) -> None:
        if known := self._calls.get(call):
            self._give_up(known, "withdrawn", time.monotonic())

    def _give_up(self, call: Call, why: str, now: float) -> None:
        if call.given_up and now >= call.due:
            self._end(call, None, None, "no answer to CANCEL", "us")
        if call.given_up:
            return
        since = now if call.provisional else call.began  # an INVITE that nobody heeded is over by itself
        call.given_up, call.due = why, since + 64 * self._settings.t1
        if call.rtp is not None:
            self._sip.surely(self._sip.signed(self._sip.gen_bye(call.invite), call.login))
            self._end(call, 200, None, "", "network" if why == "media_lost" else "us")
        elif call.order is None:
            self.reject(call.name, 480)
        elif call.provisional:  # not before (RFC 3261 §9.1)
            self._sip.surely(self._sip.gen_cancel(call.invite))

    # -- calls that come in

    def ring(self, call: str) -> None:
        if known := self._waiting(call):
            self._say(known, self._sip.gen_ringing(known.invite))

    def answer(self, call: str) -> None:
        if known := self._waiting(call):
            peer, formats = media_of(known.invite)
            self._say(known, self._sip.gen_agreement(known.invite, known.port, formats))
            self._talk(known, peer, formats)

    def reject(self, call: str, status: int, uris: Sequence[str] = ()) -> None:
        if known := self._waiting(call):
            self._say(known, self._sip.gen_refusal(known.invite, status, uris))
            self._end(known, status, None, "", "us")

    def redirect(self, call: str, uris: Sequence[str]) -> None:
        self.reject(call, 302, uris)

    def _waiting(self, name: str) -> Call | None:
        call = self._calls.get(name)
        return call if call is not None and call.order is None and call.rtp is None else None

    def _say(self, call: Call, text: str) -> None:
        call.said = text
        self._sip.send(text)

    # -- turning

    def run_once(self, timeout: float) -> list[LineEvent]:
        now = time.monotonic()
        dues = [now + timeout, self.registration.due, self._sip.sendings.due]
        dues += [call.due for call in self._calls.values()]
        self._hear(0.0 if self._told else max(0.0, min(dues) - now))
        self._pass_times(time.monotonic())
        told, self._told = self._told, []
        return told

    def wake(self) -> None:
        self._heard.put(None)

    def close(self) -> None:
        for call in list(self._calls):
            self.hangup(call)
        self.registration.leave()
        until = time.monotonic() + min(1.0, 64 * self._settings.t1)
        while (self._calls or not self._sip.sendings.idle) and time.monotonic() < until:
            self.run_once(0.05)
        for known in list(self._calls.values()):
            self._end(known, None, None, "closed", "us")
        self._sip.stop()

    def _hear(self, timeout: float) -> None:
        try:
            self._take(self._heard.get(timeout=timeout))
            while True:
                self._take(self._heard.get_nowait())
        except Empty:
            return

    def _take(self, heard: _Heard) -> None:
        if isinstance(heard, Message):
            try:
                self._response(heard, time.monotonic()) if heard.code else self._request(heard)
            except (KeyError, ValueError, AttributeError, NoPorts) as error:
                _log.warning("pyvoip_message_dropped", fault=repr(error))
        elif heard is not None:
            event, turn = heard
            call = self._calls.get(event.call)
            if call and call.rtp and turn in (None, call.rtp.turn):  # of what was replaced nothing is told
                self._told.append(event)

    def _pass_times(self, now: float) -> None:
        self._sip.sendings.again(now)
        self.registration.pass_time(now)
        for call in list(self._calls.values()):
            if call.rtp is not None and now - call.rtp.heard_at > self._settings.media_lost_after:
                self._give_up(call, "media_lost", now)
            elif call.rtp is None and now >= call.due:
                self._give_up(call, "timeout", now)

    # -- what they say

    def _response(self, message: Message, now: float) -> None:
        method = message.headers["CSeq"]["method"]
        self._sip.sendings.heeded(message.call_id, method)
        if method == "REGISTER":
            self.registration.take(message, now)
        elif method == "INVITE":
            if message.code >= 200:
                self._sip.send(self._sip.gen_ack(message))
            call = self._by_call_id(message.call_id)
            if call is not None and call.rtp is None:
                self._invite_answered(call, message, now)

    def _by_call_id(self, call_id: str) -> Call | None:
        return next((call for call in self._calls.values() if call.invite.call_id == call_id), None)

    def _invite_answered(self, call: Call, message: Message, now: float) -> None:
        if message.code < 200:
            self._progress(call, message.code, now)
        elif message.code < 300:
            self._accepted(call, message)
        elif call.order and not call.given_up and self._sip.challenged(message, call.login):
            call.invite = self._invite(call.order, call.port, message.call_id, call.login)
        else:
            cause = parse_reason([message.headers.get("Reason", "")])
            by: EndedBy = "us" if call.given_up else "network" if message.code // 100 == 5 else "them"
            self._end(call, message.code, cause.q850, cause.text or message.status.phrase, by)

    def _progress(self, call: Call, status: int, now: float) -> None:
        call.provisional = True
        if call.given_up:
            self._sip.surely(self._sip.gen_cancel(call.invite))
        elif 180 <= status <= 189 and not call.rang and call.order is not None:
            call.rang, call.due = True, min(call.due, now + call.order.ring_timeout)
            self._told.append(Ringing(call.name, now))

    def _accepted(self, call: Call, message: Message) -> None:
        call.invite.headers["Contact"] = message.headers["Contact"]
        call.invite.headers["To"] = message.headers["To"]
        fault = "answered while we gave up" if call.given_up else ""
        try:
            peer, formats = media_of(message)
        except ValueError as error:
            fault = fault or str(error)
        if fault:  # a 487 that a 200 overtook, or a 488 that we would have said
            self._sip.surely(self._sip.signed(self._sip.gen_bye(call.invite), call.login))
            self._end(call, 487 if call.given_up else 488, None, fault, "us")
        else:
            self._talk(call, peer, formats)

    def _talk(self, call: Call, peer: tuple[str, int], formats: dict[int, PayloadType]) -> None:
        local = self._settings.local_host, call.port
        call.rtp = Rtp(call.name, self._heard.put, call.bound, formats, *local, *peer, "sendrecv")
        call.rtp.start()
        self._told.append(Answered(call.name, time.monotonic(), call.rtp.codec))

    def _request(self, message: Message) -> None:
        call = self._by_call_id(message.call_id)
        match message.method:
            case "INVITE" if call is None:
                self._invited(message)
            case "INVITE" if call is not None and call.rtp is not None and message.headers["To"]["tag"]:
                (call.rtp.outIP, call.rtp.outPort), formats = media_of(message)
                self._say(call, self._sip.gen_agreement(message, call.port, formats))
            case "INVITE" if call is not None:
                self._sip.send(call.said)
            case "BYE" | "CANCEL" | "OPTIONS" as method:
                self._sip.send(self._sip.gen_ok(message))
                if call is not None and method != "OPTIONS":
                    self._over(call, message, method)

    def _over(self, call: Call, message: Message, method: str) -> None:
        cause = parse_reason([message.headers.get("Reason", "")])
        if method == "BYE" and call.rtp is not None:
            self._end(call, 200, cause.q850, cause.text, "them")
        elif call.order is None and call.rtp is None:
            self._say(call, self._sip.gen_refusal(call.invite, 487))
            call.given_up = "withdrawn"
            self._end(call, 487, cause.q850, cause.text, "them")

    def _invited(self, message: Message) -> None:
        self._sip.own_tag(message)
        try:
            _, formats = media_of(message)
            port, bound = open_media(self._ports)
        except (ValueError, NoPorts) as error:
            self._sip.send(self._sip.gen_refusal(message, 486 if isinstance(error, NoPorts) else 488))
            return
        now, name, caller = time.monotonic(), f"in-{uuid4().hex}", message.headers["From"]["number"] or ""
        self._calls[name] = Call(name, message, port, bound, self._sip.new_login(), now)
        told = (message.uri, caller, codec_of(formats), message.fields)
        self._told.append(Incoming(name, now, self._trunk.name, *told))

    def _end(self, call: Call, status: int | None, q850: int | None, text: str, by: EndedBy) -> None:
        if call.rtp is not None:
            call.rtp.stop()
            self._hear(0.0)  # a key that the BYE overtook isn't lost
        if self._calls.pop(call.name, None) is None:
            return
        call.bound.close()
        self._ports.give_back(call.port)
        self._told.append(call.ended(time.monotonic(), status, q850, text, by, self._trunk.overrides))
