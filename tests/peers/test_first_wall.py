"""The first wall against whom it is for: sipvicious scans the line, packets meet the rules of nftables."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ivr.sip_line import SipLine
from ivr.trunk_settings import TrunkSettings
from tests.loopback_city import HOST, quick_voice
from tests.peers.peers import need

RULES = Path(__file__).parents[2] / "deploy/nftables/huifang.nft"


@contextmanager
def line_of(trunk_host: str) -> Iterator[SipLine]:
    """A line that takes calls of that host, turning in a thread."""
    trunk = TrunkSettings(name="carrier", host=trunk_host, port=9, caller_number="037963110110")
    line, stop = SipLine(quick_voice(9, trunks=(trunk,)), takes_calls=True), threading.Event()

    def turn() -> None:
        while not stop.is_set():
            line.run_once(0.05)

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        stop.set()
        thread.join(10)
        line.close()


def scan(*command: str) -> subprocess.Popen[str]:
    """A scanner of sipvicious, from 127.0.0.1."""
    program = shutil.which(command[0])
    need("sipvicious", program is not None)
    return subprocess.Popen(
        [str(program), *command[1:], HOST], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_sipvicious_finds_nothing_of_us() -> None:
    with line_of("127.0.0.2") as line:
        port = ("-p", str(line.port))
        scans = [
            scan("svmap", *port),
            scan("svmap", *port, "-m", "INVITE"),
            scan("svwar", *port, "-e", "100-102", "-m", "INVITE"),
            scan("svwar", *port, "-e", "100-102", "-m", "REGISTER"),
        ]
        found = [each.communicate(timeout=60)[0] for each in scans]
        assert all("found nothing" in text for text in found), found
        assert line.counters["sip_stranger"] >= len(scans)


def test_it_would_find_a_line_that_answers_it() -> None:
    with line_of(HOST) as line:
        found, _ = scan("svmap", "-p", str(line.port)).communicate(timeout=60)
    assert f"{HOST}:{line.port}" in found


# -- nftables, in two network namespaces of our own with a wire between them

OFFICE, TRUNK, STRANGER = "192.0.2.100", "192.0.2.1", "198.51.100.9"
LISTENS = """
import selectors, socket, sys
ready = selectors.DefaultSelector()
for port in (5070, 20000, 8110):
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); bound.bind(("0.0.0.0", port))
    ready.register(bound, selectors.EVENT_READ)
tcp = socket.create_server(("0.0.0.0", 5061))
print("ready", flush=True)
while True:
    for key, _ in ready.select():
        data, source = key.fileobj.recvfrom(2000); key.fileobj.sendto(data, source)
"""
ASKS = """
import json, socket, sys
def udp(source, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        asks.bind((source, 0)); asks.settimeout(WAIT[source]); asks.sendto(b"x", ("192.0.2.100", port))
        try: return asks.recv(10) == b"x"
        except OSError: return False
def tcp(source, port):
    try: socket.create_connection(("192.0.2.100", port), WAIT[source], (source, 0)).close(); return True
    except OSError: return False
WAIT = {"192.0.2.1": 15, "198.51.100.9": 0.5}
print(json.dumps([[source, kind.__name__, port, kind(source, port)] for source in WAIT
    for kind, port in ((udp, 5070), (udp, 20000), (udp, 8110), (tcp, 5061))]))
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def wire() -> Iterator[tuple[str, str]]:
    """The names of the office's namespace and the carrier's."""
    need("ip and nft, as root", bool(shutil.which("ip") and shutil.which("nft")) and os.geteuid() == 0)
    office, carrier = f"hf-office-{os.getpid()}", f"hf-carrier-{os.getpid()}"
    with ExitStack() as ends:
        for name in (office, carrier):
            run("ip", "netns", "add", name)
            ends.callback(run, "ip", "netns", "del", name)
        run(
            "ip",
            "-n",
            office,
            "link",
            "add",
            "wire",
            "type",
            "veth",
            "peer",
            "name",
            "wire",
            "netns",
            carrier,
        )
        run("ip", "-n", office, "addr", "add", f"{OFFICE}/24", "dev", "wire")
        for address in (TRUNK, STRANGER):
            run("ip", "-n", carrier, "addr", "add", f"{address}/24", "dev", "wire")
        for name in (office, carrier):
            run("ip", "-n", name, "link", "set", "wire", "up")
        run("ip", "-n", office, "route", "add", "198.51.100.0/24", "dev", "wire")
        yield office, carrier


def test_the_rules_let_trunks_in_and_nobody_else(wire: tuple[str, str]) -> None:
    office, carrier = wire
    run("ip", "netns", "exec", office, "nft", "-f", str(RULES))
    command = ["ip", "netns", "exec", office, sys.executable, "-c", LISTENS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None and server.stdout.readline() == "ready\n"
            asked = json.loads(run("ip", "netns", "exec", carrier, sys.executable, "-c", ASKS))
        finally:
            server.terminate()
    assert {tuple(row[:3]): row[3] for row in asked} == {
        (TRUNK, "udp", 5070): True,
        (TRUNK, "udp", 20000): True,
        (TRUNK, "udp", 8110): True,  # no port of ours: another table's matter
        (TRUNK, "tcp", 5061): True,
        (STRANGER, "udp", 5070): False,
        (STRANGER, "udp", 20000): False,
        (STRANGER, "udp", 8110): True,
        (STRANGER, "tcp", 5061): False,
    }
    counted = run("ip", "netns", "exec", office, "nft", "list", "counters", "table", "inet", "huifang")
    dropped = dict(re.findall(r"counter (\w+) \{\s*packets (\d+)", counted))
    assert int(dropped["strangers_sip"]) >= 2 and dropped["strangers_media"] == "1"
