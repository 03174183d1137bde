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
    """A key within `wait` seconds of the end of `sounds`, or within them; or `most`, up to the key `ends`.

    All keys count, # too, but for the one that ends them.
    """

    sounds: tuple[str, ...]
    wait: float
    action: str
    most: int = 1
    ends: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message of `seconds` at most after a beep, ended by the key `ends`; `kept` is told where it is."""

    seconds: float
    ends: str
    action: str
    kept: str


@dataclass(frozen=True, slots=True)
class Dialled:
    """Other telephones (E.164) ring for `seconds` and see `caller`; the first that answers has them."""

    numbers: tuple[str, ...]
    caller: str
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
        case Asked():
            response.append(_gather(then))
        case Recorded():
            _record(response, then)
        case Dialled(numbers, caller, seconds, action):
            dial = response.dial(caller_id=caller, timeout=ceil(seconds), action=action)
            for number in numbers:
                dial.number(number)
        case Sent(action):
            response.redirect(action)
        case HungUp():
            response.hangup()
    return str(response)


def _record(response: VoiceResponse, message: Recorded) -> None:
    """The key alone ends it: silence, which ends it after five seconds elsewise, is waited for as long.

    Of an empty one the action isn't told; what follows in the document is done then.
    """
    response.record(
        max_length=ceil(message.seconds),
        timeout=ceil(message.seconds),
        trim="do-not-trim",
        finish_on_key=message.ends,
        play_beep=True,
        action=message.action,
        recording_status_callback=message.kept,
    )
    response.redirect(message.action)


def _gather(asked: Asked) -> Gather:
    """A silence is posted, too: the dialogue decides what it means, not the provider."""
    gather = Gather(
        input="dtmf",
        num_digits=asked.most,
        timeout=max(1, ceil(asked.wait)),
        finish_on_key=asked.ends,
        action_on_empty_result=True,
        action=asked.action,
    )
    for sound in asked.sounds:
        gather.play(sound)
    return gather
