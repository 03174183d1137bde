"""What a flow says, as audio: the pieces of its prompts, each encoded once and then joined."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.flow_events import Prompt
from ivr.media.audio import Audio, join
from prompts.pieces import all_pieces, piece_ids
from prompts.store import PromptStore

__all__ = ["SpokenPrompts"]

MOST_PLACES = 31  # the numbers that are rendered are those of a month's days


class SpokenPrompts:
    """Audio by prompt. Loads every piece of the language at the start, so no call meets a missing one.

    Raises PromptMissing, or the fault of the file, there and then.
    """

    def __init__(self, store: PromptStore) -> None:
        self._catalogue, self._language = store.catalogue, store.language
        wanted = [piece.id for piece in all_pieces(store.catalogue, store.language)]
        self._audio = {
            piece: Audio.from_samples(store.piece(piece)) for piece in dict.fromkeys([*wanted, "office"])
        }

    def through(self, before: int, again: bool) -> Audio:
        """For who waits for a person on 110 (`ivr.inbound.role`): they are through, then the place."""
        if not again:
            return self.audio([Prompt("inbound_through")])
        if before < MOST_PLACES:
            return self.audio([Prompt("inbound_position", (("position", str(before + 1)),))])
        return self.audio([Prompt("inbound_hold")])

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        """The prompts one after another, with their dates, words and names."""
        return join(
            self._audio[piece]
            for prompt in prompts
            for piece in piece_ids(self._catalogue, prompt.id, self._language, dict(prompt.variables))
        )
