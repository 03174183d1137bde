"""排名通报 of a month: all units without one above them, and who is on the red and black lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from callbacks.vocabulary import UnitGroup
from scoring.queries_ranking import Period, RankingRow, read_roots
from scoring.red_black import Standing, red_and_black


@dataclass(frozen=True, slots=True)
class Bulletin:
    """`groups` has the ranked first; `black` each with its place from below, the lowest score first."""

    rows: tuple[RankingRow, ...]
    red: Mapping[UnitGroup, tuple[RankingRow, ...]]
    black: tuple[tuple[int, RankingRow], ...]

    @property
    def groups(self) -> list[tuple[UnitGroup, list[RankingRow]]]:
        return [(group, [row for row in self.rows if row.unit.group is group]) for group in UnitGroup]


def read_bulletin(session: Session, period: Period) -> Bulletin:
    """The lists are as long as the month's own settings say."""
    rows = read_roots(session, period)
    named = {row.unit.id: row for row in rows}
    standings = [
        Standing(row.unit.id, row.unit.group.value, row.rank, row.score)
        for row in rows
        if row.rank is not None and row.score is not None
    ]
    lists = red_and_black(standings, period.settings.red_list, period.settings.black_list)
    red = {group: tuple(named[each.unit] for each in lists.red.get(group.value, ())) for group in UnitGroup}
    return Bulletin(rows, red, tuple((place, named[each.unit]) for place, each in lists.black))
