"""The port that every way of sending texts meets."""

from __future__ import annotations

from typing import Protocol

from sms.events import GatewayEvent, Submission


class Gateway(Protocol):
    """One gateway. All methods but `wake` belong to the thread that calls `poll`."""

    @property
    def name(self) -> str:
        """How receipts and texts name it; of several, the one that the next text goes over."""

    @property
    def room(self) -> int:
        """How many texts it takes now; 0 when it isn't bound, its window is full or it rests."""

    @property
    def in_flight(self) -> int:
        """Submits that wait for their answers."""

    def submit(self, submission: Submission) -> None:
        """Sends a text; exactly one Submitted, SubmitFailed or SubmitUnknown follows."""

    def poll(self, timeout: float) -> list[GatewayEvent]:
        """What happened, waiting at most `timeout` seconds for something to."""

    def acknowledge(self, handle: int, ok: bool) -> None:
        """Answers a delivery: stored, or not, so that it comes again. Nothing where its link is gone."""

    def wake(self) -> None:
        """Makes a waiting `poll` return; any thread may call it."""

    def close(self) -> None:
        """Ends the link; submits without an answer are told as unknown by the last `poll` before."""
