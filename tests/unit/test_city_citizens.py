"""Who lives at which number of the simulated city, and how they hear a prompt end."""

from __future__ import annotations

import pytest

from ivr.citizen import Behaviour, Ear, citizen_of


@pytest.mark.parametrize(
    ("number", "behaviour", "keys"),
    [
        ("13803790010", Behaviour.BUSY, ""),
        ("13803790011", Behaviour.ANSWERS, "1.1"),  # satisfied, solved
        ("13803790012", Behaviour.ANSWERS, "2.1"),  # basically satisfied, solved
        ("13803790013", Behaviour.ANSWERS, "3.21"),  # dissatisfied, not solved, for that reason
        ("13803790014", Behaviour.RINGS_ON, ""),
        ("037963110005", Behaviour.ANSWERS, "71.1"),  # a wrong key, then the right one
        ("13803790016", Behaviour.HANGS_UP, ""),
        ("13803790017", Behaviour.SILENT, ""),
        ("13803790018", Behaviour.UNALLOCATED, ""),
        ("13803790019", Behaviour.DECLINES, ""),
        ("operator", Behaviour.UNALLOCATED, ""),  # a name is nobody's number
        ("", Behaviour.UNALLOCATED, ""),
    ],
)
def test_the_last_digit_tells(number: str, behaviour: Behaviour, keys: str) -> None:
    citizen = citizen_of(number)
    assert (citizen.behaviour, "".join(key or "." for key in citizen.keys)) == (behaviour, keys)


def ends(sound: str, pause: float = 0.3) -> list[float]:
    """When prompts end in `sound`, a letter for each 100 ms: V voice, anything else none."""
    ear, found = Ear(pause), []
    for index, part in enumerate(sound, 1):
        now = index / 10
        ear.hear(part == "V", 0.1, now)
        if ear.prompt_ended(now + 1e-9):
            found.append(now)
    return found


@pytest.mark.parametrize(
    ("sound", "found"),
    [
        ("", []),
        ("......", []),  # silence alone is no prompt
        ("VVV...", [0.6]),  # the pause is over 300 ms after the last voice
        ("VVV..VV...", [1.0]),  # a breath within the prompt
        ("VVV........", [0.6]),  # once
        ("V...VV....V...", [0.4, 0.9, 1.4]),
    ],
)
def test_a_prompt_ends_once(sound: str, found: list[float]) -> None:
    assert ends(sound) == pytest.approx(found)
