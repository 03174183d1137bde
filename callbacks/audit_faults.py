"""What is wrong with the audit's chain, if anything: the first line altered, removed, inserted or moved.

`Walk` takes links in their order, each with the line that it names, and says where the chain breaks; `name`
looks at the other links to say how. Which lines were put in:

- A link in the chain that nothing of the program's made: its hash doesn't follow, or two follow one.
- A line whose time is over `LATE` before that of a line linked earlier, whether it's linked itself or not.
  Ids are given out when a line is written and seen when it's committed, so a lower id may come after a higher
  one was linked: it's linked later, and that is no fault. But a transaction takes seconds, and what piled up
  while nothing was linked comes in the order of its ids: an hour is far more than any line is late by.
  `SYSTEM` is excepted: its lines carry the time at which something came, which may have waited in a spool.
- A line whose time is over `LATE` after it was linked: no clock of ours wrote it.
- A line without a link whose id is over `WINDOW` below the highest linked one: so many lines aren't written
  during one transaction, and the linker doesn't look so far back.

A line that is written now with the time of now is no fault of the chain, whoever wrote it. Lines cut off at
the end are found by a head that was kept elsewhere. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from callbacks.audit_chain import GENESIS, AuditLine, link
from callbacks.vocabulary import SYSTEM

LATE = timedelta(hours=1)
WINDOW = 10_000


class FaultKind(StrEnum):
    ALTERED = "altered"
    MISSING = "missing"
    INSERTED = "inserted"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Link:
    """A row of `audit_link`."""

    seq: int
    audit_id: int
    previous: str
    hash: str
    at: datetime


Linked = tuple[Link, AuditLine | None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`seq` is the place in the chain, `audit_id` the line, each None where there is none.

    `head` is what a head that isn't in the chain was kept for.
    """

    kind: FaultKind
    seq: int | None = None
    audit_id: int | None = None
    head: str = ""

    def __str__(self) -> str:
        """`altered: line 17 of the audit, link 12 of the chain`."""
        if self.head:
            return f"{self.kind}: the chain doesn't contain the head kept for {self.head}"
        line = "" if self.audit_id is None else f"line {self.audit_id} of the audit"
        place = "no link of the chain" if self.seq is None else f"link {self.seq} of the chain"
        return f"{self.kind}: " + ", ".join(part for part in (line, place) if part)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`verified` links are right, up to the first fault; `waiting` lines aren't linked yet."""

    verified: int
    waiting: int
    head: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Where the chain breaks: what should have come at `seq` after the hash `head`, and what did."""

    seq: int
    head: str
    before: str
    last: Link | None
    link: Link
    line: AuditLine | None


@dataclass
class Walk:
    """The way along a chain; begun in its middle, what is before is taken as right."""

    seq: int = 0
    head: str = GENESIS
    verified: int = 0
    waiting: int = 0
    highest: int = 0
    wanted: dict[str, str] = field(default_factory=dict)  # what for → a head that must be met
    _before: str = ""
    _last: Link | None = None
    _horizon: datetime | None = None

    def take(self, of: Link, line: AuditLine | None) -> Break | Fault | None:
        """The next link; None while all is right."""
        if of.seq != self.seq + 1 or of.previous != self.head:
            return Break(self.seq + 1, self.head, self._before, self._last, of, line)
        if line is None:
            return Fault(FaultKind.MISSING, of.seq, of.audit_id)
        if link(of.previous, line) != of.hash:
            return Break(self.seq + 1, self.head, self._before, self._last, of, line)
        if self._is_late(line) or line.at > of.at + LATE:
            return Fault(FaultKind.INSERTED, of.seq, of.audit_id)
        self._before, self.head, self.seq, self._last = self.head, of.hash, of.seq, of
        self.verified += 1
        self.highest = max(self.highest, of.audit_id)
        self._horizon = line.at if self._horizon is None else max(self._horizon, line.at)
        for what in [what for what, head in self.wanted.items() if head == of.hash]:
            del self.wanted[what]
        return None

    def take_unlinked(self, line: AuditLine) -> Fault | None:
        """A line without a link."""
        if line.id <= self.highest - WINDOW or self._is_late(line):
            return Fault(FaultKind.INSERTED, None, line.id)
        self.waiting += 1
        return None

    def _is_late(self, line: AuditLine) -> bool:
        return self._horizon is not None and line.actor != SYSTEM and line.at < self._horizon - LATE

    def verdict(self, fault: Fault | None = None) -> Verdict:
        if fault is None and self.wanted:
            fault = Fault(FaultKind.MISSING, head=", ".join(sorted(self.wanted)))
        return Verdict(self.verified, self.waiting, self.head, fault)


def name(at: Break, others: Iterable[Linked]) -> Fault:
    """What happened where the chain breaks, by all its links."""
    of, line = at.link, at.line
    links = [each for each, _ in others]
    if of.seq == at.seq and line is not None and link(at.head, line) == of.hash:
        return Fault(FaultKind.ALTERED, of.seq, of.audit_id)  # the link's own `previous`
    if of.seq == at.seq and of.previous == at.head:
        return _altered_or_moved(of, line, links)
    belongs = next((each for each in links if each.previous == at.head), None)
    has_parent = of.previous == GENESIS or any(each.hash == of.previous for each in links)
    if at.last is not None and of.previous == at.before:  # two follow one; the other has no successor
        return Fault(FaultKind.INSERTED, at.last.seq, at.last.audit_id)
    if belongs is not None and not has_parent:
        return Fault(FaultKind.INSERTED, of.seq, of.audit_id)
    if belongs is not None:
        return Fault(FaultKind.MOVED, belongs.seq, belongs.audit_id)
    if has_parent and of.seq == at.seq:
        return Fault(FaultKind.MOVED, of.seq, of.audit_id)
    return Fault(FaultKind.MISSING, at.seq)


def _altered_or_moved(of: Link, line: AuditLine | None, links: Iterable[Link]) -> Fault:
    """Moved, where the same words are right at another place, under that place's id."""
    for each in links:
        if line is None or each.seq == of.seq:
            continue
        if link(each.previous, replace(line, id=each.audit_id)) == each.hash:
            return Fault(FaultKind.MOVED, of.seq, of.audit_id)
    return Fault(FaultKind.ALTERED, of.seq, of.audit_id)


def verify(
    chain: Iterable[Linked], unlinked: Iterable[AuditLine] = (), heads: Mapping[str, str] | None = None
) -> Verdict:
    """A whole chain, at once in memory: `heads` are what for → a head that was kept elsewhere."""
    rows = list(chain)
    return follow(Walk(wanted=dict(heads or {})), rows, unlinked, rows)


def follow(
    walk: Walk, chain: Iterable[Linked], unlinked: Iterable[AuditLine], whole: Iterable[Linked]
) -> Verdict:
    """Goes along to the first fault. `unlinked` is read after the chain, `whole` only to name a break."""
    for of, line in chain:
        found = walk.take(of, line)
        if found is not None:
            return walk.verdict(name(found, whole) if isinstance(found, Break) else found)
    for waiting in unlinked:
        fault = walk.take_unlinked(waiting)
        if fault is not None:
            return walk.verdict(fault)
    return walk.verdict()
