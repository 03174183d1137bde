"""Finds the sound of a piece: a recording where there is one, else speech, rendered where it must be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from prompts.catalogue import Catalogue, load_catalogue
from prompts.pieces import all_pieces, office_piece
from prompts.render import AUDIO, identity, read_manifest, render_pieces
from prompts.sound import Samples, read_wav
from prompts.speech import Speech, open_speech


class PromptMissing(Exception):
    """A piece has no sound; the message names it and the folders that were searched."""


class PromptStore:
    """Samples by piece id, kept in memory. `recordings` overrides speech, `made` takes what is rendered."""

    def __init__(
        self,
        language: str,
        *,
        recordings: Path | None = None,
        made: Path | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        self.language = language
        self.catalogue = catalogue or load_catalogue()
        self._recordings = recordings
        self._folders = [f for f in (recordings, made, AUDIO / language) if f is not None]
        self._made = made
        self._samples: dict[str, Samples] = {}
        self._office = ""
        self._seen = self._files()

    def piece(self, piece_id: str) -> Samples:
        """The piece's samples; PromptMissing where no folder has it, NotAPrompt where its file isn't one."""
        if piece_id not in self._samples:
            self._samples[piece_id] = read_wav(self._find(piece_id))
        return self._samples[piece_id]

    def joined(self, piece_ids: Sequence[str]) -> Samples:
        """The pieces one after another."""
        return np.concatenate([self.piece(piece_id) for piece_id in piece_ids])

    def _find(self, piece_id: str) -> Path:
        for folder in self._folders:
            path = folder / f"{piece_id}.wav"
            if path.exists():
                return path
        raise PromptMissing(f"{piece_id}: not in {', '.join(str(folder) for folder in self._folders)}")

    def changed(self) -> list[str]:
        """The pieces whose recordings came, went or changed since it was asked last; they're read anew.

        The office's name is rendered where it's no longer recorded.
        """
        now, before = self._files(), self._seen
        found = sorted(name for name in now.keys() | before.keys() if now.get(name) != before.get(name))
        self._seen = now
        for name in found:
            self._samples.pop(name, None)
        if "office" in found and self._office:
            self.ensure_office(self._office)
        return found

    def _files(self) -> dict[str, tuple[int, int, int]]:
        """Each recording's inode, time and size: a file that takes another's place differs in one of them."""
        if self._recordings is None:
            return {}
        found = {}
        try:
            for entry in os.scandir(self._recordings):
                if entry.name.endswith(".wav"):
                    told = entry.stat()
                    found[entry.name[: -len(".wav")]] = (told.st_ino, told.st_mtime_ns, told.st_size)
        except FileNotFoundError:  # the folder, or a file that was there a moment ago
            return found
        return found

    def ensure_office(self, name: str, speech: Speech | None = None) -> None:
        """Renders the office's name into `made`, unless it's recorded or there already."""
        self._office = name
        if self._recordings is not None and (self._recordings / "office.wav").exists():
            return
        engine, office = speech or open_speech(), office_piece(name)
        wanted = identity(office, self.language, engine)
        earlier = self._made is not None and (self._made / "office.wav").exists()  # it would be found first
        if not earlier and read_manifest(AUDIO / self.language).get("office", {}).get("of") == wanted:
            return
        if self._made is None:
            raise PromptMissing(f"office: no folder to render {name!r} into")
        if render_pieces(self._made, [office], self.language, engine):
            self._samples.pop("office", None)

    def unrecorded(self) -> list[str]:
        """The fixed pieces that are speech and not recordings, for `config check` to warn of."""
        pieces = [piece.id for piece in all_pieces(self.catalogue, self.language)] + ["office"]
        folder = self._recordings
        return [p for p in pieces if folder is None or not (folder / f"{p}.wav").exists()]

    def stale(self, speech: Speech) -> list[str]:
        """The committed pieces whose text is no longer the catalogue's."""
        manifest = read_manifest(AUDIO / self.language)
        pieces = all_pieces(self.catalogue, self.language)
        return [
            p.id for p in pieces if manifest.get(p.id, {}).get("of") != identity(p, self.language, speech)
        ]
