"""Settings of the telephone: what is wrong is named."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from callbacks.toll_settings import TollSettings
from ivr.inbound.settings import InboundSettings
from ivr.settings import CitySettings, VoiceSettings
from ivr.trunk_settings import TrunkSettings

TRUNK = {"name": "city", "host": "192.0.2.1", "caller_number": "037963110110"}


def test_defaults_are_whole() -> None:
    settings = VoiceSettings(trunks=(TrunkSettings.model_validate(TRUNK),))
    assert (settings.ring_timeout, settings.total_timeout) == (30, 60)  # domain.md §1
    assert settings.codecs == ("pcma", "pcmu")
    assert settings.trunk("city").port is None  # the usual one of its transport
    with pytest.raises(KeyError, match="other"):
        settings.trunk("other")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"rtp_port_min": 20001}, "must be even"),
        ({"rtp_port_min": 20000, "rtp_port_max": 20019, "lines": 11}, "10 port pairs, lines is 11"),
        ({"rtp_port_min": 20000, "rtp_port_max": 19999}, "0 port pairs"),
        ({"ring_timeout": 60, "total_timeout": 30}, "shorter than ring_timeout"),
        ({"t1": 2, "t2": 1}, "shorter than t1"),
        ({"session_expires": 60}, "session_expires 60 is below min_se 90"),
        ({"trunks": ({**TRUNK, "redirects": ("spare",)},)}, "redirects names spare, no trunk"),
        (
            {"trunks": ({**TRUNK, "transport": "tls", "redirects": ("spare",)}, {**TRUNK, "name": "spare"})},
            "is over TLS: redirects names spare, which isn't",
        ),
        ({"codecs": ()}, "at least 1 item"),
        ({"line": "twilio"}, "line = twilio needs"),
        ({"line": "pyvoip", "lines": 2}, "one call out at a time: lines must be 1, not 2"),
        ({"codecs": ("opus",)}, "pcma"),
        ({"local_host": "pbx.example"}, "no IPv4 or IPv6 address"),
        ({"trunks": ({**TRUNK, "host": "not a name"},)}, "neither an address nor a name"),
        ({"trunks": ({**TRUNK, "host": "10.0.0.256"},)}, "neither an address nor a name"),
        ({"nameservers": ("dns.example",)}, "'dns.example' is no address of a name server"),
        ({"nameservers": ("999.0.2.53",)}, "'999.0.2.53' is no address of a name server"),
        ({"nameservers": ("192.0.2.53:99999",)}, "'192.0.2.53:99999' is no address of a name server"),
        ({"local_host": "0.0.0.0"}, "trunks are told 0.0.0.0, which reaches nobody"),
        ({"local_host": "::", "external_address": "::"}, "trunks are told ::, which reaches nobody"),
        ({"external_address": "2001:db8::9"}, "2001:db8::9 is of another kind than local_host 127.0.0.1"),
        ({"trunks": ({**TRUNK, "host": "2001:db8::1"},)}, "city: 2001:db8::1 is IPv6, local_host 127.0.0.1"),
        (
            {"local_host": "2001:db8::9", "trunks": (TRUNK,)},
            "192.0.2.1 is IPv4, local_host 2001:db8::9 is IPv6",
        ),
        ({"trunks": ({**TRUNK, "from_domain": "a b"},)}, "from_domain"),
        ({"trunks": ({**TRUNK, "from_domain": 'a>;x="b'},)}, "from_domain"),
        ({"trunks": (TRUNK, TRUNK)}, "names must differ"),
        ({"machine": "hang_up"}, "'advice' or 'off'"),
        ({"speed": 3}, "Extra inputs"),
        ({"trunks": ({"name": "city", "host": "192.0.2.1"},)}, "caller_number"),  # the office's, no default
        ({"trunks": ({**TRUNK, "username": "office"},)}, "username and password go together"),
        ({"trunks": ({**TRUNK, "srtp": "preferred"},)}, "srtp = preferred needs transport = tls"),
        ({"trunks": ({**TRUNK, "srtp": "required", "transport": "tcp"},)}, "srtp = required needs transport"),
        ({"trunks": ({**TRUNK, "lines": 0},)}, "greater than or equal to 1"),
        ({"toll": {"prices": ({"trunk": "cty", "per_minute": 1},)}}, "toll.prices: no trunk is named 'cty'"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        VoiceSettings.model_validate(changes)


@pytest.mark.parametrize(
    "given",
    [
        {"local_host": "0.0.0.0", "external_address": "203.0.113.10"},
        {"local_host": "2001:db8::9", "trunks": ({**TRUNK, "host": "trunk.example"},)},  # AAAA is asked for
        {"nameservers": ("192.0.2.53", "192.0.2.53:5353", "2001:db8::53")},
        {
            "trunks": (
                {**TRUNK, "from_domain": "ims.example:5060"},
                {**TRUNK, "name": "b", "from_domain": "[::1]"},
            )
        },
    ],
)
def test_what_is_right_is_taken(given: dict[str, object]) -> None:
    VoiceSettings.model_validate(given)


def test_the_city_is_on_loopback_alone() -> None:
    with pytest.raises(ValidationError, match="pattern"):
        CitySettings(host="192.0.2.1")
    with pytest.raises(ValidationError, match="loopback alone"):
        CitySettings(callers=("127.0.0.1", "192.0.2.1"))


@pytest.mark.parametrize("ending", ["", "7x", "123456789012"])
def test_a_citys_machines_are_endings_of_numbers(ending: str) -> None:
    with pytest.raises(ValidationError, match="an ending is one to eleven digits"):
        CitySettings(machines=("77", ending))


def test_a_password_isn_t_shown() -> None:
    trunk = TrunkSettings.model_validate({**TRUNK, "username": "office", "password": "secret-word"})
    assert "secret-word" not in repr(trunk)


def test_toll_limits_are_a_matter_of_callbacks() -> None:
    """Their defaults may be said of [inbound], too: a variable of the environment brings them along."""
    InboundSettings.model_validate({"toll": TollSettings().model_dump()})
    with pytest.raises(ValidationError, match="toll is a matter of"):
        InboundSettings.model_validate({"toll": {"calls_per_hour": 10}})
