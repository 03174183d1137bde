"""What is wrong with the prompts as they're heard: every fault by the piece's name, measured anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prompts.joints import MOST_EDGE, MOST_GAP, Joint, measure_joint, meetings, quiet_ends
from prompts.levelling import LEVEL_SPAN, LONGEST_PAUSE, flat_tops, unlike
from prompts.listing import Origin, PromptRow, list_prompts
from prompts.pieces import joined_sets, pauses
from prompts.place import PromptPlace, most_seconds
from prompts.sound import (
    LEVEL_DBOV,
    PEAK_DBFS,
    RATE,
    Measure,
    NotAPrompt,
    Samples,
    active_level,
    measure,
    read_wav,
)

_PEAK_ROUNDING = 0.05  # dB


@dataclass(frozen=True, slots=True)
class _Heard:
    """A piece that can be read."""

    row: PromptRow
    samples: Samples
    measure: Measure

    @property
    def limited(self) -> bool:
        return self.row.recording is not None and self.row.recording.limited


@dataclass(frozen=True, slots=True)
class Checked:
    """`faults` are to be mended; `notes` are worth knowing."""

    faults: Sequence[str]
    notes: Sequence[str]


def check_prompts(place: PromptPlace) -> Checked:
    """Every fault of the place's language."""
    faults: list[str] = []
    heard: dict[str, _Heard] = {}
    for row in list_prompts(place):
        faults += _of_the_file(row, place)
        if row.path is not None:
            try:
                samples = read_wav(row.path)
            except (NotAPrompt, OSError) as error:
                faults.append(f"{row.piece.id}: {error}")
                continue
            heard[row.piece.id] = _Heard(row, samples, measure(samples))
    for each in heard.values():
        faults += (f"{each.row.piece.id}: {fault}" for fault in _of_the_sound(each, place.language))
    faults += _of_sets(place, heard)
    faults += _of_joints(place, heard)
    notes = (
        f"{name}: {each.measure.level} dBov; its peak or that of its sentence allows no more"
        for name, each in heard.items()
        if each.limited
    )
    return Checked(faults, list(notes))


def _of_the_file(row: PromptRow, place: PromptPlace) -> Iterator[str]:
    name = row.piece.id
    if row.origin is Origin.MISSING:
        yield f"{name}: there is no sound for {row.piece.text!r}; `huifang prompts render` makes one"
    elif row.stale:
        yield f"{name}: stale: it says {row.said!r}, its text is now {row.piece.text!r}"
    elif row.origin is Origin.RECORDING and row.recording is None:
        yield f"{name}: nobody knows what {row.path} says; hand it in by `huifang prompts import`"


def _of_the_sound(heard: _Heard, language: str) -> Iterator[str]:
    piece, found = heard.row.piece, heard.measure
    if heard.row.origin is Origin.SPEECH and abs(found.level - LEVEL_DBOV) > LEVEL_SPAN:
        yield f"level {found.level} dBov, outside {LEVEL_DBOV:.0f} ± {LEVEL_SPAN:.0f}"
    if found.peak > PEAK_DBFS + _PEAK_ROUNDING:
        yield f"peak {found.peak} dBFS, over {PEAK_DBFS:.0f}"
    if places := len(flat_tops(heard.samples.astype(np.float64) / 32768.0)):
        yield f"clipped at {places} places"
    ends = quiet_ends(heard.samples, found.level)
    for where, quiet, wanted in zip(("begin", "end"), ends, pauses(piece.text), strict=True):
        if quiet > wanted + MOST_EDGE:
            yield f"{quiet:.2f} s of silence at its {where}, more than {wanted + MOST_EDGE:.2f}"
    if found.pause > LONGEST_PAUSE:
        yield f"a silence of {found.pause} s within, more than {LONGEST_PAUSE}"
    most = most_seconds(piece, language) + sum(pauses(piece.text))
    if len(heard.samples) > most * RATE:
        yield f"{found.seconds} s long, more than {most:.1f}"


def _of_sets(place: PromptPlace, heard: Mapping[str, _Heard]) -> Iterator[str]:
    """Recordings that are joined were levelled as one: so they're measured as one."""
    recorded = {name: each for name, each in heard.items() if each.row.origin is Origin.RECORDING}
    for names in (*joined_sets(place.catalogue, place.language), frozenset({"office"})):
        together = {name: each.samples / 32768.0 for name, each in recorded.items() if name in names}
        for name, error in unlike(together).items():
            yield f"{name}: {error}"
        if not together or any(recorded[name].limited for name in together):
            continue
        level = active_level(np.concatenate(list(together.values())))
        if abs(level - LEVEL_DBOV) > LEVEL_SPAN:
            which = ", ".join(sorted(together))
            yield f"{which}: level {level:.1f} dBov, outside {LEVEL_DBOV:.0f} ± {LEVEL_SPAN:.0f}"


def _joints(place: PromptPlace, heard: Mapping[str, _Heard]) -> Iterator[Joint]:
    sounds = {name: (each.samples, each.measure.level) for name, each in heard.items()}
    for left, right in meetings(place.catalogue, place.language):
        if left in sounds and right in sounds:
            yield measure_joint(heard[left].row.piece, heard[right].row.piece, sounds)


def _of_joints(place: PromptPlace, heard: Mapping[str, _Heard]) -> Iterator[str]:
    """A piece that ends badly does so before each that may follow it: one line for them all."""
    bad: dict[tuple[str, bool], list[Joint]] = {}
    for joint in _joints(place, heard):
        if joint.clicks or joint.gapes:
            bad.setdefault((joint.left, joint.clicks), []).append(joint)
    for joints in bad.values():
        worst = max(joints, key=lambda joint: joint.step if joint.clicks else joint.gap)
        more = f" (and before {len(joints) - 1} others)" if len(joints) > 1 else ""
        yield f"{worst.left} → {worst.right}{more}: {_told(worst)}"


def _told(joint: Joint) -> str:
    if joint.clicks:
        return f"a click, a step of {joint.step:.3f} of full scale"
    return f"a gap of {joint.gap:.2f} s, more than {joint.wanted + MOST_GAP:.2f}"
