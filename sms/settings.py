"""What a city sets for its texts, and what the simulated city's SMSC is set to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from callbacks.settings import Section


class SmsSettings(Section):
    """The sms role: one SMPP 3.4 bind (bind_transceiver)."""

    enabled: bool = True
    name: str = Field(
        "smsc", max_length=40, pattern=r"^[\w.-]+$", description="how receipts and pages name it"
    )
    host: str = Field("127.0.0.1", max_length=253)
    port: int = Field(2775, ge=1, le=65535)
    system_id: str = Field("huifang", max_length=15)
    password: SecretStr = Field(
        SecretStr("secret"), max_length=8, description="at most 8 characters (SMPP 3.4 §5.2.2)"
    )
    system_type: str = Field("", max_length=12)
    window: int = Field(10, ge=1, le=200, description="submits that may wait for their answers")
    rate_per_second: float = Field(20.0, gt=0, le=2000)
    submit_timeout: float = Field(10.0, ge=0.5, le=120, description="seconds; then the submit is unknown")
    enquire_seconds: float = Field(30.0, ge=0.5, le=600)
    connect_timeout: float = Field(5.0, ge=0.5, le=60)
    reconnect_first: float = Field(1.0, ge=0.05, le=60)
    reconnect_longest: float = Field(60.0, ge=0.1, le=600)
    message_id: Literal["text", "hex", "decimal"] = Field(
        "text", description="how receipts write the id that the submit's answer wrote in hexadecimal"
    )


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
