"""What a city sets for Twilio Messaging."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from callbacks.twilio_settings import TwilioAccount

_SENDER = re.compile(r"\+[1-9]\d{4,14}|\d{3,8}|MG[0-9a-f]{32}")


class TwilioSettings(TwilioAccount):
    """One account of Twilio's that sends texts."""

    kind: Literal["twilio"] = "twilio"
    name: str = Field(
        "twilio", max_length=40, pattern=r"^[A-Za-z0-9_.-]+$", description="how receipts and pages name it"
    )
    priority: int = Field(1, ge=0, le=100, description="the lowest that is up sends")
    numbers: dict[str, str] = Field(
        min_length=1,
        description="the office's sender codes → Twilio's numbers or messaging services",
    )
    proxy: str | None = Field(None, pattern=r"^https?://[^\s]+$")
    connections: int = Field(4, ge=1, le=32, description="requests at the same time")
    rate_per_second: float = Field(10.0, gt=0, le=2000)
    submit_timeout: float = Field(15.0, ge=0.2, le=120, description="seconds; then the submit is unknown")
    rest_first: float = Field(1.0, ge=0.05, le=60, description="seconds of rest after a fault of the gateway")
    rest_longest: float = Field(60.0, ge=0.1, le=600)

    @field_validator("numbers")
    @classmethod
    def _known_forms(cls, value: dict[str, str]) -> dict[str, str]:
        for code, number in value.items():
            if not code.isdigit() or len(code) > 24:
                raise ValueError(f"{code!r} is no sender code")
            if not _SENDER.fullmatch(number):
                raise ValueError(f"{number!r} is no number in E.164, short code or messaging service")
        if len(set(value.values())) < len(value):
            raise ValueError("two sender codes have the same number: replies couldn't be told apart")
        return value

    def address(self, kind: str) -> str:
        """Where Twilio sends its webhooks: `receipts` or `replies`."""
        return f"{self.public_url.rstrip('/')}/sms/{self.name}/{kind}"
