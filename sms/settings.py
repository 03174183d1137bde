"""What a city sets for its texts, and what the simulated city's SMSC is set to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from callbacks.settings import Section
from sms.cmpp_settings import CmppSettings
from sms.http_settings import HttpSettings
from sms.smpp_settings import SmppSettings
from sms.twilio_settings import TwilioSettings

# Each way to send texts has its own section here, told apart by its `kind`; every one has a name, a priority,
# a rate_per_second, a submit_timeout and the host that it sends to.
GatewaySettings = Annotated[
    SmppSettings | CmppSettings | HttpSettings | TwilioSettings, Field(discriminator="kind")
]


class SmsSettings(Section):
    """The sms role: the gateways that texts may go over. One is enough."""

    enabled: bool = True
    gateways: tuple[GatewaySettings, ...] = Field(
        (SmppSettings(),), min_length=1, description="a [[sms.gateways]] each, with its kind"
    )
    failures_in_a_row: int = Field(5, ge=1, le=1000, description="then a gateway is set aside for a while")
    aside_seconds: float = Field(60.0, ge=0.05, le=3600, description="how long, before it's tried again")

    @field_validator("gateways")
    @classmethod
    def _one_name_each(cls, gateways: tuple[GatewaySettings, ...]) -> tuple[GatewaySettings, ...]:
        names = [gateway.name for gateway in gateways]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two gateways are named {name}; receipts couldn't be told apart")
        return gateways

    @property
    def submit_timeout(self) -> float:
        """Seconds after which no submit is open any more, whichever gateway has it."""
        return max(gateway.submit_timeout for gateway in self.gateways)


class SmscSettings(Section):
    """The simulated city's SMSC and its citizens."""

    host: str = Field("127.0.0.1", pattern=r"^127\.(\d{1,3}\.){2}\d{1,3}$", description="loopback alone")
    port: int = Field(2776, ge=0, le=65535, description="0 takes any free port")
    system_id: str = "huifang"
    password: SecretStr = SecretStr("secret")
    receipt_delay: float = Field(0.3, ge=0)
    receipt_first: bool = Field(False, description="whether receipts beat their submits' answers")
    reply_delay: float = Field(1.0, ge=0)
    redeliver_after: float = Field(2.0, ge=0.05, description="seconds without an acknowledgement")
    log_file: Path | None = Field(
        None, description="what was submitted, sent and acknowledged, as JSON lines"
    )
