"""The folder of a city's recordings: a WAV file a piece, and beside it a JSON file that tells of it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from prompts.sound import Samples, write_wav


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a recording. `level` in dBov, `peak` in dBFS; `limited` where that kept the level low.

    `source` is the SHA-256 of the file that came in, `audio` that of the file that was made of it, `of` the
    hash of the text that was to be read; `at` an aware time in ISO 8601.
    """

    source: str
    audio: str
    text: str
    of: str
    by: str
    at: str
    seconds: float
    level: float
    peak: float
    limited: bool


def wav_path(folder: Path, piece_id: str) -> Path:
    return folder / f"{piece_id}.wav"


def find_recording(folder: Path, piece_id: str) -> Recording | None:
    """What is known of the piece's recording; None where nothing is, or it's of another file."""
    try:
        found = Recording(**json.loads((folder / f"{piece_id}.json").read_text(encoding="utf-8")))
        return found if found.audio == file_hash(wav_path(folder, piece_id)) else None
    except (OSError, ValueError, TypeError):
        return None


def keep_recording(folder: Path, piece_id: str, samples: Samples, recording: Recording) -> None:
    """Takes the place of the one before; each file whole or not at all, the sound first.

    A reader between the two finds a sound of which nothing is known, for some milliseconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wav = wav_path(folder, piece_id)
    write_wav(wav, samples)
    told = asdict(recording) | {"audio": file_hash(wav)}
    part = folder / f"{piece_id}.json.part"
    with part.open("w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / f"{piece_id}.json")


def drop_recording(folder: Path, piece_id: str) -> bool:
    """Back to speech; whether there was a recording."""
    found = wav_path(folder, piece_id).exists()
    wav_path(folder, piece_id).unlink(missing_ok=True)
    (folder / f"{piece_id}.json").unlink(missing_ok=True)
    return found


def file_hash(path: Path) -> str:
    """SHA-256 of what is in the file; "" where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
