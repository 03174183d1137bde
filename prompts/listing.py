"""Every prompt as it's heard now: whose voice, how long and loud, and whether its text is still that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from prompts.pieces import Piece
from prompts.place import PromptPlace, text_hash
from prompts.recordings import Recording, find_recording, wav_path
from prompts.render import read_manifest
from prompts.sound import NotAPrompt, measure, read_wav

_Read = Callable[[Path], Mapping[str, Mapping[str, Any]]]


class Origin(StrEnum):
    """Whose voice it is."""

    RECORDING = "recording"
    SPEECH = "speech"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A piece as it's heard. `seconds`, `level` (dBov) and `peak` (dBFS) are None where it can't be read.

    `said` is the text that its sound was made from, None where that isn't known.
    """

    piece: Piece
    origin: Origin
    path: Path | None
    said: str | None
    seconds: float | None
    level: float | None
    peak: float | None
    recording: Recording | None = None

    @property
    def stale(self) -> bool:
        """Its text has changed since: it's used until there is another."""
        return self.said is not None and text_hash(self.said) != text_hash(self.piece.text)


def list_prompts(place: PromptPlace) -> list[PromptRow]:
    """All pieces of the place's language, in the catalogue's order, the office's name last."""
    read = cache(read_manifest)  # for this list alone: it may be another one the next time
    return [_row(place, piece, read) for piece in place.pieces()]


def prompt_row(place: PromptPlace, piece: Piece) -> PromptRow:
    return _row(place, piece, read_manifest)


def _row(place: PromptPlace, piece: Piece, read: _Read) -> PromptRow:
    if place.recordings is not None and wav_path(place.recordings, piece.id).exists():
        return _recorded(place.recordings, piece)
    folder = place.speech_folder(piece)
    if folder is None or not wav_path(folder, piece.id).exists():
        return PromptRow(piece, Origin.MISSING, None, None, None, None, None)
    return _spoken(wav_path(folder, piece.id), piece, read(folder).get(piece.id))


def _recorded(folder: Path, piece: Piece) -> PromptRow:
    """By what was written beside it; a file that somebody put there by hand is measured."""
    path, found = wav_path(folder, piece.id), find_recording(folder, piece.id)
    if found is None:
        return _measured(piece, Origin.RECORDING, path, None)
    return PromptRow(piece, Origin.RECORDING, path, found.text, found.seconds, found.level, found.peak, found)


def _spoken(path: Path, piece: Piece, told: Mapping[str, Any] | None) -> PromptRow:
    """By the manifest, which is written with the sounds."""
    if told is None:
        return _measured(piece, Origin.SPEECH, path, None)
    return PromptRow(piece, Origin.SPEECH, path, told["text"], told["seconds"], told["level"], told["peak"])


def _measured(piece: Piece, origin: Origin, path: Path, said: str | None) -> PromptRow:
    try:
        found = measure(read_wav(path))
    except (NotAPrompt, OSError):
        return PromptRow(piece, origin, path, said, None, None, None)
    return PromptRow(piece, origin, path, said, found.seconds, found.level, found.peak)
