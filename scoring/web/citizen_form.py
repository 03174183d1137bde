"""The citizens' form: what was chosen, or what is missing. Every field once, nothing but what we offer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from werkzeug.datastructures import MultiDict

from callbacks.rating import Scale
from callbacks.service.web_codes import LONGEST_COMMENT, WebAnswer

_RESOLVED = {"": None, "yes": True, "no": False}


class FormFault(StrEnum):
    """Why the form comes back; `words.FORM_FAULTS` says it."""

    RATING = "rating"
    RESOLVED = "resolved"
    TOO_LONG = "too_long"
    NO_TEXT = "no_text"


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it was filled in, to be shown again."""

    rating: str = ""
    resolved: str = ""
    comment: str = ""
    fault: FormFault | None = None


class BadForm(Exception):
    """The form can't be taken; `filled` has it and the fault."""

    def __init__(self, filled: Filled) -> None:
        super().__init__(filled.fault)
        self.filled = filled


def read_form(form: MultiDict[str, str], scale: Scale) -> WebAnswer:
    """The answer; BadForm names the first fault."""
    rating, resolved, comment = _one(form, "rating"), _one(form, "resolved"), _one(form, "comment")
    comment = comment.replace("\r\n", "\n").strip()  # as the browser counted it
    fault = _fault(rating, resolved, comment, scale)
    if fault is not None:
        raise BadForm(Filled(rating, resolved, comment.replace("\0", ""), fault))
    return WebAnswer(int(rating), _RESOLVED[resolved], comment)


def _fault(rating: str, resolved: str, comment: str, scale: Scale) -> FormFault | None:
    if rating not in {str(value) for value in scale.labels}:
        return FormFault.RATING
    if resolved not in _RESOLVED:
        return FormFault.RESOLVED
    if "\0" in comment:
        return FormFault.NO_TEXT
    return FormFault.TOO_LONG if len(comment) > LONGEST_COMMENT else None


def _one(form: MultiDict[str, str], name: str) -> str:
    """Of two with one name neither is meant: then a choice is missing."""
    values = form.getlist(name)
    return values[0] if len(values) == 1 else ""
