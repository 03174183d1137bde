"""[[sms.gateways]]: kinds told apart, names told once, and what says nothing refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from sms.cmpp_settings import CmppSettings
from sms.gateways import make_gateway
from sms.settings import SmsSettings
from sms.smpp_settings import SmppSettings

DESCRIBED = Path(__file__).parents[1] / "data/http_gateways"
TWO = """
[[gateways]]
kind = "cmpp"
priority = 1
source_addr = "901234"
shared_secret = "secret"
submit_timeout = 30

[[gateways]]
kind = "smpp"
name = "second"
priority = 2
binds = 3
bind = "split"
"""


def read(toml: str) -> SmsSettings:
    return SmsSettings.model_validate(tomllib.loads(toml))


def test_kinds_are_told_apart() -> None:
    settings = read(TWO)
    cmpp, smpp = settings.gateways
    assert isinstance(cmpp, CmppSettings) and isinstance(smpp, SmppSettings)
    assert [gateway.name for gateway in settings.gateways] == ["cmpp", "second"]
    assert settings.submit_timeout == 30  # the longest: a lease must outlast it


def test_one_smpp_gateway_is_the_default() -> None:
    assert [gateway.kind for gateway in read("").gateways] == ["smpp"]


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("gateways = []", "at least 1"),
        ("[[gateways]]\nport = 2775", "kind"),  # no kind
        ('[[gateways]]\nkind = "pigeon"', "pigeon"),
        ('[[gateways]]\nkind = "smpp"\nrate = 5', "rate"),  # no such key
        ('[[gateways]]\nkind = "smpp"\n[[gateways]]\nkind = "smpp"', "two gateways are named smsc"),
        ('[[gateways]]\nkind = "smpp"\npassword = "ninechars"', "password"),  # SMPP 3.4 has room for eight
        ('[[gateways]]\nkind = "smpp"\nserver_name = "smsc.example"', "without tls = true"),
        ('[[gateways]]\nkind = "smpp"\ntls_verify = false', "without tls = true"),
    ],
)
def test_what_is_refused_and_how_it_is_named(toml: str, named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(toml)
    assert named in str(refused.value)


def test_a_gateway_of_each_kind_is_made() -> None:
    kannel = tomllib.loads((DESCRIBED / "kannel.toml").read_text("utf-8"))
    sid = "0" * 32
    twilio = {"kind": "twilio", "account_sid": f"AC{sid}", "auth_token": sid}
    twilio |= {"numbers": {"106380110": "+15005550006"}, "public_url": "https://city.example"}
    account = {"source_addr": "901234", "shared_secret": "secret"}
    told = [{"kind": "smpp"}, {"kind": "cmpp", **account}, kannel, twilio]
    settings = SmsSettings.model_validate({"gateways": told})
    names = []
    for each in settings.gateways:
        gateway = make_gateway(each)
        names.append(gateway.name)
        gateway.close()
        assert each.host and each.submit_timeout and each.rate_per_second and each.priority == 1
    assert names == ["smsc", "cmpp", kannel["name"], "twilio"]
