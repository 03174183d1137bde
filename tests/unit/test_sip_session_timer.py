"""Who refreshes a call, how often, and what is too often (RFC 4028)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip import AckReceived, DialogEnded, InviteAccepted, InviteReceived, SipEvent
from ivr.sip.message import Request, Response, parse, serialise
from ivr.sip.sdp import LocalSession
from ivr.sip.session_timer import Interval, Proposal, interval_of, least_of, settle, too_brief
from tests.sip_world import OUR_MEDIA, OURS, THEIR_MEDIA, THEIRS, World, new_agent


def request(*headers: tuple[str, str]) -> Request:
    return Request(headers, b"", "INVITE", "sip:a@b")


def refusal(least: str) -> Response:
    return Response((("Min-SE", least),), b"", 422, "Session Interval Too Small")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1800", Interval(1800, None)),
        ("1800;refresher=uac", Interval(1800, "uac")),
        (" 90 ; other=1 ; Refresher = UAS", Interval(90, "uas")),
        ("90;refresher=both", Interval(90, None)),  # nobody of that name
        ("0", None),
        ("", None),
        ("-5", None),
        ("90 seconds", None),
        ("９0", None),
        ("9" * 10, Interval(2**31 - 1, None)),  # three hundred years are as good as 68
    ],
)
def test_intervals(value: str, expected: Interval | None) -> None:
    assert interval_of(request(("Session-Expires", value))) == expected


def test_without_a_readable_min_se_it_is_90() -> None:
    assert [least_of(request(("Min-SE", value))) for value in ("120", "120;x=y", "x", "0")] == [
        120,
        120,
        90,
        90,
    ]
    assert least_of(request()) == 90


KNOWS = ("Supported", "100rel, Timer")
TABLE = [
    # RFC 4028 §9, table 2: what they send, then the Session-Expires and Require of our 2xx
    ((KNOWS, ("Session-Expires", "1800")), "1800;refresher=uac", True),  # left to us: who calls refreshes
    ((KNOWS, ("Session-Expires", "1800;refresher=uac")), "1800;refresher=uac", True),
    ((KNOWS, ("Session-Expires", "1800;refresher=uas")), "1800;refresher=uas", True),
    ((("Require", "timer"), ("Session-Expires", "1800")), "1800;refresher=uac", True),
    ((("Session-Expires", "1800"),), "1800;refresher=uas", False),  # a proxy's wish
    ((("Session-Expires", "1800;refresher=uac"),), "1800;refresher=uas", False),  # who knows no timer can't
    ((KNOWS, ("Session-Expires", "7200")), "1800;refresher=uac", True),  # ours is shorter
    (
        (KNOWS, ("Session-Expires", "7200"), ("Min-SE", "3600")),
        "3600;refresher=uac",
        True,
    ),  # but not below theirs
    (
        (KNOWS, ("Session-Expires", "120"), ("Min-SE", "600")),
        "120;refresher=uac",
        True,
    ),  # never more than asked
    ((("Session-Expires", "10"),), None, False),  # nor below ours
    ((KNOWS,), None, False),
    ((KNOWS, ("Session-Expires", "x")), None, False),
]


@pytest.mark.parametrize(("headers", "expected", "requires"), TABLE)
def test_what_our_2xx_says(
    headers: tuple[tuple[str, str], ...], expected: str | None, requires: bool
) -> None:
    settled = settle(request(*headers), 1800, 90)
    said = dict(settled[1]) if settled else {}
    assert said.get("Session-Expires") == expected
    assert said.get("Require") == ("timer" if requires else None)
    assert settle(request(*headers), 0, 90) is None  # switched off


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((KNOWS, ("Session-Expires", "89")), 422),
        ((KNOWS, ("Session-Expires", "90")), None),
        ((("Session-Expires", "89"),), None),  # a proxy's: who called couldn't do better (§8.1)
        ((KNOWS,), None),
    ],
)
def test_what_is_too_brief(headers: tuple[tuple[str, str], ...], status: int | None) -> None:
    refused = too_brief(request(*headers), 90)
    assert (refused.status if refused else None) == status
    assert refused is None or refused.headers == (("Min-SE", "90"),)


def test_a_422_teaches_once() -> None:
    asked = Proposal(1800, 90)
    assert asked.headers() == (("Session-Expires", "1800"),)
    more = asked.after(refusal("3600"))
    assert more.headers("uac") == (("Session-Expires", "3600;refresher=uac"), ("Min-SE", "3600"))
    assert more.after(refusal("7200")) is more  # or they could lead us on for ever
    assert asked.after(refusal("60")) is asked  # no more than we asked for
    assert Proposal(0, 90).after(refusal("3600")).headers() == ()


@given(
    asked=st.integers(1, 10**6),
    least=st.none() | st.integers(1, 10**6),
    knows=st.booleans(),
    who=st.sampled_from(["", ";refresher=uac", ";refresher=uas"]),
    longest=st.integers(90, 10**5),
)
def test_what_is_settled_suits_both(
    asked: int, least: int | None, knows: bool, who: str, longest: int
) -> None:
    headers = [("Session-Expires", f"{asked}{who}")]
    headers += [("Min-SE", str(least))] if least else []
    headers += [KNOWS] if knows else []
    settled = settle(request(*headers), longest, 90)
    assert (settled is None) == (asked < 90)
    if settled is None:
        return
    interval, said = settled
    assert 90 <= interval.seconds <= asked
    assert interval.seconds <= max(longest, least or 90)
    assert interval.seconds >= min(asked, least or 90)
    assert interval.refresher == "uas" or knows  # who doesn't know the timer is never asked to refresh
    assert interval_of(Response(said, b"", 200, "OK")) == interval


def answered(world: World) -> None:
    def react(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            world.theirs.answer(event.call, THEIR_MEDIA, world.now)

    world.react = react
    world.ours.invite("c", "sip:1@192.0.2.2", THEIRS, OUR_MEDIA, "sip:2@192.0.2.1", world.now)


def test_a_call_of_hours_stays_up_and_ends_when_they_are_gone() -> None:
    world = World()
    answered(world)
    world.run(3 * 3600.0)
    assert [type(event) for event in world.events[OURS]] == [InviteAccepted]
    assert [type(event) for event in world.events[THEIRS]] == [InviteReceived, AckReceived]
    world.loss = 1.0
    world.run(5 * 3600.0)
    assert [event.by for event in world.events[OURS] if isinstance(event, DialogEnded)] == ["network"]
    assert [event.by for event in world.events[THEIRS] if isinstance(event, DialogEnded)] == ["network"]
    assert world.idle


class Answered:
    """A call of ours, and what its far end says: `expires` are the seconds of its 200."""

    def __init__(self, expires: int) -> None:
        self.agent, self.now = new_agent(), 0.0
        self.agent.invite("c", "sip:13803790001@192.0.2.2", THEIRS, OUR_MEDIA, "sip:1@192.0.2.1", 0.0)
        (invite,) = self.sent()
        wants = (("Session-Expires", f"{expires};refresher=uac"), ("Allow", "INVITE, UPDATE"))
        body = LocalSession("s0000001", THEIR_MEDIA).offer()
        self.answer(invite, 200, *wants, ("Content-Type", "application/sdp"), body=body)
        self.sent()  # the ACK

    def sent(self) -> list[Request]:
        messages = (parse(data) for data, _ in self.agent.take_outgoing())
        return [message for message in messages if isinstance(message, Request)]

    def answer(self, request: Request, status: int, *headers: tuple[str, str], body: bytes = b"") -> None:
        copied = [(name, request.first(name) or "") for name in ("Via", "From", "Call-ID", "CSeq")]
        to = (request.first("To") or "").partition(";")[0]
        response = Response((*copied, ("To", f"{to};tag=s1"), *headers), body, status, "X")
        self.agent.receive(serialise(response), THEIRS, self.now)

    def wait(self, until: float) -> list[Request]:
        self.now = until
        self.agent.handle_timer(until)
        return self.sent()


@pytest.mark.parametrize(
    ("status", "next_method"),
    [
        (405, "INVITE"),  # their Allow said otherwise
        (501, "INVITE"),
        (488, "INVITE"),  # UPDATE without a description isn't everybody's
        (500, "INVITE"),
        (403, "INVITE"),  # a leg behind theirs
        (481, "BYE"),  # they know of no call
        (408, "BYE"),
        (491, None),  # theirs runs: later
    ],
)
def test_what_follows_a_refused_update(status: int, next_method: str | None) -> None:
    """A call isn't cut for the want of an UPDATE while a re-INVITE may do."""
    call = Answered(90)
    (update,) = call.wait(45.0)
    assert update.method == "UPDATE"
    call.answer(update, status)
    assert [request.method for request in call.sent()] == ([next_method] if next_method else [])


def test_less_than_is_legal_does_not_end_the_call() -> None:
    call = Answered(1)
    assert call.wait(44.9) == []
    (update,) = call.wait(45.0)
    assert update.method == "UPDATE"
    assert not [event for event in call.agent.take_events() if isinstance(event, DialogEnded)]
