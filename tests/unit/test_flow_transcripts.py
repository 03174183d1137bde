"""The flows' dialogues as transcripts, re-read from JSON at every step; HUIFANG_UPDATE=1 rewrites them.

Together they take every branch of every flow: a branch that none of them takes fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ivr.flow_load import FLOWS
from tests.flow_caller import Branches, branches, run, shipped

TRANSCRIPTS = sorted((Path(__file__).parent.parent / "transcripts/flow").glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text()
    told, _ = run(text)
    if os.environ.get("HUIFANG_UPDATE"):
        path.write_text(told)
    assert told == path.read_text()


@pytest.mark.parametrize("name", sorted(path.stem for path in FLOWS.glob("*.toml")))
def test_every_branch_is_taken_by_a_transcript(name: str) -> None:
    taken: Branches = set()
    for path in TRANSCRIPTS:
        _, caller = run(path.read_text())
        if caller.flow.name == name:
            taken |= caller.taken
    missing = branches(shipped(name)) - taken
    assert not missing, "\n".join(" ".join(each) for each in sorted(missing))
