"""The pages' tables of lines say what the contract suite's marks say."""

from __future__ import annotations

import pytest

from tests import lines_table
from tests.integration import test_line_contract
from tests.line_ends import LINES


def test_the_readmes_table_is_the_contract_suites() -> None:
    assert lines_table.README.read_text() == lines_table.readme_with(lines_table.summary()), (
        "python -m tests.lines_table"
    )


def test_the_whole_table_is_the_contract_suites() -> None:
    assert lines_table.PAGE.read_text() == lines_table.matrix(), "python -m tests.lines_table"


def test_every_line_of_the_suites_stands_in_the_table() -> None:
    """A mark for a line that the suites don't run would never be tried."""
    run = set(LINES)
    assert set(lines_table.LINES) == run | {"twilio"}
    for module in lines_table.SUITES.values():
        marked = {
            mark.args[0] for _, marks in lines_table.tests_of(module) for mark in marks if mark.name == "cant"
        }
        assert marked <= run


def test_twilios_tests_name_rows_that_there_are() -> None:
    """One with another name would prove nothing; one that is proved has no reason why it can't be."""
    found, every = lines_table.proofs(), {row.name for row in lines_table.rows()}
    assert set(found.proved) <= every
    assert set(found.reasons) <= every | set(lines_table.SUITES)
    assert not set(found.proved) & set(found.reasons)


def test_a_row_that_twilios_tests_are_silent_about_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def test_a_new_row() -> None: ...

    test_a_new_row.__module__ = test_line_contract.__name__
    monkeypatch.setattr(test_line_contract, "test_a_new_row", test_a_new_row, raising=False)
    with pytest.raises(KeyError, match="a new row: no test of twilio_line"):
        lines_table.rows()


def test_no_row_stands_twice() -> None:
    names = [row.name for row in lines_table.rows()]
    assert len(names) == len(set(names))
