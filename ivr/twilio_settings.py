"""What a city sets for calls by Twilio's Programmable Voice."""

from __future__ import annotations

from pydantic import Field

from callbacks.twilio_settings import TwilioAccount

__all__ = ["PREFIX", "TwilioVoiceSettings"]

PREFIX = "/voice/twilio/"


class TwilioVoiceSettings(TwilioAccount):
    """One account of Twilio's, and the number that citizens see."""

    number: str = Field(pattern=r"^\+[1-9]\d{4,14}$", description="our number in E.164, which citizens see")
    answer_timeout: float = Field(15.0, ge=0.2, le=120, description="seconds; then it may have been dialled")

    def address(self, path: str) -> str:
        """The public address of what is below our prefix, whatever a proxy makes of it."""
        return f"{self.public_url.rstrip('/')}{PREFIX}{path}"
