"""What a city sets for the pushes of a gateway over HTTP: receipts, replies, and who may send them."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from callbacks.settings import Section
from sms.events import ReceiptStatus
from sms.http_signing import Algorithm, Written
from sms.http_template import BadTemplate, names

OF_A_PUSH = frozenset({"method", "path", "query", "body", "timestamp"})
Path = Annotated[str, Field(min_length=1, max_length=120)]  # by dots: names, indexes, * for each of a list


def check_names(template: str, known: frozenset[str]) -> str:
    """The template as it is. ValueError for a name that isn't among `known`, or for its braces."""
    try:
        unknown = names(template) - known
    except BadTemplate as error:
        raise ValueError(str(error)) from None
    if unknown:
        raise ValueError(f"{sorted(unknown)} aren't known here; there are {sorted(known)}")
    return template


def known_names(known: frozenset[str]) -> AfterValidator:
    """For a setting that is a template of these names."""
    return AfterValidator(lambda template: check_names(template, known))


class NoCheck(Section):
    """Anybody who reaches the address is believed: for a loopback or a network of its own."""

    kind: Literal["none"]


class TokenCheck(Section):
    """A shared word in a header or in the address."""

    kind: Literal["token"]
    place: Literal["header", "query"] = "query"
    field: str = Field("token", min_length=1, max_length=60)
    token: SecretStr = Field(min_length=16)


class HmacCheck(Section):
    """A signature in a header."""

    kind: Literal["hmac"]
    algorithm: Literal[Algorithm.HMAC_SHA1, Algorithm.HMAC_SHA256] = Algorithm.HMAC_SHA256
    written: Written = Written.HEX
    header: str = Field(min_length=1, max_length=60)
    timestamp_header: str | None = Field(None, max_length=60)
    key: SecretStr = Field(min_length=8)
    string: Annotated[str, known_names(OF_A_PUSH)] = "{body}"


Check = Annotated[NoCheck | TokenCheck | HmacCheck, Field(discriminator="kind")]


class PushShape(Section):
    """What is common to pushes: `array` is a list of objects, `object` one, `form` a form or a query."""

    format: Literal["form", "object", "array"]
    at: Path | None = Field(None, description="where in the JSON the list stands")
    charset: str = Field("utf-8", pattern=r"^(utf-8|gb18030|utf-16-be)$", description="of a form's fields")


class ReceiptsSettings(PushShape):
    id: Path
    status: Path
    error: Path | None = None
    statuses: dict[str, ReceiptStatus] = Field(min_length=1)
    otherwise: ReceiptStatus = ReceiptStatus.UNKNOWN


class RepliesSettings(PushShape):
    number: Path
    text: Path
    sender_code: Path | None = None
    sequence: Path | None = Field(None, description="the delivery's own id: finds a repeated push")
    sent_at: Path | None = Field(None, description="tells two like texts apart where there's no sequence")
    sender_codes: dict[str, str] = Field(
        default_factory=dict, description="the provider's numbers → the office's sender codes"
    )
    our_code: str = Field("", max_length=24, description="where the push names no number")


class PushSettings(Section):
    """Pushes to /sms/<name>/receipts and /sms/<name>/replies."""

    check: Check
    receipts: ReceiptsSettings | None = None
    replies: RepliesSettings | None = None
    answer: str = Field("", max_length=1000, description="the body that tells the provider: taken")
    content_type: str = Field("application/json; charset=utf-8", pattern=r"^[ -~]{3,80}$")
    errors: str | None = Field(
        None, description="member of a JSON answer that lists what was refused; none: it's only logged"
    )

    @model_validator(mode="after")
    def _has_place_for_errors(self) -> Self:
        if self.errors is None:
            return self
        try:
            place = isinstance(json.loads(self.answer), dict)
        except ValueError:
            place = False
        if not place:
            raise ValueError("errors needs an answer that is a JSON object")
        return self
