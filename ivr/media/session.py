"""One call's media: what it's told to do, what it hears, and its clock. Its two sockets are below it."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ivr.counters import Counters
from ivr.events import Codec, KeyPressed
from ivr.media.audio import FRAME_MS, Audio
from ivr.media.dtmf import KEYS, Key
from ivr.media.hearing import Hearing
from ivr.media.inband_dtmf import DtmfEar
from ivr.media.incoming import Incoming
from ivr.media.keys import KeysHeard
from ivr.media.outgoing import Outgoing
from ivr.media.player import Player
from ivr.media.quality import MediaQuality
from ivr.media.relay import Relay
from ivr.media.remote import COMFORT_NOISE, Address, Hear, MediaEvent, MediaLost, Remote
from ivr.media.rtcp_port import EVERY, RtcpPort
from ivr.media.rtp import RtpPacket, Sender
from ivr.media.srtp import Srtp

__all__ = ["MediaSession"]

_NOWHERE = ("0.0.0.0", "::")  # RFC 2543's hold: whoever says it hasn't moved (RFC 3264 §8.4)
_TONES = 0.1  # seconds of a key that is passed on as tones


class MediaSession:
    """Made by the loop, which calls `tick` for each packet once started, and `read…` when one is there.

    Where it `polls`, each tick reads first, and nobody needs to look whether a packet is there. `ptime` is
    how many ms of voice leave with each tick.
    """

    # An object without slots is slower, and larger for the processor's caches.
    __slots__ = (
        "_bridged",
        "_counters",
        "_emit",
        "_hearing",
        "_incoming",
        "_keys",
        "_look_at",
        "_lost",
        "_lost_after",
        "_nowhere",
        "_outgoing",
        "_report_at",
        "_rtcp",
        "_srtp",
        "_started",
        "call",
        "port",
        "remote",
    )

    def __init__(
        self,
        call: str,
        port: int,
        rtp: socket.socket,
        rtcp: socket.socket,
        lost_after: float,
        counters: Counters,
        emit: Callable[[MediaEvent], None],
        listener: Callable[[bytes, Codec, float], None] | None = None,
    ) -> None:
        self.call, self.port = call, port
        self.remote: Remote | None = None
        self._lost_after, self._counters, self._emit = lost_after, counters, emit
        self._hearing = Hearing(call, emit, listener)
        sender = Sender(secrets.randbits(32), secrets.randbits(15), secrets.randbits(32))
        self._outgoing = Outgoing(sender, Player(call, emit), self._hearing)
        self._incoming = incoming = Incoming(rtp, port, counters, self._hear)
        self._rtcp = RtcpPort(rtcp, sender, incoming.receiver, incoming.wall, counters)
        self._srtp: Srtp | None = None
        self._keys = KeysHeard()
        self._bridged: dict[MediaSession, Relay] = {}  # whom it hears, and what is on its way from them
        self._started = self._lost = self._nowhere = False
        self._report_at = self._look_at = 0.0

    def hears(self, other: MediaSession) -> bool:
        """Whether both are in one bridge."""
        return other in self._bridged

    @property
    def rtp(self) -> socket.socket:
        """Another one after `reopen`."""
        return self._incoming.socket

    @property
    def rtcp(self) -> socket.socket:
        return self._rtcp.socket

    @property
    def polls(self) -> bool:
        return self._incoming.polls

    @polls.setter
    def polls(self, polls: bool) -> None:
        self._incoming.polls = polls

    @property
    def is_bridged(self) -> bool:
        return bool(self._bridged)

    @property
    def source(self) -> Address | None:
        """Where the far end's packets come from; None before the first."""
        return self._incoming.source

    @property
    def last_packet_at(self) -> float | None:
        """When the far end's last packet came, None before the first."""
        return None if self._incoming.source is None else self._incoming.heard_at

    @property
    def ptime(self) -> int:
        """ms in each packet that we send, and between two of them."""
        return FRAME_MS if self.remote is None else self.remote.ptime

    @property
    def quality(self) -> MediaQuality | None:
        """How the voice went until now; None before the answer."""
        return self._rtcp.quality if self._started else None

    @property
    def tells_keys_as_tones(self) -> bool:
        """Whether the far end has no other way that was agreed (RFC 4733), and none that it took anyway."""
        if self.remote is None or not self._started:
            return False
        return self.remote.event_type is None and self._keys.by in (None, "tones")

    @property
    def hears_tones(self) -> bool:
        """Whether an ear listens for keys in the voice."""
        return self._hearing.tone_ear is not None

    # -- orders

    def _changed(self) -> None:
        """Find out anew what is to send, to hear and to look after."""
        self._outgoing.changed()
        self._incoming.changed()
        self._look_at = 0.0

    def negotiate(self, remote: Remote) -> bool:
        """Take what an SDP says. True when the source must be learned anew: call `reopen`."""
        before = self.remote
        self._nowhere = remote.address[0] in _NOWHERE
        if before is not None and self._nowhere:
            remote = replace(remote, address=before.address)
        if remote.keys != (self._srtp and self._srtp.keys):
            source = self._incoming.receiver.source
            self._srtp = Srtp(remote.keys, self._srtp, source) if remote.keys else None
        self.remote = remote
        self._outgoing.agree(remote, self._srtp)
        self._incoming.agree(remote, self._srtp)
        self._changed()
        return before is not None and remote.address != before.address and self.source is not None

    def reopen(self) -> None:
        """Leave the learned source: the same port, unconnected again."""
        self._incoming.reopen()

    def start(self, now: float) -> None:
        """The call is answered: send from the next tick on, and expect to hear."""
        self._changed()
        self._started, self._incoming.heard_at, self._report_at = True, now, now + EVERY
        self._hearing.answered()

    def listen_early(self, seconds: float) -> None:
        """Listen to what comes before an answer: for the network's tones, and to keep the last of it."""
        self._hearing.early(seconds)

    def heard_early(self) -> NDArray[np.float32]:
        """What was kept of before an answer, samples at 8 kHz; none where nobody listened, or answered."""
        return self._hearing.heard_early()

    def detect_machine(self, now: float) -> None:
        """Listen whether a machine took the call, from its answer on; a sign is told once, a key ends it."""
        self._changed()
        self._hearing.machine(now)

    def listen_for_tones(self, ear: DtmfEar | None) -> None:
        """Hand the voice to this ear for keys, or to none."""
        self._changed()
        self._hearing.tone_ear = ear

    def play(self, token: str, audio: Audio) -> None:
        """Replace what plays. In vain before the answer."""
        if self._started and self.remote is not None:
            self._outgoing.player.play(token, audio, self.remote.codec)

    def stop(self) -> None:
        self._outgoing.player.stop()

    def record(self, token: str, seconds: float, now: float) -> None:
        """Record what is heard from now on, for `seconds` at most. In vain before the answer."""
        if self._started and self.remote is not None:
            self._changed()
            self._hearing.record(token, seconds, now, self.remote.codec)

    def stop_recording(self, now: float) -> None:
        """Tell what was recorded; harmless without."""
        self._changed()
        self._hearing.stop_recording(now)

    def tap(self, hear: Hear | None) -> None:
        """Hand on the voice that is heard from now on. In vain before the answer."""
        if self._started:
            self._changed()
            self._hearing.tap(hear)

    def press(self, key: str, seconds: float) -> None:
        """Send a key after those before it: by RFC 4733, or as tones to who takes none. In vain on hold."""
        remote = self.remote
        if remote is None or not remote.sends:
            return
        self._changed()
        if remote.event_type is not None:
            self._outgoing.keys.events(key, seconds, remote.event_type)
        elif self._started:
            self._outgoing.keys.tones(key, seconds, time.monotonic())

    def key_by_info(self, key: str, seconds: float, now: float) -> None:
        """A key that a SIP INFO told; gateways send it when the key comes up."""
        if self._started and key in KEYS:
            told = self._tell_key(key, now - seconds, now, "info")
            for other in self._bridged if told else ():
                other.press(key, seconds)

    def key_by_tones(self, key: Key, now: float) -> None:
        """A key that the voice told, which carries it to whom it is bridged with. Echoes of keys are none."""
        if self._outgoing.keys.echo(key) or any(other.told_by_tones(key) for other in self._bridged):
            return
        self._keys.tones(key)
        self._tell_key(key.key, key.began_at, now, "tones")

    def told_by_tones(self, key: Key) -> bool:
        """Whether `key`, heard of another, may be the echo of one of this far end's."""
        return self._keys.told_by_tones(key)

    def join(self, *others: MediaSession) -> None:
        """Each hears the others from now on; who was in another bridge leaves it. What plays goes first."""
        everyone = (self, *others)
        for each in everyone:
            each.part()
        for each in everyone:
            each._changed()
            each._bridged = {other: Relay() for other in everyone if other is not each}
            each._outgoing.relay(each._bridged.values())

    def part(self) -> None:
        """Leave the bridge, which the others stay in; harmless without one."""
        for other in self._bridged:
            other._bridged.pop(self, None)
        self._bridged.clear()

    def close(self) -> None:
        self.part()
        if self._started:
            self._report(time.monotonic(), bye=True)
        self._incoming.close()
        self.rtcp.close()

    # -- the clock

    def tick(self, now: float) -> None:
        """Send the next packet; where the session `polls`, first hear what came since the last."""
        incoming = self._incoming
        if incoming.polls:
            incoming.poll(now)
        packet = self._outgoing.packet(now)
        if packet is not None:
            try:
                if incoming.source is not None:
                    incoming.socket.send(packet)
                elif self.remote is not None:
                    incoming.socket.sendto(packet, self.remote.address)
            except OSError:  # a full buffer, or an ICMP refusal of an earlier packet: voice goes on
                self._counters["rtp_send_failed"] += 1
        if now >= self._look_at:
            self._look(now)

    def _look(self, now: float) -> None:
        """Do what the time has come for, and find when to look again; packets that come put it off."""
        remote, hearing, incoming = self.remote, self._hearing, self._incoming
        if now >= hearing.recorded_until:
            self.stop_recording(now)
        if now >= self._report_at:
            self._report_at = now + EVERY
            self._report(now)
        if remote is None or not (remote.receives and remote.sends):
            incoming.heard_at = now  # nothing is to come of who holds, so nothing is lost
            self._look_at = now
            return
        lost_at = incoming.heard_at + self._lost_after
        if now > lost_at and not self._lost:
            self._lost = True
            self._emit(MediaLost(self.call, now))
        self._look_at = min(self._report_at, hearing.recorded_until, now + EVERY if self._lost else lost_at)

    def skip(self, packets: int) -> None:
        """The loop was stopped for so long: let the clock catch up without a burst."""
        self._outgoing.skip(packets)

    def _report(self, now: float, bye: bool = False) -> None:
        """Also to who holds by a direction (RFC 3264 §8.4), though not to one that is nowhere."""
        to = None if self._nowhere else self.remote
        self._rtcp.send(now, to, self._incoming.source, self._srtp, bye)

    # -- what comes in

    def read(self, now: float) -> bool:
        """Take one datagram of the RTP port; False when there was none."""
        return self._incoming.read(now)

    def read_rtcp(self, now: float) -> None:
        """Take one datagram of the RTCP port."""
        if self._rtcp.read(now, self.remote, self._srtp):
            self._incoming.heard_at = now

    def _hear(self, packet: RtpPacket, now: float) -> bool:
        """Tell everybody who listens; False where nobody needs to be told of the next one."""
        if self.remote is not None:
            self._tell(self.remote, packet, now)
        return not self._started or bool(self._bridged) or self._hearing.anybody

    def _tell(self, remote: Remote, packet: RtpPacket, now: float) -> None:
        if remote.is_event(packet.payload_type):
            self._incoming.heard_at = now
            if self._started:
                self._hear_key(packet, now)
        elif codec := remote.codec_of(packet.payload_type):
            self._incoming.heard_at = now
            if not self._started:
                self._hearing.before_answer(packet, codec, now)
            self._hearing.voice(packet, codec, now)
            for other in self._bridged:
                other._bridged[self].voice.take(packet, codec)
        elif packet.payload_type == COMFORT_NOISE:
            self._incoming.heard_at = now
        else:
            self._counters["rtp_other_type"] += 1

    def _hear_key(self, packet: RtpPacket, now: float) -> None:
        key = self._keys.packet(packet, now)
        if key is not None:
            self._tell_key(key.key, key.began_at, now, "rtp")
        for other in self._bridged if self._keys.by != "info" else ():
            other._hold(self, packet, key)

    def _hold(self, by: MediaSession, packet: RtpPacket, new: Key | None) -> None:
        """Another's key goes to this far end, unless it holds: nobody hears it later."""
        remote = self.remote
        if remote is None or not self._started or not remote.sends:
            return
        if remote.event_type is None:
            if new is not None:
                self.press(new.key, _TONES)
            return
        relay = self._bridged[by]
        if held := relay.keys.take(packet, new is not None, self._outgoing.sender, remote.event_type):
            self._changed()
            self._outgoing.keys.held(held)

    def _tell_key(self, key: str, began_at: float, now: float, by: str) -> bool:
        """True where it's told: not where the far end tells its keys in another way, too."""
        if told := self._keys.counts(by):
            self._hearing.person()
            self._emit(KeyPressed(self.call, now, key, began_at))
        return told
