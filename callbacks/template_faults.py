"""What can be wrong with a template, as values: each reader gets it in their own words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Problem(StrEnum):
    """Kinds of faults; in each `what` is the sign, the name, the names or the length that it's about."""

    NO_WORDS = "no_words"
    EDGE = "edge"
    BRACKET = "bracket"
    UNPRINTABLE = "unprintable"
    SHORTENER = "shortener"
    STRAY_BRACE = "stray_brace"
    UNKNOWN_VARIABLE = "unknown_variable"
    MISSING_VARIABLE = "missing_variable"
    SEVERAL_PARTS = "several_parts"
    TOO_MANY_PARTS = "too_many_parts"


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """One fault. `at` is the place of its first character in the template, from 1; None: of the whole."""

    problem: Problem
    at: int | None = None
    what: str = ""
    known: str = ""  # the variables that there are; the parts that it would need; the most
    width: int = 1  # characters from `at` on

    def __str__(self) -> str:
        return _ENGLISH[self.problem].format(at=self.at, what=self.what, known=self.known)


_ENGLISH = {
    Problem.NO_WORDS: "it has no words",
    Problem.EDGE: "it begins or ends with a space or a new line",
    Problem.BRACKET: "{what} at {at}: these brackets are the signature's alone",
    Problem.UNPRINTABLE: "{what} at {at} can't be printed",
    Problem.SHORTENER: "{what} at {at}: a shortened address says nothing of where it leads",
    Problem.STRAY_BRACE: "a single {what} at {at}; a brace itself is written twice",
    Problem.UNKNOWN_VARIABLE: "unknown variable {{{what}}} at {at}; there are {known}",
    Problem.MISSING_VARIABLE: "it must have {what}",
    Problem.SEVERAL_PARTS: "{what} UTF-16 units with the signature and the longest variables, at most 70; "
    "it would need {known} parts of 67, which must be allowed",
    Problem.TOO_MANY_PARTS: "{what} parts of 67 units, at most {known}",
}
