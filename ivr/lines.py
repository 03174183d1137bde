"""Which telephone the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine

if TYPE_CHECKING:
    from ivr.pyvoip_line import PyvoipLine

__all__ = ["open_line"]


def open_line(settings: VoiceSettings) -> SipLine | PyvoipLine:
    """The line of `voice.line`, ready to dial. LineError says what to change."""
    if settings.line == "pyvoip":
        from ivr.pyvoip_line import PyvoipLine  # pyVoIP is loaded where it's wanted

        return PyvoipLine(settings)
    return SipLine(settings)
