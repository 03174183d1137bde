"""What the simulated city's network says in place of an answer: a tone, or an announcement of a file."""

from __future__ import annotations

from ivr.line import LineError
from ivr.media.audio import Audio, AudioError, join
from ivr.media.tones import busy, congestion, unobtainable
from ivr.settings import CityEarlyMedia

__all__ = ["early_audio"]

_TONES = {"busy": busy, "congestion": congestion, "unobtainable": unobtainable}
_TIMES = 2


def early_audio(early: CityEarlyMedia) -> Audio:
    """The sound of it. LineError for a file that can't be sent."""
    if early.file is None:
        return join([_TONES[early.tone or "busy"]()] * _TIMES)
    try:
        return Audio.from_wav(early.file)
    except AudioError as error:
        raise LineError(f"city.early_media: {error}") from error
