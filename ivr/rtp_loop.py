"""One thread, one epoll: every media socket, whatever else is watched, and the clock of all calls.

The calls are spread over phases of 1 ms, so that a thousand packets don't leave in one burst. A hundred may:
each phase in use costs a turn of the loop. A turn of the phases is a multiple of every packet time, so that
each call sends at the same phases of each turn. To wake up costs as much as some ten calls' frames, so SIP's
messages and timers wait for a frame that is due soon.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence

from ivr.counters import Counters
from ivr.events import Codec
from ivr.media.audio import FRAME_MS
from ivr.media.inband_dtmf import DtmfEars
from ivr.media.ports import PortPool, need_descriptors
from ivr.media.remote import MediaEvent, MediaLost, Remote
from ivr.media.session import MediaSession

__all__ = ["RtpLoop"]

_MOST_LATE_MS = 100  # what a pause of the process may delay before its frames are skipped
_TURN_MS = 120  # of 10, 20, 30, 40 and 60 ms the least common multiple
_CROWD = 100  # calls of a phase, beside which another phase is begun: 0.7 ms of reading and sending
_APART = 13  # from one phase to the next that is begun: of no packet time a divisor, and about half of it
_NEVER = 3600.0
_SOON = 0.01  # seconds to the next frame within which all else waits for it; no timer of SIP's is as short
_LISTEN_EVERY = 0.02  # seconds

Handler = Callable[[float], object]


class RtpLoop:
    """Owns the epoll and the media sessions. Everything but `wake` belongs to one thread.

    With `hears_tones` a far end with which no other way was agreed tells its keys as tones in the voice.
    """

    def __init__(
        self,
        pool: PortPool,
        lines: int,
        lost_after: float,
        counters: Counters,
        *,
        hears_tones: bool = False,
    ) -> None:
        need_descriptors(lines)
        pool.check(lines)
        self._pool, self._lost_after, self._counters = pool, lost_after, counters
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._phases: list[list[MediaSession]] = [[] for _ in range(_TURN_MS)]
        self._seats: dict[MediaSession, range] = {}  # the phases of each session that sends
        self._sessions: set[MediaSession] = set()
        self._watched: set[MediaSession] = set()  # those that don't poll
        self._hurried: set[MediaSession] = set()  # those whose delay is heard, being bridged
        self._to_follow: dict[MediaSession, MediaSession] = {}
        self._hears_tones, self._listen_at = hears_tones, 0.0
        self._tone_ears: DtmfEars[MediaSession] = DtmfEars()
        self._events: list[MediaEvent] = []
        self._began, self._done_ms = time.monotonic(), 0
        self._waking = threading.RLock()
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._waker, self._drain)

    # -- descriptors

    def watch(self, descriptor: int, handler: Handler) -> None:
        """Call `handler(now)` whenever the descriptor can be read."""
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        if self._handlers.pop(descriptor, None):
            self._epoll.unregister(descriptor)

    def wake(self) -> None:
        """Make a waiting `turn` return; any thread and any signal may, also after `close`."""
        with self._waking:
            if self._waker >= 0:
                os.eventfd_write(self._waker, 1)

    def _drain(self, now: float) -> None:
        os.eventfd_read(self._waker)

    # -- sessions

    def open(self, call: str, listener: Callable[[bytes, Codec, float], None] | None = None) -> MediaSession:
        """A session on a port pair of its own; NoPorts when none is left."""
        port, rtp, rtcp = self._pool.take()
        session = MediaSession(
            call, port, rtp, rtcp, self._lost_after, self._counters, self._events.append, listener
        )
        self.watch(rtp.fileno(), session.read)
        self.watch(rtcp.fileno(), session.read_rtcp)
        self._sessions.add(session)
        self._watched.add(session)
        return session

    def negotiate(self, session: MediaSession, remote: Remote) -> None:
        """Tell the session what an SDP says; its socket is connected anew if the far end moved."""
        moved = session.negotiate(remote)
        if (seat := self._seats.get(session)) is not None and seat.step != session.ptime:
            self._seat(session, seat.start % session.ptime)
        if moved:
            self.unwatch(session.rtp.fileno())
            try:
                session.reopen()
            except OSError:  # another program was quicker to take the port
                self._events.append(MediaLost(session.call, time.monotonic()))
            else:
                if not session.polls:
                    self.watch(session.rtp.fileno(), session.read)
        self._mind_tones(session)

    def _mind_tones(self, session: MediaSession) -> None:
        """Listen for keys in the voice as long as the far end has no other way to tell them."""
        if self._hears_tones and session.tells_keys_as_tones:
            session.listen_for_tones(self._tone_ears.open(session))
        elif session.hears_tones:
            session.listen_for_tones(None)
            self._tone_ears.close(session)

    def _listen(self, now: float) -> None:
        for session, key in self._tone_ears.look():
            session.key_by_tones(key, now)
            self._mind_tones(session)

    def start(self, session: MediaSession, now: float) -> None:
        """The call is answered: the session sends from its next phase on, and reads then, too.

        Only who is bridged reads as packets come: their delay is heard.
        """
        session.start(now)
        self._mind_tones(session)
        if session.is_bridged:
            self._hurried.add(session)
        else:
            session.polls = True
            self._watched.discard(session)
            self.unwatch(session.rtp.fileno())
        step = session.ptime
        self._seat(session, max((number * _APART % step for number in range(step)), key=self._room(step)))

    def _room(self, step: int) -> Callable[[int], int]:
        """How well another call fits to a phase: where most are, but for those that are crowded already."""
        crowd = _CROWD * _TURN_MS // step

        def room(first: int) -> int:
            seated = sum(map(len, self._phases[first::step]))
            return seated if seated < crowd else -seated

        return room

    def _seat(self, session: MediaSession, first: int) -> None:
        """Have the session send at that phase and each of its packet times after it."""
        self._unseat(session)
        self._seats[session] = seat = range(first, _TURN_MS, session.ptime)
        for phase in seat:
            self._phases[phase].append(session)

    def _unseat(self, session: MediaSession) -> None:
        for phase in self._seats.pop(session, ()):
            self._phases[phase].remove(session)

    def bridge(self, sessions: Sequence[MediaSession]) -> None:
        """Join sessions; each sends from then on half a frame after the first of the others' packets come."""
        first, *others = sessions
        first.join(*others)
        self._hurried.update(session for session in sessions if session in self._seats)
        for session in sessions:
            if session.polls:
                session.polls = False
                self._watched.add(session)
                self.watch(session.rtp.fileno(), session.read)
        self._to_follow.update((other, first) for other in others)
        self._to_follow.update((first, other) for other in others[:1])

    def _follow(self) -> None:
        """Give who was bridged its new phase, once it's known; from there the clocks may drift either way."""
        for session, other in list(self._to_follow.items()):
            if not session.hears(other):
                del self._to_follow[session]
            elif (came_at := other.last_packet_at) is not None and session in self._seats:
                del self._to_follow[session]
                after = int((came_at - self._began) * 1000) + FRAME_MS // 2
                self._seat(session, after % session.ptime)

    def drain(self, session: MediaSession, now: float) -> list[MediaEvent]:
        """Read what the session's socket still holds, and tell what was recorded of it."""
        while session.read(now):
            pass
        if session.hears_tones:
            self._listen(now)
        session.stop_recording(now)
        return self._take_events()

    def close_session(self, session: MediaSession) -> None:
        """Say goodbye and free the ports. Harmless twice."""
        if session not in self._sessions:
            return
        self._sessions.discard(session)
        self._watched.discard(session)
        self._hurried.discard(session)
        self._to_follow.pop(session, None)
        self._tone_ears.close(session)
        self._unseat(session)
        self.unwatch(session.rtp.fileno())
        self.unwatch(session.rtcp.fileno())
        session.close()
        self._pool.give_back(session.port)

    # -- turning

    def turn(self, timeout: float) -> list[MediaEvent]:
        """Wait for packets, the next frame or `timeout`, then do what is due."""
        frame = self._until_next_frame(time.monotonic())
        patience = 0.0 if self._hurried or not timeout else _SOON
        wait = max(0.0, frame if frame <= timeout + patience else timeout)
        ready = self._epoll.poll(wait)
        if ready and wait:
            ready = self._gathered(ready)
        now = time.monotonic()
        late = self._frames_late(now)
        if not self._hurried:  # what came is for nobody's frame, and a burst of SIP would hold them up
            self._send_due(now)
            now = time.monotonic()
        self._read(ready, now)
        for _ in range(late):  # as many wait in each socket: they're heard before we speak again
            if not self._hurried and self.is_due():
                break
            self._read(self._epoll.poll(0), now)
        if self._to_follow:
            self._follow()
        if self._tone_ears and now >= self._listen_at:
            self._listen_at = now + _LISTEN_EVERY
            self._listen(now)
        self._send_due(now)
        return self._take_events()

    def _gathered(self, ready: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """What has come by the next frame, if that is soon: a turn for each datagram would cost more than it.

        Where calls are bridged, or none sends, it's what has come by the end of this ms, if many are watched.
        """
        now = time.monotonic()
        wait = self._until_next_frame(now)
        if self._hurried or wait > _SOON:
            if len(self._watched) <= FRAME_MS:  # a packet a ms
                return ready
            wait = self._began + (self._done_ms + 1) / 1000 - now
        time.sleep(max(0.0, wait))
        return self._epoll.poll(0)

    def _read(self, ready: list[tuple[int, int]], now: float) -> None:
        for descriptor, _ in ready:
            handler = self._handlers.get(descriptor)  # closed by an earlier one of this turn: nothing
            if handler is not None:
                handler(now)

    def _take_events(self) -> list[MediaEvent]:
        events = self._events[:]
        self._events.clear()
        return events

    def is_due(self) -> bool:
        """Whether a frame waits to be sent: what else there is to do may wait for the next turn."""
        return self._until_next_frame(time.monotonic()) <= 0.0

    def _until_next_frame(self, now: float) -> float:
        for ahead in range(1, _TURN_MS + 1):
            at = self._done_ms + ahead
            if self._phases[at % _TURN_MS]:
                return self._began + at / 1000 - now
        return _NEVER

    def _frames_late(self, now: float) -> int:
        """How many whole frames passed since the last turn, of those that aren't skipped."""
        return min(int((now - self._began) * 1000) - self._done_ms, _MOST_LATE_MS) // FRAME_MS

    def _send_due(self, now: float) -> None:
        current = int((now - self._began) * 1000)
        late = current - self._done_ms
        if late > _MOST_LATE_MS:
            self._skip(late - _MOST_LATE_MS)
        for at in range(self._done_ms + 1, current + 1):
            for session in self._phases[at % _TURN_MS]:
                session.tick(now)
        self._done_ms = current

    def _skip(self, ms: int) -> None:
        """Let each session's clock pass by as many packets as it would have sent."""
        turns, rest = divmod(ms, _TURN_MS)
        for session, seat in self._seats.items() if turns else ():
            session.skip(turns * len(seat))
            self._counters["frames_skipped"] += turns * len(seat)
        for at in range(self._done_ms + 1, self._done_ms + rest + 1):
            for session in self._phases[at % _TURN_MS]:
                session.skip(1)
                self._counters["frames_skipped"] += 1
        self._done_ms += ms

    def close(self) -> None:
        """Close every session and the epoll itself."""
        for session in list(self._sessions):
            self.close_session(session)
        with self._waking:
            self.unwatch(self._waker)
            os.close(self._waker)
            self._waker = -1
        self._epoll.close()
