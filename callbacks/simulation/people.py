"""The virtual citizens: how each answers texts and calls, drawn once from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from callbacks.numbers import NumberKind, kind_of
from callbacks.vocabulary import Disposition


@dataclass(frozen=True, slots=True)
class Saying:
    """A text that a citizen sends, so long after ours arrived."""

    after: timedelta
    body: str


@dataclass(frozen=True, slots=True)
class Pickup:
    """What happens on a call, and after how many seconds it is over."""

    disposition: Disposition
    ring: float = 0.0
    talk: float = 0.0
    key: int | None = None
    resolved: bool | None = None
    handed_over: bool = False
    wrong_person: bool = False
    rings_back_after: timedelta | None = None


@dataclass
class Citizen:
    """Who is behind a number. All that is drawn comes from `random`, in the order in which it's asked."""

    number: str
    random: Random
    opinion: int
    texts_back: float  # how likely an answer to a text is
    late: bool
    opts_out: bool
    unclear: bool
    contradicts: bool
    picks_up: float
    is_gone: bool  # 空号
    is_other: bool  # the number is another person's now
    rings_back: bool
    told: int = field(default=0)

    @property
    def kind(self) -> NumberKind:
        return kind_of(self.number)

    def answers_text(self) -> list[Saying]:
        """What the citizen texts after our question arrived; often nothing."""
        chance = self.random
        if self.is_gone or self.is_other or chance.random() >= self.texts_back:
            return []
        hours = chance.uniform(5, 70) if self.late else chance.uniform(0.02, 4)
        after = timedelta(hours=hours)
        if self.opts_out:
            return [Saying(after, "退订")]
        sayings = []
        if self.unclear:
            sayings.append(Saying(after, chance.choice(["还行吧", "你们是谁", "2天才来"])))
            after += timedelta(minutes=chance.uniform(1, 90))
        sayings.append(Saying(after, self._says()))
        if self.contradicts:
            other = self.opinion % 3 + 1
            sayings.append(Saying(after + timedelta(minutes=chance.uniform(1, 120)), str(other)))
        return sayings

    def _says(self) -> str:
        words = {1: ("1", "满意", "1，谢谢"), 2: ("2", "基本满意"), 3: ("3", "不满意", "3 没有解决")}
        return self.random.choice(words[self.opinion])

    def takes_call(self, at_home: bool) -> Pickup:
        """What our call meets. `at_home`: evening or weekend, when more pick up."""
        chance = self.random
        if self.is_gone:
            return Pickup(Disposition.UNALLOCATED)
        luck = chance.random()
        if luck < 0.01:
            return Pickup(Disposition.NETWORK_FAIL)
        if luck < 0.09:
            return Pickup(Disposition.BUSY, rings_back_after=self._ring_back())
        if luck < 0.13:
            return Pickup(Disposition.POWERED_OFF)
        if luck < 0.17:
            return Pickup(Disposition.REJECTED, ring=chance.uniform(3, 12))
        if chance.random() >= self.picks_up + (0.15 if at_home else 0.0):
            return Pickup(Disposition.NO_ANSWER, ring=30.0, rings_back_after=self._ring_back())
        return self._talks(chance.uniform(4, 25))

    def _talks(self, ring: float) -> Pickup:
        chance, answered = self.random, Disposition.ANSWERED
        if self.is_other:
            return Pickup(answered, ring, chance.uniform(8, 20), wrong_person=True)
        luck = chance.random()
        if luck < 0.10:  # hangs up before the question
            return Pickup(answered, ring, chance.uniform(1, 8))
        if luck < 0.13:
            return Pickup(answered, ring, chance.uniform(8, 20), handed_over=True)
        if luck < 0.15:
            return Pickup(Disposition.MEDIA_LOST, ring, chance.uniform(3, 20))
        if luck < 0.17:
            return Pickup(Disposition.MACHINE, ring, 15.0)
        resolved = None if chance.random() < 0.2 else self.opinion != 3
        return Pickup(answered, ring, chance.uniform(18, 45), key=self.opinion, resolved=resolved)

    def _ring_back(self) -> timedelta | None:
        if not self.rings_back or self.is_other:
            return None
        return timedelta(minutes=self.random.uniform(3, 180))


def draw(number: str, seed: str) -> Citizen:
    """The citizen of a number: the same for the same seed."""
    random = Random(f"{seed}:{number}")
    return Citizen(
        number=number,
        random=random,
        opinion=random.choices((1, 2, 3), (72, 17, 11))[0],
        texts_back=random.choices((0.0, 0.55, 0.95), (40, 30, 30))[0],
        late=random.random() < 0.15,
        opts_out=random.random() < 0.02,
        unclear=random.random() < 0.05,
        contradicts=random.random() < 0.03,
        picks_up=random.uniform(0.3, 0.8),
        is_gone=random.random() < 0.02,
        is_other=random.random() < 0.015,
        rings_back=random.random() < 0.15,
    )


def at_home(now: datetime, is_free_time: bool) -> bool:
    """Whether people are at home: evenings and rest days."""
    return is_free_time or now.hour >= 20
