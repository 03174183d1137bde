"""The pages' tables of lines say what the contract suite's marks say."""

from __future__ import annotations

from tests import lines_table


def test_the_readmes_table_is_the_contract_suites() -> None:
    assert lines_table.README.read_text() == lines_table.readme_with(lines_table.summary()), (
        "python -m tests.lines_table"
    )


def test_the_whole_table_is_the_contract_suites() -> None:
    assert lines_table.PAGE.read_text() == lines_table.matrix(), "python -m tests.lines_table"


def test_every_line_of_the_suite_stands_in_the_table() -> None:
    """A mark for a line that the suite doesn't run would never be tried."""
    lines = set(lines_table.suite.LINES)
    assert set(lines_table.LINES) == lines
    assert {line for _, can_not in lines_table.rows() for line in can_not} <= lines
