"""For tests: what may answer a call, as sound, each with what it is; and the echo of what we say.

All speech is synthetic (espeak-ng), so what a detector does with it says little of people's voices.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from callbacks.vocabulary import MachineSign
from ivr.events import Codec
from ivr.flow_events import Prompt
from ivr.media import g711
from ivr.media.machine import MachineEar
from ivr.speech import SpokenPrompts
from prompts.active_speech import speech_level
from prompts.sound import resample
from prompts.speech import open_speech
from prompts.store import PromptStore

RATE = 8000
FRAME = 160
SECONDS = 28.0
Sound = NDArray[np.float64]
Echo = Callable[[Sound], Sound]
Label = Literal["person", "machine", "nobody"]

_CASE = (("month", "11"), ("day", "23"), ("category", "water"))


@dataclass(frozen=True)
class Sample:
    """A far end: what it is, what it says from the answer on, and how it returns what we say."""

    label: Label
    name: str
    says: Sound
    echo: Echo | None = None


def quiet(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE))


@cache
def spoken(words: str, language: str = "zh-CN", level: float = -26.0) -> Sound:
    """Synthetic speech of that active level (ITU-T P.56), in dBov."""
    samples, rate = open_speech().say(words, language)
    sound = resample(samples / 32768.0, rate)
    found = speech_level(sound, RATE)
    assert found is not None
    return sound * 10 ** ((level - found.level) / 20)


def one_after_another(*parts: Sound | float) -> Sound:
    """Sounds, and pauses in seconds."""
    return np.concatenate([quiet(part) if isinstance(part, float) else part for part in parts])


def tone(hertz: float, seconds: float, level: float = -15.0) -> Sound:
    at = np.arange(round(seconds * RATE)) / RATE
    return np.sin(2 * np.pi * hertz * at) * 10 ** (level / 20) * np.sqrt(2)


def noise(level: float, seconds: float = SECONDS, colour: float = 0.0, seed: int = 1) -> Sound:
    """Gaussian noise whose amplitude falls by `colour` powers of the frequency: 0 is white, 1 brown."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    spectrum = np.fft.rfft(white)
    hertz = np.fft.rfftfreq(len(white), 1 / RATE)
    made = np.fft.irfft(np.where(hertz < 60, 0, spectrum / np.maximum(hertz, 60) ** colour), len(white))
    return made / np.sqrt(np.mean(made**2)) * 10 ** (level / 20)


def hybrid(milliseconds: float, attenuation: float) -> Echo:
    """One reflection: later, and softer by so many dB."""

    def echo(said: Sound) -> Sound:
        delay = round(milliseconds * RATE / 1000)
        return np.concatenate([np.zeros(delay), said])[: len(said)] * 10 ** (-attenuation / 20)

    return echo


def loudspeaker(milliseconds: float, attenuation: float) -> Echo:
    """A room that answers for 0.4 s (its reverberation time), which begins so late."""
    length = round(0.4 * RATE)
    room = np.random.default_rng(2).standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    room /= np.sqrt(np.sum(room**2))
    direct = hybrid(milliseconds, attenuation)
    return lambda said: direct(np.convolve(said, room)[: len(said)])


@cache
def our_prompts() -> Sound:
    """The survey as a silent far end hears it: greeting, question, silence, both once more."""
    prompts = SpokenPrompts(PromptStore("zh-CN"))

    def prompt(name: str) -> Sound:
        octets = b"".join(prompts.audio([Prompt(name, _CASE)]).pcma)
        return g711.decode(octets, "pcma") / 32768.0

    asked = prompt("q_rating")
    return one_after_another(prompt("greeting"), asked, 5.0, prompt("no_input"), asked, prompt("bye"))


def octets(sound: Sound, codec: Codec = "pcma") -> bytes:
    return g711.encode(np.clip(np.round(sound * 32768), -32768, 32767).astype(np.int16), codec)


def fit(sound: Sound, seconds: float = SECONDS) -> Sound:
    """Cut, or filled up with silence."""
    size = round(seconds * RATE) // FRAME * FRAME
    return np.concatenate([sound, np.zeros(max(0, size - len(sound)))])[:size]


