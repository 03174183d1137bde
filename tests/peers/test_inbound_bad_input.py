"""What is no call at the role's real port: it's refused by the book, or nothing, and 110 goes on."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.loopback_city import HOST, sip_port
from tests.peers.inbound_world import picks_up, the_world

STRANGER = "127.0.0.2"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
GOOD = f"{SDP}m=audio 4000 RTP/AVP 8\r\n"
PLACE = "--b1\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--b1--\r\n"


class Knocker:
    """A UDP socket at a host and a port of its own, which says INVITE by hand."""

    def __init__(self, to: int, host: str = HOST) -> None:
        self._to, self._host, self._port, self._calls = to, host, sip_port(), 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, self._port))
        self.socket.settimeout(5)

    def say(self, data: bytes) -> None:
        self.socket.sendto(data, (HOST, self._to))

    def request(self, method: str, body: str = "", kind: str = "application/sdp", tag: str = "") -> str:
        here = f"{self._host}:{self._port}"
        content = f"Content-Type: {kind}\r\n" if body else ""
        return (
            f"{method} sip:110@{HOST}:{self._to} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{self._port}{self._calls}\r\n"
            f"From: <sip:13812349999@{here}>;tag=k\r\nTo: <sip:110@{HOST}:{self._to}>{tag}\r\n"
            f"Call-ID: {self._calls}@{here}\r\nCSeq: 1 {method}\r\nContact: <sip:k@{here}>\r\n"
            f"Max-Forwards: 70\r\n{content}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def asks(self, method: str, body: str = "", kind: str = "application/sdp") -> str:
        """The final answer to a request, acknowledged where it's an INVITE's."""
        self._calls += 1
        self.say(self.request(method, body, kind).encode())
        while True:
            answer = self.socket.recv(65535).decode()
            if f"Call-ID: {self._calls}@" in answer and not answer.startswith("SIP/2.0 1"):
                break
        if method == "INVITE":
            tag = re.search(r"^To:.*(;tag=[^;\r]+)", answer, re.MULTILINE)
            assert tag is not None
            self.say(self.request("ACK", tag=tag[1]).encode())
        return answer


REFUSED = [
    # the body, its type; what it's answered, and how we say what we'd take
    ("help", "text/plain", "415 Unsupported Media Type", "Accept: application/sdp"),
    (PLACE, "multipart/mixed;boundary=b1", "415 Unsupported Media Type", "Accept: application/sdp"),
    (f"{SDP}m=audio 4000 RTP/AVP 18\r\n", "application/sdp", "488 Not Acceptable Here", ""),  # G.729 alone
    (f"{SDP}m=video 4000 RTP/AVP 96\r\n", "application/sdp", "488 Not Acceptable Here", ""),
    (f"{SDP}m=audio 4000 RTP/SAVP 8\r\n", "application/sdp", "488 Not Acceptable Here", ""),  # SRTP alone
    ("v=0\r\nm=audio\r\n", "application/sdp", "400 Bad Session Description", ""),
    (f"{PLACE[:-6]}", "multipart/mixed;boundary=b1", "400 ", ""),  # cut off
]


def garbage(knocker: Knocker) -> Iterator[bytes]:
    """Noise, an INVITE cut anywhere, headers that lie, answers and requests to nothing."""
    random = Random(110)
    good = knocker.request("INVITE", GOOD)
    for size in (1, 3, 40, 1400, 60000):
        yield random.randbytes(size)
    for end in range(10, len(good), 29):
        yield good[:end].encode()
    for _ in range(200):
        spoilt = bytearray(good.encode())
        for _ in range(random.randrange(1, 8)):
            spoilt[random.randrange(20)] = random.randrange(256)  # the request line: never a call
        yield bytes(spoilt)
    for old, new in (
        ("Content-Length: ", "Content-Length: 99999"),
        ("Content-Length: ", "Content-Length: -"),
        ("CSeq: 1 INVITE", "CSeq: 99999999999999999999 INVITE"),
        ("CSeq: 1 INVITE", "CSeq: 1 BYE"),
        ("Via: SIP/2.0/UDP", "Via: \x00\xff"),
        ("Max-Forwards: 70", "Max-Forwards: 70\r\n" + "X: y\r\n" * 5000),
        ("From: <sip:", "From: <<<sip::::"),
        ("Contact: ", "Nothing: "),
    ):
        yield good.replace(old, new).encode("latin-1")
    yield good.replace("INVITE sip:110@", "SIP/2.0 200 OK\r\nX: ").encode()
    yield knocker.request("ACK", tag=";tag=x").encode()


@pytest.mark.timeout(120)
def test_what_is_no_call_is_refused_and_the_next_caller_reaches_a_person(tmp_path: Path) -> None:
    with the_world(tmp_path, picks_up(100, talks=800)) as world:
        knocker, stranger = Knocker(world.role.port), Knocker(world.role.port, STRANGER)
        for body, kind, line, accepted in REFUSED:
            answer = knocker.asks("INVITE", body, kind)
            assert answer.startswith(f"SIP/2.0 {line}")
            assert accepted in answer
        stranger.say(stranger.request("INVITE", GOOD).encode())
        for noise in garbage(knocker):
            knocker.say(noise)
        assert knocker.asks("OPTIONS").startswith("SIP/2.0 200")  # what was said before it has been read
        for method in ("BYE", "CANCEL", "INFO"):
            assert knocker.asks(method).startswith("SIP/2.0 481")
        stranger.socket.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.socket.recv(2000)
        assert (world.rung(), world.kept()) == ([], [])
        caller = world.talk()
        world.until_talking(1)
        for port in range(*world.role.media):
            with suppress(OSError):  # where nobody listens
                knocker.socket.sendto(Random(port).randbytes(60), (HOST, port))
        caller.ended_well()
        [call] = world.until_over(1)
        for each in (knocker, stranger):
            each.socket.close()
    assert (call.target, call.ended_by) == ("seat-1", "person")
    assert [number for _, number in world.rung()] == ["13812341"]
    log = (tmp_path / "role.log").read_text()
    assert "Traceback" not in log
    assert '"level": "error"' not in log
    assert '"kind": "sip_stranger", "source": "127.0.0.2' in log
