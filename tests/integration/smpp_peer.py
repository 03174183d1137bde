"""The far end of an SMPP link, held in the test's own hands: it answers what and when the test says."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from sms.events import GatewayEvent, LinkUp, Submission
from sms.smpp_codec import text_of
from sms.smpp_gateway import SmppGateway
from sms.smpp_link import LinkLost, SmppLink
from sms.smpp_settings import SmppSettings

SENDER = "106380110"
CITIZEN = "13803790001"


class Peer:
    """A listening SMSC and the gateway that connects to it, turned by the same thread."""

    def __init__(self, **settings: Any) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        base = {"port": port, "reconnect_first": 0.05, "rate_per_second": 2000}
        self.gateway = SmppGateway(SmppSettings(**(base | settings)))
        self.link: SmppLink | None = None
        self.events: list[GatewayEvent] = []
        self.links: list[SmppLink] = []
        self._unread_of: dict[SmppLink, list[Any]] = {}
        self._unread: list[Any] = []

    def close(self) -> None:
        self.gateway.close()
        self._listener.close()
        for link in {self.link, *self.links} - {None}:
            link.close()

    def bind(self) -> None:
        """Takes the gateway's next connection and binds it, the one connection that there is."""
        if self.link is not None:
            self.link.close()
        self.take_bind()
        self.until(LinkUp)

    def take_bind(self, command: str = "bind_transceiver") -> SmppLink:
        """Takes another connection and binds it; it's `link` until the next."""
        self.use(SmppLink(self._accept()))
        self.links.append(self.link)
        self.link.answer(self.expect(command), f"{command}_resp", system_id="peer")
        for _ in range(3):
            self.events += self.gateway.poll(0.01)
        return self.link

    def use(self, link: SmppLink) -> None:
        """Talks over this link from now on."""
        self.link, self._unread = link, self._unread_of.setdefault(link, [])

    def _accept(self) -> socket.socket:
        self._listener.setblocking(False)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.events += self.gateway.poll(0.01)
            with suppress(BlockingIOError):
                return self._listener.accept()[0]
        raise AssertionError(f"nobody connects; events {self.events}")

    def expect(self, command: str) -> Any:
        """The next PDU from the gateway, which is a `command`."""
        pdu = self.next_pdu()
        assert pdu.command == command, f"{pdu.command} instead of {command}"
        return pdu

    def next_pdu(self) -> Any:
        deadline = time.monotonic() + 10
        while not self._unread:
            assert time.monotonic() < deadline, f"nothing came; events {self.events}"
            self.events += self.gateway.poll(0.01)
            self._unread += self.link.read()
        return self._unread.pop(0)

    def quiet(self) -> bool:
        """Whether the gateway has nothing more to say after a few turns."""
        for _ in range(5):
            self.events += self.gateway.poll(0.01)
            self._unread += self.link.read()
        return not self._unread

    def lost(self) -> str:
        """How the gateway ended the connection."""
        deadline = time.monotonic() + 10
        while True:
            assert time.monotonic() < deadline
            self.events += self.gateway.poll(0.01)
            try:
                self._unread += self.link.read()
            except LinkLost as error:
                return str(error)

    def until(self, kind: type, count: int = 1) -> Any:
        """The last of `count` events of a kind, taken out of those that came."""
        deadline = time.monotonic() + 10
        while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
            assert time.monotonic() < deadline, f"only {self.events}"
            self.events += self.gateway.poll(0.01)
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found[-1]

    def submit(self, ref: int, text: str = "您好") -> None:
        self.gateway.submit(Submission(ref, SENDER, CITIZEN, text))

    def deliver(self, **fields: Any) -> int:
        """Sends a deliver_sm; its sequence number."""
        base = {"source_addr": CITIZEN, "destination_addr": SENDER, "data_coding": 8}
        pdu = self.link.make("deliver_sm", **(base | fields))
        self.link.send(pdu)
        return int(pdu.sequence)


def address(pdu: Any) -> tuple[str, str]:
    return text_of(pdu.source_addr), text_of(pdu.destination_addr)
