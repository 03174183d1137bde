"""For tests: a trunk with telephones behind it, whose SIP and RTP a test sees and does by hand."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from itertools import count

from ivr.media.dtmf import send_key
from ivr.media.ports import udp_socket
from ivr.media.rtp import RtpPacket, Sender, parse
from ivr.sip.events import AckReceived, CancelReceived, DialogEnded, InviteReceived
from ivr.sip.sdp import LocalMedia
from tests.line_and_trunk import far_endpoint
from tests.loopback_city import HOST, media_ports

_voices = count(0x10)


class Phone:
    """A telephone that was called: says one octet over and over, keeps every packet that it hears."""

    def __init__(self, trunk: Trunk, invite: InviteReceived) -> None:
        assert invite.offer is not None
        self.trunk, self.call, self.number, self.offer = trunk, invite.call, invite.user, invite.offer
        self.says = bytes([next(_voices) & 0x7F]) * 160
        self.heard: list[RtpPacket] = []
        self.talks = False
        first, _ = media_ports(1)
        self.socket: socket.socket = udp_socket(HOST, first)
        self.port = first
        self._sender = Sender(next(_voices), 700, 90000)
        self._type = 8
        self._next = 0.0

    def ring(self) -> None:
        self._agent.provisional(self.call, 180, time.monotonic())

    def answer(self, *codecs: str) -> None:
        """Pick up; `codecs` is what it takes, and it talks at once."""
        local = LocalMedia(HOST, self.port, codecs or ("pcma", "pcmu"))  # type: ignore[arg-type]
        self._agent.answer(self.call, local, time.monotonic())
        known = [codec for codec in (self.offer.codec, "pcma", "pcmu") if codec in local.codecs]
        self._type = 8 if known[0] == "pcma" else 0
        self.trunk.log.append(f"200 {self.number}")
        self.talks, self._next = True, time.monotonic()

    def reject(self, status: int) -> None:
        self._agent.reject(self.call, status, time.monotonic())

    def hang_up(self) -> None:
        self._agent.bye(self.call, time.monotonic(), q850=16)
        self.talks = False

    def press(self, key: str) -> None:
        for octets in send_key(self._sender, key, 0.06, 101):
            self._send(octets)

    @property
    def voice(self) -> list[bytes]:
        """What it heard, 20 ms each, without keys."""
        return [packet.payload for packet in self.heard if packet.payload_type != 101]

    @property
    def keys(self) -> list[RtpPacket]:
        return [packet for packet in self.heard if packet.payload_type == 101]

    @property
    def _agent(self):  # type: ignore[no-untyped-def]
        return self.trunk.endpoint.agent

    def turn(self, now: float) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                octets = self.socket.recv(2048)
                self.heard.append(parse(octets))
        while self.talks and now >= self._next:
            self._next += 0.02
            self._send(self._sender.frame(self._type, self.says))

    def _send(self, octets: bytes) -> None:
        self.socket.sendto(octets, (self.offer.host, self.offer.port))


class Trunk:
    """Takes every call; `log` is what went over it, in order."""

    def __init__(self) -> None:
        self.endpoint = far_endpoint()
        self.phones: dict[str, Phone] = {}  # by number; a later call takes an earlier one's place
        self._every: list[Phone] = []
        self.log: list[str] = []
        self.on_invite: Callable[[Phone], object] = lambda _phone: None

    @property
    def port(self) -> int:
        return self.endpoint.port

    def turn(self, timeout: float = 0.005) -> None:
        for event in self.endpoint.turn(timeout):
            match event:
                case InviteReceived():
                    phone = self.phones[event.user] = Phone(self, event)
                    self._every.append(phone)
                    self.log.append(f"INVITE {event.user}")
                    self.on_invite(phone)
                case CancelReceived(call):
                    self.log.append(f"CANCEL {self._number(call)}")
                case DialogEnded(call, by="them"):
                    self.log.append(f"BYE {self._number(call)}")
                    self.phones[self._number(call)].talks = False
                case AckReceived(call):
                    self.log.append(f"ACK {self._number(call)}")
        now = time.monotonic()
        for phone in self.phones.values():
            phone.turn(now)
        self.endpoint.flush()

    def _number(self, call: str) -> str:
        return next(phone.number for phone in self._every if phone.call == call)

    def until(self, condition: Callable[[], object], also: Callable[[], object] = lambda: None) -> None:
        deadline = time.monotonic() + 15
        while not condition():
            assert time.monotonic() < deadline, self.log
            self.turn()
            also()

    def close(self) -> None:
        for phone in self._every:
            phone.socket.close()
        self.endpoint.close()
