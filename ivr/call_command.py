"""`huifang call`: one test call with a flow, over any transport, and what went over the wire."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ivr.call import CallResult, converse
from ivr.flow_load import FLOWS, FlowError, load_flow
from ivr.hosts import is_loopback
from ivr.line import Dial, LineError
from ivr.settings import VoiceSettings
from ivr.sip.hop import Hop
from ivr.sip_line import SipLine
from ivr.sip_trace import Traced, ladder, pcap, without_keys
from ivr.speech import SpokenPrompts
from prompts.catalogue import load_catalogue
from prompts.sound import RATE, write_wav
from prompts.store import PromptStore

__all__ = ["call"]

_TRUNK = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:]+)(?::(?P<port>\d{1,5}))?")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PASSWORD = "HUIFANG_CALL_PASSWORD"


@click.command()
@click.argument("number")
@click.option(
    "--trunk", required=True, metavar="HOST[:PORT]", help="Where the call goes: an address or a name."
)
@click.option("--transport", type=click.Choice(["udp", "tcp", "tls"]), default="udp", show_default=True)
@click.option("--srtp", type=click.Choice(["off", "preferred", "required"]), default="off", show_default=True)
@click.option("--user", default=None, help="The trunk's account, for digest.")
@click.option("--password", default=None, help=f"Its password; better by the environment: {PASSWORD}.")
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Ours, PEM."
)
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Its key, PEM.")
@click.option(
    "--authorities",
    type=_FILE,
    help="Who may have signed theirs, PEM; none: whom the machine trusts.",
)
@click.option("--tls-name", default=None, help="The name that the trunk's certificate must bear.")
@click.option("--insecure", is_flag=True, help="Take any certificate.")
@click.option("--flow", "flow_name", default="satisfaction_survey", show_default=True)
@click.option("--ring", type=click.FloatRange(0.2, 120), default=30.0, show_default=True, help="Seconds.")
@click.option("--codec", type=click.Choice(["pcma", "pcmu"]), default="pcma", show_default=True)
@click.option("--caller", default="037963110110", show_default=True, help="The number that is shown.")
@click.option("--local", default=None, metavar="HOST", help="Our own address; loopback for a loopback trunk.")
@click.option("--lang", type=click.Choice(["zh-CN", "en"]), default="zh-CN", show_default=True)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="NAME",
    help="Write the SIP messages to NAME.txt, as a ladder, and to NAME.pcap; without SRTP's keys, but "
    "with the answers of digest, by which a weak password can be guessed.",
)
@click.option(
    "--early",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what the network says instead of an answer to FILE (WAV).",
)
@click.option("--json", "as_json", is_flag=True)
def call(
    number: str,
    flow_name: str,
    ring: float,
    lang: str,
    trace: Path | None,
    early: Path | None,
    as_json: bool,
    **trunk: Any,
) -> None:
    """Place one test call with a flow and tell what came of it. The number is dialled as it is given."""
    _need_folder("--trace", trace)
    _need_folder("--early", early)
    voice = _voice(ring, **trunk)
    day = datetime.now(UTC)
    variables = {"cases": [{"month": day.month, "day": day.day, "category": "other", "round": 1}]}
    path = FLOWS / f"{flow_name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in FLOWS.glob("*.toml")))
        raise click.BadParameter(f"no flow is named {flow_name!r}; there is {known}", param_hint="--flow")
    order = Dial("test", number, "test", ring_timeout=ring, total_timeout=2 * ring, detect_machine=True)
    messages: list[Traced] = []
    try:
        flow = load_flow(path, load_catalogue())
        prompts = SpokenPrompts(PromptStore(lang))
        if early:  # all that it says, a tone too
            voice = voice.model_copy(update={"give_up_on_tone": False})
        line = SipLine(
            voice,
            on_message=_into(messages) if trace else None,
            hear_early=_written(early) if early else None,
        )
        ours = Hop(voice.local_host, line.port)
        with closing(line):
            result = converse(line, order, flow, variables, prompts, line.sip_call_id, time.monotonic)
    except (LineError, FlowError, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        if trace and messages:
            _write(trace, messages, ours)
    _show(result, as_json)


def _need_folder(option: str, file: Path | None) -> None:
    """Before the call, not after it."""
    if file is not None and not (file.name and file.parent.is_dir()):
        raise click.BadParameter(f"no file can be {str(file)!r}; is there such a folder?", param_hint=option)


def _written(file: Path) -> Callable[[str, NDArray[np.float32]], None]:
    def write(_call: str, heard: NDArray[np.float32]) -> None:
        told = f"{file}: {len(heard) / RATE:.1f} s" if len(heard) else f"nothing was heard; no {file}"
        try:
            if len(heard):
                write_wav(file, np.round(heard * 32767).astype(np.int16))
        except OSError as error:
            told = str(error)
        click.echo(f"early: {told}", err=True)

    return write


def _into(messages: list[Traced]) -> Callable[[bool, bytes, Hop], None]:
    return lambda sent, data, hop: messages.append(Traced(time.time(), sent, without_keys(data), hop))


def _write(name: Path, messages: list[Traced], ours: Hop) -> None:
    text, capture = (name.with_name(name.name + ending) for ending in (".txt", ".pcap"))
    told = f"{text}, {capture}"
    try:
        text.write_text(ladder(messages, str(ours)), encoding="utf-8")
        capture.write_bytes(pcap(messages, ours))
    except OSError as error:  # what came of the call is told all the same
        told = str(error)
    click.echo(f"trace: {told}", err=True)


def _show(result: CallResult, as_json: bool) -> None:
    found = asdict(result)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        for name, value in found.items():
            click.echo(f"{name:12} {value}")


def _voice(
    ring: float,
    trunk: str,
    codec: str,
    caller: str,
    local: str | None,
    user: str | None,
    password: str | None,
    certificate: Path | None,
    key: Path | None,
    authorities: Path | None,
    tls_name: str | None,
    insecure: bool,
    **given: Any,
) -> VoiceSettings:
    """The settings of one test call: any free ports, one trunk, one codec."""
    found = _TRUNK.fullmatch(trunk)
    if found is None:
        raise click.BadParameter(f"{trunk!r} is no HOST:PORT", param_hint="--trunk")
    host = found["host"].strip("[]")
    if (certificate is None) != (key is None):
        raise click.BadParameter("a certificate and its key go together", param_hint="--certificate, --key")
    if password and not user:
        raise click.BadParameter("whose? Give --user, too", param_hint="--password")
    password = password or os.environ.get(PASSWORD) if user else None
    tls = {"port": 0, "certificate": certificate, "key": key}
    settings = {
        "local_host": local or _address_towards(host),
        "sip_port": 0,
        "lines": 1,
        "codecs": (codec,),
        "ring_timeout": ring,
        "total_timeout": 2 * ring,
        "tls": tls if certificate else None,
        "trunks": (
            {
                "name": "test",
                "host": host,
                "port": found["port"],
                "caller_number": caller,
                "username": user,
                "password": password,
                "tls_name": tls_name,
                "tls_verify": not insecure,
                "tls_authorities": authorities,
                **given,
            },
        ),
    }
    try:
        return VoiceSettings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise click.ClickException(f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None


def _address_towards(host: str) -> str:
    """Our own address on the way to `host`; nothing is sent."""
    if is_loopback(host):
        return "::1" if ":" in host else "127.0.0.1"
    try:
        ((family, _, _, _, address), *_) = socket.getaddrinfo(host, 5060, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise click.ClickException(f"--trunk {host}: {error.strerror}") from None
