"""What SIPp makes of our dialogs: PRACK, UPDATE, session timers, glare, forks, a redirection. T1 is 50 ms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.events import Answered, Ended, Incoming, LineEvent
from ivr.line import Dial
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine
from tests.loopback_city import media_ports
from tests.peers.sipp import OK_PLAIN, RECV_ACK, RECV_BYE, Sipp, pause
from tests.peers.sipp_crowd import (
    RECV_CALL,
    RINGS,
    THE_OPERATOR,
    Crowd,
    invite,
    reply_to_call,
    scenario,
    sdp,
    the_caller,
    with_sdp,
)

RELIABLY = "Require: 100rel\nRSeq: {}\n"
NOTHING = "Content-Length: 0\n\n"
TAKEN = '<recv response="200"/>'
OURS_BY_UPDATE = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\n"
SIX_SECONDS = "Require: timer\nSession-Expires: 6;refresher={}\n"
QUICK = {"session_expires": 6, "min_se": 1}
heard: list[bytes] = []  # what the line that runs has sent and received


def recv(method: str, header: str, pattern: str) -> str:
    """A request whose header must be like that."""
    found = f'<ereg regexp="{pattern}" search_in="hdr" header="{header}:" check_it="true" assign_to="9"/>'
    return f'<recv request="{method}"><action>{found}</action></recv><Reference variables="9"/>'


def recv_prack(number: int) -> str:
    return recv("PRACK", "RAck", f"{number} 1 INVITE") + OK_PLAIN


@contextmanager
def line(*ports: int, takes_calls: bool = False, **changes: object) -> Iterator[SipLine]:
    """Ours, with a trunk for each port, the first of which may redirect to all others."""
    trunks = [
        {"name": f"t{port}", "host": "127.0.0.1", "port": port, "caller_number": "037963110110"}
        for port in ports
    ]
    trunks[0]["redirects"] = [trunk["name"] for trunk in trunks[1:]]
    first, last = media_ports(4)
    heard.clear()
    timers = {"t1": 0.05, "t2": 0.4, "t4": 0.5, "lines": 2}
    media = {"rtp_port_min": first, "rtp_port_max": last}
    settings = VoiceSettings.model_validate({"sip_port": 0, "trunks": trunks, **timers, **media, **changes})
    ours = SipLine(settings, takes_calls=takes_calls, on_message=lambda _, data, hop: heard.append(data))
    try:
        yield ours
    finally:
        ours.close()


def told(ours: SipLine) -> list[LineEvent]:
    """What a call tells to its end; who calls us is rung, and answered when a PRACK has come."""
    events: list[LineEvent] = []
    caller = ""
    until = time.monotonic() + 30.0
    while not any(isinstance(event, Ended) for event in events):
        assert time.monotonic() < until, events
        for event in ours.run_once(0.1):
            events.append(event)
            if isinstance(event, Incoming):
                caller = event.call
                ours.ring(caller)
        if caller and any(message.startswith(b"PRACK") for message in heard):
            ours.answer(caller)
    return events


def call(*ports: int, **changes: object) -> list[LineEvent]:
    """What a call of ours by the first trunk tells."""
    with line(*ports, **changes) as ours:
        ours.dial(Dial("c1", "13803790001", f"t{ports[0]}", ring_timeout=10, total_timeout=15))
        return told(ours)


def ended_by_them(events: list[LineEvent]) -> bool:
    """They hung up, after an answer."""
    assert sum(isinstance(event, Answered) for event in events) == 1
    ended = events[-1]
    assert isinstance(ended, Ended)
    return ended.by == "them"


def test_reliable_provisional_responses_are_acknowledged(tmp_path: Path) -> None:
    """183 with their answer, 180, and a 200 that says nothing more (RFC 3262)."""
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("183 Session Progress", RELIABLY.format(1) + with_sdp(sdp())),
        recv_prack(1),
        reply_to_call("180 Ringing", RELIABLY.format(2) + NOTHING),
        recv_prack(2),
        reply_to_call("200 OK"),
        RECV_ACK,
        THE_OPERATOR.bye(1),
    )
    assert ended_by_them(call(far.port))
    far.ended_well()


def test_update_before_the_answer_and_in_the_call(tmp_path: Path) -> None:
    """A new port in the early dialog, hold and back in the confirmed one, and one without an offer."""
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("183 Session Progress", RELIABLY.format(1) + with_sdp(sdp())),
        recv_prack(1),
        THE_OPERATOR.request("UPDATE", 1, with_sdp(sdp(version=2))) + TAKEN,
        reply_to_call("200 OK"),
        RECV_ACK,
        THE_OPERATOR.request("UPDATE", 2, with_sdp(sdp("inactive", version=3))) + TAKEN,
        THE_OPERATOR.request("UPDATE", 3, with_sdp(sdp(version=4))) + TAKEN,
        THE_OPERATOR.request("UPDATE", 4) + TAKEN,
        THE_OPERATOR.bye(5),
    )
    assert ended_by_them(call(far.port))
    far.ended_well()


@pytest.mark.parametrize("allows", [True, False], ids=["by update", "by re-invite"])
def test_we_refresh(tmp_path: Path, allows: bool) -> None:
    """RFC 4028: at half of six seconds; a re-INVITE says what they know, version and all."""
    timer = SIX_SECONDS.format("uac")
    if allows:
        answered = (OK_PLAIN.replace("Content-Length", f"{timer}Content-Length"),)
        refreshed = ('<recv request="UPDATE"/>', *answered)
    else:
        unchanged = '<ereg regexp="o=- [0-9]+ 1 IN IP4" search_in="body" check_it="true" assign_to="8"/>'
        recv_invite = f'<recv request="INVITE"><action>{unchanged}</action></recv><Reference variables="8"/>'
        answered = (OK_PLAIN.replace("Content-Length: 0\n\n", timer + with_sdp(sdp())), RECV_ACK)
        refreshed = (recv_invite, *answered)
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("200 OK", timer + (OURS_BY_UPDATE if allows else "") + with_sdp(sdp())),
        RECV_ACK,
        *refreshed,
        THE_OPERATOR.bye(1),
    )
    assert ended_by_them(call(far.port, **QUICK))
    far.ended_well()


def test_they_refresh_and_then_they_are_gone(tmp_path: Path) -> None:
    """One UPDATE of theirs keeps the call; a third before the end of the next six seconds we hang up."""
    refresh = "Supported: timer\nSession-Expires: 6;refresher=uac\n" + NOTHING
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("200 OK", SIX_SECONDS.format("uas") + with_sdp(sdp())),
        RECV_ACK,
        pause(700),
        THE_OPERATOR.request("UPDATE", 1, refresh) + TAKEN,
        RECV_BYE,
        OK_PLAIN,
    )
    events = call(far.port, **QUICK)
    far.ended_well()
    assert isinstance(events[-1], Ended) and events[-1].by == "network"
    assert events[-1].cause_text == "session expired"


def test_a_longer_interval_is_asked_for(tmp_path: Path) -> None:
    """422 (RFC 4028 §7.3): the same call once more, with their Min-SE."""
    asks = '<action><ereg regexp="600" search_in="hdr" header="Min-SE:" check_it="true" assign_to="9"/>'
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("422 Session Interval Too Small", "Min-SE: 600\n" + NOTHING),
        RECV_ACK,
        RECV_CALL.replace("<action>", asks) + '<Reference variables="9"/>',
        reply_to_call("200 OK", with_sdp(sdp())),
        RECV_ACK,
        THE_OPERATOR.bye(1),
    )
    assert ended_by_them(call(far.port, session_expires=300))
    far.ended_well()


def test_a_reinvite_without_an_offer(tmp_path: Path) -> None:
    """Our 200 offers, their ACK answers (RFC 3261 §14.2)."""
    offers = '<ereg regexp="m=audio [1-9]" search_in="body" check_it="true" assign_to="9"/>'
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("200 OK", with_sdp(sdp())),
        RECV_ACK,
        THE_OPERATOR.request("INVITE", 1),
        f'<recv response="200"><action>{offers}</action></recv><Reference variables="9"/>',
        THE_OPERATOR.request("ACK", 1, with_sdp(sdp(version=2))),
        THE_OPERATOR.bye(2),
    )
    assert ended_by_them(call(far.port))
    far.ended_well()


def test_reinvites_meet(tmp_path: Path) -> None:
    """Our refresh and their re-INVITE cross: 491 to both (RFC 3261 §14.1), then theirs goes through."""
    again = "Supported: timer\nSession-Expires: 60;refresher=uac\n"
    far = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("200 OK", SIX_SECONDS.format("uac") + with_sdp(sdp())),
        RECV_ACK,
        RECV_CALL.replace('assign_to="2"', 'assign_to="12"').replace('assign_to="3"', 'assign_to="13"')
        .replace('assign_to="4"', 'assign_to="14"').replace('"2,3,4,5,6"', '"12,13,14"'),
        THE_OPERATOR.request("INVITE", 1, with_sdp(sdp(version=2))),
        '<recv response="491"/>',
        THE_OPERATOR.request("ACK", 1).replace("branch=[branch]", "branch=[branch-3]"),
        reply_to_call("491 Request Pending").replace("From:[$2]", "From:[$12]")
        .replace("To:[$3];tag=[pid]op[call_number]", "To:[$13]"),
        RECV_ACK,
        THE_OPERATOR.request("INVITE", 2, again + with_sdp(sdp(version=3))) + TAKEN,
        THE_OPERATOR.request("ACK", 2),
        THE_OPERATOR.bye(3),
    )  # fmt: skip
    assert ended_by_them(call(far.port, session_expires=60, min_se=1))
    far.ended_well()


def test_two_branches_answer(tmp_path: Path) -> None:
    """Each 200 is acknowledged, the second branch is ended at once (RFC 3261 §13.2.2.4)."""
    answer = reply_to_call("200 OK", with_sdp(sdp()))
    far = Sipp(
        tmp_path,
        RECV_CALL,
        RINGS,
        RINGS.replace("]op[", "]fork["),
        answer,
        recv("ACK", "To", "op"),
        answer.replace("]op[", "]fork["),
        recv("ACK", "To", "fork"),
        recv("BYE", "To", "fork"),
        OK_PLAIN,
        THE_OPERATOR.bye(1),
    )
    assert ended_by_them(call(far.port))
    far.ended_well()


def test_a_302_leads_to_another_trunk(tmp_path: Path) -> None:
    """In the same call, by the next CSeq (RFC 3261 §8.1.3.4); a stranger of a higher q isn't called."""
    (tmp_path / "second").mkdir()
    second = Sipp(
        tmp_path / "second",
        RECV_CALL,
        reply_to_call("200 OK", with_sdp(sdp())),
        RECV_ACK,
        THE_OPERATOR.bye(1),
    )
    there = f"Contact: <sip:13803790009@127.0.0.1:{second.port}>;q=0.5, <sip:1@198.51.100.1>;q=1\n"
    first = Sipp(
        tmp_path,
        RECV_CALL,
        reply_to_call("302 Moved Temporarily", there + NOTHING).replace(
            "Contact: <sip:[local", "X-Was: <sip:[local"
        ),
        RECV_ACK,
    )
    assert ended_by_them(call(first.port, second.port))
    first.ended_well()
    second.ended_well()
    assert second.received("INVITE") == 1


