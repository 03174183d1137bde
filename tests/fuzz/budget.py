"""For fuzz tests: hypothesis run anew with one seed after another until its time is over.

HUIFANG_FUZZ_SECONDS is what all targets get together, 60 by default: then seeds count from 0, so that a run
that was green is green on the same code. `make fuzz` gives half an hour and draws where to begin.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis.strategies import SearchStrategy

__all__ = ["TARGETS", "fuzz"]

TARGETS = 6
_SECONDS = float(os.environ.get("HUIFANG_FUZZ_SECONDS", "60")) / TARGETS
_FIRST = int(os.environ.get("HUIFANG_FUZZ_SEED", "0"))
_EXAMPLES = 100  # of a seed: few, so that a run doesn't last much longer than its time


def fuzz(check: Callable[[Any], None], inputs: SearchStrategy[Any]) -> int:
    """Give `check` inputs until a share of the time is over; how many seeds there were."""
    until, number = time.monotonic() + _SECONDS, _FIRST
    while True:
        _run(check, inputs, number)
        number += 1
        if time.monotonic() >= until:
            return number - _FIRST


def _run(check: Callable[[Any], None], inputs: SearchStrategy[Any], number: int) -> None:
    def told(value: Any) -> None:
        note(f"HUIFANG_FUZZ_SEED={number}")
        check(value)

    quiet = settings(max_examples=_EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    seed(number)(quiet(given(inputs)(told)))()
