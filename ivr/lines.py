"""Which telephone the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.media.announcements import Announcements
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine

if TYPE_CHECKING:
    from ivr.pyvoip_line import PyvoipLine

__all__ = ["open_line"]


def open_line(settings: VoiceSettings, announcements: Announcements | None = None) -> SipLine | PyvoipLine:
    """The line of `voice.line`, ready to dial. LineError says what to change.

    The extension on a PBX hears nothing before an answer, so it needs no announcements.
    """
    if settings.line == "pyvoip":
        from ivr.pyvoip_line import PyvoipLine  # pyVoIP is loaded where it's wanted

        return PyvoipLine(settings)
    return SipLine(settings, announcements=announcements)
