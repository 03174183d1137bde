"""Many SIPp calls at once: callers who all ring one number, telephones that take whatever rings them."""

from __future__ import annotations

import math
import re
import shutil
import socket
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ivr.media import g711
from tests.loopback_city import media_ports, sip_port
from tests.peers.peers import need
from tests.peers.sipp import OK_PLAIN, RECV_ACK


def sdp(direction: str = "sendrecv", *, host: str = "[media_ip]", version: int = 1) -> str:
    """A telephone's; on hold it says so by `direction`, or by the host 0.0.0.0 (RFC 3264 §8.4)."""
    return f"""v=0
o=city 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 {host}
t=0 0
m=audio [auto_media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a={direction}
"""


_HEAD = """Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:{caller}[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {cseq}
Contact: <sip:city@[local_ip]:[local_port]>
Max-Forwards: 70
"""
CALLER = "1381234"  # and the call's number in its crowd


def with_sdp(body: str) -> str:
    return f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}"


def invite(caller: str = CALLER, content: str = with_sdp(sdp()), headers: str = "") -> str:
    """A caller's INVITE; `content` is the body, its own headers before it."""
    asserted = f"P-Asserted-Identity: <sip:{caller}[call_number]@ims.example>"
    return f"""<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
{_HEAD.format(caller=caller, tag="", cseq="1 INVITE")}{asserted}
P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=46000[call_number]
{headers}{content}]]></send>"""


@dataclass(frozen=True, slots=True)
class Side:
    """Of a dialog: what its own requests begin with."""

    uri: str
    head: str

    def request(self, method: str, cseq: int, content: str = "Content-Length: 0\n\n") -> str:
        retransmitted = "" if method == "ACK" else ' retrans="500"'
        head = self.head.replace("{cseq}", f"{cseq} {method}")
        message = f"{method} {self.uri} SIP/2.0\n[routes]\n{head}{content}"
        return f"<send{retransmitted}><![CDATA[\n{message}]]></send>"

    def reinvite(self, cseq: int, body: str) -> str:
        """Answered by 200."""
        steps = (self.request("INVITE", cseq, with_sdp(body)), TAKEN_ANEW, self.request("ACK", cseq))
        return "\n".join(steps)

    def cancel(self) -> str:
        """Of the INVITE that is the third message before it, in the transaction of that (RFC 3261 §9.1)."""
        cancel = self.request("CANCEL", 1).replace("[branch]", "[branch-3]").replace(' retrans="500"', "")
        return cancel.replace("[next_url]", "sip:[service]@[remote_ip]:[remote_port]").replace(
            "[peer_tag_param]", ""
        )

    def bye(self, cseq: int = 7) -> str:
        return self.request("BYE", cseq) + '<recv response="200"/>'


TAKEN_ANEW = '<recv response="100" optional="true"/><recv response="200"/>'
PROVISIONAL = '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
TAKEN = '<recv response="200" rrs="true"/>'

INVITE = invite()


def the_caller(caller: str = CALLER) -> Side:
    return Side("[next_url]", _HEAD.replace("{caller}", caller).replace("{tag}", "[peer_tag_param]"))


ACK = the_caller().request("ACK", 1)

# A telephone's own requests and its answers keep what the INVITE said, whatever came since.
RECV_CALL = """<recv request="INVITE" rrs="true"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="2"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="3"/>
<ereg regexp="sip:[^&gt;]*" search_in="hdr" header="Contact:" assign_to="4"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="5"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="6"/>
</action></recv><Reference variables="2,3,4,5,6"/>"""
THE_OPERATOR = Side(
    "[$4]",
    """Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From:[$3];tag=[pid]op[call_number]
To:[$2]
Call-ID: [call_id]
CSeq: {cseq}
Contact: <sip:[local_ip]:[local_port]>
Max-Forwards: 70
""",
)


def reply_to_call(line: str, content: str = "Content-Length: 0\n\n") -> str:
    """A telephone's answer to the INVITE that rang it."""
    return f"""<send><![CDATA[
SIP/2.0 {line}
Via:[$5]
[last_Record-Route:]
From:[$2]
To:[$3];tag=[pid]op[call_number]
Call-ID: [call_id]
CSeq:[$6]
Contact: <sip:[local_ip]:[local_port]>
{content}]]></send>"""


