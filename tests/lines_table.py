"""The tables of lines, made from the marks of the contract suite: `python -m tests.lines_table`.

A mark is a strict xfail: where the suite passes, the marks are what the lines do, and no run is needed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr import twilio_line
from ivr.line import Capabilities
from ivr.pyvoip_line import PyvoipLine
from ivr.simulated_line import SimulatedLine
from ivr.sip_line import SipLine
from tests.integration import test_line_contract as suite

ROOT = Path(__file__).parent.parent
README, PAGE = ROOT / "README.md", ROOT / "docs/lines.md"
BEGIN, END = "<!-- lines: made by tests/lines_table.py -->", "<!-- /lines -->"
LINES: dict[str, tuple[Capabilities, str]] = {
    "sip": (SipLine.capabilities, "the default: our own user agent and RTP loop"),
    "simulated": (SimulatedLine.capabilities, "tests, and a virtual city in virtual time"),
    "pyvoip": (PyvoipLine.capabilities, "an office whose only trunk is an extension on a PBX"),
}


# Twilio reads documents and takes no orders amidst a call, so it isn't a `Line`: its suite is
# tests/unit/test_twilio_steps.py (every flow's transcript) and tests/integration/test_twilio_voice.py.
TWILIO_FOR = "a cloud number: the flows as TwiML, a signed webhook a step"
TWILIO_CANT = (
    "tell a machine that took the call",
    "hear a key while something is said, not asked",
    "ring an agent and bridge",
)


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    """Each row of the contract, and for lines that can't the reason."""
    for name, test in inspect.getmembers(suite, inspect.isfunction):
        if name.startswith("test_"):
            marks: list[pytest.Mark] = getattr(test, "pytestmark", [])
            can_not = {mark.args[0]: mark.args[1] for mark in marks if mark.name == "cant"}
            yield name.removeprefix("test_").replace("_", " ").replace("don t", "don't"), can_not


def summary() -> str:
    """The README's: a line a row."""
    every = list(rows())
    table = [f"| line | for | passes, of {len(every)} | can't |", "|---|---|---|---|"]
    for line, (capabilities, purpose) in LINES.items():
        reasons: dict[str, int] = {}
        for _, can_not in every:
            if reason := can_not.get(line):
                reasons[reason] = reasons.get(reason, 0) + 1
        words = [f"{reason} ({count})" for reason, count in reasons.items()]
        words += lacking(capabilities)
        passed = len(every) - sum(reasons.values())
        table.append(f"| `{line}_line` | {purpose} | {passed} | {'; '.join(words) or '—'} |")
    words = [*lacking(twilio_line.CAPABILITIES), *TWILIO_CANT]
    table.append(f"| `twilio_line` | {TWILIO_FOR} | its own suite | {'; '.join(words)} |")
    return "\n".join(table)


def lacking(capabilities: Capabilities) -> list[str]:
    """What the line can't tell."""
    words = {
        "early_media": "tell early media",
        "sip_status": "tell the SIP status",
        "q850": "tell the release cause",
        "key_time": "tell when a key went down",
    }
    return [told for name, told in words.items() if not getattr(capabilities, name)]


def matrix() -> str:
    """docs/lines.md: every row of the contract on every line."""
    head = [
        "# What each line can do",
        "",
        "Made by `python -m tests.lines_table` from the marks of `tests/integration/test_line_contract.py`.",
        "A mark is a strict xfail: a line that can do more than stands here fails the suite.",
        "",
        f"| contract | {' | '.join(f'`{line}_line`' for line in LINES)} |",
        f"|---|{'---|' * len(LINES)}",
    ]
    body = [
        f"| {row} | {' | '.join(can_not.get(line, 'passes') for line in LINES)} |" for row, can_not in rows()
    ]
    return "\n".join([*head, *body, ""])


def readme_with(table: str) -> str:
    text = README.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{README} has no {BEGIN} … {END}"
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(readme_with(summary()))
    PAGE.write_text(matrix())
