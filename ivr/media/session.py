"""One call's media: its two sockets, what it sends with each packet, and what it hears.

The socket stays unconnected until the first valid packet from the signalled host, or from the trunk's own
where it sits behind a NAT; then it is connected, and the kernel drops strangers.
"""

from __future__ import annotations

import fcntl
import secrets
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ivr.counters import Counters
from ivr.events import (
    Codec,
    EarlyMedia,
    KeyPressed,
    MachineHeard,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
)
from ivr.media import g711
from ivr.media.audio import FRAME_MS, FRAME_SAMPLES, Audio
from ivr.media.dtmf import KEYS, Key, KeyReceiver, send_key
from ivr.media.early import EarlyEar
from ivr.media.inband_dtmf import DtmfEar
from ivr.media.machine import MachineEar
from ivr.media.ports import mark_of, udp_socket
from ivr.media.quality import MediaQuality
from ivr.media.recorder import Recorder
from ivr.media.relay import Relay
from ivr.media.remote import COMFORT_NOISE, Address, Hear, MediaEvent, MediaLost, Remote, ToneHeard
from ivr.media.reports import Reports
from ivr.media.rtp import BadPacket, Receiver, RtpPacket, Sender, parse
from ivr.media.srtp import Srtp
from ivr.media.tones import key_tones

__all__ = ["MediaSession"]

_NOWHERE = ("0.0.0.0", "::")  # RFC 2543's hold: whoever says it hasn't moved (RFC 3264 §8.4)
_MOST_OTHERS = 50  # packets that are read in a tick beside the first: a flood doesn't stop the clock
_MOST_QUEUED = 1 << 16  # datagrams; no socket's buffer holds as many
_MOST_STRAGGLERS = 50  # a second of voice; then it moved in name only, behind a NAT
_SIOCGSTAMPNS = 0x8907  # socket(7): when the last datagram came, as a timespec
_TIMESPEC = struct.Struct("@ll")
_REPORT_EVERY = 5.0  # RFC 3550 §6.2: the least interval
_ECHO = 0.5  # seconds: a key's tones come back from a hybrid within that (`ivr.media.echo`)
_TONES = 0.1  # seconds of a key that is passed on as tones


