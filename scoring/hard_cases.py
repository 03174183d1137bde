"""疑难件: joint meetings on a hard case, and how one is closed (domain.md §6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from callbacks.service.core import Context
from scoring.item_rules import Fault, Party, review_at
from scoring.item_states import ItemTrigger
from scoring.items import Act, BadAct, ItemRules, act_within
from scoring.models_items import HardCaseMeeting


@dataclass(frozen=True, slots=True)
class Meeting:
    """联席会议: when, under whom, what was found, when it's looked at again (None: as the settings say)."""

    held_on: date
    leader: str
    finding: str
    next_review: date | None = None


def meet(
    ctx: Context, rules: ItemRules, item_id: int, meeting: Meeting, by: str, seen: int, now: datetime
) -> int:
    """Keeps a meeting, whose next review is the item's clock; returns its id. BadAct, ItemConflict."""

    def work(session: Session) -> int:
        if not meeting.leader.strip():
            raise BadAct(Fault.MEETING)
        detail = {"leader": meeting.leader.strip(), "held_on": meeting.held_on.isoformat()}
        wanted = Act(ItemTrigger.MEET, by, Party.OFFICE, seen, meeting.finding, detail=detail)
        item = act_within(ctx, session, rules, item_id, wanted, now)
        zone = ZoneInfo(rules.timezone)
        review = meeting.next_review or review_at(now, rules.settings).astimezone(zone).date()
        item.next_review = review
        item.due_at = datetime.combine(review, time(18), zone).astimezone(UTC)
        row = HardCaseMeeting(
            item_id=item_id,
            held_on=meeting.held_on,
            leader=meeting.leader.strip(),
            finding=meeting.finding.strip(),
            next_review=review,
            by=by,
            at=now,
        )
        session.add(row)
        session.flush()
        return row.id

    return ctx.run(work)


def close_hard_case(
    ctx: Context, rules: ItemRules, item_id: int, fixed: bool, reason: str, by: str, seen: int, now: datetime
) -> int:
    """FIXED, or PERSISTENT with the reason that is published: only after a joint meeting."""

    def work(session: Session) -> int:
        met = session.scalar(select(exists().where(HardCaseMeeting.item_id == item_id)))
        if not fixed and not met:
            raise BadAct(Fault.MEETING)
        trigger = ItemTrigger.FIX if fixed else ItemTrigger.PERSIST
        return act_within(ctx, session, rules, item_id, Act(trigger, by, Party.OFFICE, seen, reason), now).seq

    return ctx.run(work)
