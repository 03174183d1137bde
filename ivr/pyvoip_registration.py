"""The extension's registration with its PBX (RFC 3261 §10.2), beside the calls."""

from __future__ import annotations

import math
import time

import structlog

from ivr.pyvoip_client import Client, Message

__all__ = ["Registration"]

_log = structlog.get_logger(__name__)
_EARLY = 5.0  # seconds before it expires
_RETRY = 30.0


class Registration:
    """`done` is None while the PBX hasn't answered, or needs none; `due` is when it's time again."""

    def __init__(self, client: Client, wanted: bool) -> None:
        self._client, self._wanted, self._leaves = client, wanted, False
        self._login = client.new_login()
        self.done: bool | None = None
        self.due = 0.0 if wanted else math.inf

    def pass_time(self, now: float) -> None:
        if now >= self.due:
            self._send(now)

    def leave(self) -> None:
        if self._wanted:
            self._leaves = True
            self._send(time.monotonic())

    def _send(self, now: float) -> None:
        text = self._client.gen_first_response(deregister=self._leaves)
        self.due = math.inf if self._leaves else now + _RETRY
        self._client.surely(self._client.signed(text, self._login))

    def take(self, response: Message, now: float) -> None:
        """What the PBX said to our REGISTER."""
        if response.code < 200:
            return
        if self._client.challenged(response, self._login):
            self._send(now)
            return
        self.done = response.code < 300 and not self._leaves
        if self.done:
            self.due = now + max(_EARLY, self._seconds(response) - _EARLY)
        elif not self._leaves:
            self._login = self._client.new_login()
            _log.error("pyvoip_registration_refused", status=response.code, retry_in=_RETRY)

    def _seconds(self, response: Message) -> float:
        granted = str(response.headers.get("Expires", ""))
        return float(granted) if granted.isdigit() else float(self._client.default_expires)
