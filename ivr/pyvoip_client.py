"""pyVoIP 1.6.8's message and SIP client with their faults overridden, for `pyvoip_line`.

Left out are its VoIPPhone and VoIPCall, which wait for ever on a 486 or on silence and know no CANCEL, and
its registration, which takes any datagram for its own answer and so loses a BYE. An override names its fault.
"""

from __future__ import annotations

import re
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

from ivr.events import Codec
from ivr.line import Dial, LineError
from ivr.media.ports import NoPorts, PortPool, udp_socket
from ivr.pyvoip_sendings import Sendings
from ivr.settings import VoiceSettings
from ivr.sip.digest import Credentials, Login
from ivr.sip.headers import ip_of
from ivr.sip.message import Header, Response, parse
from ivr.sip.transaction import Timers

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # audioop, which Python 3.13 left to audioop-lts
    import pyVoIP.VoIP  # its modules import one another in a circle: this is the way in
    from pyVoIP.RTP import PayloadType, RTPClient, TransmitType
    from pyVoIP.SIP import SIPClient, SIPMessage

__all__ = ["CODES", "Client", "Message", "PayloadType", "RTPClient", "codec_of", "media_of", "open_client"]

CODES: dict[Codec, int] = {"pcma": 8, "pcmu": 0}
_EVENTS = 101  # our payload type of telephone-event


class Message(SIPMessage):
    """Also OPTIONS, by which a PBX asks whether the extension lives; Contact without its parameters."""

    def parse(self, data: bytes) -> None:
        self.SIPCompatibleMethods = [*pyVoIP.SIPCompatibleMethods, "OPTIONS"]
        super().parse(data)

    def parse_header(self, header: str, data: Any) -> None:
        super().parse_header(header, data)
        if header == "Contact" and (uri := re.search(r"<[^>]+>", data)):
            self.headers[header] = uri[0]

    @property
    def code(self) -> int:
        """A response's status, 0 for a request."""
        return 0 if hasattr(self, "method") else int(self.status.value)

    @property
    def call_id(self) -> str:
        return str(self.headers["Call-ID"])

    @property
    def uri(self) -> str:
        """Whom a request is for, as it came."""
        return str(self.heading.split(b" ")[1].decode("utf-8", "replace"))

    @property
    def fields(self) -> tuple[Header, ...]:
        """Every header, each as often as it came; pyVoIP keeps the last of a name."""
        return parse(self.raw).headers


