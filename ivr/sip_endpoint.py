"""A SIP address with its media: the UDP socket, the sans-IO agent and the RTP loop, in one thread.

Both sides of the house stand on it: `sip_line` calls out, the simulated city is called.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Sequence

from ivr.counters import Counters
from ivr.events import Codec, MediaQuality
from ivr.media.ports import PortPool, udp_socket
from ivr.media.remote import MediaEvent, Remote
from ivr.media.session import MediaSession
from ivr.rtp_loop import RtpLoop
from ivr.sip.agent import AgentConfig, UserAgent
from ivr.sip.digest import Credentials
from ivr.sip.events import (
    AckReceived,
    CancelReceived,
    DialogEnded,
    Dropped,
    InfoDtmf,
    InviteAccepted,
    InviteFailed,
    InviteProgress,
    InviteReceived,
    ReferAnswered,
    ReferReceived,
    ReinviteReceived,
)
from ivr.sip.headers import ip_of
from ivr.sip.hop import Hop
from ivr.sip.message import parse
from ivr.sip.sdp import LocalMedia, Media
from ivr.sip.transaction import Timers

__all__ = ["EndpointEvent", "SipEndpoint"]

EndpointEvent = (
    InviteProgress
    | InviteAccepted
    | InviteFailed
    | DialogEnded
    | InviteReceived
    | CancelReceived
    | AckReceived
    | ReferReceived
    | ReferAnswered
    | MediaEvent
)

_MOST_DATAGRAMS = 64  # a turn: a flood of SIP doesn't starve the voice
_RECEIVE_BUFFER = 1 << 20


class SipEndpoint:
    """`peers` are the hosts whose datagrams are taken; another's are dropped and counted.

    `agent` is for the owner's commands; what they send leaves with the next `turn` or `flush`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        peers: frozenset[str],
        timers: Timers,
        pool: PortPool,
        lines: int,
        lost_after: float,
        *,
        trying: bool = True,
        transfers: bool = False,
    ) -> None:
        self.counters = Counters()
        self._peers = peers
        self._sessions: dict[str, MediaSession] = {}
        self._loop = RtpLoop(pool, lines, lost_after, self.counters)
        try:
            self._socket = udp_socket(host, port)
        except OSError:
            self._loop.close()
            raise
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        config = AgentConfig(
            host, self.port, lambda: secrets.token_hex(8), timers, trying=trying, transfers=transfers
        )
        self.agent = UserAgent(config)
        self._loop.watch(self._socket.fileno(), self._read)

    # -- media of a call

    def open_media(
        self,
        call: str,
        codecs: tuple[Codec, ...],
        listener: Callable[[bytes, Codec, float], None] | None = None,
    ) -> LocalMedia:
        """Open a port pair for `call`; NoPorts when none is left."""
        session = self._sessions[call] = self._loop.open(call, listener)
        return LocalMedia(self.host, session.port, codecs)

    def agree(self, call: str, media: Media, also_from: str) -> None:
        """Send as their SDP says; voice may come from its host or, behind a NAT, from `also_from`."""
        if session := self._sessions.get(call):
            hosts = frozenset((media.host, media.rtcp_host or media.host, ip_of(also_from) or also_from))
            remote = Remote(
                address=(media.host, media.port),
                rtcp_port=media.rtcp_port,
                codec=media.codec,
                voice_type=media.payload_type,
                event_type=media.dtmf_payload,
                hosts=hosts | session.remote.hosts if session.remote else hosts,
                sends=media.sends,
                receives=media.receives,
                ptime=media.ptime,
                rtcp_host=media.rtcp_host,
            )
            self._loop.negotiate(session, remote)

    def start_media(self, call: str, now: float) -> None:
        if session := self._sessions.get(call):
            self._loop.start(session, now)

    def close_media(self, call: str) -> MediaQuality | None:
        """How its voice went, None where nobody answered."""
        if session := self._sessions.pop(call, None):
            self._loop.close_session(session)
            return session.quality
        return None

    def bridge(self, calls: Sequence[str]) -> None:
        """Join the media of different calls; nothing where one of them has none."""
        found = [self._sessions[call] for call in calls if call in self._sessions]
        if len(found) == len(set(calls)) == len(calls):
            self._loop.bridge(found)

    def media(self, call: str) -> MediaSession | None:
        """The session of a call, None when it has none."""
        return self._sessions.get(call)

    def drain(self, call: str, now: float) -> list[MediaEvent]:
        """What the call's socket still holds: a key that a BYE overtook isn't lost."""
        session = self._sessions.get(call)
        return self._loop.drain(session, now) if session else []

    def invite(
        self,
        call: str,
        uri: str,
        destination: Hop,
        local: LocalMedia,
        from_uri: str,
        credentials: Credentials | None = None,
        headers: Sequence[tuple[str, str]] = (),
        place: bytes = b"",
    ) -> str:
        """Call out, at once. The Call-ID that the INVITE bears, as a capture shows it."""
        self.flush()
        now = time.monotonic()
        self.agent.invite(
            call,
            uri,
            destination,
            local,
            from_uri,
            now,
            credentials=credentials,
            headers=headers,
            place=place,
        )
        ((data, address),) = self.agent.take_outgoing()
        self._send(data, address)
        return parse(data).first("Call-ID") or ""

    # -- turning

    def turn(self, timeout: float) -> list[EndpointEvent]:
        """Wait for something to happen and tell it: keys before the BYE that came with them."""
        waiting = self._sip_events()
        self.flush()
        heard = self._loop.turn(0.0 if waiting else self._wait(timeout))
        now = time.monotonic()
        if self.agent.deadline is not None and self.agent.deadline <= now:
            self.agent.handle_timer(now)
        waiting += self._sip_events()
        self.flush()
        return [*heard, *waiting]

    def flush(self) -> None:
        """Send what the agent wants sent."""
        for data, address in self.agent.take_outgoing():
            self._send(data, address)

    def _send(self, data: bytes, hop: Hop) -> None:
        try:
            self._socket.sendto(data, hop[:2])
        except OSError:  # as good as lost on the way: the transaction's timers send it again
            self.counters["sip_send_failed"] += 1

    def wake(self) -> None:
        """Make a waiting `turn` return; any thread may."""
        self._loop.wake()

    def settle(self, seconds: float) -> None:
        """Turn until the agent has nothing left to say, for `seconds` at most."""
        until = time.monotonic() + seconds
        while not self.agent.idle and time.monotonic() < until:
            self.turn(0.05)
        self.flush()

    def close(self) -> None:
        self._loop.unwatch(self._socket.fileno())
        self._loop.close()
        self._sessions.clear()
        self._socket.close()

    def _wait(self, timeout: float) -> float:
        deadline = self.agent.deadline
        return timeout if deadline is None else min(timeout, max(0.0, deadline - time.monotonic()))

    def _read(self, now: float) -> None:
        for _ in range(_MOST_DATAGRAMS):
            try:
                data, source = self._socket.recvfrom(65535)
            except OSError:  # empty, or an ICMP refusal of what we sent: timers notice that
                return
            if source[0] in self._peers:
                self.agent.receive(data, Hop(*source), now)
            else:
                self.counters.oddity("sip_stranger", source)

    def _sip_events(self) -> list[EndpointEvent]:
        told: list[EndpointEvent] = []
        for event in self.agent.take_events():
            match event:
                case Dropped(reason, hop):
                    self.counters.oddity("sip_dropped", hop[:2], reason)
                case ReinviteReceived(call, media):
                    self.agree(call, media, media.host)
                case InfoDtmf(call, key, duration_ms):
                    if session := self._sessions.get(call):
                        session.key_by_info(key, duration_ms / 1000, time.monotonic())
                case _:
                    told.append(event)
        return told
