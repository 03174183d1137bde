"""Webhooks on the wire: one POST a try, and the threads in which the clock role sends them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from callbacks.service.core import Context
from callbacks.stopping import Stop
from callbacks.webhook_deliveries import BATCH, deliver_due
from callbacks.webhook_settings import WebhookSettings
from callbacks.webhooks import Answer

log = structlog.get_logger(__name__)

LONGEST_ANSWER = 1024  # bytes that are read of an answer's body, where it may say what was wrong
_SHOWN = 160  # characters of it that are kept
_PATIENCE = 5.0  # seconds in which all threads end


class HttpSender:
    """Sends for one thread. Without a session: no redirects, cookies, netrc or proxies of the environment."""

    def __init__(self) -> None:
        self._adapter = HTTPAdapter()  # whose default is to try once

    def __call__(self, webhook: WebhookSettings, headers: Mapping[str, str], body: bytes) -> Answer:
        """One try; whatever goes wrong with it is an Answer."""
        seconds = webhook.timeout.total_seconds()
        wanted = {**headers, "Accept-Encoding": "identity", "Connection": "close"}
        try:
            request = requests.Request("POST", webhook.url, headers=wanted, data=body).prepare()
            with self._adapter.send(
                request,
                stream=True,
                timeout=(seconds, seconds),
                verify=True if webhook.ca_file is None else str(webhook.ca_file),
            ) as response:
                status = response.status_code
                return Answer(status, "" if 200 <= status < 300 else _words(response))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # The class alone: the text of an error holds the address, and that may hold a key.
            return Answer(None, type(error).__name__)

    def close(self) -> None:
        self._adapter.close()


def _words(response: requests.Response) -> str:
    """What a refusal says, as far as it came at once: nobody waits for a body that trickles."""
    try:
        said: bytes = response.raw.read1(LONGEST_ANSWER)
    except (HTTPError, OSError, ValueError):
        return ""
    text = said[:LONGEST_ANSWER].decode("utf-8", "replace")
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_SHOWN]


@contextmanager
def sending(ctx: Context, webhooks: Sequence[WebhookSettings], stop: Stop, every: float) -> Iterator[None]:
    """A thread a webhook while the block runs, so that one that is slow holds up no other.

    Ends them when the block ends. One that still waits for an answer then is left behind with the process:
    its delivery is due again when its claim ends, with the same id.
    """
    threads = [
        threading.Thread(target=_run, args=(ctx, each, stop, every), name=f"webhook {each.name}", daemon=True)
        for each in webhooks
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        until = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))


def _run(ctx: Context, webhook: WebhookSettings, stop: Stop, every: float) -> None:
    sender = HttpSender()
    try:
        while not stop.is_set():
            if not _full_pass(ctx, webhook, sender):
                stop.wait(every)
    finally:
        sender.close()


def _full_pass(ctx: Context, webhook: WebhookSettings, sender: HttpSender) -> bool:
    """Whether more may be due at once. A database that is away doesn't end the thread."""
    try:
        return deliver_due(ctx, [webhook], lambda: datetime.now(UTC), sender) == BATCH
    except Exception:
        log.exception("webhook_pass_failed", webhook=webhook.name)
        return False
