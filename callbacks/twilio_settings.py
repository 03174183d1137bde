"""What a city sets for an account of Twilio's, whatever it's used for."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from callbacks.settings import Section

__all__ = ["AGAIN", "TWILIO", "TwilioAccount"]

TWILIO = "https://api.twilio.com"
# A webhook that meets a closed door or a 5xx comes again, five times at most (Twilio's overrides).
AGAIN = "#rc=5&rp=5xx,ct,rt"


class TwilioAccount(Section):
    """Who we are to Twilio, and where each finds the other."""

    account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$")
    auth_token: SecretStr = Field(description="signs the webhooks, and the requests too without an API key")
    api_key_sid: str | None = Field(None, pattern=r"^SK[0-9a-f]{32}$")
    api_key_secret: SecretStr | None = None
    public_url: str = Field(
        pattern=r"^https?://[^\s?#@]+$", description="the address under which Twilio reaches the web role"
    )
    base_url: str = Field(TWILIO, pattern=r"^https?://[^\s?#@/]+$")
    connect_timeout: float = Field(5.0, ge=0.1, le=60)

    @model_validator(mode="after")
    def _key_and_secret(self) -> Self:
        if (self.api_key_sid is None) != (self.api_key_secret is None):
            raise ValueError("api_key_sid and api_key_secret belong together")
        return self

    @property
    def host(self) -> str:
        """Where requests go."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password: the API key's where there is one."""
        secret = self.auth_token if self.api_key_secret is None else self.api_key_secret
        return self.api_key_sid or self.account_sid, secret.get_secret_value()