def told(sample: Sample, said: Sound | None = None, codec: Codec = "pcma") -> MachineSign | None:
    """What the ear tells of a call to that far end, while we say our prompts."""
    ours = fit(our_prompts() if said is None else said)
    heard = fit(sample.says) + (sample.echo(ours) if sample.echo else 0)
    out, back = octets(ours, codec), octets(heard, codec)
    ear = MachineEar(0.0)
    signs = []
    for at in range(0, len(out), FRAME):
        ear.say(out[at : at + FRAME], codec, at / RATE)
        if sign := ear.hear(back[at : at + FRAME], codec, (at + FRAME) / RATE):
            signs.append(sign)
    assert len(signs) <= 1
    return signs[0] if signs else None


_NAME_AND_NUMBER = "请在滴声之后留下您的姓名和电话，我会尽快给您回电。"
_AWAY = "您好，我现在不方便接听您的电话。"
_UNREACHED = "您好，您拨打的用户暂时无法接通，请稍后再拨。"
_UNREACHED_EN = "Sorry, the subscriber you dialed cannot be connected for the moment. Please redial later."
_VOICE_MAIL_EN = "Hello, you have reached our voice mail. Please leave your name and number after the tone."

_WAYS: dict[str, Echo | None] = {
    "": None,
    ", hybrid": hybrid(40, 12),
    ", loudspeaker": loudspeaker(180, 10),
}


def _people() -> Iterator[tuple[str, Sound]]:
    yield "喂，你好", one_after_another(0.4, spoken("喂，你好"))
    yield "喂？哪位", one_after_another(0.4, spoken("喂？"), 0.3, spoken("哪位？"))
    yield "hello?", one_after_another(0.3, spoken("Hello?", "en"), 1.2, spoken("Hello? Who is this?", "en"))
    yield (
        "hesitates",
        one_after_another(
            0.6, spoken("喂？"), 1.2, spoken("你好？"), 0.8, spoken("嗯，"), 0.6, spoken("谁呀？你说什么？")
        ),
    )
    yield (
        "talkative",
        one_after_another(
            *(0.4, spoken("喂，你好，我听着呢。"), 0.7, spoken("哦，是上次那个水管的事情吧？"), 0.8),
            *(spoken("他们来看过一次，修了半天。"), 0.6, spoken("后来又漏水了，我也没有办法。"), 0.9),
            *(spoken("你们再帮我催一下吧，"), 0.7, spoken("好的好的，谢谢你。")),
        ),
    )
    yield (
        "talkative, in English",
        one_after_another(
            *(0.4, spoken("Yes, hello, speaking.", "en"), 0.7),
            *(spoken("Oh, it's about the water pipe, isn't it?", "en"), 0.8),
            *(spoken("They came once, and then it leaked again.", "en"), 0.7, spoken("Thank you.", "en")),
        ),
    )
    yield "softly", one_after_another(0.4, spoken("喂，你好，请问是哪位？", level=-36.0))
    yield (
        "without taking breath",
        one_after_another(
            0.4,
            spoken(
                "我跟你说这个事情我都反映了三次了每次都说马上来结果到现在也没有一个人来看过你们到底管不管"
            ),
        ),
    )


def _machines() -> Iterator[tuple[str, Sound]]:
    greeting = spoken(_AWAY + _NAME_AND_NUMBER)
    yield "greeting", one_after_another(0.5, greeting)
    yield "greeting, beep", one_after_another(0.5, greeting, 0.3, tone(1000, 0.4))
    yield "greeting, softly", one_after_another(0.5, spoken(_AWAY + _NAME_AND_NUMBER, level=-36.0))
    yield "greeting, in English", one_after_another(0.5, spoken(_VOICE_MAIL_EN, "en"))
    yield "short greeting, beep", one_after_another(0.5, spoken("请留言。"), 0.4, tone(850, 0.2))
    yield (
        "short greeting, soft long beep",
        one_after_another(0.5, spoken("请留言。"), 0.4, tone(1400, 1.0, -30)),
    )
    yield "a beep alone", one_after_another(1.0, tone(620, 0.3))
    yield (
        "announcement",
        one_after_another(0.2, *([spoken(_UNREACHED), 0.4, spoken(_UNREACHED_EN, "en"), 0.6] * 2)),
    )
    yield "short greeting, no beep", one_after_another(0.5, spoken("我现在不在，请留言。"))
    yield (
        "greeting with long pauses, no beep",
        one_after_another(0.5, spoken(_AWAY), 0.8, spoken("请留下您的姓名。"), 0.8, spoken("我给您回电。")),
    )


