"""Records who calls 110 and who answers: each leg a file, from the moment that it's up until its end.

What fails to be recorded is told; the call goes on as if nothing had been.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from callbacks.recording_file import recording_name
from ivr.events import Codec
from ivr.inbound.journal import CallRecord
from ivr.line import Line, LineError
from ivr.media.leg_track import LegTrack
from ivr.recording_files import Kept, RecordingFiles

__all__ = ["Recordings"]

log = structlog.get_logger(__name__)

_EVERY = 1.0  # seconds between two pieces of a leg: what a kill may cost, beside the track's own LATE
_TOO_SLOW = "the disk is too slow"
_NOT_WRITTEN = "not written when the role ended"


@dataclass(frozen=True, slots=True)
class _Leg:
    call: str
    name: str
    track: LegTrack
    record: CallRecord


class Recordings:
    """Of one process, in the thread that turns the line. Without `files` nothing is recorded.

    `tell` is called with a record in which something has changed. LineError for a line that can't be tapped.
    """

    def __init__(self, line: Line, files: RecordingFiles | None, tell: Callable[[CallRecord], None]) -> None:
        if files is not None and not line.capabilities.tap:
            raise LineError("this line can't record calls; take the SIP line, or no recordings")
        self._line, self._files, self._tell = line, files, tell
        self._up: dict[str, _Leg] = {}  # by call
        self._open: dict[str, _Leg] = {}  # by file, until it came back
        self._due: deque[tuple[float, _Leg]] = deque()  # in order: each waits as long as the others

    def begin(self, call: str, record: CallRecord, codec: Codec, now: float, at: datetime) -> None:
        """A leg is up: `now` by the line's clock, `at` by the wall's."""
        if self._files is None or call in self._up:
            return
        leg = _Leg(call, recording_name(call, at), LegTrack(codec, now), record)
        self._up[call] = self._open[leg.name] = leg
        self._due.append((now + _EVERY, leg))
        record.recording_began(call, leg.name, at)
        self._files.begin(leg.name, codec)
        self._line.tap(call, leg.track.take)

    def end(self, call: str, now: float, at: datetime) -> None:
        """The leg is over, or was never up."""
        leg = self._up.pop(call, None)
        if leg is not None and self._files is not None:
            self._append(self._files, leg, leg.track.finish(now), at)
            self._files.finish(leg.name)

    def tick(self, now: float, at: Callable[[], datetime]) -> None:
        """Hands on what is due, and takes what came back. Called a thousand times a second."""
        if self._files is None:
            return
        while self._due and self._due[0][0] <= now:
            _, leg = self._due.popleft()
            if self._up.get(leg.call) is not leg:
                continue
            if self._append(self._files, leg, leg.track.cut(now), at()):
                self._due.append((now + _EVERY, leg))
            else:
                self._give_up(leg)
                self._files.finish(leg.name)
        while (kept := self._files.kept()) is not None:
            self._came_back(kept, at())

    def close(self, now: float, at: datetime, seconds: float) -> None:
        """The role ends: what is said so far is written, for at most `seconds`."""
        if self._files is None:
            return
        for call in list(self._up):
            self.end(call, now, at)
        self._files.close(seconds)
        while (kept := self._files.kept()) is not None:
            self._came_back(kept, at)
        for leg in self._open.values():
            self._fail(leg, _NOT_WRITTEN, at)

    def _append(self, files: RecordingFiles, leg: _Leg, octets: bytes, at: datetime) -> bool:
        if not octets or files.append(leg.name, octets):
            return True
        self._fail(leg, _TOO_SLOW, at)
        return False

    def _came_back(self, kept: Kept, at: datetime) -> None:
        leg = self._open.pop(kept.name, None)
        if leg is None:
            return
        self._give_up(leg)
        leg.record.recording_ended(leg.call, kept.seconds)
        if kept.failed:
            self._fail(leg, kept.failed, at)
        else:
            self._tell(leg.record)

    def _give_up(self, leg: _Leg) -> None:
        """No more of it is heard; it may be over by itself."""
        if self._up.get(leg.call) is leg:
            del self._up[leg.call]
            self._line.tap(leg.call, None)

    def _fail(self, leg: _Leg, reason: str, at: datetime) -> None:
        log.error("leg_not_recorded", call=leg.call, reason=reason)
        leg.record.recording_failed(leg.call, reason, at)
        self._tell(leg.record)
