"""What an answering machine of the simulated city says: a greeting in words, then the beep."""

from __future__ import annotations

from functools import cache

from ivr.media.audio import Audio, join
from ivr.media.tones import beep
from prompts.sound import for_telephone
from prompts.speech import open_speech

__all__ = ["GREETING_AFTER", "machine_greeting"]

GREETING_AFTER = 0.3  # seconds from the answer
_LANGUAGE = "zh-CN"
_WORDS = "您好，我现在不方便接听您的电话。请在提示音之后留下姓名和电话，我会尽快给您回电。"


@cache
def machine_greeting() -> Audio:
    """Six seconds of synthetic speech and a beep."""
    samples, rate = open_speech().say(_WORDS, _LANGUAGE)
    return join([Audio.from_samples(for_telephone(samples, rate, tail=0.3)), beep()])
