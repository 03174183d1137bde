"""An account of Twilio's at the edge: their client over our exchange, and who has signed a webhook."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import requests
from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from callbacks.twilio_settings import AGAIN, TWILIO, TwilioAccount

__all__ = ["Exchange", "Signatures", "make_client"]

Exchange = Callable[[requests.Request], tuple[int, bytes]]  # one request, unrepeated → status and body


class _Over(HttpClient):  # type: ignore[misc]
    """Loopback where the settings say so."""

    def __init__(self, exchange: Exchange, base_url: str) -> None:
        super().__init__(logging.getLogger("twilio.http_client"), False)
        self._exchange, self._base_url = exchange, base_url

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        url = self._base_url + uri.removeprefix(TWILIO)
        request = requests.Request(method, url, headers=headers, data=data, params=params, auth=auth)
        status, body = self._exchange(request)
        return Response(status, body.decode("utf-8", "replace"))


def make_client(account: TwilioAccount, exchange: Exchange) -> Client:
    """Twilio's client; what `exchange` raises comes through it as it is."""
    user, password = account.credentials
    return Client(user, password, account.account_sid, http_client=_Over(exchange, account.base_url))


class Signatures:
    """Whether a webhook is Twilio's own: X-Twilio-Signature."""

    def __init__(self, account: TwilioAccount) -> None:
        self._validator = RequestValidator(account.auth_token.get_secret_value())

    def are_genuine(self, address: str, query: str, form: Mapping[str, str], given: str) -> bool:
        """Signed over the public address, which a proxy before us may have changed, and the form."""
        asked = f"{address}?{query}" if query else address
        # Whether the address that is signed has its overrides isn't said alike everywhere.
        return bool(given) and any(
            self._validator.validate(each, form, given) for each in (asked, asked + AGAIN)
        )
