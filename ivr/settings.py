"""What a city sets for its telephone. Trunks and numbers have no default (domain.md §1)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from callbacks.settings import Section
from callbacks.toll_settings import TollSettings
from ivr.events import Codec
from ivr.hosts import Address
from ivr.sip.headers import ip_of
from ivr.sip_tls import TlsSettings
from ivr.trunk_settings import TrunkSettings
from ivr.twilio_settings import TwilioVoiceSettings

__all__ = ["CityEarlyMedia", "CitySettings", "VoiceSettings"]


def _asked(text: str) -> str:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    if ip_of(host) is None or not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is no address of a name server; 192.0.2.53 or 192.0.2.53:5353")
    return text


NameServer = Annotated[str, StringConstraints(max_length=45), AfterValidator(_asked)]


class VoiceSettings(Section):
    """The voice role: its sockets, timers and trunks."""

    line: Literal["sip", "pyvoip", "twilio"] = Field(
        "sip",
        description="sip: our own; pyvoip: an extension on a PBX, one call out at a time; "
        "twilio: a cloud number, by [voice.twilio]",
    )
    twilio: TwilioVoiceSettings | None = Field(None, description="[voice.twilio], for line = twilio")
    local_host: Address = Field("127.0.0.1", description="our IPv4 or IPv6 address, as trunks reach it")
    sip_port: int = Field(
        5070, ge=0, le=65535, description="our SIP port over UDP and TCP; 0 takes any free one"
    )
    tcp: bool = Field(True, description="whether trunks reach us by TCP, too: large requests need it")
    tls: TlsSettings | None = Field(
        None, description="[voice.tls]: our certificate; none: nobody calls by TLS"
    )
    nameservers: tuple[NameServer, ...] = Field(
        (), description="whom to ask for trunks' names, 192.0.2.53 or 192.0.2.53:5353; none: the machine's"
    )
    unknown_source: Literal["drop", "403"] = Field(
        "drop", description="what who isn't a trunk hears: nothing, or a 403 (10 a second at most)"
    )
    source_limit: int = Field(
        2000, ge=10, le=100_000, description="SIP messages a second that one host of a trunk may send"
    )
    sip_dscp: int = Field(24, ge=0, le=63, description="how SIP is marked for the network: 24 is CS3; 0: not")
    rtp_dscp: int = Field(46, ge=0, le=63, description="how voice is marked: 46 is EF (RFC 3246); 0: not")
    external_address: Address | None = Field(
        None, description="what trunks are told instead of local_host, where a NAT maps it one to one"
    )
    rtp_port_min: int = Field(20000, ge=1024, le=65534, description="first media port, even (RFC 3550 §11)")
    rtp_port_max: int = Field(23999, ge=1025, le=65535, description="last media port, RTCP among them")
    lines: int = Field(30, ge=1, le=2000, description="calls at once, over all trunks")
    t1: float = Field(0.5, ge=0.01, le=4, description="seconds: round-trip estimate (RFC 3261 §17.1.1.1)")
    t2: float = Field(4.0, ge=0.02, le=16, description="seconds: longest pause between retransmissions")
    t4: float = Field(5.0, ge=0.02, le=30, description="seconds: how long a message may stay in the network")
    session_expires: int = Field(
        1800,
        ge=0,
        le=86400,
        description="seconds that a call goes on without a sign of life (RFC 4028); 0: for ever",
    )
    min_se: int = Field(90, ge=1, le=3600, description="seconds: the shortest such time that we agree to")
    ring_timeout: float = Field(30.0, ge=0.2, le=120, description="seconds from the first 18x")
    total_timeout: float = Field(60.0, ge=0.5, le=300, description="seconds from the INVITE")
    codecs: tuple[Codec, ...] = Field(("pcma", "pcmu"), min_length=1, description="offered, in this order")
    machine: Literal["advice", "off"] = Field(
        "advice",
        description="whether a machine that takes a call is noted; it changes nothing. off: nobody listens",
    )
    inband_dtmf: bool = Field(
        True,
        description="whether keys are heard as tones in the voice where telephone-event wasn't agreed",
    )
    announcements: Path | None = Field(
        None,
        description="folder of what carriers say before a call fails; none is `announcements` beside the "
        "key file",
    )
    give_up_on_tone: bool = Field(
        True, description="whether a busy tone before an answer ends the call; else the network does"
    )
    messages: bool = Field(
        True,
        description="whether dissatisfied citizens may leave a message, which is recorded: they are told",
    )
    media_lost_after: float = Field(
        20.0, ge=0.2, le=120, description="seconds without a packet of an answered call"
    )
    toll: TollSettings = Field(TollSettings(), description="[voice.toll]: how much may be called")
    trunks: tuple[TrunkSettings, ...] = Field((), description="[[voice.trunks]], the first is preferred")
    flows: Path | None = Field(None, description="folder of own flows; none is `flows` beside the key file")

    @field_validator("trunks")
    @classmethod
    def _named_once(cls, trunks: tuple[TrunkSettings, ...]) -> tuple[TrunkSettings, ...]:
        names = [trunk.name for trunk in trunks]
        if len(set(names)) < len(names):
            raise ValueError(f"trunk names must differ: {', '.join(names)}")
        return trunks

    @field_validator("trunks")
    @classmethod
    def _redirected_to_trunks(cls, trunks: tuple[TrunkSettings, ...]) -> tuple[TrunkSettings, ...]:
        known = {trunk.name: trunk for trunk in trunks}
        for trunk in trunks:
            for name in trunk.redirects:
                if name not in known:
                    raise ValueError(f"trunk {trunk.name}: redirects names {name}, no trunk")
                if trunk.transport == "tls" and known[name].transport != "tls":  # RFC 3261 §26.2.2
                    raise ValueError(f"trunk {trunk.name} is over TLS: redirects names {name}, which isn't")
        return trunks

    @model_validator(mode="after")
    def _prices_are_of_trunks(self) -> VoiceSettings:
        known = {"twilio"} if self.line == "twilio" else {trunk.name for trunk in self.trunks}
        for price in self.toll.prices:
            if price.trunk is not None and price.trunk not in known:
                raise ValueError(f"toll.prices: no trunk is named {price.trunk!r}; there is {sorted(known)}")
        return self

    @model_validator(mode="after")
    def _is_reached(self) -> VoiceSettings:
        """One socket speaks to all of them, by its own kind of addresses."""
        told = self.external_address or self.local_host
        if ip_address(told).is_unspecified:
            raise ValueError(
                f"trunks are told {told}, which reaches nobody: local_host is one address of ours"
            )
        ipv6 = ":" in self.local_host
        if (":" in told) != ipv6:
            raise ValueError(f"external_address {told} is of another kind than local_host {self.local_host}")
        theirs, ours = ("IPv4", "IPv6") if ipv6 else ("IPv6", "IPv4")
        for trunk in self.trunks:
            for host in filter(None, (trunk.host, trunk.registrar)):
                if ip_of(host) is not None and (":" in host) != ipv6:
                    told = f"{host} is {theirs}, local_host {self.local_host} is {ours}"
                    raise ValueError(f"trunk {trunk.name}: {told}")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> VoiceSettings:
        if self.rtp_port_min % 2:
            raise ValueError(f"rtp_port_min {self.rtp_port_min} must be even")
        pairs = (self.rtp_port_max + 1 - self.rtp_port_min) // 2
        if pairs < self.lines:
            raise ValueError(
                f"rtp_port_min–rtp_port_max hold {max(pairs, 0)} port pairs, lines is {self.lines}"
            )
        if self.total_timeout < self.ring_timeout:
            raise ValueError("total_timeout is shorter than ring_timeout")
        if self.t2 < self.t1:
            raise ValueError("t2 is shorter than t1")
        if 0 < self.session_expires < self.min_se:
            raise ValueError(f"session_expires {self.session_expires} is below min_se {self.min_se}")
        if self.line == "twilio" and self.twilio is None:
            raise ValueError("line = twilio needs [voice.twilio]")
        if self.line == "pyvoip" and self.lines != 1:
            raise ValueError(
                f"line = pyvoip carries one call out at a time: lines must be 1, not {self.lines}"
            )
        return self

    def trunk(self, name: str) -> TrunkSettings:
        """The trunk of that name; KeyError when there is none."""
        for trunk in self.trunks:
            if trunk.name == name:
                return trunk
        raise KeyError(f"no trunk is named {name!r}")


class CityEarlyMedia(Section):
    """What is heard of a number of the simulated city in place of an answer, and then its release."""

    ending: str = Field(pattern=r"^[0-9]{1,11}$", description="of the numbers that it's heard of")
    tone: Literal["busy", "congestion", "unobtainable"] | None = Field(
        None, description="the network's tone; or file"
    )
    file: Path | None = Field(None, description="an announcement: WAV of 8 kHz, mono, 16 bit")
    status: int = Field(480, ge=400, le=699, description="the final answer after it")
    q850: int | None = Field(None, ge=1, le=127, description="its release cause")

    @model_validator(mode="after")
    def _is_heard(self) -> CityEarlyMedia:
        if (self.tone is None) == (self.file is None):
            raise ValueError("either tone or file")
        return self


class CitySettings(Section):
    """The simulated city's trunk: where it listens and how quick its citizens are."""

    host: str = Field("127.0.0.1", pattern=r"^127\.(\d{1,3}\.){2}\d{1,3}$", description="loopback alone")
    port: int = Field(5160, ge=0, le=65535, description="SIP over UDP; 0 takes any free port")
    rtp_port_min: int = Field(24000, ge=1024, le=65534)
    rtp_port_max: int = Field(25999, ge=1025, le=65535)
    lines: int = Field(64, ge=1, le=1000, description="calls at once; one more gets 503")
    pickup_after: float = Field(0.6, ge=0, le=60, description="seconds from the INVITE to the answer")
    reaction: float = Field(0.25, ge=0, le=10, description="seconds from a prompt's end to the key")
    pause: float = Field(0.9, ge=0.1, le=5, description="seconds without voice that end a prompt")
    hears_before_hangup: float = Field(0.6, ge=0, le=30, description="seconds of prompt that 6 bears")
    silent_for: float = Field(0, ge=0, le=600, description="seconds until a silent one hangs up; 0: never")
    key_length: float = Field(0.1, ge=0.04, le=5, description="seconds a key is held")
    telephone_event: bool = Field(True, description="false: its telephones tell keys as tones in the voice")
    message_seconds: float = Field(3.0, ge=0.2, le=120, description="seconds of a message after the beep")
    machines: tuple[str, ...] = Field((), description="endings of the numbers that a machine answers")
    early_media: tuple[CityEarlyMedia, ...] = Field(
        (), description="numbers that can't be reached, by endings"
    )
    t1: float = Field(0.5, ge=0.01, le=4)
    log_file: Path | None = Field(None, description="who was called when, as JSON lines")
    callers: tuple[str, ...] = Field(("127.0.0.1",), description="addresses whose calls it takes")

    @field_validator("callers")
    @classmethod
    def _loopback(cls, callers: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [host for host in callers if not re.fullmatch(r"127\.(\d{1,3}\.){2}\d{1,3}", host)]:
            raise ValueError(f"{', '.join(bad)}: the city takes calls from loopback alone")
        return callers

    @field_validator("machines")
    @classmethod
    def _digits(cls, machines: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [ending for ending in machines if not re.fullmatch(r"[0-9]{1,11}", ending)]:
            raise ValueError(f"{', '.join(map(repr, bad))}: an ending is one to eleven digits")
        return machines
