"""Asterisk as the benchmarks want it: each caller comes into the Stasis application `APP`, whose client is
somebody else.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bridge_far_ends import HOST
from tests.loopback_city import media_ports, sip_port
from tests.peers import asterisk_process
from tests.peers.asterisk_process import Home, Unusable, asterisk_home

__all__ = ["APP", "USER", "Asterisk", "asterisk_folder", "running_asterisk", "version"]

USER, APP = "huifang", "bench"
_MODULES = (
    "res_timing_timerfd codec_alaw codec_ulaw res_sorcery_config res_sorcery_memory res_sorcery_astdb "
    "res_pjproject res_rtp_asterisk res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_caller_id "
    "res_pjsip_endpoint_identifier_ip res_pjsip_pubsub chan_pjsip bridge_simple bridge_native_rtp "
    "bridge_softmix bridge_holding res_http_websocket res_websocket_client res_stasis res_stasis_answer "
    "res_stasis_playback res_stasis_recording res_stasis_snoop res_ari res_ari_model res_ari_bridges "
    "res_ari_channels res_ari_events app_stasis pbx_config format_pcm"
)
_FILES = {
    "http.conf": "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = {http}\nsessionlimit = 200\n",
    "ari.conf": "[general]\nenabled = yes\n[huifang]\ntype = user\nread_only = no\npassword = {password}\n",
    "rtp.conf": "[general]\nrtpstart = {first}\nrtpend = {last}\n",
    "extensions.conf": "[from-trunk]\nexten => _X.,1,Stasis(bench)\n same => n,Hangup()\n",
    "pjsip.conf": """[udp]
type = transport
protocol = udp
bind = 127.0.0.1:{sip}
[trunk]
type = endpoint
transport = udp
context = from-trunk
disallow = all
allow = alaw,ulaw
aors = trunk
direct_media = no
dtmf_mode = rfc4733
rtp_symmetric = yes
[trunk]
type = aor
contact = sip:127.0.0.1:{far}
[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1
""",
}


def asterisk_folder() -> Path | None:
    """The folder that was given, None where none was; SystemExit says why one can't be used."""
    try:
        return asterisk_process.asterisk_folder()
    except Unusable as error:
        raise SystemExit(str(error)) from None


def version(folder: Path) -> str:
    command = ["chroot", folder, "/usr/sbin/asterisk", "-V"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Asterisk:
    pid: int
    sip_port: int
    url: str
    password: str
    home: Home


@contextmanager
def running_asterisk(folder: Path, calls: int, far_sip_port: int, core: int) -> Iterator[Asterisk]:
    """Its trunk is at `far_sip_port`. `home` may still be filled: a call reads it, not the start."""
    first, last = media_ports(calls + 20)
    http, sip, password = _free_tcp_port(), sip_port(), secrets.token_hex(8)
    names = {
        "http": http,
        "password": password,
        "sip": sip,
        "far": far_sip_port,
        "first": first,
        "last": last,
    }
    files = {name: text.format(**names) for name, text in _FILES.items()}
    on_core = ("taskset", "-c", str(core))
    with (
        asterisk_home(folder) as home,
        asterisk_process.running_asterisk(home, _MODULES.split(), files, on_core) as started,
    ):
        yield Asterisk(started.process.pid, sip, f"http://{HOST}:{http}/ari", password, home)


def _free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
