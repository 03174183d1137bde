"""The tables of lines, made from the marks of the contract suites: `python -m tests.lines_table`.

A mark is a strict xfail: where the suites pass, the marks are what the lines do, and no run is needed.
Twilio reads documents and takes no orders amidst a call, so it isn't a `Line`: tests of its own name the rows
that they prove (`contract`), and the reasons for the others (`contract_cant`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from ivr import twilio_line
from ivr.line import Capabilities
from ivr.pyvoip_line import PyvoipLine
from ivr.simulated_line import SimulatedLine
from ivr.sip_line import SipLine
from tests.integration import (
    test_line_callers,
    test_line_contract,
    test_twilio_messages,
    test_twilio_voice,
)
from tests.unit import test_twilio_steps

ROOT = Path(__file__).parent.parent
README, PAGE = ROOT / "README.md", ROOT / "docs/lines.md"
BEGIN, END = "<!-- lines: made by tests/lines_table.py -->", "<!-- /lines -->"
LINES: dict[str, tuple[Capabilities, str]] = {
    "sip": (SipLine.capabilities, "the default: our own user agent and RTP loop"),
    "simulated": (SimulatedLine.capabilities, "tests, and a virtual city in virtual time"),
    "pyvoip": (PyvoipLine.capabilities, "an office whose only trunk is an extension on a PBX"),
    "twilio": (twilio_line.CAPABILITIES, "a cloud number: the flows as TwiML, a signed webhook a step"),
}
SUITES = {"calls": test_line_contract, "callers": test_line_callers}
BY_WEBHOOKS = (test_twilio_voice, test_twilio_messages, test_twilio_steps)


@dataclass
class Row:
    """A row of the contract: the lines that can't meet it, with the reason."""

    suite: str
    name: str
    can_not: dict[str, str] = field(default_factory=dict)


@dataclass
class Proofs:
    """What twilio_line's own tests say of the rows: which they prove, and why the others can't be."""

    proved: dict[str, str] = field(default_factory=dict)  # row → test
    reasons: dict[str, str] = field(default_factory=dict)  # row, or a suite's name → reason


def tests_of(module: ModuleType) -> Iterator[tuple[str, list[pytest.Mark]]]:
    for name, test in inspect.getmembers(module, inspect.isfunction):
        if name.startswith("test_") and test.__module__ == module.__name__:
            yield name, getattr(test, "pytestmark", [])


def proofs() -> Proofs:
    found = Proofs()
    for module in BY_WEBHOOKS:
        for name, marks in tests_of(module):
            for mark in marks:
                if mark.name == "contract":
                    found.proved |= dict.fromkeys(mark.args, f"{module.__name__}.{name}")
        for mark in getattr(module, "pytestmark", []):
            if mark.name == "contract_cant":
                found.reasons |= dict.fromkeys(mark.args[1:], mark.args[0])
    return found


def rows() -> list[Row]:
    """Every row, by suite and name. KeyError names one of which twilio_line's tests say nothing."""
    twilio, found = proofs(), []
    for suite, module in SUITES.items():
        for name, marks in tests_of(module):
            row = Row(suite, name.removeprefix("test_").replace("_", " ").replace("don t", "don't"))
            row.can_not = {mark.args[0]: mark.args[1] for mark in marks if mark.name == "cant"}
            if row.name not in twilio.proved:
                reason = twilio.reasons.get(row.name) or twilio.reasons.get(suite)
                if reason is None:
                    raise KeyError(f"{row.name}: no test of twilio_line proves it, or says why it can't")
                row.can_not["twilio"] = reason
            found.append(row)
    return found


def summary() -> str:
    """The README's: a line a row."""
    every = rows()
    table = [f"| line | for | passes, of {len(every)} | can't |", "|---|---|---|---|"]
    for line, (capabilities, purpose) in LINES.items():
        reasons: dict[str, int] = {}
        for row in every:
            if reason := row.can_not.get(line):
                reasons[reason] = reasons.get(reason, 0) + 1
        words = [f"{reason} ({count})" for reason, count in reasons.items()]
        words += [told for told in lacking(capabilities) if told not in reasons]
        passed = len(every) - sum(reasons.values())
        table.append(f"| `{line}_line` | {purpose} | {passed} | {'; '.join(words) or '—'} |")
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
    names = [f"`{Path(str(module.__file__)).relative_to(ROOT)}`" for module in SUITES.values()]
    head = [
        "# What each line can do",
        "",
        f"Made by `python -m tests.lines_table` from the marks of {' and '.join(names)}.",
        "A mark is a strict xfail: a line that can do more than stands here fails the suite.",
        "`twilio_line` reads documents and takes no orders amidst a call: it passes a row where a test of",
        "its own is marked to prove it.",
    ]
    titles = {"calls": "Whom we call", "callers": "Who calls us"}
    every = rows()
    for suite, title in titles.items():
        head += [
            "",
            f"## {title}",
            "",
            f"| contract | {' | '.join(f'`{line}_line`' for line in LINES)} |",
            f"|---|{'---|' * len(LINES)}",
        ]
        for row in (row for row in every if row.suite == suite):
            head.append(f"| {row.name} | {' | '.join(row.can_not.get(line, 'passes') for line in LINES)} |")
    return "\n".join([*head, ""])


def readme_with(table: str) -> str:
    text = README.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{README} has no {BEGIN} … {END}"
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(readme_with(summary()))
    PAGE.write_text(matrix())
