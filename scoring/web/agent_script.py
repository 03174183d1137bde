"""What an agent says, always in Chinese: the catalogue's opening and close, the questions as people ask them.

The prompts of the telephone name keys; a person asks the same without them. Of a sensitive case only the date
is said (domain.md §1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from callbacks.rating import Scale
from prompts.catalogue import load_catalogue

_LANGUAGE = "zh-CN"


@dataclass(frozen=True, slots=True)
class Script:
    """Opening, questions and the two closes."""

    opening: str
    rate: str
    solved: str
    reason: str
    thanks: str
    thanks_bad: str


def script_of(
    office: str, accepted_at: datetime, zone: ZoneInfo, category: str | None, round_: int, scale: Scale
) -> Script:
    """`category` None: not to be said."""
    catalogue, local = load_catalogue(), accepted_at.astimezone(zone)
    prompt = "greeting_plain" if category is None else "greeting"
    known = catalogue.categories.get(category or "", catalogue.categories["other"])
    opening = catalogue.speech(prompt, _LANGUAGE).format(
        office=office, month=local.month, day=local.day, category=known[_LANGUAGE]
    )
    choices = "、".join(scale.labels.values())
    again = "您上次评价不满意的事项已重新办理。" if round_ > 1 else ""
    return Script(
        opening=opening,
        rate=f"{again}请问您对办理情况满意吗？（{choices}，请您选一个）",
        solved="请问您反映的问题是否已经解决？",
        reason="很抱歉没能让您满意。主要是什么原因？",
        thanks=catalogue.speech("thanks_good", _LANGUAGE),
        thanks_bad=catalogue.speech("thanks_bad", _LANGUAGE),
    )
