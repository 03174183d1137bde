"""What a SIP line says of us on a trunk, and how its calls set one aside, over loopback UDP."""

from __future__ import annotations

import time

import pytest

from callbacks.vocabulary import TrunkReason, TrunkStanding
from ivr.events import Ended, Incoming
from ivr.line import Dial
from ivr.sip.events import InviteReceived
from ivr.sip.hop import Hop
from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.integration.test_sip_line import FarEnd
from tests.loopback_city import HOST, quick_voice


def far_end(trunk: dict[str, object] | None = None, **voice: object) -> FarEnd:
    """The far end, and a line that reaches it by a trunk with these settings."""
    far = FarEnd()
    far.line.close()
    base = {"name": "city", "host": HOST, "port": far.endpoint.port, "caller_number": "037963110110"}
    settings = TrunkSettings.model_validate(base | (trunk or {}))
    far.line = SipLine(quick_voice(1, trunks=(settings,), **voice))
    return far


def invite_of(far: FarEnd, order: Dial) -> tuple[InviteReceived, dict[str, str]]:
    far.line.dial(order)
    far.until(lambda: far.from_us(InviteReceived))
    (invite,) = far.from_us(InviteReceived)
    assert isinstance(invite, InviteReceived)
    return invite, dict(invite.headers)


FORMS = [
    # the trunk's settings; From, the header beside it, whom we call
    ({}, "<sip:037963110110@127.0.0.1>", None, "sip:13803790001@127.0.0.1:{port}"),
    (
        {"caller_form": {"country_code": "plus_86", "identity": "p-asserted"}, "from_domain": "ims.example"},
        "<sip:+8637963110110@ims.example>",
        ("P-Asserted-Identity", "<sip:+8637963110110@ims.example>"),
        "sip:13803790001@127.0.0.1:{port}",
    ),
    (
        {"caller_form": {"user_phone": True, "identity": "p-preferred"}},
        "<sip:037963110110@127.0.0.1;user=phone>",
        ("P-Preferred-Identity", "<sip:037963110110@127.0.0.1;user=phone>"),
        "sip:13803790001@127.0.0.1:{port};user=phone",
    ),
    (
        {"caller_form": {"display_name": "示例市110联动", "identity": "remote-party"}},
        '"示例市110联动" <sip:037963110110@127.0.0.1>',
        (
            "Remote-Party-ID",
            '"示例市110联动" <sip:037963110110@127.0.0.1>;party=calling;screen=yes;privacy=off',
        ),
        "sip:13803790001@127.0.0.1:{port}",
    ),
]


@pytest.mark.parametrize(("trunk", "from_", "beside", "uri"), FORMS)
def test_how_our_number_is_shown(
    trunk: dict[str, object], from_: str, beside: tuple[str, str] | None, uri: str
) -> None:
    far = far_end(trunk)
    try:
        invite, headers = invite_of(far, Dial("c1", "13803790001", "city"))
        assert headers["From"].partition(";tag=")[0] == from_
        assert invite.uri == uri.format(port=far.endpoint.port)
        told = {name: headers[name] for name, _ in [beside] if name in headers} if beside else {}
        assert told == (dict([beside]) if beside else {})
        others = {"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"} - set(told)
        assert not others & set(headers)
    finally:
        far.close()


def test_a_caller_whom_we_pass_on_is_not_vouched_for_as_us() -> None:
    far = far_end(
        {"caller_form": {"identity": "p-asserted", "display_name": "us", "country_code": "plus_86"}}
    )
    try:
        passed_on = (("P-Asserted-Identity", "<sip:13803790002@ims.example>"),)
        _, headers = invite_of(far, Dial("c1", "8001", "city", caller="13803790002", headers=passed_on))
        assert headers["From"].startswith("<sip:+8613803790002@")
        assert headers["P-Asserted-Identity"] == "<sip:13803790002@ims.example>"
    finally:
        far.close()


def test_a_key_in_a_number_has_its_place_in_a_uri() -> None:
    far = far_end()
    try:
        invite, _ = invite_of(far, Dial("c1", "*72#", "city"))
        assert invite.uri.startswith("sip:*72%23@") and invite.user == "*72#"
    finally:
        far.close()


def test_behind_a_nat_we_name_the_address_that_it_gives_us() -> None:
    far = far_end(external_address="192.0.2.99")
    try:
        invite, headers = invite_of(far, Dial("c1", "13803790001", "city"))
        assert f"192.0.2.99:{far.line.port};" in headers["Via"]
        assert headers["Contact"] == f"<sip:huifang@192.0.2.99:{far.line.port}>"
        assert headers["From"].startswith("<sip:037963110110@192.0.2.99>")
        assert invite.offer is not None and invite.offer.host == "192.0.2.99"
        assert invite.source[:2] == (HOST, far.line.port)  # the sockets are our own address's
        far.agent.reject(invite.call, 486, time.monotonic())
        assert far.ended().sip_status == 486  # the answer found its way by rport
    finally:
        far.close()


@pytest.mark.parametrize(
    ("status", "is_public", "reason"),
    [
        (503, True, TrunkReason.UNAVAILABLE),
        (503, False, None),  # a telephone of ours, unplugged, says nothing of the way to it
        (403, True, TrunkReason.REFUSED),
        (486, True, None),
    ],
)
def test_a_refused_call_sets_its_trunk_aside(
    status: int, is_public: bool, reason: TrunkReason | None
) -> None:
    far = far_end()
    try:
        invite, _ = invite_of(far, Dial("c1", "13803790001", "city", is_public=is_public))
        far.agent.reject(invite.call, status, time.monotonic())
        far.until(lambda: far.of(Ended))
        (found,) = far.line.trunks.standings(time.monotonic())
        assert found.reason is reason
        assert (found.standing is TrunkStanding.ASIDE) is (reason is not None)
        assert found.status == (status if reason else None)
    finally:
        far.close()


def test_who_calls_by_a_trunk_that_is_set_aside_is_taken() -> None:
    """110 must never suffer: it's about calls out alone."""
    far = FarEnd()
    far.line.close()
    far.line = SipLine(quick_voice(far.endpoint.port), takes_calls=True)
    try:
        far.line.trunks.met_silence("city", time.monotonic())
        local = far.endpoint.open_media("in", ("pcma",))
        hop = Hop(HOST, far.line.port)
        far.agent.invite("in", f"sip:110@{HOST}", hop, local, f"sip:13803790001@{HOST}", time.monotonic())
        far.until(lambda: far.of(Incoming))
    finally:
        far.close()
