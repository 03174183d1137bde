"""A recording as it comes from a recorder or a telephone, as one channel of samples: WAV, MP3 or M4A.

What kind it is tells its content, not its name. MP3 and M4A need ffmpeg, through pydub.
"""

from __future__ import annotations

import io
import shutil
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prompts.recording_faults import BadRecording, Fault
from prompts.wav_file import read_wav_content

Floats = npt.NDArray[np.float64]

MOST_OCTETS = 32 * 2**20
MOST_SECONDS = 120.0
_RATES = range(8000, 192_001)
_CANCELLED = 0.1  # of the louder channel's power: the channels are each other's opposite


@dataclass(frozen=True, slots=True)
class Sound:
    """One channel, 1.0 is full scale, at `rate` Hz."""

    samples: Floats
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def decode(content: bytes) -> Sound:
    """The sound in `content`; BadRecording."""
    if not content:
        raise BadRecording(Fault.EMPTY)
    if len(content) > MOST_OCTETS:
        raise BadRecording(Fault.TOO_BIG, mib=round(len(content) / 2**20), most=MOST_OCTETS // 2**20)
    kind = _kind(content)
    frames, rate = read_wav_content(content) if kind == "WAV" else _by_ffmpeg(content, kind)
    if not len(frames):
        raise BadRecording(Fault.EMPTY)
    if rate not in _RATES:
        raise BadRecording(Fault.RATE, rate=rate, least=_RATES[0], most=_RATES[-1])
    if len(frames) > MOST_SECONDS * rate:
        raise BadRecording(Fault.TOO_LONG, seconds=round(len(frames) / rate), most=round(MOST_SECONDS))
    return Sound(_one_channel(frames), rate)


def _kind(content: bytes) -> str:
    if content[:4] == b"RIFF":
        return "WAV"
    if content[4:8] == b"ftyp":
        return "M4A"
    if content[:3] == b"ID3" or (content[0] == 0xFF and content[1:2] and content[1] & 0xE6 in (0xE2, 0xE4)):
        return "MP3"  # a tag, or a frame's eleven bits with layer III or II
    raise BadRecording(Fault.NO_SOUND)


def ffmpeg_is_there() -> bool:
    """Whether MP3 and M4A can be read on this machine."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def _by_ffmpeg(content: bytes, kind: str) -> tuple[Floats, int]:
    """By pydub; the demuxer is named, so that a playlist in disguise can't make ffmpeg fetch other files."""
    if not ffmpeg_is_there():
        raise BadRecording(Fault.NEEDS_FFMPEG, form=kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub's own, of Python's newer versions
        from pydub import AudioSegment
        from pydub.exceptions import CouldntDecodeError

        try:
            found = AudioSegment.from_file(
                io.BytesIO(content),
                format="mp4" if kind == "M4A" else "mp3",
                duration=MOST_SECONDS + 1,  # an hour of MP3 is small until it's decoded
            )
        except (CouldntDecodeError, IndexError, KeyError, OSError, ValueError):
            raise BadRecording(Fault.BROKEN, form=kind) from None
    whole = np.array(found.get_array_of_samples(), dtype=np.float64)
    return (whole / float(1 << (8 * found.sample_width - 1))).reshape(-1, found.channels), found.frame_rate


def _one_channel(frames: Floats) -> Floats:
    """The channels' mean; the louder one alone where they'd cancel each other out."""
    mixed: Floats = frames.mean(axis=1)
    powers = np.mean(frames**2, axis=0)
    if np.mean(mixed**2) < _CANCELLED * powers.max():
        mixed = frames[:, int(powers.argmax())]
    return mixed
