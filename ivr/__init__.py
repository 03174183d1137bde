"""The telephone: the dialogue, the SIP user agent, the media, and the roles that use them."""

from __future__ import annotations
