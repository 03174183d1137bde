"""Twilio's REST interface for calls: dial, ask, hang up. Loopback where the settings say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException  # type: ignore[import-untyped]
from urllib3.exceptions import NewConnectionError

from callbacks.twilio_account import make_client
from callbacks.twilio_numbers import e164
from callbacks.twilio_settings import AGAIN
from callbacks.vocabulary import Disposition
from ivr.twilio_settings import TwilioVoiceSettings

__all__ = ["FINAL", "Dialling", "NotTaken", "TwilioCalls", "Wire"]

_EVENTS = ["initiated", "ringing", "answered", "completed"]

FINAL: Mapping[str, Disposition] = {
    "completed": Disposition.ANSWERED,
    "busy": Disposition.BUSY,
    "no-answer": Disposition.NO_ANSWER,
    "canceled": Disposition.CANCELLED,
    "failed": Disposition.NETWORK_FAIL,  # perhaps no such number: Twilio can't tell, so we don't say it
}
# Codes that speak of the citizen's number; the others are for the office to mend.
_NO_NUMBER = frozenset({21211, 21214, 21217, 13223, 13224})
_TOO_MANY = frozenset({20429, 10004})


@dataclass(frozen=True, slots=True)
class Dialling:
    """Twilio dials. `sid` is None where its answer didn't come: webhooks will tell whether it does."""

    sid: str | None


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Nobody was dialled."""

    disposition: Disposition
    cause: str


class Wire:
    """No redirects, retries or proxies of the environment: what may have been dialled isn't sent again."""

    def __init__(self, settings: TwilioVoiceSettings) -> None:
        self._timeouts = (settings.connect_timeout, settings.answer_timeout)
        self._session = requests.Session()
        self._session.trust_env = False

    def exchange(self, request: requests.Request) -> tuple[int, bytes]:
        prepared = self._session.prepare_request(request)
        answer = self._session.send(prepared, timeout=self._timeouts, allow_redirects=False)
        return answer.status_code, answer.content

    def close(self) -> None:
        self._session.close()


class TwilioCalls:
    """For one thread."""

    def __init__(self, settings: TwilioVoiceSettings) -> None:
        self._settings, self._wire = settings, Wire(settings)
        self._client = make_client(settings, self._wire.exchange)

    def dial(self, key: str, number: str, ring_timeout: float, longest: float) -> Dialling | NotTaken:
        """Call `number` (national form); the call's webhooks bear `key`. Times in seconds."""
        address = self._settings.address
        try:
            call = self._client.calls.create(
                to=e164(number),
                from_=self._settings.number,
                url=address(f"{key}/0") + AGAIN,
                method="POST",
                status_callback=address(f"{key}/status") + AGAIN,
                status_callback_event=_EVENTS,
                status_callback_method="POST",
                timeout=round(ring_timeout),
                time_limit=round(longest),
            )
        except TwilioRestException as error:
            return _refusal(error.status, error.code)
        except requests.ConnectionError as error:
            return _unheard(error)
        except (requests.RequestException, TwilioException, ValueError, TypeError, AttributeError):
            return Dialling(None)  # it left, and no Call came back
        return Dialling(str(call.sid) if call.sid else None)

    def hang_up(self, sid: str) -> None:
        """End a call, whether it rings or is up. TwilioException, or an error of requests, is for the log."""
        self._client.calls(sid).update(status="completed")

    def close(self) -> None:
        self._wire.close()


def _refusal(status: object, code: object) -> Dialling | NotTaken:
    """What an error says: of a 5xx nobody knows whether it dialled; other codes say that it didn't."""
    if not isinstance(status, int) or status >= 500 or status == 408:
        return Dialling(None)
    cause = f"Twilio {code or status}"
    if code in _NO_NUMBER:
        return NotTaken(Disposition.UNALLOCATED, cause)
    if code in _TOO_MANY or status == 429:
        return NotTaken(Disposition.NETWORK_FAIL, cause)
    return NotTaken(Disposition.TRUNK_REFUSED, cause)


def _unheard(error: requests.ConnectionError) -> Dialling | NotTaken:
    """No connection: nothing left. One that broke afterwards may have carried the order."""
    reason = error.args[0] if error.args else None
    if isinstance(error, requests.ConnectTimeout) or isinstance(
        getattr(reason, "reason", None), NewConnectionError
    ):
        return NotTaken(Disposition.NETWORK_FAIL, "Twilio can't be reached")
    return Dialling(None)
