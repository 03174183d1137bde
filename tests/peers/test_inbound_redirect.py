"""110 goes to the emergency desk: SIPp callers follow a 302, or are connected through us."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.inbound_world import NEVER_PICKS_UP, picks_up, picks_up_at_last, the_world
from tests.peers.sipp import OK_PLAIN, RECV_BYE
from tests.peers.sipp_crowd import ACK, INVITE, PROVISIONAL, TAKEN

DESK = ["seat-1", "seat-2"]
# Where the 302 says; its ACK goes where the INVITE went (RFC 3261 §17.1.1.3).
SENT_ON = """<recv response="302"><action>
<ereg regexp="sip:[^@]*@([0-9.]+):([0-9]+)" search_in="hdr" header="Contact:" assign_to="7,8,9"/>
</action></recv><Reference variables="7"/>"""
ACK_302 = """<send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>"""
FOLLOWS = """<nop><action><setdest host="[$8]" port="[$9]" protocol="UDP"/></action></nop>"""


@pytest.mark.timeout(120)
def test_a_caller_is_sent_to_the_desk_and_follows(tmp_path: Path) -> None:
    settings = {"mode": "redirect", "desk": DESK, "callers_trunk": {"accepts_302": True}}
    anew = INVITE.replace("CSeq: 1 INVITE", "CSeq: 2 INVITE")
    with the_world(tmp_path, picks_up(100, talks=200), NEVER_PICKS_UP, **settings) as world:
        steps = (INVITE, SENT_ON, ACK_302, FOLLOWS, anew, PROVISIONAL, TAKEN)
        world.call(*steps, ACK.replace("1 ACK", "2 ACK"), RECV_BYE, OK_PLAIN).ended_well()
        [call] = world.until_over(1)
    assert (call.talked_at, call.queued_at, call.ended_by, call.legs) == (None, None, "us", [])
    assert call.redirected_at is not None
    mine = [each.line for each in world.seen() if each.source == world.role.port]
    assert mine == ["SIP/2.0 302 Moved Temporarily"]  # no word before it, and nothing of ours afterwards
    [told] = [each for each in world.seen() if each.line.startswith("SIP/2.0 302")]
    contacts = [line for line in told.text.splitlines() if line.startswith("Contact")]
    ports = [each.port for each in world.telephones]
    assert contacts == [f"Contact: <sip:80{n}@127.0.0.1:{port}>" for n, port in enumerate(ports, 1)]
    assert [each.calls for each in world.telephones] == [1, 0]


@pytest.mark.timeout(120)
def test_the_desks_telephones_are_rung_one_after_the_other_for_as_long_as_it_takes(tmp_path: Path) -> None:
    """The first never picks up, the second at its third ring; meanwhile they hear that they are through."""
    settings = {"mode": "redirect", "desk": DESK, "ring_time": 1, "rest": 3}  # so that at times nobody rings
    with the_world(tmp_path, NEVER_PICKS_UP, picks_up_at_last(3), **settings) as world:
        world.talk().ended_well()
        [call] = world.until_over(1)
    assert (call.target, call.ended_by) == ("seat-2", "person")
    assert call.queued_at is not None
    seats = [seat for seat, _ in world.rung()]
    assert seats[:2] == DESK
    assert seats.count("seat-2") == 3
    assert seats.count("seat-1") >= 2
    assert {leg.target for leg in call.legs if leg.answered_at} == {"seat-2"}
    hung_up = [each for each in world.seen() if each.line.startswith("BYE")]
    assert hung_up[0].source == world.telephones[1].port
