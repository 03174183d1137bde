"""How long the prompts are that ask for a rating, by the shipped recordings' manifest.

A city's own recordings aren't measured here: the desk doesn't have them. Prompts with variables are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from prompts.catalogue import load_catalogue
from prompts.pieces import Piece, fixed_pieces
from prompts.render import AUDIO, read_manifest

_LANGUAGE = "zh-CN"


@cache
def prompt_seconds() -> Mapping[str, float]:
    """Seconds by prompt, of those that are always the same."""
    catalogue, manifest = load_catalogue(), read_manifest(AUDIO / _LANGUAGE)
    found = {}
    for prompt in catalogue.spoken:
        pieces = fixed_pieces(catalogue, prompt, _LANGUAGE)
        ids = [piece.id for piece in pieces if isinstance(piece, Piece)]
        if ids and len(ids) == len(pieces) and all(id_ in manifest for id_ in ids):
            found[prompt] = sum(float(manifest[id_]["seconds"]) for id_ in ids)
    return found
