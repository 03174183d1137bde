"""What a call does next, as TwiML. Pure: addresses and values in, a document out.

A document says its prompts, and then asks for a key, records, hands the call to another telephone or hangs
up; what comes of it is posted to `action`, the call's next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from twilio.twiml.voice_response import Gather, VoiceResponse  # type: ignore[import-untyped]

__all__ = ["Asked", "Dialled", "HungUp", "Recorded", "Sent", "Then", "document"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One key within `wait` seconds of the end of `sounds`, or within them. All keys count, # too."""

    sounds: tuple[str, ...]
    wait: float
    action: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message of `seconds` at most after a beep, ended by #."""

    seconds: float
    action: str


@dataclass(frozen=True, slots=True)
class Dialled:
    """Another telephone, which rings for `seconds`."""

    number: str
    seconds: float
    action: str


@dataclass(frozen=True, slots=True)
class Sent:
    """On to another step at once."""

    action: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The end."""


Then = Asked | Recorded | Dialled | Sent | HungUp


def document(said: Sequence[str], then: Then) -> str:
    """Plays the sounds `said`, in which keys aren't heard, and goes on with `then`."""
    response = VoiceResponse()
    for sound in said:
        response.play(sound)
    match then:
        case Asked(sounds, wait, action):
            response.append(_gather(sounds, wait, action))
        case Recorded(seconds, action):
            response.record(max_length=ceil(seconds), finish_on_key="#", play_beep=True, action=action)
        case Dialled(number, seconds, action):
            response.dial(number, timeout=ceil(seconds), action=action)
        case Sent(action):
            response.redirect(action)
        case HungUp():
            response.hangup()
    return str(response)


def _gather(sounds: Sequence[str], wait: float, action: str) -> Gather:
    """A silence is posted, too: the dialogue decides what it means, not the provider."""
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=max(1, ceil(wait)),
        finish_on_key="",
        action_on_empty_result=True,
        action=action,
    )
    for sound in sounds:
        gather.play(sound)
    return gather