class MediaSession:
    """Made by the loop, which calls `tick` for each packet once started, and `read…` when one is there.

    Where it `polls`, each tick reads first, and nobody needs to look whether a packet is there. All voice is
    stored in frames of 20 ms; `ptime` is how many ms of it leave with each tick.
    """

    # With more than 30 attributes an object without slots is slow, and large for the processor's caches.
    __slots__ = (
        "_audio",
        "_bridged",
        "_came_buffer",
        "_counters",
        "_drains",
        "_ear",
        "_early",
        "_early_ear",
        "_emit",
        "_heard_at",
        "_index",
        "_keys_by",
        "_keys_in",
        "_keys_out",
        "_last",
        "_left",
        "_listener",
        "_lost",
        "_lost_after",
        "_nowhere",
        "_plain_type",
        "_receiver",
        "_recorder",
        "_report_at",
        "_reports",
        "_rest",
        "_sender",
        "_source",
        "_srtp",
        "_started",
        "_stragglers",
        "_tap",
        "_ticks",
        "_token",
        "_tone",
        "_tones",
        "_tones_until",
        "_wall",
        "call",
        "polls",
        "port",
        "remote",
        "rtcp",
        "rtp",
        "tone_ear",
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
        self.call, self.port, self.rtp, self.rtcp = call, port, rtp, rtcp
        self.remote: Remote | None = None
        self._lost_after, self._counters, self._emit, self._listener = lost_after, counters, emit, listener
        self._source: Address | None = None
        self._left: Address | None = None
        self._stragglers = 0
        self._sender = Sender(secrets.randbits(32), secrets.randbits(15), secrets.randbits(32))
        self._receiver = Receiver()
        self._wall = time.time() - time.monotonic()
        self._reports = Reports(self._sender, self._receiver, self._wall)
        self._srtp: Srtp | None = None
        self._keys_in = KeyReceiver()
        self._keys_by: str | None = None
        self.tone_ear: DtmfEar | None = None  # the loop's, which looks at all calls' at once
        self._tone: Key | None = None  # the last that was heard so
        self._tones: deque[tuple[bytes, bytes]] = deque()  # frames of keys that we send so, in both laws
        self._tones_until = 0.0
        self._keys_out: deque[Iterator[bytes]] = deque()
        self._rest = b""  # of a frame whose beginning has left, where packets aren't whole frames
        self._audio: Audio | None = None
        self._token, self._index, self._last = "", 0, 0
        self._recorder: Recorder | None = None
        self._tap: Hear | None = None
        self._bridged: dict[MediaSession, Relay] = {}  # whom it hears, and what is on its way from them
        self._ear: MachineEar | None = None
        self._early_ear: EarlyEar | None = None
        self._started = self._early = self._lost = self._nowhere = False
        self._plain_type = -1  # of the packets that are voice at first sight
        self.polls = self._drains = False
        self._ticks, self._came_buffer = 0, bytearray(_TIMESPEC.size)
        self._heard_at = self._report_at = 0.0

    def hears(self, other: MediaSession) -> bool:
        """Whether both are in one bridge."""
        return other in self._bridged

    @property
    def is_bridged(self) -> bool:
        return bool(self._bridged)

    @property
    def last_packet_at(self) -> float | None:
        """When the far end's last packet came, None before the first."""
        return None if self._source is None else self._heard_at

    @property
    def ptime(self) -> int:
        """ms in each packet that we send, and between two of them."""
        return FRAME_MS if self.remote is None else self.remote.ptime

    @property
    def quality(self) -> MediaQuality | None:
        """How the voice went until now; None before the answer."""
        return self._reports.quality if self._started else None

    @property
    def tells_keys_as_tones(self) -> bool:
        """Whether the far end has no other way that was agreed (RFC 4733), and none that it took anyway."""
        if self.remote is None or not self._started:
            return False
        return self.remote.event_type is None and self._keys_by in (None, "tones")

    # -- orders

    def negotiate(self, remote: Remote) -> bool:
        """Take what an SDP says. True when the source must be learned anew: call `reopen`."""
        self._nowhere = remote.address[0] in _NOWHERE
        self._plain_type = -1 if remote.is_event(remote.voice_type) else remote.voice_type
        if self.remote is not None and self._nowhere:
            remote = replace(remote, address=self.remote.address)
        moved = self.remote is not None and remote.address != self.remote.address
        if self.remote is None or (remote.codec, remote.ptime) != (self.remote.codec, self.remote.ptime):
            self._rest, self._sender.step = b"", remote.ptime * FRAME_SAMPLES // FRAME_MS
        if remote.keys != (self._srtp and self._srtp.keys):
            self._srtp = Srtp(remote.keys, self._srtp, self._receiver.source) if remote.keys else None
        self.remote = remote
        return moved and self._source is not None

    def reopen(self) -> None:
        """Leave the learned source, whose last packets may still come: the same port, unconnected again."""
        host, dscp = self.rtp.getsockname()[0], mark_of(self.rtp)
        self.rtp.close()
        self.rtp = udp_socket(host, self.port, dscp)
        self._source, self._left, self._stragglers = None, self._source, _MOST_STRAGGLERS

    def start(self, now: float) -> None:
        """The call is answered: send from the next tick on, and expect to hear."""
        self._started, self._heard_at, self._report_at = True, now, now + _REPORT_EVERY
        self._early_ear = None

    def listen_early(self, seconds: float) -> None:
        """Listen to what comes before an answer: for the network's tones, and to keep the last of it."""
        self._early_ear = EarlyEar(seconds)

    def heard_early(self) -> NDArray[np.float32]:
        """What was kept of before an answer, samples at 8 kHz; none where nobody listened, or answered."""
        return np.zeros(0, np.float32) if self._early_ear is None else self._early_ear.last()

    def detect_machine(self, now: float) -> None:
        """Listen whether a machine took the call, from its answer on; a sign is told once, a key ends it."""
        self._ear = MachineEar(now)

    def play(self, token: str, audio: Audio) -> None:
        """Replace what plays. In vain before the answer."""
        if self._started and self.remote is not None:
            self._token, self._audio, self._index, self._last = token, audio, 0, len(audio) - 1

    def stop(self) -> None:
        self._audio = None

    def record(self, token: str, seconds: float, now: float) -> None:
        """Record what is heard from now on, for `seconds` at most. In vain before the answer."""
        if self._started and self.remote is not None:
            self.stop_recording(now)
            self._recorder = Recorder(token, seconds, now, self.remote.codec)

    def stop_recording(self, now: float) -> None:
        """Tell what was recorded; harmless without."""
        done, self._recorder = self._recorder, None
        if done is not None:
            told = RecordingFinished(self.call, now, done.token, done.payload, done.codec, done.seconds)
            self._emit(told)

    def tap(self, hear: Hear | None) -> None:
        """Hand on the voice that is heard from now on. In vain before the answer."""
        if self._started:
            self._tap = hear

    def press(self, key: str, seconds: float) -> None:
        """Send a key after those before it: by RFC 4733, or as tones to who takes none. In vain on hold."""
        remote = self.remote
        if remote is None or not remote.sends:
            return
        if remote.event_type is not None:
            self._keys_out.append(send_key(self._sender, key, seconds, remote.event_type))
        elif self._started:
            tones = key_tones(key, seconds)
            self._tones.extend(zip(tones.pcma, tones.pcmu, strict=True))
            self._tones_until = max(time.monotonic(), self._tones_until) + tones.seconds

    def key_by_info(self, key: str, seconds: float, now: float) -> None:
        """A key that a SIP INFO told; gateways send it when the key comes up."""
        if self._started and key in KEYS:
            told = self._tell_key(key, now - seconds, now, "info")
            for other in self._bridged if told else ():
                other.press(key, seconds)

    def key_by_tones(self, key: Key, now: float) -> None:
        """A key that the voice told, which carries it to whom it is bridged with. Echoes of keys are none."""
        ours = key.began_at < self._tones_until + _ECHO
        if ours or any(other.told_by_tones(key) for other in self._bridged):
            return
        self._tone = key
        self._tell_key(key.key, key.began_at, now, "tones")

    def told_by_tones(self, key: Key) -> bool:
        """Whether `key`, heard of another, may be the echo of one of this far end's."""
        mine = self._tone
        return mine is not None and mine.key == key.key and 0 <= key.began_at - mine.began_at < _ECHO

    def join(self, *others: MediaSession) -> None:
        """Each hears the others from now on; who was in another bridge leaves it. What plays goes first."""
        everyone = (self, *others)
        for each in everyone:
            each.part()
        for each in everyone:
            each._bridged = {other: Relay() for other in everyone if other is not each}

    def part(self) -> None:
        """Leave the bridge, which the others stay in; harmless without one."""
        others, self._bridged = self._bridged, {}
        for other in others:
            other._bridged.pop(self, None)

    def close(self) -> None:
        self.part()
        if self._started:
            self._send_report(time.monotonic(), bye=True)
        self.rtp.close()
        self.rtcp.close()

    # -- the sending clock. This is the hot path: each call comes through here 50 times a second.

    def tick(self, now: float) -> None:
        """Send the next packet; where the session `polls`, first hear what came since the last."""
        if self.polls:
            self._poll(now)
        remote = self.remote
        if self._recorder is not None and now >= self._recorder.ends_at:
            self.stop_recording(now)
        if remote is None or not (remote.receives and remote.sends):
            self._heard_at = now  # nothing is to come of who holds, so nothing is lost
        if now >= self._report_at:
            self._report_at = now + _REPORT_EVERY
            self._send_report(now)
        if remote is None or not remote.sends:
            self._sender.skip(self._sender.step)
            return
        next_voice = self._frame if remote.ptime == FRAME_MS else self._packed
        voice = next_voice(remote.codec, now)
        packet = self._key_packet() if self._keys_out else None
        if packet is None:
            if self._ear is not None:
                self._ear.say(voice, remote.codec, now, self._sender.timestamp)
            packet = self._sender.frame(remote.voice_type, voice)
        if self._srtp is not None:
            packet = self._srtp.protect(packet)
        try:
            if self._source is not None:
                self.rtp.send(packet)
            else:
                self.rtp.sendto(packet, remote.address)
        except OSError:  # a full buffer, or an ICMP refusal of an earlier packet: voice goes on
            self._counters["rtp_send_failed"] += 1
        if now - self._heard_at > self._lost_after and not self._lost:
            self._lost = True
            self._emit(MediaLost(self.call, now))

    def _packed(self, codec: Codec, now: float) -> bytes:
        """The next packet's voice, where that isn't a frame; what is left of a frame leads the next."""
        size, octets = self._sender.step, self._rest
        while (missing := size - len(octets)) > 0:
            octets += self._frame(codec, now, (missing - 1) // FRAME_SAMPLES)
        self._rest = octets[size:]
        return octets[:size]

    def _frame(self, codec: Codec, now: float, more: int = 0) -> bytes:
        """The next 20 ms; `more` frames after it leave in the same packet."""
        # Their voice is taken, said or not: what waited while we said something else is over.
        heard = self._bridged_voice(codec, more) if self._bridged else None
        audio, voice = self._audio, heard or g711.SILENT_FRAMES[codec]
        if audio is not None:
            index = self._index
            self._index = index + 1
            if index <= self._last:
                voice = audio.frames(codec)[index]
            if index == 0 or index >= self._last:
                self._tell_playback(index, now)
        return self._tones.popleft()[codec == "pcmu"] if self._tones else voice

    def _bridged_voice(self, codec: Codec, more: int) -> bytes | None:
        """The next 20 ms of whom it hears; None where nobody speaks."""
        frames = [frame for relay in self._bridged.values() if (frame := relay.voice.frame(codec, more))]
        if len(frames) < 2:
            return frames[0] if frames else None
        return g711.mix(frames, codec)

    def _key_packet(self) -> bytes | None:
        while self._keys_out:
            packet = next(self._keys_out[0], None)
            if packet is not None:
                return packet
            self._keys_out.popleft()
        return None

    def _tell_playback(self, index: int, now: float) -> None:
        """A frame leaves; of a packet that isn't whole frames, some of it up to 10 ms later."""
        if index == 0:
            self._emit(PlaybackStarted(self.call, now, self._token))
        if index >= self._last:
            self._audio = None
            self._emit(PlaybackFinished(self.call, now, self._token))

    def skip(self, packets: int) -> None:
        """The loop was stopped for so long: let the clock catch up without a burst."""
        self._sender.skip(packets * self._sender.step)

    def _send_report(self, now: float, bye: bool = False) -> None:
        """Also to who holds by a direction (RFC 3264 §8.4), though not to one that is nowhere."""
        remote = self.remote
        cname = f"{self._sender.ssrc:08x}@{self.rtcp.getsockname()[0]}"
        report = self._reports.write(cname, now, bye)
        if remote is None or self._nowhere:
            return
        to = (remote.rtcp_host or remote.address[0], remote.rtcp_port)
        if self._source is not None and self._source[:2] != remote.address:  # behind a NAT: the other port
            to = (self._source[0], self._source[1] + 1)
        if self._srtp is not None:
            report = self._srtp.protect_rtcp(report)
        try:
            self.rtcp.sendto(report, to)
        except (OSError, OverflowError):  # or the port after 65535
            self._counters["rtcp_send_failed"] += 1

    # -- what comes in

    def read(self, now: float) -> bool:
        """Take one datagram of the RTP port; False when there was none. As hot as `tick`."""
        source = self._source
        if source is None:
            return self._read_from_anyone(now)
        try:
            datagram = self.rtp.recv(2048)
        except BlockingIOError:
            return False
        except OSError:  # ICMP: nobody listens there any more; media_lost_after decides
            self._counters["rtp_refused"] += 1
            return True
        if (  # nobody of `_hear` wants to know what is said, only that it is; what is secret must be opened
            self._recorder is None
            and self._ear is None
            and self.tone_ear is None
            and self._tap is None
            and self._srtp is None
            and self._listener is None
            and not self._bridged
            and self._started
            and self._receiver.take_next(datagram, self._plain_type, self._came_at(now))
        ):
            self._heard_at = now
        else:
            self._take(datagram, source, now)
        return True

    def _poll(self, now: float) -> None:
        """Read what waits: one packet, as a rule.

        To know that no other does would cost more than to read it. So that is asked each eighth time, where
        there were others, or none, the last time, and while strangers may be among them.
        """
        self._ticks = ticks = (self._ticks + 1) & 7
        if not self.read(now):
            self._drains = True
        elif self._drains or not ticks or self._source is None:
            others = 0
            while others < _MOST_OTHERS and self.read(now):
                others += 1
            self._drains = others > 0

    def _came_at(self, now: float) -> float | None:
        """When the datagram that was just read came.

        Who polls reads it later, and asks the kernel: of two packets in eight, which is enough for the
        jitter, and None of the others.
        """
        if not self.polls:
            return now
        if self._ticks > 1:
            return None
        try:
            fcntl.ioctl(self.rtp, _SIOCGSTAMPNS, self._came_buffer)
        except OSError:  # a system that doesn't keep it
            return None
        seconds, nanoseconds = _TIMESPEC.unpack(self._came_buffer)
        came_at: float = seconds + nanoseconds / 1e9 - self._wall
        return came_at if now - 1 < came_at <= now + 1 else None  # the clock was set

    def _read_from_anyone(self, now: float) -> bool:
        """Until the source is known. Strangers' datagrams that came before that wait behind its first."""
        try:
            for _ in range(_MOST_QUEUED):
                datagram, source = self.rtp.recvfrom(2048)
                self._take(datagram, source, now)
                if self._source is None:
                    break
        except BlockingIOError:
            return self._source is not None
        except OSError:
            self._counters["rtp_refused"] += 1
        return True

    def _take(self, datagram: bytes, source: Address, now: float) -> None:
        if source != self._source and not self._may_learn(source):
            self._counters.oddity("rtp_stranger", source)
            return
        try:
            packet = parse(datagram if self._srtp is None else self._srtp.unprotect(datagram))
        except BadPacket as error:
            kind = "rtp_malformed" if self._srtp is None else "srtp_refused"
            self._counters.oddity(kind, source, str(error))
            return
        if self._source is None and not self._learn(packet, source):
            return
        self._receiver.take(packet, self._came_at(now))
        self._hear(packet, now)

    def read_rtcp(self, now: float) -> None:
        """Take one datagram of the RTCP port. A BYE ends nothing: SIP does."""
        try:
            datagram, source = self.rtcp.recvfrom(2048)
        except OSError:
            return
        if self.remote is None or source[0] not in self.remote.hosts:
            self._counters.oddity("rtcp_stranger", source)
            return
        try:
            report = datagram if self._srtp is None else self._srtp.unprotect_rtcp(datagram)
            is_silent = self._reports.hear(report, now)
        except BadPacket as error:
            kind = "rtcp_malformed" if self._srtp is None else "srtp_refused"
            self._counters.oddity(kind, source, str(error))
            return
        self._counters["rtcp_received"] += 1
        if is_silent:
            self._heard_at = now

    def _may_learn(self, source: Address) -> bool:
        if self._source is not None or self.remote is None:
            return False
        if source == self._left and self._stragglers:
            self._stragglers -= 1
            return False
        return source[0] in self.remote.hosts

    def _learn(self, packet: RtpPacket, source: Address) -> bool:
        remote, kind = self.remote, packet.payload_type
        if remote is None or not (remote.codec_of(kind) or remote.is_event(kind) or kind == COMFORT_NOISE):
            self._counters.oddity("rtp_other_type", source, f"payload type {kind}")
            return False
        try:
            self.rtp.connect(source)
        except OSError as error:  # from port 0, say
            self._counters.oddity("rtp_stranger", source, str(error))
            return False
        self._source = source
        return True

    def _hear(self, packet: RtpPacket, now: float) -> None:
        """Tell everybody who listens. Who is added here is to be known to `read`, which else only counts."""
        remote = self.remote
        if remote is None:
            return
        if remote.is_event(packet.payload_type):
            self._heard_at = now
            if self._started:
                self._hear_key(packet, now)
        elif codec := remote.codec_of(packet.payload_type):
            self._heard_at = now
            if not self._started:
                self._hear_early(packet, codec, now)
            if self._recorder is not None:
                self._recorder.take(packet, codec)
            if self._ear is not None:
                self._screen(self._ear, packet, codec, now)
            if self.tone_ear is not None:
                self.tone_ear.take(packet.payload, codec, now, packet.timestamp)
            if self._tap is not None:
                self._tap(packet, codec, now)
            if self._listener is not None:
                self._listener(packet.payload, codec, now)
            for other in self._bridged:
                other._bridged[self].voice.take(packet, codec)
        elif packet.payload_type == COMFORT_NOISE:
            self._heard_at = now
        else:
            self._counters["rtp_other_type"] += 1

    def _hear_early(self, packet: RtpPacket, codec: Codec, now: float) -> None:
        if not self._early:
            self._early = True
            self._emit(EarlyMedia(self.call, now))
        if self._early_ear is not None:
            tone = self._early_ear.hear(packet.payload, codec, now, packet.timestamp)
            if tone is not None:
                self._emit(ToneHeard(self.call, now, tone))

    def _screen(self, ear: MachineEar, packet: RtpPacket, codec: Codec, now: float) -> None:
        sign = ear.hear(packet.payload, codec, now, packet.timestamp)
        if sign is not None:
            self._emit(MachineHeard(self.call, now, sign))
        if ear.done:
            self._ear = None

    def _hear_key(self, packet: RtpPacket, now: float) -> None:
        key = self._keys_in.receive(packet, now)
        if key is not None:
            self._tell_key(key.key, key.began_at, now, "rtp")
        for other in self._bridged if self._keys_by != "info" else ():
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
        if held := relay.keys.take(packet, new is not None, self._sender, remote.event_type):
            self._keys_out.append(held)

    def _tell_key(self, key: str, began_at: float, now: float, by: str) -> bool:
        """True where it's told. A gateway may tell keys both ways: the way of the first is that of all."""
        self._keys_by = self._keys_by or by
        if by == self._keys_by:
            self._ear = None  # whoever presses a key is a person
            self._emit(KeyPressed(self.call, now, key, began_at))
        return by == self._keys_by
