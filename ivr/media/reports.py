"""What a call's two ends report to each other by RTCP, and what comes of it. Pure."""

from __future__ import annotations

from ivr.media.quality import MediaQuality, QualityMeter
from ivr.media.rtcp import TheirReport, read_reports, round_trip, write_report
from ivr.media.rtp import Receiver, Sender

__all__ = ["Reports"]


class Reports:
    """`wall` makes seconds since 1970 of `now`: kept, so that a clock that is set makes no trip longer."""

    def __init__(self, sender: Sender, receiver: Receiver, wall: float) -> None:
        self._sender, self._receiver, self._wall = sender, receiver, wall
        self._meter = QualityMeter()
        self._their_count: int | None = None

    @property
    def quality(self) -> MediaQuality:
        return self._meter.result(self._sender, self._receiver)

    def write(self, cname: str, now: float, bye: bool) -> bytes:
        """Ours, of what was heard since the one before."""
        block = self._receiver.block(now)
        if block is not None:
            self._meter.ours(block, self._receiver.interval)
        return write_report(self._sender, block, cname, self._wall + now, bye)

    def hear(self, datagram: bytes, now: float) -> bool:
        """Take theirs; BadPacket. True where they say that they are there and send nothing: it's silence."""
        told = [self._hear(report, now) for report in read_reports(datagram)]
        return any(told)

    def _hear(self, report: TheirReport, now: float) -> bool:
        if report.sent_at and report.ssrc == self._receiver.ssrc:
            self._receiver.hear_report(report.sent_at, now)
        for block in report.blocks:
            if block.ssrc == self._sender.ssrc:
                self._meter.theirs(block, round_trip(block, self._wall + now))
        before, self._their_count = self._their_count, report.packets
        return report.packets is None or report.packets == before
