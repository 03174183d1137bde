"""A spoken prompt as the pieces that it's joined of: fixed stretches, dates and names. Pure.

Each piece is rendered, or recorded, once: `greeting.1` is the second fixed stretch of `greeting`, `number.12`
a number, `category.water` and `rating.cn3.2` words. The office's name is a piece of its own.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from prompts.catalogue import LANGUAGES, Catalogue

LAST_NUMBER = 31  # the highest that there is a piece for: a month's days, and places in a queue
_DAYS = range(1, LAST_NUMBER + 1)
_MONTHS = range(1, 13)
_PAUSES = {"。": 0.22, ".": 0.22, "：": 0.14, ":": 0.14, "，": 0.14, ",": 0.14}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech: its id, its text, and whether it's spoken slowly."""

    id: str
    text: str
    slow: bool = False


def fixed_pieces(catalogue: Catalogue, prompt: str, language: str) -> list[Piece | str]:
    """The prompt's fixed stretches as pieces, its variables as their names, in order."""
    entry = catalogue.spoken[prompt]
    parts: list[Piece | str] = []
    for number, (text, name, _, _) in enumerate(string.Formatter().parse(entry[language])):
        if text.strip(" 。，."):
            parts.append(Piece(f"{prompt}.{number}", text.strip(), bool(entry.get("slow"))))
        if name:
            parts.append(name)
    return parts


def piece_ids(catalogue: Catalogue, prompt: str, language: str, variables: Mapping[str, str]) -> list[str]:
    """The ids of the pieces of `prompt`.

    `variables`: month, day, position ("11", "3"), category, rating ("cn3.2").
    """
    ids = []
    for part in fixed_pieces(catalogue, prompt, language):
        if isinstance(part, Piece):
            ids.append(part.id)
        else:
            ids.append(_variable_piece(catalogue, part, language, variables))
    return ids


def _variable_piece(catalogue: Catalogue, name: str, language: str, variables: Mapping[str, str]) -> str:
    if name == "office":
        return "office"
    value = variables[name]
    if name == "category":
        return f"category.{value if value in catalogue.categories else 'other'}"
    if name == "month" and language != "zh-CN":
        return f"month.{value}"
    if name in ("month", "day", "position"):
        return f"number.{value}"
    return f"{name}.{value}"


def all_pieces(catalogue: Catalogue, language: str) -> list[Piece]:
    """Every piece that a language needs, but the office's name, which is a setting."""
    assert language in LANGUAGES
    pieces = [
        part
        for prompt in catalogue.spoken
        for part in fixed_pieces(catalogue, prompt, language)
        if isinstance(part, Piece)
    ]
    pieces += [Piece(f"category.{name}", words[language]) for name, words in catalogue.categories.items()]
    for scale, values in catalogue.ratings.items():
        pieces += [Piece(f"rating.{scale}.{value}", words[language]) for value, words in values.items()]
    pieces += [Piece(f"number.{n}", str(n)) for n in range(0, LAST_NUMBER + 1)]
    if language in catalogue.months:
        pieces += [Piece(f"month.{n}", catalogue.months[language][n - 1]) for n in _MONTHS]
    return pieces


def office_piece(name: str) -> Piece:
    """The office's name, which is a setting and so a piece of its own."""
    return Piece("office", name)


def pauses(text: str) -> tuple[float, float]:
    """Seconds of silence that a piece's punctuation wants before it and after it."""
    return _PAUSES.get(text[:1], 0.0), _PAUSES.get(text[-1:], 0.0)


def parts(catalogue: Catalogue, prompt: str, language: str) -> list[list[str]]:
    """The prompt's pieces in order; where a variable stands, all that it may be."""
    return [
        [part.id] if isinstance(part, Piece) else _choices(catalogue, part, language)
        for part in fixed_pieces(catalogue, prompt, language)
    ]


def _choices(catalogue: Catalogue, name: str, language: str) -> list[str]:
    values: Mapping[str, list[str]] = {
        "office": [""],
        "month": [str(month) for month in _MONTHS],
        "day": [str(day) for day in _DAYS],
        "position": [str(place) for place in _DAYS],  # more aren't told
        "category": list(catalogue.categories),
        "rating": [f"{scale}.{value}" for scale, values in catalogue.ratings.items() for value in values],
    }
    return [_variable_piece(catalogue, name, language, {name: value}) for value in values[name]]


def joined_sets(catalogue: Catalogue, language: str) -> list[frozenset[str]]:
    """The pieces that are heard in one sentence, or with others that are: what must be equally loud."""
    sets: list[frozenset[str]] = []
    for prompt in catalogue.spoken:
        together = frozenset(piece for choices in parts(catalogue, prompt, language) for piece in choices)
        met = [each for each in sets if each & together]
        sets = [each for each in sets if each not in met] + [together.union(*met)]
    return sets
