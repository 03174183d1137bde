"""What can be wrong in SIP: theirs (BadMessage and its kin) and ours (CallInUse)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivr.sip.message import Request

__all__ = ["BadDescription", "BadMessage", "CallInUse", "SipError", "Unacceptable"]


class SipError(Exception):
    """The root of the errors of this package."""


class BadMessage(SipError):
    """A message breaks the grammar of RFC 3261.

    `place` is the header or part, `status` what a request of that fault is answered with. `request` is as
    much of a request as could be read, to answer it by; None for responses and for what is no SIP at all.
    """

    def __init__(self, place: str, reason: str, request: Request | None = None, status: int = 400) -> None:
        super().__init__(f"{place}: {reason}")
        self.place = place
        self.reason = reason
        self.request = request
        self.status = status


class BadDescription(SipError):
    """A session description breaks the grammar of RFC 4566; the message says where."""


class Unacceptable(SipError):
    """A session description shares nothing with what we can do (488)."""


class CallInUse(SipError):
    """A call's id was given to `invite` while a call of that id lives."""
