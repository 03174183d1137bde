"""Twilio Messaging: each text is one Message, and its sid the id of its receipts."""

from __future__ import annotations

from twilio.base.exceptions import TwilioRestException, TwilioServiceException  # type: ignore[import-untyped]
from twilio.rest.api.v2010.account.message import MessageInstance  # type: ignore[import-untyped]

from callbacks.twilio_account import make_client
from callbacks.twilio_numbers import e164
from callbacks.twilio_settings import AGAIN
from sms.events import Submission
from sms.http_answer import Refused, Taken, Unclear, Verdict
from sms.http_json import shown
from sms.http_pool import PooledGateway, PoolLimits
from sms.http_wire import NoAnswer, NothingLeft, Wire
from sms.twilio_settings import TwilioSettings

# Codes that say nothing of the citizen's number: account, sender, too fast, queue full.
_OURS_TO_MEND = frozenset(
    {10001, 14107, 20003, 20005, 20403, 20404, 20429, 21603, 21606, 21611, 21659, 21660, 21661, 30001}
)
_STATUSES_OF_OURS = frozenset({401, 403, 404, 429})


class TwilioSender:
    """Sends texts for one thread."""

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings
        self._wire = Wire(settings.connect_timeout, settings.submit_timeout, settings.proxy)
        self._client = make_client(settings, self._wire.exchange)

    def send(self, submission: Submission) -> Verdict:
        sender = self._settings.numbers.get(submission.source)
        if sender is None:
            return Refused(True, f"no number of Twilio's for {submission.source}")
        by = {"messaging_service_sid": sender} if sender.startswith("MG") else {"from_": sender}
        try:
            message = self._client.messages.create(
                to=e164(submission.destination),
                body=submission.text,
                status_callback=self._settings.address("receipts") + AGAIN,
                **by,
            )
        except NothingLeft as error:
            return Refused(False, str(error), resting=True)
        except NoAnswer as error:
            return Unclear(str(error))
        except (TwilioRestException, TwilioServiceException) as error:
            return refusal(error.status, error.code)
        except (ValueError, TypeError, AttributeError):  # 2xx, and no Message in it
            return Unclear("an answer that isn't Twilio's")
        return _verdict(message)

    def close(self) -> None:
        self._wire.close()


def _verdict(message: MessageInstance) -> Verdict:
    if not message.sid:
        return Unclear("an answer without a sid")
    if message.status in ("failed", "canceled"):
        return Refused(True, f"Twilio {message.error_code or message.status}")
    return Taken((str(message.sid),))


def refusal(status: object, code: object) -> Verdict:
    """What an error of Twilio's says of the text: of 5xx nobody knows; most 4xx are for good."""
    if not isinstance(status, int) or status >= 500 or status == 408:
        return Unclear(f"HTTP {status}")
    name = shown(f"Twilio {code}", 60)
    known = isinstance(code, int) and code in _OURS_TO_MEND
    if known or status < 400 or status in _STATUSES_OF_OURS:
        return Refused(False, name, resting=True)
    return Refused(True, name)


def make_twilio_gateway(settings: TwilioSettings) -> PooledGateway:
    """The gateway of `settings`; it connects when a text is submitted."""
    limits = PoolLimits(
        settings.connections,
        settings.rate_per_second,
        settings.submit_timeout,
        settings.rest_first,
        settings.rest_longest,
    )
    return PooledGateway(settings.name, lambda: TwilioSender(settings), limits)
