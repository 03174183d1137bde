"""How long the prompts are that ask for a rating, as they're heard now. Those with variables are left out."""

from __future__ import annotations

from collections.abc import Mapping

from prompts.listing import list_prompts
from prompts.pieces import Piece, fixed_pieces
from prompts.place import PromptPlace


def prompt_seconds(place: PromptPlace) -> Mapping[str, float]:
    """Seconds by prompt, of those that are always the same."""
    known = {row.piece.id: row.seconds for row in list_prompts(place) if row.seconds is not None}
    found = {}
    for prompt in place.catalogue.spoken:
        pieces = fixed_pieces(place.catalogue, prompt, place.language)
        ids = [piece.id for piece in pieces if isinstance(piece, Piece)]
        if ids and len(ids) == len(pieces) and all(id_ in known for id_ in ids):
            found[prompt] = sum(known[id_] for id_ in ids)
    return found
