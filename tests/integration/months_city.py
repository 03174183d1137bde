"""A city whose months are worked through by the service: closings, answers, second callbacks, their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from callbacks.models import Callback, Case, CasePhone, Closing, Rating, Unit
from callbacks.numbers import NumberKind
from callbacks.service.answers import Answer, give_resolution, rate, settle_ratings
from callbacks.service.closing import close_case
from callbacks.service.core import Context, lock_callbacks, move
from callbacks.states import Trigger
from callbacks.vocabulary import Channel, Exclusion, SourceChannel, UnitGroup, UnitLevel
from scoring.ledger import ScoreLedger
from scoring.models import AssessmentRecord
from scoring.removal import remove_rating
from scoring.settings import ScoringSettings

ZONE = "Asia/Shanghai"


def at(day: str, hour: int = 2) -> datetime:
    """A moment of a local day, 10:00 unless told."""
    return datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00")


@dataclass
class Months:
    """The city, its units by code and its settings."""

    ctx: Context
    settings: ScoringSettings = field(default_factory=ScoringSettings)
    units: dict[str, int] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: count(1))

    @classmethod
    def of(cls, ctx: Context) -> Months:
        return cls(replace(ctx, subscribers=(ScoreLedger(ZONE),)))

    def unit(self, code: str, group: UnitGroup, parent: str | None = None) -> None:
        def work(session: Session) -> int:
            unit = Unit(
                code=code,
                name=f"单位{code}",
                level=UnitLevel.CITY if parent is None else UnitLevel.TOWNSHIP,
                group=group,
                parent_id=None if parent is None else self.units[parent],
                valid_from=at("2026-01-01"),
            )
            session.add(unit)
            session.flush()
            return unit.id

        self.units[code] = self.ctx.run(work)

    def case(
        self,
        unit: str,
        closed: datetime | None,
        *,
        accepted: datetime | None = None,
        late: bool = False,
        signed_late: bool = False,
        due: datetime | None = None,
        exclusion: Exclusion | None = None,
        phone: bool = False,
    ) -> int:
        """A case, closed unless told not; returns the callback's id, or the case's where it's open."""

        def work(session: Session) -> int:
            began = accepted or (closed or at("2026-11-01")) - timedelta(days=5)
            case = Case(
                number=f"M-{next(self._numbers):05}",
                source_channel=SourceChannel.PHONE,
                category="water",
                lead_unit_id=self.units[unit],
                accepted_at=began,
                signed_at=began + timedelta(hours=30 if signed_late else 2),
                due_at=due or (closed and closed + timedelta(hours=-1 if late else 1)),
                closed_at=closed,
                closing_no=0 if closed is None else 1,
                exclusion=exclusion,
            )
            if phone:
                number = f"139{case.number[2:]:>08}"
                case.phones.append(
                    CasePhone(
                        position=0,
                        kind=NumberKind.MOBILE,
                        number_encrypted=self.ctx.privacy.encrypt(number),
                        number_index=self.ctx.privacy.index(number),
                        number_masked="139****0000",
                    )
                )
            session.add(case)
            session.flush()
            if closed is None:
                return case.id
            closing = Closing(
                case_id=case.id,
                closing_no=1,
                unit_id=case.lead_unit_id,
                accepted_at=case.accepted_at,
                signed_at=case.signed_at,
                due_at=case.due_at,
                closed_at=closed,
                exclusion=exclusion,
            )
            callback = close_case(self.ctx, session, case, closing, closed)
            if exclusion is not None:
                move(self.ctx, session, callback, Trigger.EXCLUDE, closed)
            return callback.id

        return self.ctx.run(work)

    def rate(self, callback_id: int, value: int, when: datetime, resolved: bool | None = None) -> int:
        """An answer on the telephone; returns the rating's id."""

        def work(session: Session) -> int:
            (callback,) = lock_callbacks(session, [callback_id])
            rating = rate(self.ctx, session, callback, Answer(value, Channel.VOICE, str(value)), when)
            assert rating is not None
            if resolved is not None:
                give_resolution(self.ctx, session, callback_id, resolved, when)
            settle_ratings(self.ctx, session, when + timedelta(minutes=31), 100)
            return rating.id

        return self.ctx.run(work)

    def unreached(self, callback_id: int, when: datetime) -> None:
        def work(session: Session) -> None:
            (callback,) = lock_callbacks(session, [callback_id])
            move(self.ctx, session, callback, Trigger.DEADLINE, when)

        self.ctx.run(work)

    def again(self, callback_id: int, value: int, when: datetime, resolved: bool | None = None) -> int:
        """The second callback of the same closing, answered: the line asks "solved?" again."""

        def work(session: Session) -> int:
            first = session.get_one(Callback, callback_id)
            carried = ("case_id", "closing_no", "unit_id", "closed_at", "state_since", "deadline")
            columns = {name: getattr(first, name) for name in carried}
            last = session.scalars(
                select(Callback.round).where(
                    Callback.case_id == first.case_id, Callback.closing_no == first.closing_no
                )
            ).all()
            second = Callback(**columns, round=max(last) + 1, state="pending", next_at=when)
            session.add(second)
            session.flush()
            return second.id

        return self.rate(self.ctx.run(work), value, when, resolved)

    def remove(self, rating_id: int, when: datetime) -> None:
        self.ctx.run(
            lambda session: remove_rating(
                session, session.get_one(Rating, rating_id), "misrated", "supervisor", when
            )
        )

    def records(self, month: str) -> dict[str, AssessmentRecord]:
        codes = {id_: code for code, id_ in self.units.items()}
        with self.ctx.sessions() as session:
            found = session.scalars(select(AssessmentRecord).where(AssessmentRecord.month == month))
            return {codes[record.unit_id]: record for record in found}


