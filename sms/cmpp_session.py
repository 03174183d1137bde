"""The long connection to a CMPP gateway: connected, logged in, kept alive and made anew by itself."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from sms.cmpp_codec import (
    VERSION,
    ActiveTest,
    ActiveTestResp,
    BadPacket,
    Connect,
    ConnectResp,
    Packet,
    Terminate,
    TerminateResp,
    authenticator_ismg,
    authenticator_source,
)
from sms.cmpp_link import Arrived, CmppLink, LinkLost
from sms.cmpp_settings import CmppSettings
from sms.events import LinkDown, LinkUp

Happened = LinkUp | LinkDown | Arrived

_QUESTIONS = 3  # active tests without an answer (N = 3)
_CHINA = ZoneInfo("Asia/Shanghai")
_REFUSALS = {
    1: "message structure",
    2: "unknown source address; check source_addr",
    3: "authentication; check source_addr and shared_secret",
    4: "version too high",
}


class CmppSession:
    """One session after another with the gateway of `settings`. `wake` alone is for any thread."""

    def __init__(self, settings: CmppSettings) -> None:
        self._settings = settings
        self._link: CmppLink | None = None
        self._authenticator: bytes | None = None  # of the login that was sent on this link
        self.up = False
        self._login_deadline = self._connect_at = 0.0
        self._pause = settings.reconnect_first
        self._heard_at = self._asked_at = 0.0
        self._unanswered = 0
        self._happened: list[Happened] = []
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def send(self, packet: Packet, sequence: int | None = None) -> int:
        """Sends a request, or a response under its request's sequence; the sequence.

        Where the link is gone, nothing is sent; `turn` tells it.
        """
        if self._link is None:
            return 0
        sequence = self._link.next_sequence() if sequence is None else sequence
        try:
            self._link.send(packet, sequence)
        except LinkLost as error:
            self._drop(str(error))
        return sequence

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        if self.up:
            self.send(Terminate())
        self._drop("closed")
        self._connect_at = float("inf")
        self._woken.close()
        self._waker.close()

    def wait(self, timeout: float) -> None:
        """Waits for the wire, the next timer or `wake`, at most `timeout` seconds."""
        timeout = 0.0 if self._happened else max(0.0, min(timeout, self._next_timer - time.monotonic()))
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if self._link is not None:
                writes = selectors.EVENT_WRITE if self._link.wants_write else 0
                selector.register(self._link, selectors.EVENT_READ | writes)
            selector.select(timeout)
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)

    @property
    def _next_timer(self) -> float:
        if self._link is None:
            return self._connect_at
        return self._ask_at if self.up else self._login_deadline

    @property
    def _ask_at(self) -> float:
        return max(self._heard_at, self._asked_at) + self._settings.active_test_seconds

    def turn(self) -> list[Happened]:
        """What happened, in order; what came on a link stands before its LinkDown."""
        if self._link is None and time.monotonic() >= self._connect_at:
            self._connect()
        if self._link is not None:
            self._serve(self._link)
        self._timers(time.monotonic())
        happened, self._happened = self._happened, []
        return happened

    def _connect(self) -> None:
        self._login_deadline = time.monotonic() + self._settings.connect_timeout
        try:
            self._link = CmppLink.to(self._settings.host, self._settings.port)
        except LinkLost as error:
            self._down(str(error))

    def _serve(self, link: CmppLink) -> None:
        try:
            if not link.connected():
                return
            if self._authenticator is None:
                self._log_in()
            link.flush()
            arrived = link.read()
        except LinkLost as error:
            self._drop(str(error))
            return
        for each in arrived:
            if self._link is link:  # else lost meanwhile; what it delivered comes again on the next
                self._heard_at, self._unanswered = time.monotonic(), 0
                self._take(each)

    def _log_in(self) -> None:
        source, secret = self._settings.source_addr, self._settings.shared_secret.get_secret_value()
        timestamp = int(datetime.now(_CHINA).strftime("%m%d%H%M%S"))
        self._authenticator = authenticator_source(source, secret, timestamp)
        self.send(Connect(source, self._authenticator, VERSION, timestamp))

    def _take(self, arrived: Arrived) -> None:
        """Answers what belongs to the session; the rest is for whoever asks what happened."""
        match arrived:
            case sequence, ActiveTest():
                self.send(ActiveTestResp(), sequence)
            case sequence, Terminate():
                self.send(TerminateResp(), sequence)
                self._drop("terminated by the other end")
            case _, ConnectResp() as answer if not self.up:
                self._logged_in(answer)
            case _, ActiveTestResp() | TerminateResp():
                pass
            case _ if self.up:
                self._happened.append(arrived)
            case BadPacket() as bad:
                self._drop(str(bad))
            case _, other:  # nobody is believed before the login
                self._drop(f"{type(other).__name__} before the login")

    def _logged_in(self, answer: ConnectResp) -> None:
        if answer.status != 0:
            self._drop(f"login refused: {answer.status}, {_REFUSALS.get(answer.status, 'no reason known')}")
            return
        secret = self._settings.shared_secret.get_secret_value()
        if answer.authenticator_ismg != authenticator_ismg(0, self._authenticator or b"", secret):
            self._drop("the gateway's own authenticator is wrong: another gateway, or another shared_secret")
            return
        self.up, self._pause, self._asked_at = True, self._settings.reconnect_first, 0.0
        self._happened.append(LinkUp())

    def _timers(self, now: float) -> None:
        if self._link is None:
            return
        if not self.up:
            if now >= self._login_deadline:
                self._drop("no answer to the login" if self._authenticator else "no connection in time")
        elif now >= self._ask_at:
            self._ask(now)

    def _ask(self, now: float) -> None:
        if self._unanswered == _QUESTIONS:
            self._drop(f"no answer to {_QUESTIONS} active tests")
            return
        self._unanswered, self._asked_at = self._unanswered + 1, now
        self.send(ActiveTest())

    def _drop(self, reason: str) -> None:
        if self._link is None:
            return
        self._link.close()
        self._link, self._authenticator, self.up = None, None, False
        self._down(reason)

    def _down(self, reason: str) -> None:
        """Tried again after a pause, twice as long each time up to the longest."""
        self._connect_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, self._settings.reconnect_longest)
        self._happened.append(LinkDown(f"{self._settings.host}:{self._settings.port}: {reason}"))
