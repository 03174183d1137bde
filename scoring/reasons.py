"""Reasons and remarks, checked as people write them and kept as they are shown. Pure."""

from __future__ import annotations

LONGEST_REASON = 1000


def checked_reason(given: str, otherwise: Exception) -> str:
    """Without the blanks around it; `otherwise` is raised where there is none, or it's a novel.

    Lines may break in it, and nothing else that can't be seen is taken.
    """
    reason = given.replace("\r\n", "\n").strip()
    if not reason or len(reason) > LONGEST_REASON or not reason.replace("\n", "").isprintable():
        raise otherwise
    return reason
