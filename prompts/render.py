"""Renders the spoken pieces whose text changed: `huifang prompts render` (or `make prompts`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prompts.catalogue import LANGUAGES, Catalogue, load_catalogue
from prompts.pieces import Piece, all_pieces, office_piece, pauses
from prompts.sound import for_telephone, measure, write_wav
from prompts.speech import Speech, open_speech

AUDIO = Path(__file__).parent / "audio"
DEMO_OFFICE = {"zh-CN": "示例市110联动办", "en": "Example City 110 Linkage Office"}
_RECIPE = "4"  # rendered anew when what `for_telephone` does changes


def identity(piece: Piece, language: str, speech: Speech) -> str:
    """What an audio is of: the hash of its text as it's spoken, its pace, voice and recipe."""
    spoken, voice = speech.spelling(piece.text, language), speech.voice(language)
    text = "\0".join((spoken, str(piece.slow), voice, _RECIPE))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def render_pieces(folder: Path, pieces: list[Piece], language: str, speech: Speech) -> list[str]:
    """Writes what is missing or stale in `folder`, and its manifest; returns the ids that it rendered."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = read_manifest(folder)
    rendered = []
    for piece in pieces:
        wanted = identity(piece, language, speech)
        path = folder / f"{piece.id}.wav"
        if manifest.get(piece.id, {}).get("of") == wanted and path.exists():
            continue
        samples, rate = speech.say(piece.text, language, slow=piece.slow)
        lead, tail = pauses(piece.text)
        made = for_telephone(samples, rate, lead=lead, tail=tail)
        write_wav(path, made)
        manifest[piece.id] = {"text": piece.text, "of": wanted, **asdict(measure(made))}
        rendered.append(piece.id)
    _write_manifest(folder, manifest)
    return rendered


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """Piece id → text, identity and measures; empty where there is none yet."""
    path = folder / "manifest.json"
    if not path.exists():
        return {}
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _write_manifest(folder: Path, manifest: dict[str, dict[str, Any]]) -> None:
    text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
    part = folder / "manifest.part"
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / "manifest.json")


def render_tree(speech: Speech) -> Iterator[str]:
    """Renders what is shipped, in all languages, and takes away what the catalogue no longer has."""
    catalogue: Catalogue = load_catalogue()
    for language in LANGUAGES:
        pieces = [*all_pieces(catalogue, language), office_piece(DEMO_OFFICE[language])]
        folder = AUDIO / language
        rendered = render_pieces(folder, pieces, language, speech)
        for path in set(folder.glob("*.wav")) - {folder / f"{piece.id}.wav" for piece in pieces}:
            path.unlink()
        yield f"{language}: {len(pieces)} pieces, {len(rendered)} rendered"


def main() -> None:
    for line in render_tree(open_speech()):
        print(line)


if __name__ == "__main__":
    main()
