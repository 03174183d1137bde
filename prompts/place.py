"""Where a city's prompts are: its language, its recordings, what is rendered for it, and what is shipped."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from prompts.catalogue import Catalogue, load_catalogue
from prompts.pieces import Piece, all_pieces, office_piece
from prompts.render import AUDIO, DEMO_OFFICE, read_manifest

_SLOW = 1.5
_SECONDS_A_SIGN = {"zh-CN": 0.5, "en": 0.15}  # twice as long as somebody takes who speaks slowly
_SECONDS_MORE = 2.0
_MOST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PromptPlace:
    """`recordings` overrides speech; `made` holds the office's name where it isn't the shipped one."""

    language: str = "zh-CN"
    recordings: Path | None = None
    made: Path | None = None
    office: str = DEMO_OFFICE["zh-CN"]

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue()

    def pieces(self) -> list[Piece]:
        """Every piece of the language, the office's name among them."""
        return [*all_pieces(self.catalogue, self.language), office_piece(self.office)]

    def speech_folder(self, piece: Piece) -> Path | None:
        """The folder with the piece's speech; None where the office's name isn't rendered yet."""
        shipped = AUDIO / self.language
        if piece.id != "office":
            return shipped
        for folder in (self.made, shipped):
            if folder is not None and read_manifest(folder).get("office", {}).get("text") == piece.text:
                return folder
        return None


def text_hash(text: str) -> str:
    """What tells whether a text is still the one that was recorded."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def most_seconds(piece: Piece, language: str) -> float:
    """As long as a recording of the piece may be."""
    seconds = _SECONDS_MORE + _SECONDS_A_SIGN[language] * len(piece.text)
    return min(_MOST_SECONDS, seconds * (_SLOW if piece.slow else 1.0))
