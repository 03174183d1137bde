"""What operators' telephones ask for amidst a talk, by keys or by REFER, and what they hear of it."""

from __future__ import annotations

from collections import defaultdict

from ivr.inbound.directory import Directory
from ivr.inbound.operator_keys import CallOff, OperatorKeys
from ivr.inbound.switchboard_data import Command, Told
from ivr.inbound.third_party import ThirdParties
from ivr.line import Line
from ivr.media import tones

__all__ = ["Transfers"]

_UNKNOWN = 404
_TONE = "refused"


class Transfers:
    """`accept_refer` are the trunks that make a transfer themselves. Every wish gives what is to be done."""

    def __init__(
        self, line: Line, thirds: ThirdParties, directory: Directory, accept_refer: frozenset[str]
    ) -> None:
        self._line, self._thirds, self._directory = line, thirds, directory
        self._accept_refer = accept_refer
        self._keys: defaultdict[str, OperatorKeys] = defaultdict(OperatorKeys)
        self._asked_by_refer: set[str] = set()

    def keyed(self, leg: str, key: str, trunk: str, now: float) -> list[Command]:
        """A key of the operator on `leg`, whose caller came by `trunk`."""
        wish = self._keys[leg].take(key, now)
        if wish is None:
            return []
        if isinstance(wish, CallOff):
            return self._thirds.call_off(leg, now)
        return self._bring_in(leg, self._directory.of_code(wish.code), trunk, now, leaves=wish.leaves)

    def asked(self, leg: str, uri: str, trunk: str, now: float) -> list[Command]:
        """The telephone's own transfer key (REFER): the operator leaves."""
        self._asked_by_refer.add(leg)
        return self._bring_in(leg, self._directory.of_uri(uri), trunk, now, leaves=True)

    def _bring_in(
        self, leg: str, target: str | None, trunk: str, now: float, *, leaves: bool
    ) -> list[Command]:
        if target is None:
            return [Told(leg, _UNKNOWN)]
        may_refer = trunk in self._accept_refer
        return self._thirds.ask(leg, target, now, leaves=leaves, may_refer=may_refer)

    def tell(self, leg: str, status: int) -> None:
        """By NOTIFY where the telephone asked; who keyed it in hears a tone where it failed."""
        if leg in self._asked_by_refer:
            self._asked_by_refer.discard(leg)
            self._line.refer_result(leg, status)
        elif status >= 300:
            self._line.play(leg, _TONE, tones.beep())

    def forget(self, leg: str) -> None:
        """The leg is over."""
        self._keys.pop(leg, None)
        self._asked_by_refer.discard(leg)
