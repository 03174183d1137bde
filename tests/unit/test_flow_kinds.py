"""Numbers that are collected, variables and counted ways, which no shipped flow needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.flow_events import HangUp, Play, SetVariable
from ivr.flow_load import load_flow
from prompts.catalogue import load_catalogue
from tests.flow_caller import Caller, act

FLOW = load_flow(Path(__file__).parent.parent / "data/every_kind.toml", load_catalogue())

ROWS = [
    # what the caller does, the last prompt, the outcome
    ("hear; key 0; key 8; key 2; key 3; hear", "thanks_good", "done"),  # the fourth digit is the last
    ("hear 1; key 0; key 8; key 2; key 3; hear", "thanks_good", "done"),  # the first within the prompt
    ("hear; key 7; key 8; key #; hear", "invalid", "no_answer"),  # # ends a shorter one
    ("hear; key 7; key 8; silence; hear", "invalid", "no_answer"),  # so does a pause
    ("hear; key 7; silence; hear; hear; key 7; key #; hear", "bye", "no_answer"),  # too few, twice
    ("hear; key #; hear; hear; silence; hear; hear; silence; hear", "bye", "no_answer"),  # and none at all
    ("hear; key *; hear; key 0; key 8; key 2; key 3; hear", "thanks_good", "done"),  # * repeats
    ("hear; key 7; key *; hear; key 0; key 8; key 2; key 3; hear", "thanks_good", "done"),  # and begins anew
    ("hear; key A; hear; hear; key 1; key 2; key #; hear", "invalid", "no_answer"),  # A is none
    # a way with `most` is taken twice, then the next whose conditions hold
    (
        "hear; key 1; key 1; key #; hear; hear; key 1; key 1; key #; hear; hear; key 1; key 1; key #; hear",
        "invalid",
        "no_answer",
    ),
]


@pytest.mark.parametrize(("script", "prompt", "outcome"), ROWS)
def test_a_number_is_collected(script: str, prompt: str, outcome: str) -> None:
    caller = Caller(0, flow=FLOW)
    for step in script.split("; "):
        act(caller, step)
    played = [command.prompts[0].id for command in caller.told if isinstance(command, Play)]
    assert (played[-1], caller.told[-1]) == (prompt, HangUp(outcome))


def test_the_driver_is_told_what_is_set() -> None:
    caller = Caller(0, flow=FLOW)
    for step in ("hear", "key 0", "key 8", "key 2", "key 3"):
        act(caller, step)
    told = [command for command in caller.told if isinstance(command, SetVariable)]
    assert told == [
        SetVariable("tail", "0823"),
        SetVariable("known", True),
        SetVariable("how", "by number"),
        SetVariable("times", 1),
    ]
