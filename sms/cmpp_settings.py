"""What a city sets for a CMPP 2.0 gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from callbacks.settings import Section


class CmppSettings(Section):
    """One long connection to a China Mobile gateway (ISMG), or to one that speaks its protocol."""

    kind: Literal["cmpp"] = "cmpp"
    name: str = Field(
        "cmpp", max_length=40, pattern=r"^[\w.-]+$", description="how receipts and pages name it"
    )
    priority: int = Field(1, ge=0, le=100, description="the lowest that is up sends")
    host: str = Field("127.0.0.1", max_length=253)
    port: int = Field(7890, ge=1, le=65535)
    source_addr: str = Field(
        pattern=r"^[A-Za-z0-9]{1,6}$", description="SP_Id, the account that the carrier gave (Source_Addr)"
    )
    shared_secret: SecretStr
    service_id: str = Field("", pattern=r"^[!-~]{0,10}$", description="service type (Service_Id)")
    msg_src: str = Field(
        "", pattern=r"^[A-Za-z0-9]{0,6}$", description="empty: the same as source_addr (Msg_src)"
    )
    fee_user_type: int = Field(2, ge=0, le=3, description="who pays: 2 is the office (Fee_UserType)")
    fee_type: str = Field("01", pattern=r"^\d\d$", description="01: free for the citizen (FeeType)")
    fee_code: str = Field("000000", pattern=r"^\d{0,6}$", description="in fen (FeeCode)")
    window: int = Field(16, ge=1, le=200, description="submits that may wait for their answers")
    rate_per_second: float = Field(20.0, gt=0, le=2000)
    throttle_pause: float = Field(5.0, ge=0.05, le=300, description="seconds of rest after result 8")
    submit_timeout: float = Field(60.0, ge=0.2, le=180, description="seconds; then the submit is unknown")
    active_test_seconds: float = Field(
        30.0, ge=0.05, le=600, description="silence before each question; after three the link is lost"
    )
    connect_timeout: float = Field(10.0, ge=0.2, le=60, description="to connect and log in")
    reconnect_first: float = Field(1.0, ge=0.05, le=60)
    reconnect_longest: float = Field(60.0, ge=0.1, le=600)

    @property
    def own_msg_src(self) -> str:
        return self.msg_src or self.source_addr


class IsmgSettings(Section):
    """The simulated city's CMPP gateway."""

    host: str = Field("127.0.0.1", pattern=r"^127\.(\d{1,3}\.){2}\d{1,3}$", description="loopback alone")
    port: int = Field(7891, ge=0, le=65535, description="0 takes any free port")
    source_addr: str = Field("901234", pattern=r"^[A-Za-z0-9]{1,6}$")
    shared_secret: SecretStr = SecretStr("secret")
    receipt_delay: float = Field(0.3, ge=0)
    redeliver_after: float = Field(2.0, ge=0.05, description="seconds without an acknowledgement")