def november(city: Months) -> dict[str, Sequence[int]]:
    """The ten cases each of domain.md §4.3; returns the callbacks. B06's deduction isn't made."""
    city.unit("A", UnitGroup.COUNTY)
    city.unit("B", UnitGroup.DEPT)
    city.unit("C", UnitGroup.DEPT)
    day, later = at("2026-11-10"), at("2026-11-12")
    again = at("2026-11-20")

    def closed(unit: str, **how: Any) -> int:
        return city.case(unit, day, **how)

    a = [closed("A") for _ in range(5)]
    a.append(closed("A", late=True))
    a.append(closed("A"))
    a.append(closed("A", signed_late=True))
    a.append(closed("A", exclusion=Exclusion.LITIGATION))
    a.append(closed("A"))
    for place, value, resolved in ((0, 1, True), (1, 1, True), (2, 1, True), (3, 2, False), (4, 1, True)):
        city.rate(a[place], value, later, resolved)
    city.rate(a[5], 3, later, False)
    city.again(a[5], 1, again, True)  # solved in the end
    city.rate(a[7], 1, later, True)
    city.rate(a[9], 1, later, True)
    city.unreached(a[6], at("2026-11-21"))

    b = [closed("B") for _ in range(4)]
    b += [closed("B", late=True), closed("B", late=True)]
    b += [closed("B") for _ in range(4)]
    for place in (0, 1, 2, 6, 8):
        city.rate(b[place], 1, later, True)
    city.rate(b[3], 2, later, True)
    city.rate(b[4], 2, later, False)
    city.rate(b[5], 3, later, False)
    city.again(b[5], 3, again, False)
    city.unreached(b[7], at("2026-11-21"))
    city.remove(city.rate(b[9], 3, later, False), at("2026-11-15"))

    c = [closed("C") for _ in range(2)]
    c.append(closed("C", signed_late=True))
    c += [closed("C") for _ in range(6)]
    c.append(closed("C", exclusion=Exclusion.ANONYMOUS))
    for place in range(6):
        city.rate(c[place], 1, later, True)
    city.rate(c[6], 2, later, True)
    for place in (7, 8):
        city.unreached(c[place], at("2026-11-21"))
    return {"A": a, "B": b, "C": c}
