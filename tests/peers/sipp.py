"""SIPp as the far end of a call: its scenario put together of steps, run once, its own verdict asserted."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

from tests.databases import free_port
from tests.peers.peers import need

_TAG = ";tag=[pid]sipp[call_number]"
_SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=city 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""

# What is kept of the INVITE, for requests of the far end's own.
RECV_INVITE = """<recv request="INVITE"><action>
<ereg regexp="[0-9]+ INVITE" search_in="hdr" header="CSeq:" assign_to="1"/>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="2"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="3"/>
<ereg regexp="sip:[^&gt;]*" search_in="hdr" header="Contact:" assign_to="4"/>
</action></recv><Reference variables="1,2,3,4"/>"""
RECV_ACK = '<recv request="ACK"/>'
RECV_CANCEL = '<recv request="CANCEL"/>'
RECV_BYE = '<recv request="BYE"/>'


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def respond(
    line: str, *, to_tag: bool = True, cseq: str = "[last_CSeq:]", body: str = "Content-Length: 0\n\n"
) -> str:
    to = f"[last_To:]{_TAG}" if to_tag else "[last_To:]"
    contact = "Contact: <sip:[local_ip]:[local_port]>"
    message = f"SIP/2.0 {line}\n[last_Via:]\n[last_From:]\n{to}\n[last_Call-ID:]\n{cseq}\n{contact}\n{body}"
    return f"<send><![CDATA[\n{message}\n]]></send>"


RINGING = respond("180 Ringing")
OK = respond("200 OK", body=_SDP.format(version=1))
OK_PLAIN = respond("200 OK", to_tag=False)  # to a request that has our tag already
TERMINATED = respond("487 Request Terminated", cseq="CSeq: [$1]")
REINVITE = f"""<send><![CDATA[
INVITE [$4] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From:[$3]{_TAG}
To:[$2]
Call-ID: [call_id]
CSeq: 7 INVITE
Max-Forwards: 70
Contact: <sip:[local_ip]:[local_port]>
{_SDP.format(version=2)}
]]></send>
<recv response="100" optional="true"/><recv response="200"/>
<send><![CDATA[
ACK [$4] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From:[$3]{_TAG}
To:[$2]
Call-ID: [call_id]
CSeq: 7 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>"""


def play(pcap: Path) -> str:
    return f'<nop><action><exec play_pcap_audio="{pcap}"/></action></nop>'


class Sipp:
    """One call's far end. `messages` are what it received and sent, by its own trace."""

    def __init__(self, folder: Path, *steps: str) -> None:
        program = shutil.which("sipp")
        need("SIPp", program is not None)
        self.port = free_port()
        self._log = folder / "messages.log"
        scenario = folder / "scenario.xml"
        head = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="far end">\n'
        scenario.write_text(head + "\n".join(steps) + "\n</scenario>\n")
        command = [
            "timeout",
            "40",
            str(program),
            "-sf",
            str(scenario),
            "-i",
            "127.0.0.1",
            "-p",
            str(self.port),
        ]
        command += ["-mi", "127.0.0.1", "-mp", str(free_port() // 2 * 2), "-m", "1", "-nostdin"]
        command += ["-trace_msg", "-message_file", str(self._log)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder
        )

    def ended_well(self) -> None:
        """It went through its scenario as it stands."""
        _, errors = self._process.communicate(timeout=45)
        assert self._process.returncode == 0, f"SIPp ended with {self._process.returncode}: {errors}"

    def received(self, method: str) -> int:
        """How many requests of that method it got, repeated ones among them."""
        blocks = re.split(r"-{20,}.*\n", self._log.read_text())
        return sum("message received" in block and f"\n{method} sip:" in block for block in blocks)


def key_pcap(path: Path, key: str, *, at: int = 0) -> Path:
    """A capture of one RFC 4733 key: eight packets of 20 ms, then three with the end bit.

    The first is the stream's `at`th packet.
    """
    event, packets = "0123456789*#".index(key), []
    steps = [(number * 160, 0) for number in range(1, 9)] + [(8 * 160, 0x80)] * 3
    for number, (duration, end) in enumerate(steps):
        marker = 0x80 if number == 0 else 0
        rtp = struct.pack("!BBHII", 0x80, marker | 101, 1000 + at + number, 160 * (at + 1), 0x11223344)
        packets.append(rtp + struct.pack("!BBH", event, end | 10, duration))
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, payload in enumerate(packets):
        udp = struct.pack("!HHHH", 30000, 30000, 8 + len(payload), 0) + payload
        home = b"\x7f\0\0\1"
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, home, home) + udp
        frame = b"\0" * 12 + b"\x08\0" + ip
        out.append(struct.pack("<IIII", 0, number * 20_000, len(frame), len(frame)) + frame)
    path.write_bytes(b"".join(out))
    return path
