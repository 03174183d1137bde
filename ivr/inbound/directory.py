"""Whom operators may bring in: `[[inbound.transfers]]`, by code or by a telephone's own REFER. Pure.

Nobody else can be rung: an operator's telephone that is misused costs no toll.
"""

from __future__ import annotations

from collections.abc import Mapping

from callbacks.numbers import normalise
from ivr.sip.errors import BadMessage
from ivr.sip.headers import parse_uri

__all__ = ["Directory"]


class Directory:
    """Names of targets. `codes` are code → name, `numbers` name → number as it's dialled."""

    def __init__(self, codes: Mapping[str, str], numbers: Mapping[str, str], area_code: str) -> None:
        self._codes, self._area_code = codes, area_code
        self._by_number = {normalise(numbers[name], area_code): name for name in codes.values()}

    def of_code(self, code: str) -> str | None:
        return self._codes.get(code)

    def of_uri(self, uri: str) -> str | None:
        """Of a Refer-To: its user part is a code or a target's number, however it's written."""
        try:
            user = parse_uri(uri, "Refer-To").user.partition(";")[0]
        except BadMessage:
            return None
        return self._codes.get(user) or self._by_number.get(normalise(user, self._area_code))
