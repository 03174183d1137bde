"""Why a recording isn't taken: kinds with their values, said in English here and in Chinese by the desk."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with a recording that was handed in."""

    WRONG_NAME = "wrong_name"
    TWICE = "twice"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_BIG = "too_big"
    NO_SOUND = "no_sound"
    BROKEN = "broken"
    FORM = "form"
    CHANNELS = "channels"
    RATE = "rate"
    NEEDS_FFMPEG = "needs_ffmpeg"
    TOO_LONG = "too_long"
    SILENT = "silent"
    CLIPPED = "clipped"
    PAUSE = "pause"
    KNOCK = "knock"
    UNLIKE = "unlike"


MESSAGES: Mapping[Fault, str] = {
    Fault.WRONG_NAME: "no piece is named {name}; `huifang prompts list` tells the names",
    Fault.TWICE: "{other} is for the same piece; leave one of them",
    Fault.UNREADABLE: "it can't be read: {why}",
    Fault.EMPTY: "there is no sound in it",
    Fault.TOO_BIG: "{mib} MiB; at most {most}",
    Fault.NO_SOUND: "it's neither a WAV, an MP3 nor an M4A sound",
    Fault.BROKEN: "it's an {form} file that is cut off or damaged",
    Fault.FORM: "its sound is {form}; PCM of 8, 16, 24 or 32 bit is needed",
    Fault.CHANNELS: "{channels} channels; 1 to {most} are needed",
    Fault.RATE: "{rate} Hz; {least} to {most} are needed",
    Fault.NEEDS_FFMPEG: "it's an {form} file, for which ffmpeg must be installed; or save it as WAV",
    Fault.TOO_LONG: "{seconds} s long; at most {most} for this text",
    Fault.SILENT: "it's silent: {level} dBov",
    Fault.CLIPPED: "it's clipped at {places} places, first at {at} s: record it again, not so loud",
    Fault.PAUSE: "a silence of {seconds} s at {at} s; at most {most} within a sentence",
    Fault.KNOCK: "its loudest moment lies {over} dB above the speech: a knock or a crackle, at {at} s",
    Fault.UNLIKE: "its level is {off} dB off those that it's joined with; record them together",
}


class BadRecording(Exception):
    """A recording that isn't taken. `values` fill the holes of MESSAGES; the file's name isn't in it."""

    def __init__(self, fault: Fault, **values: str | int | float) -> None:
        super().__init__(MESSAGES[fault].format_map(values))
        self.fault, self.values = fault, values
