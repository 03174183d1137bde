"""How an SMPP link comes about: without anybody waiting for it, and over TLS with a certificate checked."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sms.events import LinkDown, LinkUp, ReplyArrived, Submitted
from sms.message import encode
from sms.smpp_gateway import SmppGateway
from sms.smpp_link import SmppLink
from sms.smpp_settings import SmppSettings
from tests.integration.certificates import make_certificate
from tests.integration.smpp_peer import Peer

NAME = "smsc.example"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificate(folder, NAME, make_certificate(folder, "authority"))
    make_certificate(folder, "stranger")
    return folder


class TlsPeer(Peer):
    """An SMSC behind TLS."""

    def __init__(self, certificates: Path, **settings: Any) -> None:
        super().__init__(tls=True, **settings)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / f"{NAME}.pem", certificates / f"{NAME}.key")

    def _accept(self) -> socket.socket:
        """The far end shakes hands in a thread of its own."""
        plain, wrapped = super()._accept(), list[ssl.SSLSocket]()
        plain.settimeout(10)

        def shake_hands() -> None:
            wrapped.append(self._context.wrap_socket(plain, server_side=True))

        thread = threading.Thread(target=shake_hands)
        thread.start()
        while thread.is_alive():
            self.events += self.gateway.poll(0.01)
        return wrapped[0]

    def refuse(self) -> None:
        """Shakes the hand of one who doesn't trust it."""
        plain = super()._accept()
        plain.settimeout(10)

        def shake_hands() -> None:
            with suppress(OSError), self._context.wrap_socket(plain, server_side=True) as wrapped:
                wrapped.recv(1)
            plain.close()

        thread = threading.Thread(target=shake_hands)
        thread.start()
        while thread.is_alive():
            self.events += self.gateway.poll(0.01)


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    peers: list[Peer] = []
    yield peers
    for peer in peers:
        peer.close()


def test_texts_and_replies_over_tls(certificates: Path, peers: list[Peer]) -> None:
    peers.append(peer := TlsPeer(certificates, ca_file=certificates / "authority.pem", server_name=NAME))
    peer.bind()
    peer.submit(1, "满" * 500)
    for message_id in "ABCDEFGH":
        peer.link.answer(peer.expect("submit_sm"), "submit_sm_resp", message_id=message_id)
    assert peer.until(Submitted).message_ids == tuple("ABCDEFGH")
    for number in range(200):  # more than a TLS record
        peer.deliver(short_message=encode(f"{number}，" + "好" * 60))
    peer.until(ReplyArrived, count=200)
    peer.link.close()
    peer.until(LinkDown)
    peer.bind()


@pytest.mark.parametrize(
    ("settings", "authority", "reason"),
    [
        ({"server_name": NAME}, "stranger", "self-signed|unable to get local issuer"),  # another authority's
        ({"server_name": "other.example"}, "authority", "[Hh]ostname mismatch"),
        ({}, "authority", "IP address mismatch"),  # host is 127.0.0.1
        ({"server_name": NAME}, None, "unable to get local issuer"),  # the system knows nothing of it
    ],
)
def test_a_certificate_that_does_not_hold_is_refused(
    certificates: Path, peers: list[Peer], settings: dict[str, Any], authority: str | None, reason: str
) -> None:
    ca_file = certificates / f"{authority}.pem" if authority else None
    peers.append(peer := TlsPeer(certificates, ca_file=ca_file, **settings))
    peer.refuse()
    down = peer.until(LinkDown)
    assert down.reason.startswith("127.0.0.1:")
    assert re.search(reason, down.reason)
    assert not [event for event in peer.events if isinstance(event, LinkUp)]


def test_unverified_only_when_told(certificates: Path, peers: list[Peer]) -> None:
    peers.append(peer := TlsPeer(certificates, tls_verify=False))
    peer.bind()


def test_an_smsc_that_speaks_no_tls(certificates: Path, peers: list[Peer]) -> None:
    peers.append(peer := Peer(tls=True, ca_file=certificates / "authority.pem", connect_timeout=0.5))
    plain = peer._accept()
    plain.sendall(SmppLink(plain).make("enquire_link").generate())
    assert "TLS" in peer.until(LinkDown).reason
    plain.close()
    silent = peer._accept()  # and one that says nothing at all
    assert "no connection in time" in peer.until(LinkDown).reason
    silent.close()


def test_a_ca_file_that_is_none_is_named(tmp_path: Path, peers: list[Peer]) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    peers.append(peer := Peer(tls=True, ca_file=tmp_path / "ca.pem"))
    peer._accept().close()
    assert "ca.pem" in peer.until(LinkDown).reason


def test_a_connect_without_an_answer_holds_nobody_up() -> None:
    """A listener whose backlog is full: the SYN goes unanswered."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        gateway = SmppGateway(SmppSettings(port=port, connect_timeout=0.5, reconnect_first=60))
        assert gateway.poll(0) == []  # neither here
        assert (gateway.room, gateway.in_flight) == (0, 0)
        [down] = gateway.poll(30)  # nor longer than its own time
        assert isinstance(down, LinkDown) and "no connection in time" in down.reason
        gateway.close()


def test_a_slow_resolver_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, peers: list[Peer]) -> None:
    answers, resolve = threading.Event(), socket.getaddrinfo

    def slowly(host: str, *args: Any, flags: int = 0, **more: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return resolve(host, *args, flags=flags, **more)
        answers.wait(20)
        return resolve("127.0.0.1", *args, flags=flags, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    peers.append(peer := Peer(host=NAME))
    for _ in range(3):
        assert peer.gateway.poll(0) == []
    answers.set()
    peer.bind()


def test_a_name_that_is_not_known_is_named(peers: list[Peer]) -> None:
    peers.append(peer := Peer(host="no..such"))
    assert peer.until(LinkDown).reason.startswith("no..such:")


def test_one_of_several_addresses_answers(monkeypatch: pytest.MonkeyPatch, peers: list[Peer]) -> None:
    resolve = socket.getaddrinfo

    def two(host: str, port: int, *args: Any, flags: int = 0, **more: Any) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return resolve(host, port, *args, flags=flags, **more)
        return [*resolve("127.0.0.1", 1, **more), *resolve("127.0.0.1", port, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    peers.append(peer := Peer(host=NAME))
    peer.bind()
    assert not [event for event in peer.events if isinstance(event, LinkDown)]


def test_closing_amid_a_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gateway = SmppGateway(SmppSettings(port=listener.getsockname()[1]))
        gateway.poll(0)
        gateway.close()
        gateway.close()
