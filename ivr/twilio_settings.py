"""What a city sets for calls by Twilio's Programmable Voice."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from callbacks.settings import Section

__all__ = ["AGAIN", "PREFIX", "TwilioVoiceSettings"]

PREFIX = "/voice/twilio/"
# A webhook that meets a closed door or a 5xx comes again, five times at most (Twilio's overrides).
AGAIN = "#rc=5&rp=5xx,ct,rt"


class TwilioVoiceSettings(Section):
    """One account of Twilio's, and the number that citizens see."""

    account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$")
    auth_token: SecretStr = Field(description="signs the webhooks, and the requests too without an API key")
    api_key_sid: str | None = Field(None, pattern=r"^SK[0-9a-f]{32}$")
    api_key_secret: SecretStr | None = None
    number: str = Field(pattern=r"^\+[1-9]\d{4,14}$", description="our number in E.164, which citizens see")
    public_url: str = Field(
        pattern=r"^https?://[^\s?#@]+$", description="the address under which Twilio reaches the web role"
    )
    base_url: str = Field("https://api.twilio.com", pattern=r"^https?://[^\s?#@/]+$")
    connect_timeout: float = Field(5.0, ge=0.1, le=60)
    answer_timeout: float = Field(15.0, ge=0.2, le=120, description="seconds; then it may have been dialled")

    @model_validator(mode="after")
    def _key_and_secret(self) -> Self:
        if (self.api_key_sid is None) != (self.api_key_secret is None):
            raise ValueError("api_key_sid and api_key_secret belong together")
        return self

    @property
    def host(self) -> str:
        """Where orders go."""
        return urlsplit(self.base_url).hostname or ""

    def address(self, path: str) -> str:
        """The public address of what is below our prefix, whatever a proxy makes of it."""
        return f"{self.public_url.rstrip('/')}{PREFIX}{path}"
