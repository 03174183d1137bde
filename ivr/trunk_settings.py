"""A trunk as a city sets it: where it is, who we are on it, how much it may carry (domain.md §1, §2)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from callbacks.settings import Section
from callbacks.vocabulary import Disposition
from ivr.hosts import Host, Place
from ivr.sip.headers import bracketed
from ivr.sip.hop import Transport
from ivr.trunk_numbers import CallerForm, NumberRule, is_bare_emergency, number_uri

__all__ = ["CauseOverride", "TrunkSettings"]


class CauseOverride(Section):
    """A trunk's own row of the table of causes (domain.md §2): what it names beats the table."""

    sip_status: int | None = Field(None, ge=300, le=699, description="the final answer it is about")
    q850: int | None = Field(None, ge=1, le=127, description="the release cause it is about")
    disposition: Disposition = Field(description="what it means on this trunk")

    @model_validator(mode="after")
    def _names_something(self) -> CauseOverride:
        if self.sip_status is None and self.q850 is None:
            raise ValueError("an override names sip_status, q850 or both")
        return self


class TrunkSettings(Section):
    """One SIP trunk: where it is, who we are on it, and how much it may carry."""

    name: str = Field(
        min_length=1, max_length=40, pattern=r"^[\w.-]+$", description="how calls and pages name it"
    )
    host: Host = Field(description="its address, or its name; what others send is dropped")
    port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="absent: 5060, over TLS 5061; of a name what its SRV says",
    )
    transport: Transport = Field("udp", description="udp, tcp or tls")
    tls_name: str | None = Field(
        None, max_length=253, description="the name that its certificate must bear; none is host"
    )
    tls_authorities: Path | None = Field(
        None, description="PEM file: who may have signed it; none: those of [voice.tls], or the machine's"
    )
    tls_verify: bool = Field(True, description="false: any certificate will do, also a stranger's")
    srtp: Literal["off", "preferred", "required"] = Field(
        "off",
        description="voice encrypted by keys in SIP, which needs transport = tls; preferred: a call whose "
        "other end can't goes on without. Callers too: off refuses those who offer nothing else",
    )
    lines: int = Field(30, ge=1, le=2000, description="calls that the trunk carries at once")
    inbound_reserve: int = Field(
        0, ge=0, le=2000, description="lines that callbacks leave free for who calls us by this trunk"
    )
    calls_per_second: float = Field(5.0, gt=0, le=200, description="new calls a second at most")
    priority: int = Field(0, ge=0, le=65535, description="the lowest that is up is taken (RFC 2782)")
    weight: int = Field(
        0, ge=0, le=65535, description="share within a priority; without any, in the order of the settings"
    )
    keepalive: float = Field(
        0.0, ge=0, le=3600, description="seconds between OPTIONS that ask whether it lives; 0: none"
    )
    username: str | None = Field(None, max_length=64, description="for digest; without it a 401 is refused")
    password: SecretStr | None = Field(None, description="for digest")
    register_account: bool = Field(
        False, alias="register", description="whether we tell its registrar where we are, by username"
    )
    registrar: Host | None = Field(
        None, description="where its registrar is, an address or a name; none is the trunk itself"
    )
    registrar_port: int | None = Field(None, ge=1, le=65535, description="as port is for host")
    expires: int = Field(3600, ge=10, le=86400, description="seconds for which we ask to be registered")
    caller_number: str = Field(
        pattern=r"^\+?\d{3,20}$", description="the full local number that citizens see"
    )
    from_domain: str | None = Field(
        None,
        max_length=253,
        pattern=r"^[A-Za-z0-9._-]+(:\d{1,5})?$|^\[[0-9a-f:]+\]$",
        description="host part of From; none is our own address",
    )
    out_of_area_zero: bool = Field(
        False, description="whether it wants a leading 0 before an out-of-area mobile"
    )
    redirects: tuple[str, ...] = Field(
        (), description="names of trunks, itself among them, to which its 3xx may lead a call; none: it fails"
    )
    number_rules: tuple[NumberRule, ...] = Field(
        (),
        description="how citizens' numbers are rewritten for it, after out_of_area_zero: the first that fits",
    )
    caller_form: CallerForm = Field(CallerForm(), description="how our number is shown")
    overrides: tuple[CauseOverride, ...] = Field((), description="causes that mean something else here")

    def uri(self, number: str = "") -> str:
        """The SIP URI of a number there, or of the trunk itself."""
        port = "" if self.port is None else f":{self.port}"
        transport = "" if self.transport == "udp" else f";transport={self.transport}"
        where = f"{bracketed(self.host)}{port}{transport}"
        return number_uri(number, where, self.caller_form) if number else f"sip:{where}"

    @property
    def place(self) -> Place:
        return Place(self.host, self.port, self.transport)

    @property
    def registrar_place(self) -> Place:
        if self.registrar is None:
            return self.place
        return Place(self.registrar, self.registrar_port, self.transport)

    @model_validator(mode="after")
    def _leaves_a_line(self) -> TrunkSettings:
        if self.inbound_reserve >= self.lines:
            raise ValueError(f"inbound_reserve {self.inbound_reserve} leaves none of {self.lines} lines")
        return self

    @model_validator(mode="after")
    def _keys_are_hidden(self) -> TrunkSettings:
        if self.srtp != "off" and self.transport != "tls":
            raise ValueError(f"srtp = {self.srtp} needs transport = tls: its keys stand in SIP's messages")
        return self

    @model_validator(mode="after")
    def _caller_isn_t_110(self) -> TrunkSettings:
        if is_bare_emergency(self.caller_number):
            raise ValueError(f"caller_number {self.caller_number}: never 110 itself, a full local number")
        return self

    @model_validator(mode="after")
    def _account_is_known(self) -> TrunkSettings:
        if self.register_account and self.username is None:
            raise ValueError("register needs username and password")
        return self

    @model_validator(mode="after")
    def _digest_is_whole(self) -> TrunkSettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        return self
