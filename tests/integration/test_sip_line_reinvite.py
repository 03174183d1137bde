"""A far end that moves its voice, or puts us on hold, by re-INVITE. It speaks SIP by hand."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from ivr.events import Answered, Ended, KeyPressed, LineEvent, PlaybackFinished
from ivr.line import Dial
from ivr.media.dtmf import send_key
from ivr.media.rtp import BadPacket, Sender, parse
from ivr.sip_line import SipLine
from tests.loopback_city import HOST, LONG_PROMPT, PROMPT, quick_voice

LOST_AFTER = 2.0


def udp() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, 0))
    made.setblocking(False)
    return made


def header(message: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", message, re.MULTILINE)
    return found[1].strip() if found else ""


def is_ok(message: str, cseq: int) -> bool:
    return message.startswith("SIP/2.0 200") and header(message, "CSeq") == f"{cseq} INVITE"


class HandMade:
    """One call at a far end made of strings."""

    def __init__(self) -> None:
        self.sip, self.first, self.second = udp(), udp(), udp()
        self.line = SipLine(quick_voice(self.sip.getsockname()[1], media_lost_after=LOST_AFTER))
        self.told: list[LineEvent] = []
        self.invite, self.us = "", ("", 0)
        self.heard: list[str] = []

    def close(self) -> None:
        self.line.close()
        for each in (self.sip, self.first, self.second):
            each.close()

    def sdp(self, media: socket.socket, direction: str = "sendrecv", host: str = HOST) -> str:
        port = media.getsockname()[1]
        lines = ["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
        lines += [f"m=audio {port} RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", f"a={direction}"]
        return "".join(f"{line}\r\n" for line in lines)

    def send(self, start: str, fields: list[tuple[str, str]], body: str = "") -> None:
        lines = [start, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}"]
        self.sip.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.us)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, (self.told, self.heard)
            self.told += self.line.run_once(0.01)
            try:
                data, self.us = self.sip.recvfrom(65535)
            except BlockingIOError:
                continue
            self.heard.append(data.decode())

    def answered(self) -> None:
        self.line.dial(Dial("c1", "13803790001", "city"))
        self.until(lambda: self.heard)
        self.invite = self.heard[0]
        fields = [(name, header(self.invite, name)) for name in ("Via", "From", "Call-ID", "CSeq")]
        contact = f"<sip:far@{HOST}:{self.sip.getsockname()[1]}>"
        fields += [("To", header(self.invite, "To") + ";tag=far"), ("Contact", contact)]
        self.send("SIP/2.0 200 OK", [*fields, ("Content-Type", "application/sdp")], self.sdp(self.first))
        self.until(lambda: any(isinstance(event, Answered) for event in self.told))
        self.until(lambda: any(message.startswith("ACK") for message in self.heard))

    def reinvite(
        self, media: socket.socket, direction: str = "sendrecv", cseq: int = 1, host: str = HOST
    ) -> str:
        """Send it; their answer."""
        port = self.sip.getsockname()[1]
        contact = header(self.invite, "Contact").strip("<>")
        fields = [
            ("Via", f"SIP/2.0/UDP {HOST}:{port};branch=z9hG4bKre{cseq}"),
            ("Max-Forwards", "70"),
            ("From", header(self.invite, "To") + ";tag=far"),
            ("To", header(self.invite, "From")),
            ("Call-ID", header(self.invite, "Call-ID")),
            ("CSeq", f"{cseq} INVITE"),
            ("Contact", f"<sip:far@{HOST}:{port}>"),
        ]
        body = self.sdp(media, direction, host)
        self.send(f"INVITE {contact} SIP/2.0", [*fields, ("Content-Type", "application/sdp")], body)
        answers: list[str] = []
        self.until(lambda: answers.extend(each for each in self.heard if is_ok(each, cseq)) or answers)
        fields[0] = ("Via", f"SIP/2.0/UDP {HOST}:{port};branch=z9hG4bKack{cseq}")
        fields[5] = ("CSeq", f"{cseq} ACK")
        fields[3] = ("To", header(answers[0], "To"))
        self.send(f"ACK {contact} SIP/2.0", fields)
        return answers[0]

    def voice_at(self, media: socket.socket) -> bool:
        try:
            parse(media.recv(2048))
        except (BlockingIOError, BadPacket):
            return False
        return True

    def press(self, media: socket.socket, key: str, ssrc: int) -> None:
        port = int(re.search(r"m=audio (\d+)", self.invite)[1])  # type: ignore[index]
        for packet in send_key(Sender(ssrc, 1, 1), key, 0.06, 101):
            media.sendto(packet, (HOST, port))

    def keys(self) -> str:
        return "".join(event.key for event in self.told if isinstance(event, KeyPressed))


@pytest.fixture
def far() -> Iterator[HandMade]:
    made = HandMade()
    yield made
    made.close()


def test_the_voice_follows_a_far_end_that_moves(far: HandMade) -> None:
    far.answered()
    far.press(far.first, "1", ssrc=1)
    far.until(lambda: far.keys() == "1" and far.voice_at(far.first))
    far.reinvite(far.second)
    far.until(lambda: far.voice_at(far.second))
    far.press(far.second, "2", ssrc=2)
    far.until(lambda: far.keys() == "12")


def test_hold_is_answered_and_the_prompt_waits(far: HandMade) -> None:
    far.answered()
    far.line.play("c1", "long", LONG_PROMPT)
    far.until(lambda: far.voice_at(far.first))
    assert "a=recvonly" in far.reinvite(far.first, "sendonly")
    while far.voice_at(far.first):
        pass
    end = time.monotonic() + 0.2
    far.until(lambda: time.monotonic() > end)
    assert not far.voice_at(far.first)
    far.reinvite(far.first, "sendrecv", cseq=2)
    far.until(lambda: far.voice_at(far.first))
    far.line.play("c1", "short", PROMPT)
    far.until(lambda: any(isinstance(event, PlaybackFinished) for event in far.told))


HOLDS = [
    # how it says that it holds
    ("sendonly", HOST),
    ("inactive", HOST),
    ("sendrecv", "0.0.0.0"),  # RFC 2543's
]


@pytest.mark.parametrize(("direction", "host"), HOLDS)
def test_a_long_hold_without_a_packet_loses_neither_the_call_nor_what_is_first_said(
    far: HandMade, direction: str, host: str
) -> None:
    far.answered()
    far.press(far.first, "1", ssrc=1)
    far.until(lambda: far.keys() == "1")
    far.reinvite(far.first, direction, host=host)
    end = time.monotonic() + 1.3 * LOST_AFTER
    far.until(lambda: time.monotonic() > end)
    while far.voice_at(far.first):
        pass
    far.reinvite(far.first, cseq=2)
    far.until(lambda: far.voice_at(far.first))
    far.press(far.first, "2", ssrc=2)
    far.until(lambda: far.keys() == "12")
    assert not any(isinstance(event, Ended) for event in far.told)
