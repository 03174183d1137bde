"""What the rows of the voice benchmark are to reach. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Goal", "judged"]

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Goal:
    """`figure` is what came out, in words; None where a row that it takes wasn't run."""

    text: str
    needs: tuple[str, ...]
    figure: Callable[..., tuple[bool, str]]

    def judge(self, rows: Rows) -> dict[str, Any]:
        if missing := [name for name in self.needs if name not in rows]:
            return {"goal": self.text, "reached": None, "figure": f"not run: {', '.join(missing)}"}
        reached, figure = self.figure(*(rows[name] for name in self.needs))
        return {"goal": self.text, "reached": reached, "figure": figure}


def judged(rows: Rows) -> list[dict[str, Any]]:
    return [goal.judge(rows) for goal in _GOALS]


def _ratio(most: float) -> Callable[..., tuple[bool, str]]:
    def figure(ours: dict[str, Any], other: dict[str, Any]) -> tuple[bool, str]:
        one, two = (row["cpu_ms_per_call_second"] for row in (ours, other))
        marked = ", whose row is broken" if other["broken"] else ""
        return one < most * two, f"{one} to {two} ms a call-second: {one / two:.2f}{marked}"

    return figure


def _even(p99: float) -> Callable[..., tuple[bool, str]]:
    def figure(row: dict[str, Any]) -> tuple[bool, str]:
        lost, gap, rare = row["lost"] + row["skipped"], row["gap_p99_ms"], row["gap_p999_ms"]
        whole = lost == 0 and row["all_keys"] == row["calls"] and not row["failed"]
        said = f"{lost} of {row['frames']} lost, keys of {row['all_keys']} of {row['calls']} calls"
        return (
            whole and gap < p99,
            f"{said}, p99 {gap} ms, p99.9 {rare} ms, {row['core_percent']} % of a core",
        )

    return figure


def _set_ups(row: dict[str, Any]) -> tuple[bool, str]:
    failed, slow = row["calls"] - row["came_up"], row["set_up_p99_ms"]
    return failed == 0 and slow < 50, f"{failed} of {row['calls']} failed, p99 {slow} ms"


def _leaks(row: dict[str, Any]) -> tuple[bool, str]:
    kept = {each: row[f"{each}_left"] for each in ("ports", "files", "calls")}
    growth = row["resident_growth_percent"]
    said = ", ".join(f"{count} {name}" for name, count in kept.items())
    return not any(kept.values()) and abs(growth) <= 5, f"left: {said}; memory {growth:+} %"


def _undisturbed(row: dict[str, Any]) -> tuple[bool, str]:
    lost = row["lost"] + row["skipped"]
    return lost == 0, f"{lost} of {row['frames']} lost beside {row['strangers']} datagrams"


_GOALS = (
    Goal("at 200 a tenth of pyVoIP's CPU at most", ("ours, 200", "pyVoIP, 200"), _ratio(0.1)),
    Goal("at 200 less CPU than Asterisk and its client", ("ours, 200", "Asterisk, 200"), _ratio(1.0)),
    Goal("at 800 nothing lost, p99 under 2 ms", ("ours, 800",), _even(2.0)),
    Goal("at 1,600 on a core nothing lost, p99 under 5 ms", ("ours, 1600",), _even(5.0)),
    Goal("100 set-ups/s: none fails, 200 within 50 ms in p99", ("ours, 100 set-ups/s",), _set_ups),
    Goal("20,000 calls leave nothing, memory within 5 % from 6,000 on", ("ours, 20000 calls",), _leaks),
    Goal("5,000 strangers' datagrams/s: no frame lost", ("ours, 200, strangers",), _undisturbed),
)
