"""What is kept of every call leg that a trunk carries, so that its own record can be held against ours."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

LONGEST_CALL_ID = 200  # of one that came from outside no more is kept, nor compared


class Carried:
    """A leg. `sip_call_id` is the Call-ID of its INVITE (RFC 3261 §8.1.1.4), or a provider's own id.

    `talk_seconds` are those from the answer to the end, rounded up, which carriers bill by; none while it
    lasts, and where nobody knows its end. `lost_percent` and `jitter_ms` are of the voice that came to us.
    """

    sip_call_id: Mapped[str | None] = mapped_column(String(LONGEST_CALL_ID))
    talk_seconds: Mapped[int | None]
    lost_percent: Mapped[float | None]
    jitter_ms: Mapped[float | None]
