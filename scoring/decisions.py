"""What people decide about scores: the words, what each is worth, and when deciders agree. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum

from callbacks.vocabulary import Role
from scoring.item_states import ItemTrigger


class AdjustmentKind(StrEnum):
    """Deductions and bonus of domain.md §4.2; what each is worth is a setting."""

    SECOND_DISSATISFIED = "second_dissatisfied"  # −2; its escalation is covered by it
    REWORK_OVERDUE = "rework_overdue"  # −2, rework overdue or supervision ordered
    FALSE_CLOSING = "false_closing"  # −5, false closing or false reply
    WRONGFUL_REFUSAL = "wrongful_refusal"  # −1
    COMMENDATION = "commendation"  # +1


class Decision(StrEnum):
    """How something that needs a second person stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


class ObjectionKind(StrEnum):
    """What a unit objects to: 按时办结 (T), 按时签收 (A), a deduction."""

    ON_TIME = "on_time"
    SIGNED = "signed"
    DEDUCTION = "deduction"


class Measure(StrEnum):
    """责任追究: 通报, 约谈, 移送."""

    CIRCULAR = "circular"
    TALK = "talk"
    TRANSFER = "transfer"


# These stand on a dissatisfaction item, the others on a case; a commendation on either or on its document.
OF_ITEMS = frozenset({AdjustmentKind.SECOND_DISSATISFIED, AdjustmentKind.REWORK_OVERDUE})

AGREE = 2  # so many of one mind decide
DECIDING = frozenset({Role.SUPERVISOR, Role.OFFICE_HEAD})  # who has a word


def adds(kind: AdjustmentKind) -> bool:
    """Whether the kind is 加分."""
    return kind is AdjustmentKind.COMMENDATION


def is_covered(kind: AdjustmentKind, steps: Collection[ItemTrigger]) -> bool:
    """Whether the −2 of the item's second dissatisfied rating covers this kind (domain.md §4.2).

    Supervision that only the escalation brought is covered; a rework that ran over its own time isn't.
    `steps` are the triggers of all that happened to the item.
    """
    if kind is not AdjustmentKind.REWORK_OVERDUE or ItemTrigger.SUPERVISE in steps:
        return False
    return ItemTrigger.DISSATISFIED in steps or ItemTrigger.DISSATISFIED_AGAIN in steps


def verdict(words: Sequence[bool]) -> bool | None:
    """What the deciders' words come to: two of one mind decide; at one to one a third is asked (None)."""
    for mind in (True, False):
        if words.count(mind) >= AGREE:
            return mind
    return None
