"""The desk has a word for whatever is counted."""

from __future__ import annotations

from dataclasses import fields

from scoring.rules import Counts
from scoring.web import words


def test_each_count_has_a_name() -> None:
    assert set(words.COUNTS) == {field.name for field in fields(Counts)}
