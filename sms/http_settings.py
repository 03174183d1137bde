"""What a city sets for a gateway that takes texts over HTTP: its requests and answers described."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, JsonValue, SecretStr, field_validator, model_validator

from callbacks.settings import Section
from sms.http_push_settings import Path, PushSettings, check_names, known_names
from sms.http_signing import Algorithm, Written
from sms.http_template import names

OF_A_TEXT = frozenset(
    {"number", "text", "sender_code", "ref", "timestamp", "nonce", "account", "secret", "signature"}
)
OF_A_STRING_TO_SIGN = (OF_A_TEXT - {"signature"}) | {"method", "host", "path", "pairs", "body"}


TextTemplate = Annotated[str, known_names(OF_A_TEXT)]


def strings(tree: JsonValue) -> Iterator[str]:
    """The texts in a described body."""
    match tree:
        case str():
            yield tree
        case list():
            for each in tree:
                yield from strings(each)
        case dict():
            for each in tree.values():
                yield from strings(each)


class SigningSettings(Section):
    """How a request is signed; the signature goes where a field says {signature}."""

    algorithm: Algorithm
    written: Written = Written.BASE64
    key: Annotated[str, known_names(frozenset({"secret"}))] = "{secret}"
    string: Annotated[str, known_names(OF_A_STRING_TO_SIGN)] = Field(
        description="string to sign; {pairs}: every query and form field but the signature's,"
        " percent-encoded and sorted"
    )


class RequestSettings(Section):
    """The request that sends one text. GET fields go in `query`, a POST's in `body` too."""

    method: Literal["GET", "POST"] = "POST"
    url: str = Field(pattern=r"^https?://[^\s?#@/]+(/[^\s?#]*)?$", max_length=300)
    headers: dict[str, TextTemplate] = Field(default_factory=dict)
    query: dict[str, TextTemplate] = Field(default_factory=dict)
    body: dict[str, JsonValue] | None = None
    encoding: Literal["form", "json"] = "form"
    timestamp: str = Field("unix", description="unix, unix_ms, or a strftime pattern")
    timestamp_zone: str = "UTC"
    own_signature: bool = Field(True, description="false: the provider signs, so our 【…】 is left out")
    signing: SigningSettings | None = None

    @field_validator("timestamp_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no time zone of that name")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for template in strings(self.body):
            check_names(template, OF_A_TEXT)
        if self.encoding == "form" and any(not isinstance(each, str) for each in (self.body or {}).values()):
            raise ValueError("a form's fields are texts")
        if any("{text}" in each or "{text|json}" in each for each in self.headers.values()):
            raise ValueError("a header can't carry Chinese; write {text|percent} or {text|base64}")
        wanted = any("signature" in names(each) for each in self._templates())
        if wanted != (self.signing is not None):
            raise ValueError("{signature} and [request.signing] belong together")
        if self.signing and "body" in names(self.signing.string):
            inside = any("signature" in names(each) for each in strings(self.body))
            if inside:
                raise ValueError("a body can't hold its own signature; sign {pairs}")
        return self

    def _templates(self) -> list[str]:
        return [*self.headers.values(), *self.query.values(), *strings(self.body)]


class AnswerSettings(Section):
    """Where the answer says what became of the text. Codes may end in * for all that begin so."""

    format: Literal["json", "text"] = "json"
    pattern: str | None = Field(None, description="for text: a regular expression with groups code and id")
    code: Path | None = Field(None, description="for json: where the code stands; none: the HTTP status says")
    ids: Path | None = Field(None, description="for json: where the message id stands, or several")
    own_id: TextTemplate | None = Field(None, description="where receipts tell our id, such as {ref}")
    accepted: tuple[str, ...] = ()
    permanent: tuple[str, ...] = ()
    transient: tuple[str, ...] = ()
    resting: tuple[str, ...] = Field((), description="ours to mend (account, balance): the gateway rests")
    otherwise: Literal["permanent", "transient"] = "permanent"
    server_errors: Literal["unknown", "transient"] = Field(
        "unknown", description="what an HTTP 5xx says of a text: it may have gone, or it hasn't"
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        groups = self._groups()
        if self.format == "text" and "code" not in groups:
            raise ValueError("a text answer needs a pattern with a group named code")
        if (self.code or self.format == "text") and not self.accepted:
            raise ValueError("accepted names no code")
        if self.own_id is not None and (self.ids or "id" in groups):
            raise ValueError("the ids are the answer's or ours, not both")
        return self

    def _groups(self) -> dict[str, int]:
        try:
            return dict(re.compile(self.pattern or "").groupindex)
        except re.error as error:
            raise ValueError(f"pattern: {error}") from None


class HttpSettings(Section):
    """One gateway over HTTP."""

    kind: Literal["http"] = "http"
    name: str = Field(
        "http", max_length=40, pattern=r"^[\w.-]+$", description="how receipts and pages name it"
    )
    priority: int = Field(1, ge=0, le=100, description="the lowest that is up sends")
    account: str = Field("", max_length=200, description="{account} in requests")
    secret: SecretStr = Field(SecretStr(""), description="{secret} in requests and in the signing key")
    proxy: str | None = Field(None, pattern=r"^https?://[^\s]+$")
    connections: int = Field(4, ge=1, le=32, description="requests at the same time")
    rate_per_second: float = Field(20.0, gt=0, le=2000)
    connect_timeout: float = Field(5.0, ge=0.1, le=60)
    submit_timeout: float = Field(15.0, ge=0.2, le=120, description="seconds; then the submit is unknown")
    rest_first: float = Field(1.0, ge=0.05, le=60, description="seconds of rest after a fault of the gateway")
    rest_longest: float = Field(60.0, ge=0.1, le=600)
    request: RequestSettings
    answer: AnswerSettings
    push: PushSettings | None = None

    def model_post_init(self, context: Any, /) -> None:
        if self.rest_first > self.rest_longest:
            raise ValueError("rest_first is longer than rest_longest")

    @property
    def host(self) -> str:
        """Where texts go."""
        return urlsplit(self.request.url).hostname or ""