def _cadence(hertz: float, on: float, off: float) -> Sound:
    return np.tile(one_after_another(tone(hertz, on), off), 40)


def _nobody() -> Iterator[Sample]:
    for milliseconds in (5, 33, 90, 170, 300):
        for attenuation in (0, 6, 12, 20, 30, 40):
            name = f"echo {attenuation} dB softer, {milliseconds} ms later"
            yield Sample("nobody", name, quiet(1.0), hybrid(milliseconds, attenuation))
    for milliseconds in (10, 120, 300):
        for attenuation in (0, 6, 12, 20, 30):
            name = f"loudspeaker {attenuation} dB softer, {milliseconds} ms later"
            yield Sample("nobody", name, quiet(1.0), loudspeaker(milliseconds, attenuation))
    yield Sample("nobody", "silence", quiet(1.0))
    for level in (-60, -50, -40, -30, -20):
        yield Sample("nobody", f"noise at {level} dBov", noise(level))
        yield Sample("nobody", f"rumble at {level} dBov", noise(level, colour=1.0))
    swells = 1 + 0.9 * np.sin(2 * np.pi * 0.7 * np.arange(round(SECONDS * RATE)) / RATE)
    yield Sample("nobody", "noise that swells", noise(-30) * swells)
    yield Sample("nobody", "rumble that swells", noise(-30, colour=1.0) * swells)
    yield Sample("nobody", "ring-back", _cadence(450, 1.0, 4.0))
    yield Sample("nobody", "busy", _cadence(450, 0.35, 0.35))
    yield Sample("nobody", "busy of a PBX", _cadence(425, 0.5, 0.5))
    yield Sample("nobody", "dial tone", tone(450, SECONDS))
    yield Sample("nobody", "fax", one_after_another(0.5, tone(2100, 3.0)))
    keys = [(697, 1209), (770, 1336), (852, 1477), (941, 1336)]
    pairs = [tone(low, 0.2, -14) + tone(high, 0.2, -12) for low, high in keys]
    yield Sample(
        "nobody", "keys as tones", one_after_another(*(part for pair in pairs for part in (0.5, pair)))
    )
    notes = [tone(hertz, 0.3) for hertz in (523, 587, 659, 698, 784, 698, 659, 587)]
    yield Sample("nobody", "melody of pure tones", np.tile(one_after_another(*notes), 9))
    chord = sum((tone(hertz, 1.2, -22) for hertz in (262, 330, 392, 523)), quiet(1.2))
    yield Sample("nobody", "chords", np.tile(chord, 20))


def labelled_set() -> list[Sample]:
    """People and machines, each without an echo and with two; and what is nobody."""
    found = [
        Sample(label, name + way, says, echo)
        for label, far_ends in (("person", _people), ("machine", _machines))
        for name, says in far_ends()
        for way, echo in _WAYS.items()
    ]
    return [*found, *_nobody()]


def judged() -> list[tuple[Label, str, MachineSign | None]]:
    """Each far end of the set: what it is, its name, and what is told of it.

    In a process of its own: espeak-ng says a thing a little otherwise after another, and some are close.
    """
    command = [sys.executable, "-m", __name__]
    done = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parent.parent)
    return [
        (label, name, MachineSign(sign) if sign else None) for label, name, sign in json.loads(done.stdout)
    ]


if __name__ == "__main__":
    print(json.dumps([(sample.label, sample.name, told(sample)) for sample in labelled_set()]))
