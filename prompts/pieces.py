"""A spoken prompt as the pieces that it's joined of: fixed stretches, dates and names. Pure.

Each piece is rendered, or recorded, once: `greeting.1` is the second fixed stretch of `greeting`, `number.12`
a number, `category.water` and `rating.cn3.2` words. The office's name is a piece of its own.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from prompts.catalogue import LANGUAGES, Catalogue

_DAYS = range(1, 32)
_MONTHS = range(1, 13)


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
    pieces += [Piece(f"number.{n}", str(n)) for n in range(0, max(_DAYS) + 1)]
    if language in catalogue.months:
        pieces += [Piece(f"month.{n}", catalogue.months[language][n - 1]) for n in _MONTHS]
    return pieces
