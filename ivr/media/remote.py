"""The far end of a call's media: what its description says, and what is told of it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ivr.events import (
    Codec,
    EarlyMedia,
    KeyPressed,
    MachineHeard,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
)
from ivr.media import g711
from ivr.media.progress import Tone
from ivr.media.rtp import RtpPacket
from ivr.sip.crypto import SrtpKeys

__all__ = ["COMFORT_NOISE", "Address", "Hear", "MediaEvent", "MediaLost", "Remote", "ToneHeard"]

# RFC 3389. We offer none and send silence as silence, so that none should come: a far end that detects voice
# leaves holes in what is recorded. Some send it nevertheless.
COMFORT_NOISE = 13
_OUR_EVENT_TYPE = 101  # what our SDP names: they send keys by ours, we by theirs (RFC 3264 §5.1)
_STATIC: dict[int, Codec] = {number: codec for codec, number in g711.PAYLOAD_TYPES.items()}

Address = tuple[str, int]  # of IPv6 the system adds flow and scope, of which nobody asks
Hear = Callable[[RtpPacket, Codec, float], None]  # a voice packet, its law, when it came: monotonic seconds


@dataclass(frozen=True, slots=True)
class MediaLost:
    """Nothing that was agreed came for as long as the settings bear, nor a word that they are silent."""

    call: str
    at: float


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """The network says by a tone, before an answer, that there will be none. Told once."""

    call: str
    at: float
    tone: Tone


MediaEvent = (
    EarlyMedia
    | PlaybackStarted
    | PlaybackFinished
    | KeyPressed
    | MachineHeard
    | RecordingFinished
    | MediaLost
    | ToneHeard
)


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the far end's voice is received, and how; RTCP at `rtcp_host` where that is another.

    `voice_type` and `event_type` are the payload types towards it, of the voice and of RFC 4733, None
    where it takes no keys; `hosts` are the addresses its packets may come from. On hold we don't send, or
    nothing comes (RFC 3264 §8.4). `ptime` is ms in each packet towards it, of 10, 20, 30, 40 and 60. `keys`
    are those of SRTP, None where it wasn't agreed.
    """

    address: Address
    rtcp_port: int
    codec: Codec
    voice_type: int
    event_type: int | None
    hosts: frozenset[str]
    sends: bool = True
    receives: bool = True
    ptime: int = 20
    rtcp_host: str | None = None
    keys: SrtpKeys | None = field(default=None, repr=False)

    def codec_of(self, payload_type: int) -> Codec | None:
        """The law of a voice packet from there: they send by our description, or by what ours echoed."""
        return self.codec if payload_type == self.voice_type else _STATIC.get(payload_type)

    def is_event(self, payload_type: int) -> bool:
        return payload_type in (_OUR_EVENT_TYPE, self.event_type)
