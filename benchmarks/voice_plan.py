"""What is to happen in a row of the voice benchmark, and when: both sides work by the same plan. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["KEYS_A_CALL", "Plan", "ramped", "steady"]

KEYS_A_CALL = 3
_GOLDEN = 0.6180339887  # spreads the calls' keys evenly over time
_SETTLE = 2.0


@dataclass(frozen=True)
class Plan:
    """`calls` begin `rate` a second; times are seconds after the start.

    With `ways` both, even ones are dialled by who is measured, odd ones by the far end; who dialled hangs up,
    `hold` seconds after the call began or at `until`. Keys are pressed from `keys_from` of a call's time on.
    `window` is what counts; in it come `strangers` datagrams a second of somebody who has no call.
    """

    calls: int
    rate: float
    window: tuple[float, float]
    hold: float = 0.0
    until: float = 0.0
    keys_from: float = 0.2
    ways: Literal["both", "in", "out"] = "both"
    strangers: int = 0

    def is_out(self, number: int) -> bool:
        return self.ways == "out" or (self.ways == "both" and number % 2 == 0)

    def begin(self, number: int) -> float:
        return number / self.rate

    def end(self, number: int) -> float:
        return self.until or self.begin(number) + self.hold

    @property
    def over(self) -> float:
        return self.end(self.calls - 1)

    def keys(self, number: int) -> list[tuple[float, str]]:
        """When each key of a call is pressed."""
        first, last = self.begin(number), self.end(number)
        if self.until:
            first, last = self.window
        first += self.keys_from * (last - first)
        step = (0.95 * (last - first)) / KEYS_A_CALL
        begin = first + step * (number * _GOLDEN % 1) * 0.5
        return [(begin + at * step, "0123456789*#"[(number + 5 * at) % 12]) for at in range(KEYS_A_CALL)]

    def digits(self, number: int) -> str:
        return "".join(key for _, key in self.keys(number))

    def pressed(self, heard: dict[int, str]) -> int:
        """Of how many calls each key was heard, once and in order."""
        return sum(heard.get(number) == self.digits(number) for number in range(self.calls))


def steady(up: int, hold: float, seconds: float, **more: object) -> Plan:
    """`up` calls of `hold` seconds at once, as many of which end as begin; measured for `seconds`."""
    begin = hold + _SETTLE
    rate = up / hold
    calls = round(rate * (begin + seconds))
    return Plan(calls, rate, (begin, begin + seconds), hold=hold, **more)  # type: ignore[arg-type]


def ramped(up: int, rate: float, seconds: float, **more: object) -> Plan:
    """`up` calls that all stay up while they're measured."""
    begin = up / rate + _SETTLE
    return Plan(up, rate, (begin, begin + seconds), until=begin + seconds + 0.5, **more)  # type: ignore[arg-type]
