"""pyVoIP's RTP client with its faults overridden: two threads a call, one that hears and one that sends."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from threading import Lock, Thread
from typing import Any

from ivr.events import (
    Codec,
    KeyPressed,
    LineEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
)
from ivr.media.audio import FRAME_MS, Audio
from ivr.media.dtmf import KeyReceiver
from ivr.media.g711 import SILENT_FRAMES
from ivr.media.recorder import Recorder
from ivr.media.rtp import BadPacket, RtpPacket, Sender, parse
from ivr.pyvoip_client import CODES, PayloadType, RTPClient

__all__ = ["Rtp"]

_CODECS: dict[Any, Codec] = {PayloadType.PCMA: "pcma", PayloadType.PCMU: "pcmu"}
_Told = PlaybackStarted | PlaybackFinished
Tell = Callable[["tuple[LineEvent, int | None]"], None]


class Rtp(RTPClient):
    """Sends prompts as they were encoded. pyVoIP encodes 8 bits a sample, µ-law even for A-law, drifts, and
    sends a malformed packet at each wrap; it takes a key by its marker bit, which may be lost."""

    def __init__(self, call: str, tell: Tell, bound: socket, *args: Any) -> None:
        super().__init__(*args)
        self.codec: Codec = "pcma" if self.preference == PayloadType.PCMA else "pcmu"
        self.heard_at = time.monotonic()
        self._call, self._tell, self.sin = call, tell, bound
        self._lock, self._keys = Lock(), KeyReceiver()
        self._frames: list[bytes] = []
        self._recorder: Recorder | None = None
        self._token, self.turn, self._next = "", 0, -1
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Once, where pyVoIP binds and begins anew at each re-INVITE."""
        if not self._threads:
            self.sin.setblocking(True)
            self._threads = [
                Thread(target=each, name="pyvoip RTP", daemon=True) for each in (self.recv, self.trans)
            ]
            for thread in self._threads:
                thread.start()

    def stop(self) -> None:
        """What the socket still holds is heard first."""
        self.NSD = False
        if self._threads:
            self.sin.sendto(b"", self.sin.getsockname())
        for thread in self._threads:
            thread.join()
        self._threads = []
        self.sin.close()
        self.stop_recording()

    def record(self, token: str, seconds: float) -> None:
        """What they say from now on, in place of what is recorded; pyVoIP keeps none of it."""
        self.stop_recording()
        with self._lock:
            self._recorder = Recorder(token, seconds, time.monotonic(), self.codec)

    def stop_recording(self, full: Recorder | None = None) -> None:
        """Tell what was recorded; harmless without. One that is `full` may have been replaced meanwhile."""
        with self._lock:
            if full is not None and self._recorder is not full:
                return
            done, self._recorder = self._recorder, None
        if done is not None:
            whole = (done.token, done.payload, done.codec, done.seconds)
            self._tell((RecordingFinished(self._call, time.monotonic(), *whole), None))

    def play(self, token: str, audio: Audio | None) -> None:
        """In place of what plays; None stops it. What is told of an older turn is out of date."""
        with self._lock:
            self._frames = list(audio.frames(self.codec)) if audio is not None else []
            self._token, self.turn, self._next = token, self.turn + 1, 0 if audio is not None else -1

    def recv(self) -> None:
        while True:
            data, source = self.sin.recvfrom(2048)
            if not data and not self.NSD:
                return
            if source[0] == self.outIP:
                self.heard_at = time.monotonic()
                self.parse_packet(data)

    def parse_packet(self, data: bytes) -> None:
        with suppress(BadPacket):
            packet = parse(data)
            kind = self.assoc.get(packet.payload_type)
            if kind in _CODECS:
                self._keep(packet, _CODECS[kind])
            elif kind is PayloadType.EVENT:
                key = self._keys.receive(packet, self.heard_at)
                if key is not None:
                    self._tell((KeyPressed(self._call, self.heard_at, key.key, key.began_at), None))

    def _keep(self, packet: RtpPacket, codec: Codec) -> None:
        with self._lock:
            if self._recorder is not None:
                self._recorder.take(packet, codec, self.heard_at)

    def trans(self) -> None:
        sender = Sender(secrets.randbits(32), secrets.randbits(16), secrets.randbits(32))
        due = time.monotonic()
        while self.NSD:
            frame, events, token, turn = self._step()
            with suppress(OSError):
                self.sin.sendto(sender.frame(CODES[self.codec], frame), (self.outIP, self.outPort))
            for kind in events:
                self._tell((kind(self._call, time.monotonic(), token), turn))
            if (recorder := self._recorder) is not None and time.monotonic() >= recorder.ends_at:
                self.stop_recording(recorder)
            due += FRAME_MS / 1000
            time.sleep(max(0.0, due - time.monotonic()))

    def _step(self) -> tuple[bytes, list[type[_Told]], str, int]:
        """The next frame, and what is told once it has left."""
        with self._lock:
            at, frame, events = self._next, SILENT_FRAMES[self.codec], list[type[_Told]]()
            if at >= 0:
                frame = self._frames[at] if at < len(self._frames) else frame
                self._next = at + 1 if at + 1 < len(self._frames) else -1
                events += [PlaybackStarted] if at == 0 else []
                events += [PlaybackFinished] if self._next < 0 else []
            return frame, events, self._token, self.turn
