"""Many SIPp calls at once: callers who all ring one number, telephones that take whatever rings them."""

from __future__ import annotations

import math
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np

from ivr.media import g711
from tests.loopback_city import media_ports, sip_port
from tests.peers.peers import need

SDP = """v=0
o=city 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""
_HEAD = """Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:1381234[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {cseq}
Contact: <sip:city@[local_ip]:[local_port]>
Max-Forwards: 70
"""

INVITE = f"""<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
{_HEAD.format(tag="", cseq="1 INVITE")}P-Asserted-Identity: <sip:1381234[call_number]@ims.example>
P-Access-Network-Info: 3GPP-E-UTRAN-FDD; utran-cell-id-3gpp=46000[call_number]
Content-Type: application/sdp
Content-Length: [len]

{SDP}]]></send>"""
ACK = f"""<send><![CDATA[
ACK [next_url] SIP/2.0
[routes]
{_HEAD.format(tag="[peer_tag_param]", cseq="1 ACK")}Content-Length: 0

]]></send>"""


def scenario(*steps: str) -> str:
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="crowd">\n'
    return head + "\n".join(steps) + "\n</scenario>\n"


class Crowd:
    """A SIPp process. `calls` and `rate` make callers, who ring `number` at `to`; without, it takes calls."""

    def __init__(
        self, folder: Path, steps: str, *, number: str = "110", to: int = 0, calls: int = 0, rate: int = 10
    ) -> None:
        program = shutil.which("sipp")
        need("SIPp", program is not None)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "scenario.xml").write_text(steps)
        self.port = sip_port()
        media, _ = media_ports(60)  # SIPp takes four ports for each call
        command = ["timeout", "90", str(program), "-sf", "scenario.xml", "-i", "127.0.0.1", "-nostdin"]
        command += ["-p", str(self.port), "-mi", "127.0.0.1", "-mp", str(media)]
        command += ["-trace_err", "-error_file", "errors.log", "-trace_shortmsg"]
        command += ["-shortmessage_file", "short.log"]
        if calls:
            command += ["-s", number, "-m", str(calls), "-r", str(rate), f"127.0.0.1:{to}"]
        self.folder = folder
        with (folder / "screen.log").open("wb") as screen:
            self._process = subprocess.Popen(command, cwd=folder, stdout=screen, stderr=subprocess.STDOUT)

    def ended_well(self, seconds: float = 80.0) -> None:
        status = self._process.wait(seconds)
        errors = self.folder / "errors.log"
        told = errors.read_text()[:3000] if errors.exists() else ""
        assert status == 0, f"SIPp ended with {status}: {told}"

    @property
    def calls(self) -> int:
        """How many it was called, or has begun: the Call-IDs of INVITEs in its own short trace."""
        log = self.folder / "short.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return len({found[0] for line in lines if (found := re.findall(r"\t(\S+)\tCSeq: ?\d+ INVITE", line))})

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def tone_pcap(path: Path, hertz: int, seconds: float) -> Path:
    """A capture of A-law RTP: a tone, 20 ms a packet."""
    wave = np.sin(np.arange(int(seconds * 8000)) * (2 * math.pi * hertz / 8000)) * 8000
    octets = g711.encode(wave.astype(np.int16), "pcma")
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number in range(len(octets) // 160):
        rtp = struct.pack("!BBHII", 0x80, 8, 1000 + number, 160 * number, 0x11223344)
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