RINGS = reply_to_call("180 Ringing")
TAKES = reply_to_call("200 OK", with_sdp(sdp()))
IS_CANCELLED = f"{OK_PLAIN}{reply_to_call('487 Request Terminated')}{RECV_ACK}"


UNTIL_TOLD = '<recv request="INFO"/>'  # by the test: `Crowd.go_on`


def scenario(*steps: str) -> str:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="crowd">\n'
    return head + "\n".join(steps) + "\n</scenario>\n"


class Crowd:
    """A SIPp process. `calls` and `rate` make callers, who ring `number` at `to`; without, it takes calls."""

    def __init__(
        self,
        folder: Path,
        steps: str,
        *,
        number: str = "110",
        to: int = 0,
        calls: int = 0,
        rate: int = 10,
        port: int = 0,
    ) -> None:
        program = shutil.which("sipp")
        need("SIPp", program is not None)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scenario.xml").write_text(steps)
        self.port = port or sip_port()
        self.media, _ = media_ports(60)  # of the first call; SIPp takes four ports for each
        # No `timeout` before it: one that is ended as it forks leaves a SIPp behind that takes calls.
        command = [str(program), "-timeout", "90s", "-sf", "scenario.xml", "-i", "127.0.0.1", "-nostdin"]
        command += ["-p", str(self.port), "-mi", "127.0.0.1", "-mp", str(self.media)]
        command += ["-trace_err", "-error_file", "errors.log", "-trace_shortmsg"]
        command += ["-shortmessage_file", "short.log"]
        if calls:
            command += ["-s", number, "-m", str(calls), "-r", str(rate), f"127.0.0.1:{to}"]
        self.folder = folder
        with (folder / "screen.log").open("wb") as screen:
            self._process = subprocess.Popen(command, cwd=folder, stdout=screen, stderr=subprocess.STDOUT)

    def ended_well(self, seconds: float = 80.0) -> None:
        status = self._process.wait(seconds)
        assert status == 0, f"SIPp ended with {status}: {self.faults[:3000]}"

    @property
    def faults(self) -> str:
        """What it got that its scenario doesn't expect, or waited for in vain."""
        errors = self.folder / "errors.log"
        return errors.read_text() if errors.exists() else ""

    @property
    def calls(self) -> int:
        """How many it was called, or has begun: the Call-IDs of INVITEs in its own short trace."""
        return len(self.call_ids("INVITE"))

    def call_ids(self, method: str) -> set[str]:
        """Of its requests of that method, by its own short trace."""
        log = self.folder / "short.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return {found[0] for line in lines if (found := re.findall(rf"\t(\S+)\tCSeq: ?\d+ {method}", line))}

    def go_on(self) -> None:
        """Each of its calls leaves the step `UNTIL_TOLD`."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as told:
            for call_id in self.call_ids("INVITE"):
                word = (
                    "INFO sip:go-on@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKgo\r\n"
                    "From: <sip:test@127.0.0.1>\r\nTo: <sip:go-on@127.0.0.1>\r\n"
                    f"Call-ID: {call_id}\r\nCSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n"
                )
                told.sendto(word.encode(), ("127.0.0.1", self.port))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def tone_pcap(path: Path, hertz: int, seconds: float, *, at: int = 0) -> Path:
    """A capture of A-law RTP: a tone, 20 ms a packet, the first the stream's `at`th."""
    wave = np.sin(np.arange(int(seconds * 8000)) * (2 * math.pi * hertz / 8000)) * 8000
    octets = g711.encode(wave.astype(np.int16), "pcma")
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number in range(len(octets) // 160):
        rtp = struct.pack("!BBHII", 0x80, 8, 1000 + at + number, 160 * (at + number), 0x11223344)
        rtp += octets[160 * number : 160 * (number + 1)]
        udp = struct.pack("!HHHH", 30000, 30000, 8 + len(rtp), 0) + rtp
        home = b"\x7f\0\0\1"
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, home, home) + udp
        frame = b"\0" * 12 + b"\x08\0" + ip
        micros = number * 20_000
        out.append(struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(frame), len(frame)))
        out.append(frame)
    path.write_bytes(b"".join(out))
    return path
