"""Golden transcripts of the SIP agent: what comes in, what goes out, what is told, at virtual times.

A file of tests/transcripts/sip holds blocks between empty lines:

    # words
    @1.5                      the time; timers that are due ring
    $ cancel c                a command (see `COMMANDS`)
    < datagram, line by line  received from 192.0.2.2:5060, or from the address of a first line "<< host:port"
    > datagram, line by line  what the agent sends, to there, or to the address of a first line ">> host:port"
    * event                   what the agent tells

A file that begins with "# REFER" has an agent that puts calls through, with "# TCP" one that has streams,
with "# IPv6" one at 2001:db8::1, with "# SRTP" one that takes it of callers over TLS.

The file must be what the agent does. HUIFANG_UPDATE=1 writes the lines with > and * anew, to be read in the
difference. After the last block all timers run out, and nothing may be left in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.sip import Account, Credentials, Hop, LocalMedia, UserAgent
from ivr.sip.crypto import new_cryptos
from ivr.sip.hop import Transport
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent

FOLDER = Path(__file__).parent.parent / "transcripts" / "sip"
URI = "sip:13803790001@192.0.2.2:5060"
CALLER = "sip:037963110110@192.0.2.1"
OURS_IPV6 = Hop("2001:db8::1", 5060)


def invite(agent: UserAgent, now: float, call: str, password: str = "") -> None:
    credentials = Credentials("office", password) if password else None
    agent.invite(call, URI, THEIRS, OUR_MEDIA, CALLER, now, credentials=credentials)


def invite_by(agent: UserAgent, now: float, call: str, transport: Transport) -> None:
    agent.invite(call, URI, THEIRS._replace(transport=transport), OUR_MEDIA, CALLER, now)


def invite_long(agent: UserAgent, now: float, call: str, octets: str) -> None:
    agent.invite(call, URI, THEIRS, OUR_MEDIA, CALLER, now, headers=(("Subject", "x" * int(octets)),))


SRTP_MEDIA = replace(OUR_MEDIA, crypto=new_cryptos(lambda size: bytes(range(size))))


def invite_srtp(agent: UserAgent, now: float, call: str, policy: str) -> None:
    agent.invite(call, URI, THEIRS, replace(SRTP_MEDIA, plain=policy == "preferred"), CALLER, now)


def invite_ipv6(agent: UserAgent, now: float, call: str) -> None:
    there = Hop("2001:db8::2", 5060)
    agent.invite(call, f"sip:13803790001@{there}", there, OUR_MEDIA, f"sip:1@[{OURS_IPV6.host}]", now)


def reject(agent: UserAgent, now: float, call: str, status: str, q850: str = "", *text: str) -> None:
    agent.reject(call, int(status), now, q850=int(q850) if q850 else None, text=" ".join(text))


def provisional(agent: UserAgent, now: float, call: str, status: str, media: str = "") -> None:
    agent.provisional(call, int(status), now, local=OUR_MEDIA if media else None)


def answer(agent: UserAgent, now: float, call: str, codec: str = "") -> None:
    agent.answer(call, LocalMedia("192.0.2.1", 20000, ("pcmu",)) if codec else OUR_MEDIA, now)


def redirectable(agent: UserAgent, now: float, call: str) -> None:
    redirects = {"192.0.2.9": Hop("192.0.2.9", 5060), "192.0.2.9:5070": Hop("192.0.2.9", 5070)}
    agent.invite(call, URI, THEIRS, OUR_MEDIA, CALLER, now, redirects=redirects)


def register(agent: UserAgent, now: float, key: str, expires: str = "3600", password: str = "secret") -> None:
    login = Credentials("office", password)
    account = Account("sip:carrier.example", THEIRS, "sip:office@carrier.example", login, int(expires))
    agent.register(key, account, now)


def redirectable_srtp(agent: UserAgent, now: float, call: str, policy: str) -> None:
    redirects = {"192.0.2.9": Hop("192.0.2.9", 5060), "192.0.2.9:5061": Hop("192.0.2.9", 5061, "tls")}
    local = replace(SRTP_MEDIA, plain=policy == "preferred")
    agent.invite(call, URI, THEIRS._replace(transport="tls"), local, CALLER, now, redirects=redirects)


COMMANDS: dict[str, Callable[..., None]] = {
    "invite": invite,
    "invite_by": invite_by,
    "invite_long": invite_long,
    "invite_ipv6": invite_ipv6,
    "invite_srtp": invite_srtp,
    "answer_srtp": lambda agent, now, call: agent.answer(call, SRTP_MEDIA, now),
    "redirectable": redirectable,
    "redirectable_srtp": redirectable_srtp,
    "connection_failed": lambda agent, now, where: agent.connection_failed(hop(where), now),
    "connection_lost": lambda agent, now, where: agent.connection_lost(hop(where), now),
    "cancel": lambda agent, now, call: agent.cancel(call, now),
    "bye": lambda agent, now, call, q850="16": agent.bye(call, now, q850=int(q850)),
    "info": lambda agent, now, call, key: agent.info(call, key, now),
    "provisional": provisional,
    "answer": answer,
    "reject": reject,
    "options": lambda agent, now, key: agent.options(key, f"sip:{THEIRS}", THEIRS, now),
    "register": register,
    "unregister": lambda agent, now, key: agent.unregister(key, now),
    "refer": lambda agent, now, call, uri: agent.refer(call, uri, now),
    "refer_result": lambda agent, now, call, status: agent.refer_result(call, int(status), now),
}


def sent(data: bytes, hop: Hop) -> str:
    lines = data.decode("utf-8", "backslashreplace").split("\r\n")
    head = [] if hop == THEIRS else [f">> {hop}"]
    return "\n".join([*head, *(f"> {line}" if line else ">" for line in lines)])


def hop(text: str) -> Hop:
    where, _, transport = text.partition(";transport=")
    host, _, port = where.rpartition(":")
    return Hop(host.strip("[]"), int(port), transport or "udp")  # type: ignore[arg-type]


def received(block: str) -> tuple[bytes, Hop]:
    lines = block.split("\n")
    source = THEIRS
    if lines[0].startswith("<< "):
        source = hop(lines.pop(0)[3:])
    return "\r\n".join(line[2:] for line in lines).encode(), source


def agent_for(text: str) -> UserAgent:
    if text.startswith("# IPv6"):
        return new_agent(OURS_IPV6)
    largest = 1300 if text.startswith("# TCP") else None
    if text.startswith("# SRTP"):
        return new_agent(secure=True)
    return new_agent(transfers=text.startswith("# REFER"), largest_datagram=largest)


def replay(text: str) -> tuple[str, UserAgent]:
    """The transcript as the agent makes it of the inputs in `text`, and the agent at its end."""
    agent, now, blocks = agent_for(text), 0.0, []
    for block in text.strip("\n").split("\n\n"):
        if block[0] in ">*":
            continue
        blocks.append(block)
        match block[0]:
            case "@":
                now = float(block[1:])
                agent.handle_timer(now)
            case "$":
                name, *arguments = block[2:].split()
                COMMANDS[name](agent, now, *arguments)
            case "<":
                data, source = received(block)
                agent.receive(data, source, now)
        blocks += [sent(data, to) for data, to in agent.take_outgoing()]
        blocks += [f"* {event}" for event in agent.take_events()]
    return "\n\n".join(blocks) + "\n", agent


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    done, agent = replay(text)
    if os.environ.get("HUIFANG_UPDATE"):
        path.write_text(done, encoding="utf-8")
    else:
        assert done == text
    while agent.deadline is not None:
        agent.handle_timer(agent.deadline)
    assert agent.idle, "something is left in memory"


def test_there_are_transcripts() -> None:
    assert len(list(FOLDER.glob("*.txt"))) >= 20
