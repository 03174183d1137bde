"""Who calls and where from, as the person's telephone is told it on the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.inbound_world import World, picks_up, the_world
from tests.peers.sipp import OK_PLAIN, RECV_ACK, RECV_BYE
from tests.peers.sipp_crowd import PROVISIONAL, RECV_CALL, TAKEN, invite, reply_to_call, sdp, the_caller
from tests.peers.wire import Sip

PIDF = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:k@ims.example"><tuple id="a"><status>'
    "<geopriv><location-info><Point><pos>34.62 112.45</pos></Point></location-info></geopriv>"
    "</status></tuple></presence>"
)
PLACE = f"Content-Type: application/pidf+xml\nContent-ID: <place@ims.example>\n\n{PIDF}"
TOLD = """Privacy: id
Geolocation: <cid:place@ims.example>
Geolocation-Routing: yes
"""
BODY = f"""Content-Type: multipart/mixed;boundary=b1
Content-Length: [len]

--b1
Content-Type: application/sdp

{sdp()}
--b1
{PLACE}
--b1--
"""
# What a telephone says that knows one body alone, and then takes the call (RFC 3261 §8.1.3.5).
ONE_BODY = f"{reply_to_call('415 Unsupported Media Type')}{RECV_ACK}{RECV_CALL}"


def calls(world: World, caller: str, headers: str = TOLD, uri: str = "sip:[service]@") -> None:
    """Comes, talks until the person hangs up."""
    comes = invite(caller, BODY, headers).replace(
        "INVITE sip:[service]@[remote_ip]:[remote_port]", f"INVITE {uri}"
    )
    world.call(
        comes, PROVISIONAL, TAKEN, the_caller(caller).request("ACK", 1), RECV_BYE, OK_PLAIN
    ).ended_well()


def told(world: World, seat: int) -> list[Sip]:
    """The INVITEs that rang it."""
    port = world.telephones[seat - 1].port
    return [each for each in world.seen() if each.begins_a_call and each.target == port]


@pytest.mark.timeout(120)
def test_the_persons_telephone_is_told_who_calls_and_where_from(tmp_path: Path) -> None:
    talks = picks_up(100, talks=200)
    with the_world(tmp_path, talks, ONE_BODY + talks, strategy="in_turn") as world:
        calls(world, "1380001", uri="sip:110@city.example")
        calls(world, "1380002", uri="urn:service:sos.police")
        records = world.until_over(2)
    [first], refused_then_taken = told(world, 1), told(world, 2)
    for invited, number in ((first, "13800011"), *((each, "13800021") for each in refused_then_taken)):
        assert invited.caller == number
        assert invited.header("P-Asserted-Identity") == f"<sip:{number}@ims.example>"
        assert invited.header("P-Access-Network-Info").startswith(
            "3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=46000"
        )
        assert invited.header("Privacy") == "id"
    # The place goes on as it came, beside what we offer.
    for invited in (first, refused_then_taken[0]):
        assert invited.header("Geolocation") == "<cid:place@ims.example>"
        assert invited.header("Geolocation-Routing") == "yes"
        kind, _, boundary = invited.header("Content-Type").partition(";boundary=")
        assert kind == "multipart/mixed"
        parts = invited.text.partition("\r\n\r\n")[2].split(f"--{boundary}")
        assert PLACE.replace("\n", "\r\n") in parts[2]
        assert "Content-Type: application/sdp" in parts[1] and "m=audio" in parts[1]
    # Without it, it isn't named.
    [_, taken] = refused_then_taken
    assert taken.header("Content-Type") == "application/sdp"
    assert taken.header("Geolocation") == ""
    assert [(call.target, call.ended_by) for call in records] == [("seat-1", "person"), ("seat-2", "person")]
    assert [call.called for call in records] == ["110", "urn:service:sos.police"]
    assert {tuple(call.geolocation) for call in records} == {("<cid:place@ims.example>",)}
    assert all(call.private and call.asserted for call in records)
