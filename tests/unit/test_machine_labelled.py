"""The labelled set: what the ear says of people, of machines, and of what is neither.

The speech is synthetic, so these figures hold for the code, not for people: that's why the flag is advice.
"""

from __future__ import annotations

from collections import Counter

import pytest

from callbacks.vocabulary import MachineSign
from tests.far_ends import judged

SPEECH, BEEP = MachineSign.SPEECH, MachineSign.BEEP

# label: how many of the set are told as speech, as a beep, and not at all
CONFUSION = {
    "person": {SPEECH: 3, BEEP: 0, None: 21},
    "machine": {SPEECH: 9, BEEP: 7, None: 14},
    "nobody": {SPEECH: 1, BEEP: 0, None: 65},
}

WRONG = {
    # Somebody who talks for more than 4 s without a breath isn't told from a greeting.
    "without taking breath",
    "without taking breath, hybrid",
    "without taking breath, loudspeaker",
    # Nor is a noise that lies low in the band and swells like speech.
    "rumble that swells",
}

MISSED = {
    # Shorter than 4 s, or in sentences with longer pauses, and no beep: a person would talk so.
    "short greeting, no beep",
    "short greeting, no beep, hybrid",
    "short greeting, no beep, loudspeaker",
    "greeting with long pauses, no beep",
    "greeting with long pauses, no beep, hybrid",
    "greeting with long pauses, no beep, loudspeaker",
    # As loud as our own echo at the same time: what may be the echo doesn't count.
    "greeting, hybrid",
    "greeting, softly, hybrid",
    "greeting, softly, loudspeaker",
    "greeting, in English, loudspeaker",
    "announcement, hybrid",
    "announcement, loudspeaker",
    "short greeting, soft long beep, hybrid",
    "short greeting, soft long beep, loudspeaker",
}


Judged = list[tuple[str, str, MachineSign | None]]


@pytest.fixture(scope="module")
def found() -> Judged:
    return judged()


def test_the_confusion_table(found: Judged) -> None:
    counted = Counter((label, sign) for label, _, sign in found)
    print(f"\n{'':10}{'speech':>8}{'beep':>8}{'nothing':>8}")
    for label in CONFUSION:
        print(f"{label:10}" + "".join(f"{counted[label, sign]:>8}" for sign in (SPEECH, BEEP, None)))
    table = {label: {sign: counted[label, sign] for sign in row} for label, row in CONFUSION.items()}
    assert table == CONFUSION


def test_what_is_wrong_is_known_by_name(found: Judged) -> None:
    wrong = {name for label, name, sign in found if sign is not None and label != "machine"}
    missed = {name for label, name, sign in found if sign is None and label == "machine"}
    assert (wrong, missed) == (WRONG, MISSED)


def test_no_echo_of_ours_is_ever_their_speech(found: Judged) -> None:
    echoes = [sign for _, name, sign in found if "softer" in name]
    assert echoes == [None] * 45
