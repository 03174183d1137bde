"""The voice role's transfers: who is called and asks for a person is put through within the call.

A telephone is rung only on a line that was leased for it; without one the citizen is called later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from callbacks.service.core import Context
from callbacks.service.transfer_lines import keep_lines, take_lines
from callbacks.writer import Writer
from ivr.events import Codec, LineEvent
from ivr.line import Line
from ivr.put_through import Dialled, People, Switch, Told

__all__ = ["SurveyTransfers"]

_KEEP_EVERY = 1.0  # seconds; a line is held for five
_GIVEN_UP = 10.0  # seconds; a write that nothing was heard of has failed

Tell = Callable[[str, Told], object]


class SurveyTransfers:
    """`tell` hands what comes of a transfer to the call's dialogue; `dialled` hears of each telephone rung.

    All in the thread that turns the line.
    """

    def __init__(
        self,
        ctx: Context,
        line: Line,
        people: People,
        writer: Writer,
        owner: str,
        tell: Tell,
        dialled: Dialled = lambda _call, _leg, _telephone: None,
    ) -> None:
        self._ctx, self._people, self._writer, self._owner, self._tell = ctx, people, writer, owner, tell
        self._switch = Switch(line, people.ring_time, dialled)
        self._open: dict[str, frozenset[str]] = {}  # by call: the trunks of which a line is held
        self._asked: set[str] = set()  # for whom a line is being looked for
        self._kept: Counter[str] = Counter()
        self._keeping, self._keep_at = False, 0.0

    @property
    def legs(self) -> int:
        """How many calls of the line they are, or will be."""
        return len(self._open) + len(self._asked)

    def begin(self, call: str, target: str, caller: str, codec: Codec | None) -> None:
        """Whom `target` names is rung for the citizen of `call`, and sees `caller`."""
        telephones = self._people.telephones.get(target, ())
        self._asked.add(call)

        def granted(trunks: frozenset[str]) -> None:
            if call not in self._asked:  # called off meanwhile: the line is given back by itself
                return
            self._asked.discard(call)
            self._open[call] = trunks
            usable = [telephone for telephone in telephones if telephone.trunk in trunks]
            self._told(call, self._switch.begin(call, usable, caller, codec))

        trunks = {telephone.trunk for telephone in telephones}
        self._writer.submit(lambda: take_lines(self._ctx, self._owner, trunks), granted)

    def call_off(self, call: str) -> None:
        """Not any more, or the citizen has gone."""
        self._asked.discard(call)
        self._open.pop(call, None)
        self._switch.call_off(call)

    def take(self, event: LineEvent) -> None:
        """An event of any call; harmless where none of these is meant."""
        for call, told in self._switch.take(event):
            self._told(call, [told])

    def _told(self, call: str, told: list[Told]) -> None:
        for each in told:
            if call not in self._switch.calls:
                self._open.pop(call, None)
            self._tell(call, each)

    def keep(self, now: float) -> None:
        """Holds the lines on, and gives back what is over; for each turn of the line."""
        wanted = Counter(trunk for trunks in self._open.values() for trunk in trunks)
        if now < self._keep_at + (_GIVEN_UP if self._keeping else 0.0) or self._asked:
            return
        if not (wanted or self._kept):
            return
        self._keeping, self._keep_at, self._kept = True, now + _KEEP_EVERY, wanted

        def kept(_: object) -> None:
            self._keeping = False

        self._writer.submit(lambda: keep_lines(self._ctx, self._owner, wanted), kept)
