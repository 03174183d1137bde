"""A gateway that takes texts over HTTP as its description says (Aliyun-like providers, Kannel)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import requests

from sms.events import Submission
from sms.http_answer import Refused, Unclear, Verdict, read_answer
from sms.http_pool import PooledGateway, PoolLimits
from sms.http_request import build, values_of
from sms.http_settings import HttpSettings
from sms.http_template import render
from sms.http_wire import NoAnswer, NothingLeft, Wire


class HttpSender:
    """Sends texts for one thread."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._wire = Wire(settings.connect_timeout, settings.submit_timeout, settings.proxy)

    def send(self, submission: Submission) -> Verdict:
        settings = self._settings
        values = values_of(
            submission,
            settings.request,
            datetime.now(UTC),
            secrets.token_hex(16),
            settings.account,
            settings.secret.get_secret_value(),
        )
        request = build(settings.request, values)
        own_id = None if settings.answer.own_id is None else render(settings.answer.own_id, values)
        try:
            status, body = self._wire.exchange(
                requests.Request(request.method, request.url, headers=request.headers, data=request.body)
            )
        except NothingLeft as error:
            return Refused(False, str(error), resting=True)
        except NoAnswer as error:
            return Unclear(str(error))
        return read_answer(settings.answer, status, body, own_id)

    def close(self) -> None:
        self._wire.close()


def make_http_gateway(settings: HttpSettings) -> PooledGateway:
    """The gateway of `settings`; it connects when a text is submitted."""
    limits = PoolLimits(
        settings.connections,
        settings.rate_per_second,
        settings.submit_timeout,
        settings.rest_first,
        settings.rest_longest,
    )
    return PooledGateway(settings.name, lambda: HttpSender(settings), limits)
