"""A city's folder of announcements: sound files, named by what they mean and by what they are.

`powered_off-关机-移动.wav` means powered_off; what comes after the first hyphen is how a call's story names
it. Any file that a recording of a prompt may be is read (`prompts.decoding`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from callbacks.vocabulary import Disposition
from ivr.media.announcements import LEAST_SECONDS, MARGIN, Announcement, Announcements, Match
from prompts.decoding import decode
from prompts.recording_faults import BadRecording
from prompts.sound import resample

__all__ = ["MEANINGS", "AnnouncementFolder", "Recording", "read_announcements", "read_sound"]

Sound = NDArray[np.float32]

MEANINGS = (
    Disposition.POWERED_OFF,
    Disposition.UNALLOCATED,
    Disposition.BUSY,
    Disposition.NO_ANSWER,
    Disposition.REJECTED,
    Disposition.NETWORK_FAIL,
    Disposition.TRUNK_REFUSED,
)
_RATE = 8000


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of the folder: `seconds` of it, and how many of these are more than a pause.

    `nearest` is how long another one that means something else is heard in it; None where none is.
    """

    announcement: Announcement
    path: Path
    seconds: float
    sounds: float
    nearest: Match | None

    @property
    def told_apart(self) -> bool:
        """Whether a call that heard all of it can be sure that it wasn't the other."""
        return self.nearest is None or self.sounds - self.nearest.seconds >= 1.5 * MARGIN


@dataclass(frozen=True, slots=True)
class AnnouncementFolder:
    """What was read: the announcements for a line, their files, and a line for each file that is wrong."""

    announcements: Announcements
    recordings: tuple[Recording, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def warnings(self) -> Iterator[str]:
        """Pairs that can hardly be told apart."""
        for each in self.recordings:
            if each.nearest is not None and not each.told_apart:
                yield (
                    f"{each.path}: {each.nearest.seconds:.1f} of its {each.sounds:.1f} s are heard in "
                    f"{each.nearest.announcement.name} too, which means {each.nearest.announcement.meaning}"
                )


def read_announcements(folder: Path) -> AnnouncementFolder:
    """Every file of it but hidden ones; nothing where there is no such folder."""
    if not folder.is_dir():
        return AnnouncementFolder(Announcements())
    read: list[tuple[Path, Announcement, Sound]] = []
    faults: list[str] = []
    for path in sorted(each for each in folder.iterdir() if not each.name.startswith(".")):
        try:
            read.append((path, _named(path, [each for _, each, _ in read]), read_sound(path)))
        except (BadRecording, OSError, ValueError) as error:
            faults.append(f"{path}: {error}")
    known = Announcements((announcement, sound) for _, announcement, sound in read)
    recordings = []
    for path, announcement, sound in read:
        sounds = known.sounds(announcement)
        if sounds < LEAST_SECONDS:
            faults.append(f"{path}: {sounds:.1f} s of sound; {LEAST_SECONDS} are needed to know it again")
        others = (each for each in known.heard(sound) if each.announcement.meaning != announcement.meaning)
        recordings.append(Recording(announcement, path, len(sound) / _RATE, sounds, next(others, None)))
    return AnnouncementFolder(known, tuple(recordings), tuple(faults))


def read_sound(path: Path) -> Sound:
    """At 8 kHz, 1.0 at full scale. BadRecording, or OSError."""
    sound = decode(path.read_bytes())
    return resample(sound.samples - sound.samples.mean(), sound.rate).astype(np.float32)


def _named(path: Path, others: list[Announcement]) -> Announcement:
    """What a file's name says; ValueError where it doesn't."""
    meaning, _, name = path.stem.partition("-")
    if meaning not in MEANINGS:
        raise ValueError(f"{meaning!r} is no meaning; its name begins with one of {', '.join(MEANINGS)}")
    found = Announcement(name or meaning, Disposition(meaning))
    if any(each.name == found.name for each in others):
        raise ValueError(f"another is named {found.name} too")
    return found
