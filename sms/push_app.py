"""The application of providers' pushes, beside the desk in the web role: signatures instead of a login."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flask import Flask

from sms.http_pushes import HttpPushes, PushSource
from sms.http_settings import HttpSettings
from sms.inbound import Inbox
from sms.settings import SmsSettings
from sms.twilio_pushes import TwilioPushes
from sms.twilio_settings import TwilioSettings
from sms.webhooks import create_blueprint

PREFIX = "/sms/"


def push_sources(settings: SmsSettings) -> list[PushSource]:
    """The gateways whose receipts and replies are pushed."""
    sources: list[PushSource] = []
    for gateway in settings.gateways:
        if isinstance(gateway, TwilioSettings):
            sources.append(TwilioPushes(gateway))
        elif isinstance(gateway, HttpSettings) and gateway.push:
            sources.append(HttpPushes(gateway.name, gateway.push))
    return sources


def create_pushes(inbox: Inbox, sources: list[PushSource]) -> Flask:
    """Serves /sms/<gateway>/receipts and /sms/<gateway>/replies."""
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(inbox.take, sources))
    return app


@contextmanager
def catching_up(inbox: Inbox, seconds: float) -> Iterator[None]:
    """What was spooled is played in, looked at every so many seconds by a thread of its own."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            inbox.catch_up(datetime.now(UTC))

    thread = threading.Thread(target=run, name="spool", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)
        inbox.close()
