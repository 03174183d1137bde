"""What a flow says, as audio: the pieces of its prompts, each encoded once and then joined."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from ivr.flow_events import Prompt
from ivr.media.audio import Audio, join
from prompts.pieces import LAST_NUMBER, all_pieces, piece_ids
from prompts.sound import NotAPrompt
from prompts.speech import SpeechError
from prompts.store import PromptMissing, PromptStore

__all__ = ["SpokenPrompts"]

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0  # so long a new recording may wait for the first call that has it


class SpokenPrompts:
    """Audio by prompt. Loads every piece of the language at the start, so no call meets a missing one.

    Raises PromptMissing, or the fault of the file, there and then.
    """

    def __init__(
        self,
        store: PromptStore,
        look_seconds: float = _LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._look_seconds, self._clock = store, look_seconds, clock
        self._look_at = clock() + look_seconds
        self._catalogue, self._language = store.catalogue, store.language
        wanted = [piece.id for piece in all_pieces(store.catalogue, store.language)]
        self._audio = {
            piece: Audio.from_samples(store.piece(piece)) for piece in dict.fromkeys([*wanted, "office"])
        }

    def through(self, before: int, again: bool) -> Audio:
        """For who waits for a person on 110 (`ivr.inbound.role`): they are through, then the place."""
        if not again:
            return self.audio([Prompt("inbound_through")])
        if before < LAST_NUMBER:
            return self.audio([Prompt("inbound_position", (("position", str(before + 1)),))])
        return self.audio([Prompt("inbound_hold")])

    def audio(self, prompts: Sequence[Prompt]) -> Audio:
        """The prompts one after another, with their dates, words and names."""
        audio = self._audio
        return join(
            audio[piece]
            for prompt in prompts
            for piece in piece_ids(self._catalogue, prompt.id, self._language, dict(prompt.variables))
        )

    def look(self) -> None:
        """Takes up the recordings that were put into the city's folder; what plays goes on as it began.

        Not for the thread that carries the calls: it reads and encodes. A file that can't be used leaves the
        sound that there was.
        """
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + self._look_seconds
        try:
            changed = [piece for piece in self._store.changed() if piece in self._audio]
        except (OSError, PromptMissing, SpeechError) as error:
            log.error("recordings_unread", fault=str(error))
            return
        fresh = {piece: audio for piece in changed if (audio := self._anew(piece)) is not None}
        if fresh:
            self._audio = self._audio | fresh  # at once: a call joins its pieces of one of the two
            log.info("recordings_taken_up", pieces=sorted(fresh))

    def _anew(self, piece: str) -> Audio | None:
        try:
            return Audio.from_samples(self._store.piece(piece))
        except (NotAPrompt, PromptMissing, OSError) as error:
            log.error("recording_unusable", piece=piece, fault=str(error))
            return None
