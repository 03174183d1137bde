"""How a call's voice went over the network, as both ends saw it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.media.rtp import Receiver, ReportBlock, Sender

__all__ = ["MediaQuality", "QualityMeter"]

_CLOCK = 8000
_TELLING = 50  # packets: one lost of three says nothing of a second


@dataclass(frozen=True, slots=True)
class MediaQuality:
    """From the answer to the end. Of jitter (RFC 3550 §6.4.1), loss and round trip the worst is kept.

    `received`, `lost`, `jitter_ms` and `worst_loss` are of their voice as it came here, `far_…` of ours as
    their reports tell it; a loss is a share, 0 to 1, of what was sent in about five seconds. Times are ms.
    None is what nobody told: a far end without RTCP, or one that was never heard.
    """

    sent: int
    received: int
    lost: int
    jitter_ms: float | None = None
    worst_loss: float | None = None
    far_lost: int | None = None
    far_jitter_ms: float | None = None
    far_worst_loss: float | None = None
    round_trip_ms: float | None = None

    @property
    def lost_percent(self) -> float | None:
        """Of their packets; None where none was expected."""
        expected = self.received + self.lost
        return round(max(0.0, 100 * self.lost / expected), 2) if expected > 0 else None


class QualityMeter:
    """Takes both ends' report blocks while the call is up."""

    def __init__(self) -> None:
        self._jitter: int | None = None
        self._loss: int | None = None
        self._far_lost: int | None = None
        self._far_jitter: int | None = None
        self._far_loss: int | None = None
        self._trip: float | None = None

    def ours(self, block: ReportBlock, packets: int) -> None:
        """What we tell them; `packets` is how many should have come since the block before it."""
        self._jitter = max(self._jitter or 0, block.jitter)
        if packets >= _TELLING or self._loss is None:
            self._loss = max(self._loss or 0, block.fraction)

    def theirs(self, block: ReportBlock, trip: float | None) -> None:
        """What they tell us of our voice, and the seconds of a round trip where it shows."""
        self._far_lost = max(0, block.lost)
        self._far_jitter = max(self._far_jitter or 0, block.jitter)
        self._far_loss = max(self._far_loss or 0, block.fraction)
        if trip is not None:
            self._trip = max(self._trip or 0.0, trip)

    def result(self, sender: Sender, receiver: Receiver) -> MediaQuality:
        return MediaQuality(
            sent=sender.packets,
            received=receiver.received_of_all,
            lost=max(0, receiver.lost_of_all),
            jitter_ms=_ms(self._jitter),
            worst_loss=_share(self._loss),
            far_lost=self._far_lost,
            far_jitter_ms=_ms(self._far_jitter),
            far_worst_loss=_share(self._far_loss),
            round_trip_ms=None if self._trip is None else round(1000 * self._trip, 1),
        )


def _ms(jitter: int | None) -> float | None:
    return None if jitter is None else round(1000 * jitter / _CLOCK, 1)


def _share(fraction: int | None) -> float | None:
    return None if fraction is None else round(fraction / 256, 4)
