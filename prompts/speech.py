"""Speech behind a port: texts to samples. Now by espeak-ng, which espeakng-loader brings along."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

import espeakng_loader
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

# `cmn-latn-pinyin` reads hanzi and pinyin alike; Debian's own espeak-ng 1.51 reads them as "Chinese letter".
VOICES = {"zh-CN": "cmn-latn-pinyin", "en": "en-us"}
_WORDS_A_MINUTE = {"zh-CN": 225, "en": 165}
_SLOW = 0.8
_DIGITS = dict(zip("0123456789", "零幺二三四五六七八九", strict=True))

# What espeak-ng's dictionary misreads, in pinyin: 重 as zhòng, and 日给 as the one word rìjǐ.
_PINYIN = {"重听": "chong2 ting1", "日给您": "日 gei3 nin2"}


class SpeechError(Exception):
    """The speech engine couldn't be started or refused a text."""


class Speech(Protocol):
    """A speech engine."""

    def voice(self, language: str) -> str:
        """What speaks, engine and voice: part of an audio's identity."""

    def spelling(self, text: str, language: str) -> str:
        """The text as it's given to the engine: part of an audio's identity too."""

    def say(self, text: str, language: str, *, slow: bool = False) -> tuple[Samples, int]:
        """Mono samples and their rate in Hz."""


_SYNCHRONOUS = 2  # in the calling thread; its own queue and thread now and then wait for each other for ever
_CHARS_UTF8 = 1
_RATE_PARAMETER = 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class EspeakSpeech:
    """espeak-ng by its C interface; one in a process, since the library has global state (`open_speech`)."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
        data = str(espeakng_loader.get_data_path()).encode()
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)
        if self._rate <= 0:
            raise SpeechError(f"espeak-ng didn't start with the data in {data.decode()}")
        self._chunks: list[Samples] = []
        self._callback = _Callback(self._take)  # kept, or the library would call freed memory
        self._library.espeak_SetSynthCallback(self._callback)

    def voice(self, language: str) -> str:
        return f"espeak-ng {VOICES[language]}"

    def spelling(self, text: str, language: str) -> str:
        return as_spoken(text, language)

    def say(self, text: str, language: str, *, slow: bool = False) -> tuple[Samples, int]:
        if self._library.espeak_SetVoiceByName(VOICES[language].encode()) != 0:
            raise SpeechError(f"espeak-ng has no voice {VOICES[language]}")
        rate = int(_WORDS_A_MINUTE[language] * (_SLOW if slow else 1))
        self._library.espeak_SetParameter(_RATE_PARAMETER, rate, 0)
        raw = self.spelling(text, language).encode() + b"\0"
        self._chunks.clear()
        status = self._library.espeak_Synth(raw, len(raw), 0, 0, 0, _CHARS_UTF8, None, None)
        if status != 0 or self._library.espeak_Synchronize() != 0:
            raise SpeechError(f"espeak-ng refused {text!r}")
        if not self._chunks:
            raise SpeechError(f"espeak-ng said nothing for {text!r}")
        return np.concatenate(self._chunks), self._rate

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", number: int, _events: int) -> int:  # noqa: UP037
        if samples and number > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (number,)).astype(np.int16, copy=True))
        return 0


ENGINES: Mapping[str, Callable[[], Speech]] = {"espeak-ng": EspeakSpeech}


def open_speech(engine: str = "espeak-ng") -> Speech:
    """The process's one speech engine of that name; SpeechError where it doesn't start."""
    return _opened(engine)


@cache  # by the name alone: a default is another key, and a second espeak-ng takes the first one's sound
def _opened(engine: str) -> Speech:
    return ENGINES[engine]()


def as_spoken(text: str, language: str) -> str:
    """Numbers of three or more digits (110) one by one, as on the telephone; what is misread, in pinyin."""
    if language != "zh-CN":
        return re.sub(r"\d{3,}", lambda m: " ".join(m[0]), text)
    for words, pinyin in _PINYIN.items():
        text = text.replace(words, pinyin)
    return re.sub(r"\d{3,}", lambda m: "".join(_DIGITS[digit] for digit in m[0]), text)
