"""The catalogue of texts: loaded once, checked, looked up by id and language."""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("zh-CN", "en")
SIGNATURE_UNITS = 10
ONE_TEXT = 70
_MONTHS = 12
_FILE = Path(__file__).parent / "catalogue.toml"


class CatalogueError(Exception):
    """The catalogue, or what is asked of it, is wrong; the message names the id."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Texts by id: `spoken`, `written`, and the pieces for ratings, categories and months."""

    spoken: Mapping[str, Mapping[str, Any]]
    written: Mapping[str, Mapping[str, str]]
    ratings: Mapping[str, Mapping[str, Mapping[str, str]]]
    categories: Mapping[str, Mapping[str, str]]
    months: Mapping[str, list[str]]

    def text(self, template: str, language: str, **variables: str) -> str:
        """A written text with its variables; unused ones are ignored, a missing one is an error."""
        pattern = _look_up(self.written, template, language)
        try:
            return pattern.format_map(variables)
        except KeyError as error:
            raise CatalogueError(f"written.{template}: no value for {{{error.args[0]}}}") from None

    def speech(self, prompt: str, language: str) -> str:
        """A spoken text with its variables still in braces."""
        return _look_up(self.spoken, prompt, language)

    def faults(self) -> list[str]:
        """Missing languages, wrong variables, and Chinese texts that need more than one message."""
        found = []
        for section, entries, known in (
            ("spoken", self.spoken, _SPOKEN_VARIABLES),
            ("written", self.written, frozenset(_LONGEST)),
        ):
            for name, entry in entries.items():
                found += [f"{section}.{name}: {fault}" for fault in _entry_faults(entry, known)]
        for name, entry in self.written.items():
            units = text_units(_filled(entry.get("zh-CN", ""))) + SIGNATURE_UNITS
            if units > ONE_TEXT:
                found.append(f"written.{name}: {units} UTF-16 units with the signature, at most {ONE_TEXT}")
        for section, words in (("categories", self.categories), *self.ratings.items()):
            for name, entry in words.items():
                found += [f"{section}.{name}: no {lang}" for lang in LANGUAGES if lang not in entry]
        for lang, names in self.months.items():
            if len(names) != _MONTHS:
                found.append(f"months.{lang}: {len(names)}, not {_MONTHS}")
        return found


def _entry_faults(entry: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    faults = [f"no {lang}" for lang in LANGUAGES if lang not in entry]
    used = [variables_of(entry[lang]) for lang in LANGUAGES if lang in entry]
    if any(each != used[0] for each in used):
        faults.append("the languages use different variables")
    for name in sorted(frozenset().union(*used) - known):
        faults.append(f"unknown variable {{{name}}}; there are {', '.join(sorted(known))}")
    return faults


def _look_up(section: Mapping[str, Mapping[str, Any]], name: str, language: str) -> str:
    try:
        return str(section[name][language])
    except KeyError:
        raise CatalogueError(f"no text {name!r} in {language}") from None


_SPOKEN_VARIABLES = frozenset({"office", "month", "day", "category", "rating", "position"})

# As long as a variable gets, to measure a template by.
_LONGEST = {
    "month": "12",
    "day": "20",
    "tail": "0823",
    "caller": "0379-63110110",
    "hotline": "110联动热线",
    "kind": "企业诉求",
    "sign_by": "8月23日18时",
    "due_by": "8月30日",
    "clock": "办理将于24小时内到期",
}


def _filled(pattern: str) -> str:
    return "".join(
        text + (_LONGEST.get(name, "") if name else "")
        for text, name, _, _ in string.Formatter().parse(pattern)
    )


def variables_of(pattern: str) -> frozenset[str]:
    """The names in braces."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(pattern) if name)


def text_units(text: str) -> int:
    """UTF-16 units, which is what a text is billed and cut by."""
    return len(text.encode("utf-16-be")) // 2


@cache
def load_catalogue(path: Path = _FILE) -> Catalogue:
    """The catalogue in `path`; CatalogueError where it isn't one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return Catalogue(**data)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise CatalogueError(f"{path}: {error}") from error
