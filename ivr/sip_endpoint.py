"""A SIP address with its media: its wires, the sans-IO agent and the RTP loop, in one thread.

Both sides of the house stand on it: `sip_line` calls out, the simulated city is called.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from ivr.counters import Counters
from ivr.events import Codec, MediaQuality
from ivr.media.ports import PortPool
from ivr.media.remote import MediaEvent, Remote
from ivr.media.session import MediaSession
from ivr.rtp_loop import RtpLoop
from ivr.sip.agent import AgentConfig, UserAgent
from ivr.sip.crypto import new_cryptos
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
    OptionsAnswered,
    ReferAnswered,
    ReferReceived,
    Registered,
    RegistrationFailed,
    ReinviteReceived,
)
from ivr.sip.headers import ip_of
from ivr.sip.hop import Hop
from ivr.sip.sdp import LocalMedia, Media, Profiles
from ivr.sip.session_timer import LEAST
from ivr.sip.transaction import Timers
from ivr.sip_streams import Failed, Lost
from ivr.sip_wires import SipWires, WirePlan

__all__ = ["EndpointEvent", "OutsideEvent", "SipEndpoint"]

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

OutsideEvent = OptionsAnswered | Registered | RegistrationFailed  # of no call

_LARGEST_DATAGRAM = 1300  # octets of a request (RFC 3261 §18.1.1)
_UDP_ALONE = WirePlan()
_PLAIN = Profiles()


class SipEndpoint:
    """`peers` are the hosts whose messages are taken; another's are dropped and counted.

    `plan` tells of TCP, TLS and limits; `on_failed` hears of a hop that couldn't be reached. Without
    `named_events` keys are tones in the voice, both ways (RFC 4733 isn't offered); with `hears_tones` they
    are heard where a far end agreed to nothing else. `agent` is for the owner's commands; what they send
    leaves with the next `turn` or `flush`. `outside` is called with what comes of its requests outside of
    calls. `address` is ours as peers reach it, where a NAT stands before `host`. `may_call` says whether a
    3xx may lead to a number, `credentials` who we are in calls that come from there.
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
        session_expires: int = 1800,
        min_se: int = LEAST,
        named_events: bool = True,
        hears_tones: bool = False,
        plan: WirePlan = _UDP_ALONE,
        on_failed: Callable[[Hop], None] = lambda _: None,
        profiles: Callable[[Hop], Profiles] = lambda _: _PLAIN,
        outside: Callable[[OutsideEvent], None] = lambda _: None,
        address: str | None = None,
        may_call: Callable[[str], bool] = lambda _user: True,
        credentials: Callable[[Hop], Credentials | None] = lambda _source: None,
    ) -> None:
        self.counters = Counters()
        self._named_events, self._on_failed = named_events, on_failed
        self._outside = outside
        self._sessions: dict[str, MediaSession] = {}
        self._loop = RtpLoop(pool, lines, lost_after, self.counters, hears_tones=hears_tones)
        try:
            self.wires = SipWires(host, port, peers, plan, self.counters, self._loop.wake)
        except OSError:
            self._loop.close()
            raise
        self.host, self.port, self.tls_port = address or host, self.wires.port, self.wires.tls_port
        config = AgentConfig(
            self.host,
            self.port,
            lambda: secrets.token_hex(8),
            timers,
            trying=trying,
            transfers=transfers,
            session_expires=session_expires,
            min_se=min_se,
            tls_port=self.tls_port,
            largest_datagram=_LARGEST_DATAGRAM if plan.tcp else None,
            profiles=profiles,
            may_call=may_call,
            credentials=credentials,
        )
        self.agent = UserAgent(config)
        self._loop.watch(self.wires.udp.fileno(), self._read)

    # -- media of a call

    def open_media(
        self,
        call: str,
        codecs: tuple[Codec, ...],
        listener: Callable[[bytes, Codec, float], None] | None = None,
        profiles: Profiles = _PLAIN,
    ) -> LocalMedia:
        """Open a port pair for `call`, for voice by these profiles; NoPorts when none is left."""
        session = self._sessions[call] = self._loop.open(call, listener)
        crypto = new_cryptos(secrets.token_bytes) if profiles.secure else ()
        return LocalMedia(
            self.host,
            session.port,
            codecs,
            dtmf=self._named_events,
            crypto=crypto,
            plain=profiles.plain,
        )

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
                keys=media.keys,
            )
            self._loop.negotiate(session, remote)

    def answer(self, call: str, local: LocalMedia, also_from: str) -> None:
        """Take a call, at once; what its offer and `local` agree holds from here on."""
        media = self.agent.answer(call, local, time.monotonic())
        if media is not None:
            self.agree(call, media, also_from)
        self.flush()

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
        redirects: Mapping[str, Hop] | None = None,
        display: str = "",
    ) -> str:
        """Call out, at once. The Call-ID that the INVITE bears, as a capture shows it."""
        self.flush()
        now = time.monotonic()
        call_id = self.agent.invite(
            call,
            uri,
            destination,
            local,
            from_uri,
            now,
            credentials=credentials,
            headers=headers,
            place=place,
            redirects=redirects,
            display=display,
        )
        self.flush()
        return call_id

    # -- turning

    def turn(self, timeout: float) -> list[EndpointEvent]:
        """Wait for something to happen and tell it: keys before the BYE that came with them."""
        waiting = self._sip_events()
        self.flush()
        heard = self._loop.turn(0.0 if waiting else self._wait(timeout))
        now = time.monotonic()
        self._read_streams(now)
        if self.agent.deadline is not None and self.agent.deadline <= now:
            self.agent.handle_timer(now)
        waiting += self._sip_events()
        self.flush()
        return [*heard, *waiting]

    def flush(self) -> None:
        """Send what the agent wants sent."""
        for data, hop in self.agent.take_outgoing():
            self.wires.send(data, hop)

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
        self._loop.unwatch(self.wires.udp.fileno())
        self.wires.close()  # its thread wakes the loop
        self._loop.close()
        self._sessions.clear()

    def _wait(self, timeout: float) -> float:
        deadline = self.agent.deadline
        return timeout if deadline is None else min(timeout, max(0.0, deadline - time.monotonic()))

    def _read(self, now: float) -> None:
        for data, hop in self.wires.datagrams(now):
            self.agent.receive(data, hop, now)
            if self._loop.is_due():
                break  # the rest is there in the next turn, after the frame

    def _read_streams(self, now: float) -> None:
        for event in self.wires.stream_events(now):
            match event:
                case Failed(hop):
                    self._on_failed(hop)
                    self.agent.connection_failed(hop, now)
                case Lost(hop):
                    self.agent.connection_lost(hop, now)
                case (data, hop):
                    self.agent.receive(data, hop, now)

    def _sip_events(self) -> list[EndpointEvent]:
        told: list[EndpointEvent] = []
        for event in self.agent.take_events():
            match event:
                case Dropped(reason, hop):
                    self.counters.oddity("sip_dropped", hop[:2], reason)
                case OptionsAnswered() | Registered() | RegistrationFailed():
                    self._outside(event)
                case ReinviteReceived(call, media):
                    self.agree(call, media, media.host)
                case InfoDtmf(call, key, duration_ms):
                    if session := self._sessions.get(call):
                        session.key_by_info(key, duration_ms / 1000, time.monotonic())
                case _:
                    told.append(event)
        return told
