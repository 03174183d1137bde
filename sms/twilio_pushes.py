"""Twilio's webhooks: signed, one event each, told apart by MessageSid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from twilio.twiml.messaging_response import MessagingResponse  # type: ignore[import-untyped]
from werkzeug.datastructures import MultiDict

from callbacks.twilio_account import Signatures
from callbacks.twilio_numbers import national
from sms.events import ReceiptStatus, ReplyArrived
from sms.http_json import shown
from sms.http_push import BadElement, BadPush, Element, form_fields, read_receipts, read_replies
from sms.http_push_settings import ReceiptsSettings, RepliesSettings
from sms.http_pushes import PushAnswer, PushKind, PushRequest
from sms.twilio_settings import TwilioSettings

_RECEIPTS = ReceiptsSettings(
    format="form",
    id="MessageSid",
    status="MessageStatus",
    error="ErrorCode",
    statuses={
        "accepted": ReceiptStatus.ACCEPTED,
        "scheduled": ReceiptStatus.ACCEPTED,
        "queued": ReceiptStatus.ENROUTE,
        "sending": ReceiptStatus.ENROUTE,
        "sent": ReceiptStatus.ENROUTE,  # the carrier has it
        "delivered": ReceiptStatus.DELIVERED,
        "read": ReceiptStatus.DELIVERED,
        "undelivered": ReceiptStatus.UNDELIVERABLE,
        "failed": ReceiptStatus.REJECTED,
        "canceled": ReceiptStatus.DELETED,
    },
)
_MOST_FIELDS = 500


class TwilioPushes:
    """Meets `sms.http_pushes.PushSource` for one account."""

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings
        self._signatures = Signatures(settings)
        self._codes = {number: code for code, number in settings.numbers.items()}
        self._replies = RepliesSettings(
            format="form",
            number="From",
            text="Body",
            sender_code="To",
            sequence="MessageSid",
            sender_codes=self._codes,
        )

    @property
    def name(self) -> str:
        return self._settings.name

    def is_genuine(self, request: PushRequest) -> bool:
        address = self._settings.address(request.path.rpartition("/")[2])
        form = _form(request.body) if request.method == "POST" else MultiDict()
        given = request.headers.get("x-twilio-signature", "")
        return self._signatures.are_genuine(address, request.query, form, given)

    def read(self, kind: PushKind, request: PushRequest) -> list[Element]:
        if kind is PushKind.RECEIPTS:
            return read_receipts(_RECEIPTS, request.body, request.query)
        elements = read_replies(self._replies, self.name, request.body, request.query)
        return [self._ours(each, request) if isinstance(each, ReplyArrived) else each for each in elements]

    def _ours(self, reply: ReplyArrived, request: PushRequest) -> ReplyArrived:
        """The numbers as the office writes them; a service's reply comes to any of the service's numbers."""
        fields = form_fields(request.query) | form_fields(request.body.decode("latin-1"))
        service = self._codes.get(fields.get("MessagingServiceSid", ""))
        known = reply.destination in self._settings.numbers
        destination = reply.destination if known or service is None else service
        return replace(reply, source=national(reply.source), destination=destination)

    def answer(self, kind: PushKind, refused: Sequence[BadElement]) -> PushAnswer:
        if refused:
            reason = {"field": shown(refused[0].field, 60), "reason": refused[0].reason}
            return PushAnswer(400, json.dumps(reason, ensure_ascii=False), "application/json")
        if kind is PushKind.RECEIPTS:
            return PushAnswer(204, "", "text/plain")
        return PushAnswer(200, str(MessagingResponse()), "text/xml; charset=utf-8")


def _form(body: bytes) -> MultiDict[str, str]:
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadPush(str(error)) from None
    return MultiDict(pairs)
