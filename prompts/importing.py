"""Recordings handed in: checked, cut, levelled with those that they're joined with, and put to use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prompts.decoding import decode
from prompts.levelling import Floats, as_prompt, cut, level_set, unlike
from prompts.pieces import Piece, joined_sets, parts, pauses
from prompts.place import PromptPlace, most_seconds, text_hash
from prompts.recording_faults import BadRecording, Fault
from prompts.recordings import Recording, keep_recording
from prompts.sound import Samples, measure


@dataclass(frozen=True, slots=True)
class Prepared:
    """A recording as calls would say it; nothing is written yet."""

    piece: Piece
    samples: Samples
    recording: Recording


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of files by their names: what was taken, and why others weren't."""

    taken: Mapping[str, Prepared]
    refused: Mapping[str, BadRecording]


def piece_of(name: str, place: PromptPlace) -> Piece:
    """The piece that a file's name without its ending tells; BadRecording.

    `invalid` is `invalid.0` where a prompt is one fixed piece.
    """
    known = {piece.id: piece for piece in place.pieces()}
    if name in place.catalogue.spoken:
        found = parts(place.catalogue, name, place.language)
        name = found[0][0] if len(found) == 1 else name
    if name not in known:
        raise BadRecording(Fault.WRONG_NAME, name=name)
    return known[name]


def import_folder(place: PromptPlace, source: Path, by: str, now: datetime) -> Outcome:
    """Takes every good recording in `source` into the place's recordings; the others change nothing.

    Raises OSError where the folders can't be read or written.
    """
    pieces, refused = _named(sorted(source.iterdir()), place)
    outcome = prepare(place, _contents(pieces, refused), by, now)
    for each in outcome.taken.values():
        put(place, each)
    return Outcome(outcome.taken, refused | dict(outcome.refused))


def put(place: PromptPlace, prepared: Prepared) -> None:
    """To use from the next call on."""
    assert place.recordings is not None
    keep_recording(place.recordings, prepared.piece.id, prepared.samples, prepared.recording)


def _named(paths: Iterable[Path], place: PromptPlace) -> tuple[dict[Path, Piece], dict[str, BadRecording]]:
    """Files by their pieces; hidden ones are a system's own and are passed over."""
    found: dict[Path, Piece] = {}
    refused: dict[str, BadRecording] = {}
    for path in paths:
        if path.name.startswith("."):
            continue
        try:
            piece = piece_of(path.stem, place)
        except BadRecording as error:
            refused[path.name] = error
            continue
        found[path] = piece
    for path, piece in list(found.items()):
        others = [each.name for each, of in found.items() if of == piece and each != path]
        if others:
            refused[path.name] = BadRecording(Fault.TWICE, other=others[0])
    return {path: piece for path, piece in found.items() if path.name not in refused}, refused


def _contents(
    pieces: Mapping[Path, Piece], refused: dict[str, BadRecording]
) -> Iterator[tuple[str, Piece, bytes]]:
    for path, piece in pieces.items():
        try:
            yield path.name, piece, path.read_bytes()
        except OSError as error:
            refused[path.name] = BadRecording(Fault.UNREADABLE, why=error.strerror or "?")


def prepare(place: PromptPlace, files: Iterable[tuple[str, Piece, bytes]], by: str, now: datetime) -> Outcome:
    """What would come of files: name, piece and content of each. Those of one sentence get one gain."""
    sounds: dict[str, Floats] = {}
    known: dict[str, tuple[Piece, str]] = {}
    refused: dict[str, BadRecording] = {}
    for name, piece, content in files:
        try:
            sounds[name] = cut(decode(content), most_seconds(piece, place.language))
            known[name] = piece, hashlib.sha256(content).hexdigest()
        except BadRecording as error:
            refused[name] = error
    taken: dict[str, Prepared] = {}
    for names in _sets(place, {name: piece.id for name, (piece, _) in known.items()}):
        off = unlike({name: sounds[name] for name in names})
        refused |= off
        alike = [name for name in names if name not in off]
        if not alike:
            continue
        levelled = level_set({name: sounds[name] for name in alike})
        for name, sound in levelled.pieces.items():
            piece, source = known[name]
            taken[name] = _prepared(piece, sound, source, levelled.limited, by, now)
    return Outcome(dict(sorted(taken.items())), refused)


def _sets(place: PromptPlace, piece_ids: Mapping[str, str]) -> Iterator[list[str]]:
    """The files' names, together where their pieces are heard together."""
    left = dict(piece_ids)
    for each in joined_sets(place.catalogue, place.language):
        if names := [name for name, piece_id in left.items() if piece_id in each]:
            yield names
        left = {name: piece_id for name, piece_id in left.items() if name not in names}
    yield from ([name] for name in left)


def _prepared(piece: Piece, sound: Floats, source: str, limited: bool, by: str, now: datetime) -> Prepared:
    lead, tail = pauses(piece.text)
    samples = as_prompt(sound, lead=lead, tail=tail)
    found = measure(samples)
    recording = Recording(
        source=source,
        audio="",
        text=piece.text,
        of=text_hash(piece.text),
        by=by,
        at=now.isoformat(timespec="seconds"),
        seconds=found.seconds,
        level=found.level,
        peak=found.peak,
        limited=limited,
    )
    return Prepared(piece, samples, recording)
