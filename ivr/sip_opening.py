"""A city's settings as a SIP endpoint: sockets, certificates, and the book of its trunks' names."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

from ivr.line import LineError
from ivr.media.ports import NoPorts, PortPool
from ivr.name_book import NameBook
from ivr.name_lookup import lookup_by
from ivr.settings import VoiceSettings
from ivr.sip.hop import Hop
from ivr.sip.transaction import Timers
from ivr.sip_endpoint import OutsideEvent, SipEndpoint
from ivr.sip_tls import TlsError, client_context, server_context
from ivr.sip_trunks import offerable, trunk_of, with_registrar
from ivr.sip_wires import OnMessage, WirePlan
from ivr.trunk_redirects import may_lead_to
from ivr.trunk_watch import credentials_of

__all__ = ["open_endpoint"]


def open_endpoint(
    settings: VoiceSettings,
    *,
    takes_calls: bool,
    on_message: OnMessage | None = None,
    outside: Callable[[OutsideEvent], None] = lambda _: None,
) -> tuple[SipEndpoint, NameBook]:
    """The endpoint, and where its trunks and their registrars are. LineError says what to change."""
    ipv6 = ":" in settings.local_host
    book = NameBook(
        (place for trunk in settings.trunks for place in with_registrar(trunk)),
        lookup_by(settings.nameservers, ipv6=ipv6),
    )
    try:
        plan = _plan(settings, book, on_message)
        book.start()
        endpoint = _open(settings, takes_calls, plan, book, outside)
    except (NoPorts, TlsError) as error:
        book.close()
        raise LineError(str(error)) from error
    except OSError as error:
        book.close()
        where = f"{settings.local_host}:{settings.sip_port}"
        raise LineError(f"sip_port: {where}: {error.strerror or error}; choose another") from error
    book.on_change = lambda: endpoint.wires.wall.allow(book.hosts)
    book.on_change()
    return endpoint, book


def _open(
    settings: VoiceSettings,
    takes_calls: bool,
    plan: WirePlan,
    book: NameBook,
    outside: Callable[[OutsideEvent], None],
) -> SipEndpoint:
    return SipEndpoint(
        settings.local_host,
        settings.sip_port,
        book.hosts,
        Timers(t1=settings.t1, t2=settings.t2, t4=settings.t4),
        PortPool(settings.local_host, settings.rtp_port_min, settings.rtp_port_max, settings.rtp_dscp),
        settings.lines,
        settings.media_lost_after,
        trying=not takes_calls,
        transfers=takes_calls,
        session_expires=settings.session_expires,
        min_se=settings.min_se,
        hears_tones=settings.inband_dtmf,
        plan=plan,
        on_failed=lambda hop: book.avoid(hop, time.monotonic()),
        profiles=lambda source: offerable(source, settings.trunks, book),
        credentials=lambda source: credentials_of(trunk_of(source, settings.trunks, book)),
        outside=outside,
        address=settings.external_address,
        may_call=(lambda _user: True) if takes_calls else may_lead_to,  # the desk of 110 may be called so
    )


def _plan(settings: VoiceSettings, book: NameBook, on_message: OnMessage | None) -> WirePlan:
    by_tls = [trunk for trunk in settings.trunks if trunk.transport == "tls"]
    contexts = {
        trunk.name: client_context(settings.tls, authorities=trunk.tls_authorities, verify=trunk.tls_verify)
        for trunk in by_tls
    }

    def client_tls(hop: Hop) -> tuple[ssl.SSLContext, str]:
        trunk = trunk_of(hop, by_tls, book, with_registrar)
        if trunk is None:
            raise ValueError(f"no trunk over TLS is at {hop.host}")
        return contexts[trunk.name], trunk.tls_name or book.name_of(hop)

    return WirePlan(
        tcp=settings.tcp or settings.tls is not None or any(t.transport != "udp" for t in settings.trunks),
        tls_port=settings.tls.port if settings.tls else 0,
        server_tls=server_context(settings.tls) if settings.tls else None,
        client_tls=client_tls,
        limit=settings.source_limit,
        unknown=settings.unknown_source,
        dscp=settings.sip_dscp,
        on_message=on_message,
    )
