"""Our calls against SIPp: what a carrier's trunk does, and what a network does to it. T1 is 50 ms."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from callbacks.vocabulary import Disposition
from ivr.call import CallResult, place_call
from ivr.flow_load import load_flow
from ivr.line import Dial
from ivr.settings import VoiceSettings
from ivr.speech import SpokenPrompts
from prompts.catalogue import load_catalogue
from prompts.store import PromptStore
from tests.peers.sipp import (
    OK,
    OK_PLAIN,
    RECV_ACK,
    RECV_BYE,
    RECV_CANCEL,
    RECV_INVITE,
    REINVITE,
    RINGING,
    TERMINATED,
    Sipp,
    key_pcap,
    pause,
    play,
    respond,
)

FLOW = load_flow(Path(__file__).parent.parent / "data/short_survey.toml", load_catalogue())
VARIABLES = {"cases": [{"month": 11, "day": 3, "category": "water", "round": 1}]}
Call = Callable[..., CallResult]
ANSWER = (RINGING, pause(200), OK, RECV_ACK)


@pytest.fixture(scope="module")
def prompts() -> SpokenPrompts:
    return SpokenPrompts(PromptStore("zh-CN"))


@pytest.fixture(params=["sip", "pyvoip"])
def call(request: pytest.FixtureRequest, prompts: SpokenPrompts) -> Call:
    """One call by the line of that name."""

    def place(port: int, ring: float = 5.0) -> CallResult:
        trunk = {"name": "sipp", "host": "127.0.0.1", "port": port, "caller_number": "037963110110"}
        settings = VoiceSettings.model_validate(
            {
                "line": request.param,
                "sip_port": 0,
                "rtp_port_min": 27000,
                "rtp_port_max": 27099,
                "lines": 1,
                "t1": 0.05,
                "t2": 0.4,
                "t4": 0.5,
                "trunks": [trunk],
            }
        )
        order = Dial("c1", "13803790001", "sipp", ring_timeout=ring, total_timeout=ring + 5)
        return place_call(settings, order, FLOW, VARIABLES, prompts)

    return place


def hear_key(tmp_path: Path, key: str = "3") -> str:
    return pause(700) + play(key_pcap(tmp_path / "key.pcap", key))


def test_key_3_by_rfc_4733(tmp_path: Path, call: Call) -> None:
    far = Sipp(tmp_path, RECV_INVITE, *ANSWER, hear_key(tmp_path), RECV_BYE, OK_PLAIN)
    result = call(far.port)
    far.ended_well()
    assert (result.disposition, result.answered, result.rating) == (Disposition.ANSWERED, True, 3)
    assert [key.key for key in result.keys] == ["3"]
    assert result.codec == "pcma"


REFUSALS = [
    # what the far end answers, what it means
    ("486 Busy Here", 486, Disposition.BUSY),
    ("404 Not Found", 404, Disposition.UNALLOCATED),
    ("603 Decline", 603, Disposition.REJECTED),
    ("503 Service Unavailable", 503, Disposition.NETWORK_FAIL),
    ("403 Forbidden", 403, Disposition.TRUNK_REFUSED),
]


@pytest.mark.parametrize(("line", "status", "disposition"), REFUSALS)
def test_refusals_are_acknowledged(
    tmp_path: Path, call: Call, line: str, status: int, disposition: Disposition
) -> None:
    far = Sipp(tmp_path, RECV_INVITE, respond(line), RECV_ACK)
    result = call(far.port)
    far.ended_well()
    assert (result.disposition, result.sip_status, result.answered) == (disposition, status, False)
    assert far.received("ACK") == 1


def test_no_answer_is_cancelled(tmp_path: Path, call: Call) -> None:
    far = Sipp(
        tmp_path,
        RECV_INVITE,
        RINGING,
        RECV_CANCEL,
        respond("200 OK"),
        TERMINATED,
        RECV_ACK,
    )
    result = call(far.port, ring=1.0)
    far.ended_well()
    assert (result.disposition, result.sip_status) == (Disposition.NO_ANSWER, 487)
    assert far.received("CANCEL") == 1


@contextmanager
def bad_relay(port: int, *, lose: int = 0, copies: int = 1) -> Iterator[int]:
    """A relay towards `port` that loses our first `lose` datagrams and doubles their 200; gives its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
        relay.bind(("127.0.0.1", 0))
        relay.settimeout(0.1)
        ended = threading.Event()
        ours: list[tuple[str, int]] = []

        def carry() -> None:
            left = lose
            while not ended.is_set():
                try:
                    data, source = relay.recvfrom(65536)
                except TimeoutError:
                    continue
                if source[1] == port:
                    for _ in range(copies if data.startswith(b"SIP/2.0 200") else 1):
                        relay.sendto(data, ours[0])
                elif left:
                    left -= 1
                else:
                    ours[:] = [source]
                    relay.sendto(data, ("127.0.0.1", port))

        thread = threading.Thread(target=carry)
        thread.start()
        yield int(relay.getsockname()[1])
        ended.set()
        thread.join()


def test_the_first_two_invites_are_lost(tmp_path: Path, call: Call) -> None:
    far = Sipp(tmp_path, RECV_INVITE, *ANSWER, hear_key(tmp_path), RECV_BYE, OK_PLAIN)
    with bad_relay(far.port, lose=2) as port:
        result = call(port)
    far.ended_well()
    assert (result.disposition, result.rating) == (Disposition.ANSWERED, 3)
    assert far.received("INVITE") == 1


def test_the_200_comes_three_times(tmp_path: Path, call: Call) -> None:
    far = Sipp(tmp_path, RECV_INVITE, *ANSWER, hear_key(tmp_path), RECV_BYE, OK_PLAIN)
    with bad_relay(far.port, copies=3) as port:
        result = call(port)
    far.ended_well()
    assert (result.disposition, result.rating) == (Disposition.ANSWERED, 3)
    assert far.received("ACK") == 3  # RFC 3261 §13.2.2.4: one for each
    assert far.received("BYE") == 1


def test_a_reinvite_is_answered_and_the_call_goes_on(tmp_path: Path, call: Call) -> None:
    far = Sipp(tmp_path, RECV_INVITE, *ANSWER, REINVITE, hear_key(tmp_path), RECV_BYE, OK_PLAIN)
    result = call(far.port)
    far.ended_well()
    assert (result.disposition, result.rating) == (Disposition.ANSWERED, 3)


def test_bye_is_lost_twice(tmp_path: Path, call: Call) -> None:
    """Two BYEs go unanswered, as if lost; the third's 200 ends it."""
    far = Sipp(tmp_path, RECV_INVITE, *ANSWER, hear_key(tmp_path), RECV_BYE, pause(250), OK_PLAIN)
    result = call(far.port)
    far.ended_well()
    assert (result.disposition, result.rating) == (Disposition.ANSWERED, 3)
    assert far.received("BYE") >= 3
