"""申诉复核: a unit appeals once, two of the office decide, neither of the unit (domain.md §6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.service.core import Context, audit
from scoring.decisions import verdict
from scoring.evidence import File
from scoring.item_rules import LONGEST_REASON, Fault, Grounds, Party
from scoring.item_states import ItemState, ItemTrigger
from scoring.items import Act, BadAct, ItemRules, act_within, locked
from scoring.models_items import Appeal, AppealDecision


@dataclass(frozen=True, slots=True)
class Word:
    """One decider's word: on the appeal, on the claim's reasonableness and on the unit's conduct.

    `seen` is how many words on the appeal the decider had read; None: it isn't asked.
    """

    uphold: bool
    claim_reasonable: bool
    conduct_proper: bool
    reason: str
    seen: int | None = None


class AppealMoved(Exception):
    """Somebody else's word came in the meantime: the page was older than the appeal."""


def appeal(
    ctx: Context,
    rules: ItemRules,
    item_id: int,
    grounds: Grounds,
    reason: str,
    files: tuple[File, ...],
    by: str,
    seen: int,
    now: datetime,
) -> int:
    """A unit appeals; the clock stands still. Returns the appeal's id. BadAct, ItemConflict."""

    def work(session: Session) -> int:
        detail = {"grounds": grounds.value}
        wanted = Act(ItemTrigger.APPEAL, by, Party.UNIT, seen, reason, files, detail=detail)
        item = act_within(ctx, session, rules, item_id, wanted, now)
        row = Appeal(
            item_id=item_id, unit_id=item.unit_id, grounds=grounds.value, reason=reason.strip(), by=by, at=now
        )
        session.add(row)
        session.flush()
        return row.id

    return ctx.run(work)


def decide_appeal(
    ctx: Context,
    rules: ItemRules,
    appeal_id: int,
    word: Word,
    by: str,
    unit_of_decider: int | None,
    now: datetime,
) -> bool | None:
    """A decider's word; what the appeal came to with it, None while a second, or a third, is still needed.

    BadAct for the same decider twice, one of the unit, no reason, or an appeal that is decided; AppealMoved.
    """

    def work(session: Session) -> bool | None:
        row = session.get_one(Appeal, appeal_id)
        item = locked(session, row.item_id)  # the deciders queue here
        session.refresh(row)
        if row.upheld is not None or item.state is not ItemState.APPEALED:
            raise BadAct(Fault.STATE)
        if by == row.by or (unit_of_decider is not None and unit_of_decider == row.unit_id):
            raise BadAct(Fault.OWN_UNIT)
        reason = word.reason.strip()
        if not reason or len(reason) > LONGEST_REASON:
            raise BadAct(Fault.REASON)
        words = list(session.scalars(select(AppealDecision).where(AppealDecision.appeal_id == appeal_id)))
        if any(each.by == by for each in words):
            raise BadAct(Fault.TWICE)
        if word.seen is not None and word.seen != len(words):
            raise AppealMoved
        mine = AppealDecision(
            appeal_id=appeal_id,
            by=by,
            at=now,
            uphold=word.uphold,
            claim_reasonable=word.claim_reasonable,
            conduct_proper=word.conduct_proper,
            reason=reason,
        )
        session.add(mine)
        audit(session, now, by, "decide_appeal", f"appeal:{appeal_id}", uphold=word.uphold)
        upheld = verdict([each.uphold for each in (*words, mine)])
        if upheld is not None:
            row.upheld, row.decided_at = upheld, now
            _carry_out(ctx, session, rules, row, [*words, mine], now)
        session.flush()
        return upheld

    return ctx.run(work)


def _carry_out(
    ctx: Context,
    session: Session,
    rules: ItemRules,
    row: Appeal,
    words: list[AppealDecision],
    now: datetime,
) -> None:
    trigger = ItemTrigger.APPEAL_UPHELD if row.upheld else ItemTrigger.APPEAL_REJECTED
    deciders = [each.by for each in words if each.uphold is row.upheld]
    wanted = Act(
        trigger,
        deciders[-1],
        Party.SYSTEM,
        None,
        "\n".join(each.reason for each in words if each.uphold is row.upheld),
        why=row.grounds,
        detail={"deciders": deciders},
    )
    act_within(ctx, session, rules, row.item_id, wanted, now)
