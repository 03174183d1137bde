"""The garbage collector in a process that carries voice: its longest pauses are kept far apart."""

from __future__ import annotations

import gc

__all__ = ["spare_the_voice"]

# A whole collection looks at every call that is up: 100 ms and more at a thousand. What calls leave behind
# is freed at once (tests/unit/test_sip_garbage.py); one in an hour or so finds the rest.
_WHOLE_AFTER = 10_000  # collections of the middle generation


def spare_the_voice() -> None:
    """Once all is loaded, before the first call: what is there now stays, and isn't looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], _WHOLE_AFTER)
