"""What a city sets for an SMPP 3.4 gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from callbacks.settings import Section


class SmppSettings(Section):
    """One account at an SMSC: its binds, how fast they may send, and how the SMSC writes."""

    kind: Literal["smpp"] = "smpp"
    name: str = Field(
        "smsc", max_length=40, pattern=r"^[\w.-]+$", description="how receipts and pages name it"
    )
    priority: int = Field(1, ge=0, le=100, description="the lowest that is up sends")
    host: str = Field("127.0.0.1", max_length=253)
    port: int = Field(2775, ge=1, le=65535)
    tls: bool = Field(False, description="whether the SMSC is reached over TLS")
    ca_file: Path | None = Field(None, description="certificates to trust (PEM); the system's without")
    server_name: str = Field("", max_length=253, description="the name in its certificate; host without")
    tls_verify: bool = Field(True, description="false trusts any certificate: only behind a tunnel")
    system_id: str = Field("huifang", max_length=15)
    password: SecretStr = Field(
        SecretStr("secret"), max_length=8, description="at most 8 characters (SMPP 3.4 §5.2.2)"
    )
    system_type: str = Field("", max_length=12)
    bind: Literal["transceiver", "split"] = Field(
        "transceiver", description="split: a transmitter and a receiver instead of each transceiver"
    )
    binds: int = Field(1, ge=1, le=16, description="connections at once (pairs of them where split)")
    window: int = Field(10, ge=1, le=200, description="submits of a bind that may wait for their answers")
    rate_per_second: float = Field(20.0, gt=0, le=10_000, description="parts, over all binds")
    long_messages: Literal["udh", "payload"] = Field(
        "udh", description="texts over 70 units: in parts of 67, or whole in message_payload"
    )
    message_id: Literal["text", "hex", "decimal"] = Field(
        "text", description="how receipts write ids; text: letter by letter as the submit's answer did"
    )
    answer_id: Literal["hex", "decimal"] = Field(
        "hex", description="how the submit's answer writes them, where message_id isn't text"
    )
    submit_timeout: float = Field(10.0, ge=0.5, le=120, description="seconds; then the submit is unknown")
    enquire_seconds: float = Field(30.0, ge=0.5, le=600)
    connect_timeout: float = Field(5.0, ge=0.5, le=60, description="to connect, and again to bind")
    reconnect_first: float = Field(1.0, ge=0.05, le=60)
    reconnect_longest: float = Field(60.0, ge=0.1, le=600)

    @model_validator(mode="after")
    def _tls_for_its_keys(self) -> Self:
        if not self.tls and (self.ca_file or self.server_name or not self.tls_verify):
            raise ValueError("ca_file, server_name and tls_verify say nothing without tls = true")
        return self