def test_a_302_to_a_stranger_fails(tmp_path: Path) -> None:
    there = "Contact: <sip:1@198.51.100.1>\n"
    far = Sipp(tmp_path, RECV_CALL, reply_to_call("302 Moved Temporarily", there + NOTHING), RECV_ACK)
    (ended,) = call(far.port)
    far.ended_well()
    assert isinstance(ended, Ended) and ended.sip_status == 302


def test_we_ring_reliably_where_they_require_it(tmp_path: Path) -> None:
    """They call us: our 180 has a number, and comes again until its PRACK (RFC 3262 §3)."""
    number = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="9"/>'
    caller = the_caller()
    with line(1, takes_calls=True) as ours:
        far = Crowd(
            tmp_path / "caller",
            scenario(
                invite(headers="Require: 100rel\n"),
                f'<recv response="180" rrs="true"><action>{number}</action></recv>',
                pause(200),
                caller.request("PRACK", 2, "RAck: [$9] 1 INVITE\n" + NOTHING),
                '<recv response="200"/>',
                '<recv response="200"/>',  # to the INVITE: it is answered when the PRACK has come
                caller.request("ACK", 1),
                caller.bye(3),
            ),
            to=ours.port,
            calls=1,
        )
        assert ended_by_them(told(ours))
        far.ended_well()
        assert sum(message.startswith(b"SIP/2.0 180") for message in heard) > 1
