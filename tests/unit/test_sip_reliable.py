"""Provisional responses that are acknowledged, each once and in its turn (RFC 3262); pauses after a glare."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip import InviteProgress, UserAgent
from ivr.sip.message import Response, parse
from ivr.sip.refresh import glare_pause
from ivr.sip.reliable import rseq_of
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((("Require", "100rel"), ("RSeq", "1")), 1),
        ((("Require", "timer, 100Rel"), ("RSeq", "2147483647")), 2147483647),
        ((("RSeq", "1"),), None),  # nobody asks for a PRACK
        ((("Supported", "100rel"), ("RSeq", "1")), None),
        ((("Require", "100rel"),), None),
        ((("Require", "100rel"), ("RSeq", "0")), None),  # 1 to 2**31 - 1 (§7.1)
        ((("Require", "100rel"), ("RSeq", "2147483648")), None),
        ((("Require", "100rel"), ("RSeq", "-1")), None),
        ((("Require", "100rel"), ("RSeq", "１")), None),
        ((("Require", "100rel"), ("RSeq", "9" * 5000)), None),
    ],
)
def test_which_response_wants_a_prack(headers: tuple[tuple[str, str], ...], expected: int | None) -> None:
    assert rseq_of(Response(headers, b"", 180, "Ringing")) == expected


def called() -> tuple[UserAgent, list[str]]:
    agent = new_agent()
    agent.invite("c", "sip:1@192.0.2.2", THEIRS, OUR_MEDIA, "sip:2@192.0.2.1", 0.0)
    ((data, _),) = agent.take_outgoing()
    lines = data.decode().split("\r\n")
    return agent, [line for line in lines if re.match(r"(Via|From|To|Call-ID|CSeq):", line)]


@given(first=st.integers(1, 2**31 - 20), steps=st.lists(st.integers(0, 6), max_size=25))
def test_each_is_acknowledged_once_and_in_its_turn(first: int, steps: list[int]) -> None:
    """Whatever the network does to them: repeated, lost, swapped."""
    agent, head = called()
    for step in (0, *steps):
        lines = [
            "SIP/2.0 180 Ringing",
            *(f"{line};tag=s1" if line.startswith("To:") else line for line in head),
        ]
        lines += ["Contact: <sip:1@192.0.2.2>", "Require: 100rel", f"RSeq: {first + step}", "", ""]
        agent.receive("\r\n".join(lines).encode(), THEIRS, 0.0)
    sent = [parse(data) for data, _ in agent.take_outgoing()]
    numbers = [int((prack.first("RAck") or "").split()[0]) for prack in sent]
    expected = [first]
    for step in steps:
        if step == len(expected):
            expected.append(first + step)
    assert numbers == expected
    assert [prack.first("CSeq") for prack in sent] == [f"{2 + at} PRACK" for at in range(len(sent))]
    assert (
        len([event for event in agent.take_events() if isinstance(event, InviteProgress)]) == 1
    )  # all alike


@given(st.floats(0, 1, exclude_max=True), st.booleans())
def test_who_waits_how_long_after_a_glare(fraction: float, owns: bool) -> None:
    """The two never come at the same time (RFC 3261 §14.1)."""
    pause = glare_pause(fraction, owns_call_id=owns)
    assert (2.1 <= pause <= 4.0) if owns else (0.0 <= pause <= 2.0)
    assert round(pause * 100) == pytest.approx(pause * 100)
