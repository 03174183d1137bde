"""Which telephone the settings name."""

from __future__ import annotations

from ivr.line import Line
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine

__all__ = ["open_line"]


def open_line(settings: VoiceSettings) -> Line:
    """The line of `voice.line`, ready to dial. LineError says what to change."""
    if settings.line == "pyvoip":
        from ivr.pyvoip_line import PyvoipLine  # pyVoIP is loaded where it's wanted

        return PyvoipLine(settings)
    return SipLine(settings)
