"""What a telephone line tells (nouns). Pure.

Every event carries `call`, our own id of the call, and `at`, monotonic seconds of the line's clock.
What a line can't know is None, never invented (see `ivr.line.Capabilities`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from callbacks.cdr import VoiceQuality
from callbacks.vocabulary import Disposition, MachineSign
from ivr.media.quality import MediaQuality

__all__ = [
    "Answered",
    "Codec",
    "EarlyMedia",
    "Ended",
    "EndedBy",
    "Incoming",
    "KeyPressed",
    "LineEvent",
    "MachineHeard",
    "MediaQuality",
    "PlaybackFinished",
    "PlaybackStarted",
    "RecordingFinished",
    "Ringing",
    "TransferAnswered",
    "TransferAsked",
]

Codec = Literal["pcma", "pcmu"]
EndedBy = Literal["us", "them", "network"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """Somebody calls us by `trunk`; the driver goes on with `ring`, `answer`, `redirect` or `reject`.

    `uri` is whom they ask for, as it came (`sip:110@…`, `tel:110;phone-context=+86`, `urn:service:sos`),
    `caller` the number of From. `codec` is the first of theirs that we know, None where we are to offer.
    `headers` are the INVITE's (name, value); empty where a line has none. `place` is where the caller is: a
    part of its body, with its own headers (RFC 6442), for `Dial` to pass on.
    """

    call: str
    at: float
    trunk: str
    uri: str
    caller: str
    codec: Codec | None = None
    headers: tuple[tuple[str, str], ...] = ()
    place: bytes = b""


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far telephone rings (SIP 18x). Told once a call."""

    call: str
    at: float


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """The first voice packet before the answer: a ring-back tone, music or an announcement."""

    call: str
    at: float


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody, or a machine, took the call; `codec` is what the answer chose."""

    call: str
    at: float
    codec: Codec


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    """The first frame of the audio played under `token` has left."""

    call: str
    at: float
    token: str


@dataclass(frozen=True, slots=True)
class PlaybackFinished:
    """The last frame has left. An audio that was stopped or replaced doesn't finish."""

    call: str
    at: float
    token: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """One key of 0-9 * # A-D, however many packets told of it; `began_at` is when it went down."""

    call: str
    at: float
    key: str
    began_at: float


@dataclass(frozen=True, slots=True)
class MachineHeard:
    """A sign that a machine took the call: speech that goes on and on, or a beep (`ivr.media.machine`).

    Told once at most, of a call that was dialled with `detect_machine`; never after a key. It's advice.
    """

    call: str
    at: float
    sign: MachineSign


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """What they said while it was recorded under `token`: octets of `codec` at 8 kHz, `seconds` of them.

    Told once for each `record`: when it's stopped, full, replaced, or the call ends, before its Ended.
    """

    call: str
    at: float
    token: str
    payload: bytes
    codec: Codec
    seconds: float


@dataclass(frozen=True, slots=True)
class TransferAsked:
    """Their telephone asks that the talk goes on with `uri` (SIP REFER); the driver says what came of it."""

    call: str
    at: float
    uri: str


@dataclass(frozen=True, slots=True)
class TransferAnswered:
    """What came of our own asking (`Line.refer`): a SIP status, 2xx where they talk with the other now."""

    call: str
    at: float
    status: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; told exactly once for each call that was dialled or came in.

    `disposition` is None where a line can't tell, and of a call that came in and that we didn't answer;
    `sip_status` is the final answer to the INVITE and `q850` the release cause, of whichever message carried
    one; `cause_text` is the raw words, after the name of the announcement or the tone that was heard.
    `quality` is how the voice of an answered call went, None where a line can't tell.
    """

    call: str
    at: float
    disposition: Disposition | None
    sip_status: int | None
    q850: int | None
    cause_text: str
    by: EndedBy
    quality: MediaQuality | None = None

    @property
    def heard(self) -> VoiceQuality | None:
        """What is kept of it."""
        quality = self.quality
        return None if quality is None else VoiceQuality(quality.lost_percent, quality.jitter_ms)


LineEvent = (
    Incoming
    | Ringing
    | EarlyMedia
    | Answered
    | PlaybackStarted
    | PlaybackFinished
    | KeyPressed
    | MachineHeard
    | RecordingFinished
    | TransferAsked
    | TransferAnswered
    | Ended
)
