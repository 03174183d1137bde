"""Puts a citizen through to a person amidst a dialogue: the flow's `transfer`, carried out by a bridge.

One telephone rings after the other; the first that is answered has them. What comes of it is the dialogue's
to hear: PutThrough and TransferDone, or TransferFailed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import structlog

from ivr.events import Answered, Codec, Ended, LineEvent, PlaybackFinished
from ivr.flow_events import PutThrough, TransferDone, TransferFailed
from ivr.line import CONNECT_SECONDS, Dial, Line, LineError, with_first
from ivr.media import tones

__all__ = ["NOBODY", "Dialled", "People", "Switch", "Telephone", "Told"]

log = structlog.get_logger(__name__)

_TONE = "ringback"
_CODECS: tuple[Codec, ...] = ("pcma", "pcmu")

Told = PutThrough | TransferDone | TransferFailed


@dataclass(frozen=True, slots=True)
class Telephone:
    """One of ours: its name among the targets, its number as `trunk` wants it dialled."""

    name: str
    number: str
    trunk: str


@dataclass(frozen=True, slots=True)
class People:
    """Whom a flow may name, and for how many seconds each telephone rings."""

    telephones: Mapping[str, Sequence[Telephone]]
    ring_time: float


NOBODY = People({}, 12.0)
Dialled = Callable[[str, str, Telephone], object]


@dataclass
class _Transfer:
    """Of one call. `left` are the telephones that haven't been rung yet, `leg` the one that is."""

    call: str
    caller: str
    codec: Codec | None
    left: list[Telephone]
    leg: str | None = None
    telephone: Telephone | None = None
    talking: bool = False


@dataclass
class Switch:
    """The transfers of one role, in the thread that turns its line.

    A telephone rings for `ring_time` seconds. `dialled` is told of each that is rung: the call, the leg's
    name, the telephone.
    """

    line: Line
    ring_time: float
    dialled: Dialled = lambda _call, _leg, _telephone: None
    _transfers: dict[str, _Transfer] = field(default_factory=dict)
    _legs: dict[str, _Transfer] = field(default_factory=dict)
    _number: count[int] = field(default_factory=lambda: count(1))

    def __contains__(self, leg: str) -> bool:
        return leg in self._legs

    @property
    def calls(self) -> Collection[str]:
        """For whom somebody is rung, or talks."""
        return self._transfers.keys()

    def begin(
        self, call: str, telephones: Sequence[Telephone], caller: str, codec: Codec | None
    ) -> list[Told]:
        """Ring these for `call`, one after the other; they see `caller`."""
        transfer = self._transfers[call] = _Transfer(call, caller, codec, list(telephones))
        told = self._ring_next(transfer)
        if not told:
            self.line.play(call, _TONE, tones.ringback())
        return told

    def call_off(self, call: str) -> None:
        """Not any more: too late, or the citizen has gone. Nothing more is told of it."""
        transfer = self._transfers.pop(call, None)
        if transfer is not None and transfer.leg is not None:
            self.line.hangup(transfer.leg)

    def take(self, event: LineEvent) -> list[tuple[str, Told]]:
        """An event of any call; what the dialogues of which calls are to hear."""
        waiting = self._transfers.get(event.call)
        if waiting is not None and not waiting.talking and isinstance(event, PlaybackFinished):
            self.line.play(event.call, _TONE, tones.ringback())
        transfer = self._legs.get(event.call)
        if transfer is None:
            return []
        match event:
            case Answered() if transfer.call in self._transfers:
                transfer.talking = True
                self.line.stop(transfer.call)
                self.line.bridge(transfer.call, event.call)
                return [(transfer.call, PutThrough())]
            case Ended():
                del self._legs[event.call]
                transfer.leg = None
                return [(transfer.call, told) for told in self._leg_ended(transfer)]
        return []

    def _leg_ended(self, transfer: _Transfer) -> list[Told]:
        if self._transfers.get(transfer.call) is not transfer:  # called off
            return []
        if transfer.talking:
            del self._transfers[transfer.call]
            return [TransferDone()]
        return self._ring_next(transfer)

    def _ring_next(self, transfer: _Transfer) -> list[Told]:
        """The next telephone that isn't in use; TransferFailed where there is none."""
        in_use = {each.telephone for each in self._legs.values()}
        while transfer.left:
            telephone = transfer.left.pop(0)
            if telephone not in in_use and self._dial(transfer, telephone):
                return []
        del self._transfers[transfer.call]
        self.line.stop(transfer.call)
        return [TransferFailed("nobody is free, or answers")]

    def _dial(self, transfer: _Transfer, telephone: Telephone) -> bool:
        leg = f"{transfer.call}-p{next(self._number)}"
        codecs = None if transfer.codec is None else with_first(transfer.codec, _CODECS)
        order = Dial(
            leg,
            telephone.number,
            telephone.trunk,
            self.ring_time,
            self.ring_time + CONNECT_SECONDS,
            caller=transfer.caller if transfer.caller.isdigit() else None,
            codecs=codecs,
        )
        try:
            self.line.dial(order)
        except LineError as error:
            log.error("person_not_rung", telephone=telephone.name, error=str(error))
            return False
        transfer.leg, transfer.telephone = leg, telephone
        self._legs[leg] = transfer
        self.dialled(transfer.call, leg, telephone)
        return True