class Client(SIPClient):
    """The SIP socket; what it hears goes to `hear`, on a thread that ends with `stop`."""

    def __init__(
        self,
        peer: tuple[str, int],
        local: tuple[str, int],
        user: str,
        password: str | None,
        timers: Timers,
        hear: Callable[[Message], None],
    ) -> None:
        phone: Any = None  # it serves pyVoIP's registration alone
        super().__init__(*peer, user, "", phone, *local)
        self._hear, self.sendings = hear, Sendings(timers, self.send)
        self._acknowledged: tuple[tuple[Any, ...], str] = ((), "")
        self._credentials = Credentials(user, password) if password is not None else None

    def start(self) -> None:
        """At once, where pyVoIP listens after a second only. OSError when the port is taken."""
        self.s = self.out = udp_socket(self.myIP, self.myPort)
        self.s.setblocking(True)
        self.myPort, self.NSD = self.s.getsockname()[1], True
        self._thread = Thread(target=self.recv_loop, name="pyvoip SIP", daemon=True)
        self._thread.start()

    def recv_loop(self) -> None:
        """pyVoIP looks every 10 ms and dies of a closed socket."""
        while self.NSD:
            with suppress(Exception):  # its parser raises whatever it meets in a bad datagram
                data, source = self.s.recvfrom(65535)
                if data and source[0] == self.server:
                    self._hear(Message(data))

    def stop(self) -> None:
        self.NSD = False
        self.s.sendto(b"", self.s.getsockname())
        self._thread.join()
        self.s.close()

    def send(self, text: str) -> None:
        with suppress(OSError):  # as good as lost on the way
            self.out.sendto(text.encode(), (self.server, self.port))

    def surely(self, text: str) -> None:
        """Send a request, and again until it's answered."""
        self.sendings.begin(text, time.monotonic())
        self.send(text)

    def new_login(self) -> Login:
        """For one call, or for the registration: pyVoIP knows 401 alone, and no qop."""
        return Login(self._credentials, lambda: secrets.token_hex(8))

    @staticmethod
    def challenged(response: Message, login: Login) -> bool:
        """Whether a 401 or 407 is worth another request."""
        parsed = parse(response.raw)
        return response.code in (401, 407) and isinstance(parsed, Response) and login.accept(parsed)

    @staticmethod
    def signed(text: str, login: Login) -> str:
        """With what the PBX's challenges asked for."""
        method, uri = text.split(" ", 2)[:2]
        return _with_headers(text, login.headers(method, uri))

    # -- texts

    def gen_call(self, order: Dial, port: int, codecs: tuple[Codec, ...], call_id: str, login: Login) -> str:
        """An INVITE that offers `codecs` in their order; pyVoIP's call offers µ-law alone."""
        formats: Any = {CODES[codec]: PayloadType(CODES[codec]) for codec in codecs}
        offer = {port: formats | {_EVENTS: PayloadType.EVENT}}
        branch = self.gen_branch()
        invite = self.gen_invite(order.number, "1", offer, TransmitType.SENDRECV, branch, call_id)
        return self.signed(_with_headers(invite, order.headers), login)

    def gen_agreement(self, request: Message, port: int, formats: dict[int, Any]) -> str:
        """The 200 to their INVITE."""
        return str(self.gen_answer(request, "1", {port: formats}, TransmitType.SENDRECV))

    def own_tag(self, request: Message) -> None:
        """Draw our tag of a call that comes in."""
        self.tagLibrary[request.call_id] = self.gen_tag()

    def gen_call_id(self) -> str:
        """pyVoIP's is a hash of a counter: the same after each start."""
        return f"{secrets.token_hex(16)}@{self.myIP}"

    def gen_ack(self, response: Any) -> str:
        """With the To of the response; a 200's is a request of its own, and the same each time the 200 comes
        (RFC 3261 §13.2.2.4)."""
        of = response.call_id, response.headers["CSeq"]["check"], response.headers["To"]["tag"], response.code
        if of != self._acknowledged[0]:
            text = super().gen_ack(response)
            text = re.sub(r";tag=[^\r]*(?=\r\nFrom:)", self._tag(response.headers["To"]["tag"]), text)
            self._acknowledged = of, self._anew(text, response) if response.code < 300 else text
        return self._acknowledged[1]

    def gen_bye(self, request: Any) -> str:
        """With a Via of our own: pyVoIP sends the INVITE's, which may be theirs."""
        return self._anew(str(super().gen_bye(request)), request)

    def gen_cancel(self, invite: Message) -> str:
        """pyVoIP has none (RFC 3261 §9.1: all but the method is the INVITE's)."""
        head, *lines = invite.raw.decode().partition("\r\n\r\n")[0].split("\r\n")
        kept = [line for line in lines if line.startswith(("Via", "Max", "To", "From", "Call-ID"))]
        cseq = f"CSeq: {invite.headers['CSeq']['check']} CANCEL"
        return "\r\n".join([head.replace("INVITE", "CANCEL", 1), *kept, cseq, "Content-Length: 0", "", ""])

    def gen_ok(self, request: Any) -> str:
        return self._tagged(super().gen_ok(request), request)

    def gen_refusal(self, request: Message, status: int, uris: Sequence[str] = ()) -> str:
        """pyVoIP knows 486 alone. `uris` are where to call instead (RFC 3261 §21.3)."""
        text = self._tagged(super().gen_busy(request), request)
        if uris:
            contacts = "".join(f"Contact: <{uri}>\r\n" for uri in uris)
            text = re.sub(r"Contact: [^\r]*\r\n", lambda _: contacts, text, count=1)
        return text if status == 486 else text.replace("486 Busy Here", f"{status} Refused", 1)

    def _tagged(self, text: str, request: Message) -> str:
        """With the call's own tag: pyVoIP draws another for each response."""
        tag = request.headers["To"]["tag"] or self.tagLibrary.get(request.call_id)
        return re.sub(r";tag=[^\r]*(?=\r\nCall-ID:)", self._tag(tag), text, count=1) if tag else text

    def _anew(self, text: str, message: Message) -> str:
        via = f"Via: SIP/2.0/UDP {self.myIP}:{self.myPort};branch={self.gen_branch()};rport\r\n"
        head, _, rest = re.sub(r"(Via: [^\r]*\r\n)+", via, text, count=1).partition("\r\n")
        uri = str(message.headers.get("Contact", head.split()[1])).strip("<>")
        return f"{head.split()[0]} {uri} SIP/2.0\r\n{rest}"

    @staticmethod
    def _tag(tag: str) -> str:
        return f";tag={tag}" if tag else ""


