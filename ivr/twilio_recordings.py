"""A message that Twilio recorded: fetched once, and then taken away there.

Our credentials go to the account's own host alone, whatever address a webhook tells, and follow no redirect.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import numpy as np
import requests
import structlog
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]

from callbacks.service.messages import Message
from callbacks.twilio_account import make_client
from ivr.media import g711
from ivr.media.recorder import LONGEST
from ivr.twilio_rest import Wire
from ivr.twilio_settings import TwilioVoiceSettings
from prompts.recording_faults import BadRecording
from prompts.sound import RATE, resample
from prompts.wav_file import read_wav_content

__all__ = ["ComeAgain", "Gone", "NoRecording", "TwilioRecordings", "message_of_wav"]

_log = structlog.get_logger(__name__)
_MOST = round(2 * RATE * (LONGEST + 5)) + 4096  # octets: 16 bit, a little late, and the file's head
_CHUNK = 65_536


class NoRecording(Exception):
    """It isn't one of the account's, or isn't a sound that can be kept; the message says why."""


class Gone(Exception):
    """There is none at that address, or there is none any more."""


class ComeAgain(Exception):
    """It can't be had now."""


class TwilioRecordings:
    """Any thread may use it."""

    def __init__(self, settings: TwilioVoiceSettings) -> None:
        self._settings = settings
        self._path = re.compile(rf"/2010-04-01/Accounts/{settings.account_sid}/Recordings/(RE[0-9a-f]{{32}})")

    def fetch(self, address: str) -> Message:
        """The recording at the `RecordingUrl` of a webhook. NoRecording, Gone or ComeAgain."""
        self._sid(address)
        try:
            content = self._get(f"{address}.wav")
        except requests.RequestException as error:
            raise ComeAgain(type(error).__name__) from error
        return message_of_wav(content)

    def take_away(self, address: str) -> None:
        """At the provider. One that stays there is logged: it has been kept here."""
        wire = Wire(self._settings)
        try:
            make_client(self._settings, wire.exchange).recordings(self._sid(address)).delete()
        except (TwilioException, requests.RequestException) as error:
            _log.warning("recording_stays_at_twilio", error=type(error).__name__)
        finally:
            wire.close()

    def _sid(self, address: str) -> str:
        found = self._path.fullmatch(urlsplit(address).path)
        if found is None or address != f"{self._settings.base_url}{found[0]}":
            raise NoRecording("it isn't at the account's own address")
        return found[1]

    def _get(self, url: str) -> bytes:
        """A bounded body; no proxy of the environment."""
        settings = self._settings
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                url,
                auth=settings.credentials,
                timeout=(settings.connect_timeout, settings.answer_timeout),
                allow_redirects=False,
                stream=True,
            ) as answer:
                _mind(answer.status_code)
                content = bytearray()
                for chunk in answer.iter_content(_CHUNK):
                    content += chunk
                    if len(content) > _MOST:
                        raise NoRecording(f"it is longer than {_MOST} octets")
                return bytes(content)


def _mind(status: int) -> None:
    if status == 404:
        raise Gone("404")
    if status == 429 or status >= 500:
        raise ComeAgain(str(status))
    if status != 200:
        raise NoRecording(f"it was answered by {status}")


def message_of_wav(content: bytes) -> Message:
    """A WAV file as octets of A-law at 8 kHz, `LONGEST` seconds at most. NoRecording where it's none."""
    try:
        sound, rate = read_wav_content(content)
    except BadRecording as error:
        raise NoRecording(str(error)) from error
    if not len(sound):
        raise NoRecording("it is empty")
    mono = resample(sound.mean(axis=1), rate)[: round(LONGEST * RATE)]
    samples = np.round(np.clip(mono, -1.0, 1.0) * 32767.0).astype(np.int16)
    return Message(g711.encode(samples, "pcma"), "pcma", len(samples) / RATE)
