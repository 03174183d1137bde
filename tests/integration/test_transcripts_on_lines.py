"""The flows' golden transcripts on the lines: the same flow, the same citizen, the same outcome.

tests/unit/test_flow_transcripts.py holds them by the engine alone, tests/unit/test_twilio_steps.py by
webhooks; here they're held over SIP and RTP, over pyVoIP, and in virtual time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from ivr.flow_load import FLOWS
from tests.flow_caller import Branches, branches, head_of, run, shipped
from tests.line_caller import Held, LineCaller, golden, hold
from tests.line_ends import LINES, line_and_far_ends
from tests.loopback_city import quick_city

TRANSCRIPTS = {
    path.stem: path.read_text()
    for path in sorted((Path(__file__).parent.parent / "transcripts/flow").glob("*.txt"))
}
EVERY = sorted(path.stem for path in FLOWS.glob("*.toml"))
# The inbound role has no other line than sip_line; pyVoIP's one call out at a time is a callback.
FLOWS_ON = {"simulated": EVERY, "sip": EVERY, "pyvoip": ["satisfaction_survey"]}
AT_ONCE = {"simulated": 100, "sip": 16, "pyvoip": 1}


def of_a_lesser_line(text: str) -> bool:
    """Of one that can't record; these all can."""
    head = head_of(text)
    return "may record" in head and not any("record" in each.split() for each in head if each[:4] == "can ")


@cache
def taken_by(name: str) -> Branches:
    """The branches that a transcript takes, with their flow's name."""
    _, caller = run(TRANSCRIPTS[name])
    return {(caller.flow.name, *branch) for branch in caller.taken}


@cache
def flow_of(name: str) -> str:
    _, caller = run(TRANSCRIPTS[name])
    return caller.flow.name


def held_on(line: str) -> list[str]:
    """The transcripts of a line; where one call goes out at a time, those that add a branch."""
    names = [name for name, text in TRANSCRIPTS.items() if not of_a_lesser_line(text)]
    names = [name for name in names if flow_of(name) in FLOWS_ON[line]]
    if AT_ONCE[line] > 1:
        return names
    chosen: list[str] = []
    covered: Branches = set()
    for name in names:
        if taken_by(name) - covered:
            chosen.append(name)
            covered |= taken_by(name)
    return chosen


def batches(line: str) -> list[tuple[str, ...]]:
    """What is held at once."""
    names, size = held_on(line), AT_ONCE[line]
    return [tuple(names[at : at + size]) for at in range(0, len(names), size)]


@cache
def held(line: str, names: tuple[str, ...]) -> dict[str, Held]:
    """What each of these transcripts came to."""
    settings = quick_city(len(names), pickup_after=0.02)
    with line_and_far_ends(line, settings, len(names)) as (real, far):
        # The last digit is that of citizens who listen, and do what they're told.
        callers = {
            f"1380379{100 + at}7": LineCaller(real, far, f"1380379{100 + at}7", TRANSCRIPTS[name])
            for at, name in enumerate(names)
        }
        hold(real, callers)
    return {name: caller.held for name, caller in zip(names, callers.values(), strict=True)}


@pytest.mark.parametrize(
    ("line", "names", "name"),
    [
        pytest.param(line, names, name, id=f"{line}-{name}")
        for line in LINES
        for names in batches(line)
        for name in names
    ],
)
def test_the_same_transcript(line: str, names: tuple[str, ...], name: str) -> None:
    assert held(line, names)[name] == golden(TRANSCRIPTS[name])


@pytest.mark.parametrize("line", LINES)
def test_every_branch_is_taken_on_every_line(line: str) -> None:
    whole: Branches = set()
    for flow in FLOWS_ON[line]:
        whole |= {(flow, *branch) for branch in branches(shipped(flow))}
    missing = whole.difference(*(taken_by(name) for name in held_on(line)))
    assert not missing, "\n".join(" ".join(each) for each in sorted(missing))