def _with_headers(text: str, headers: Iterable[Header]) -> str:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return text.replace("Content-Length:", f"{lines}Content-Length:", 1)


def media_of(message: Message) -> tuple[tuple[str, int], dict[int, Any]]:
    """Where their voice wants to be sent and the formats of ours among theirs, in their order.

    ValueError where there is no codec of ours; pyVoIP's call asks for no codec and raises on a foreign one.
    """
    audio = next((each for each in message.body.get("m", []) if each["type"] == "audio"), None)
    if audio is None or not message.body.get("c"):
        raise ValueError("no audio is offered")
    formats = {}
    for number in audio["methods"]:
        name = audio["attributes"].get(number, {}).get("rtpmap", {}).get("name", "")
        if name.lower() == "telephone-event":
            formats[int(number)] = PayloadType.EVENT
        elif int(number) in CODES.values():
            formats[int(number)] = PayloadType(int(number))
    if not set(CODES.values()) & set(formats):
        raise ValueError("no codec of ours is offered")
    return (message.body["c"][-1]["address"], audio["port"]), formats


def codec_of(formats: dict[int, Any]) -> Codec:
    """The first codec of `media_of`'s formats."""
    return next(codec for number in formats for codec, code in CODES.items() if code == number)


def open_client(settings: VoiceSettings, hear: Callable[[Message], None]) -> tuple[Client, PortPool]:
    """The client of the only trunk, listening, and the ports for voice; LineError says what to change."""
    if len(settings.trunks) != 1:
        raise LineError(f"voice.trunks: pyVoIP has one trunk, not {len(settings.trunks)}")
    (trunk,), local = settings.trunks, (settings.local_host, settings.sip_port)
    if trunk.transport != "udp" or ip_of(trunk.host) is None or ":" in trunk.host:
        raise LineError(f"voice.trunks.{trunk.name}: pyVoIP knows IPv4 addresses and UDP alone")
    password = trunk.password.get_secret_value() if trunk.password else None
    timers = Timers(t1=settings.t1, t2=settings.t2, t4=settings.t4)
    user = trunk.username or trunk.caller_number
    client = Client((trunk.host, trunk.port or 5060), local, user, password, timers, hear)
    ports = PortPool(settings.local_host, settings.rtp_port_min, settings.rtp_port_max)
    try:
        ports.check(settings.lines)
        client.start()
    except NoPorts as error:
        raise LineError(str(error)) from error
    except OSError as error:
        where = f"{local[0]}:{local[1]} over UDP"
        raise LineError(f"sip_port: {where}: {error.strerror}; choose another") from error
    return client, ports
