"""A capture of loopback by tcpdump, and what a test counts in it: INVITEs and submits as they were sent."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.peers import need

# UDP whose payload begins with "INVI", and all of TCP but a desk's and PostgreSQL's big answers aren't many.
_FILTER = "(udp and udp[8:4] = 0x494e5649) or tcp"
_ETHERNET = 14


@contextmanager
def capture(path: Path, what: str = _FILTER) -> Iterator[None]:
    """Captures to `path` while the block runs; `what` is tcpdump's filter."""
    program = shutil.which("tcpdump") or "/usr/bin/tcpdump"
    need("tcpdump", Path(program).exists())
    command = [program, "-i", "lo", "-U", "--immediate-mode", "-s", "0", "-B", "16384", "-w", str(path), what]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        while "listening on" not in (line := process.stderr.readline()):
            assert line, "tcpdump ended"
        yield
        time.sleep(0.5)
    finally:
        process.terminate()
        process.communicate()


def packets(path: Path) -> Iterator[bytes]:
    """The captured packets from their IP header on."""
    return (packet for _, packet in stamped_packets(path))


def stamped_packets(path: Path) -> Iterator[tuple[float, bytes]]:
    """With the second, since the epoch, at which each was seen."""
    data = path.read_bytes()
    offset = 24
    while offset + 16 <= len(data):
        seconds, micros, size, _ = struct.unpack_from("<IIII", data, offset)
        yield seconds + micros / 1e6, data[offset + 16 + _ETHERNET : offset + 16 + size]
        offset += 16 + size


def _goes_to(packet: bytes, protocol: int, port: int) -> bool:
    """IP protocol 17 is UDP, 6 is TCP; both say the destination's port in their second two bytes."""
    ip = (packet[0] & 15) * 4
    return packet[9] == protocol and struct.unpack_from(">H", packet, ip + 2)[0] == port


def invited(path: Path, port: int) -> set[str]:
    """The Call-IDs of INVITEs without a To tag, of those that went to `port`."""
    found = set()
    for packet in packets(path):
        if not _goes_to(packet, 17, port):
            continue
        payload = packet[(packet[0] & 15) * 4 + 8 :].decode("utf-8", "replace")
        headers = dict(line.split(":", 1) for line in payload.split("\r\n")[1:] if ":" in line)
        if ";tag=" not in headers.get("To", ""):
            found.add(headers["Call-ID"].strip())
    return found


def submits(path: Path, port: int) -> list[tuple[str, str]]:
    """Destination and text of each submit_sm's first part, of the SMPP streams to `port`."""
    streams: dict[tuple[bytes, bytes], dict[int, bytes]] = defaultdict(dict)
    for packet in packets(path):
        if not _goes_to(packet, 6, port):
            continue
        ip = (packet[0] & 15) * 4
        sequence = struct.unpack_from(">I", packet, ip + 4)[0]
        total = struct.unpack_from(">H", packet, 2)[0]
        payload = packet[ip + (packet[ip + 12] >> 4) * 4 : total]
        if payload:
            streams[packet[12:20], packet[ip : ip + 4]][sequence] = payload
    found = []
    for segments in streams.values():
        stream = b"".join(segments[sequence] for sequence in sorted(segments))
        if stream[4:8] == b"\0\0\0\x09":  # begins with bind_transceiver
            found += list(_submits(stream))
    return found


def _submits(stream: bytes) -> Iterator[tuple[str, str]]:
    while len(stream) >= 16:
        length, command = struct.unpack_from(">II", stream)
        if command == 4:
            yield from _first_part(stream[16:length])
        stream = stream[length:]


def _first_part(body: bytes) -> Iterator[tuple[str, str]]:
    """SMPP 3.4 §4.4.1: strings end with a zero, integers are single bytes."""
    _service, rest = body.split(b"\0", 1)
    _source, rest = rest[2:].split(b"\0", 1)
    destination, rest = rest[2:].split(b"\0", 1)
    esm_class, rest = rest[0], rest[3:]
    _schedule, rest = rest.split(b"\0", 1)
    _validity, rest = rest.split(b"\0", 1)
    message = rest[5 : 5 + rest[4]]
    part = 1
    if esm_class & 0x40:
        part, message = message[5], message[message[0] + 1 :]
    if part == 1:
        yield destination.decode(), message.decode("utf-16-be")
