"""The same bridges by Asterisk over ARI: the folder of HUIFANG_ASTERISK is entered by chroot, as root.

Each caller comes into a Stasis application, which has it ring, calls the operator, answers when they do and
puts both into a bridge of their own. The application's own CPU isn't counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.bridge_engines import Carrier, NotUp
from benchmarks.bridge_far_ends import HOST
from tests.loopback_city import media_ports, sip_port

__all__ = ["asterisk", "asterisk_folder", "version"]

_USER, _APP = "huifang", "bench"
_MODULES = (
    "res_timing_timerfd codec_alaw codec_ulaw res_sorcery_config res_sorcery_memory res_sorcery_astdb "
    "res_pjproject res_rtp_asterisk res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_caller_id "
    "res_pjsip_endpoint_identifier_ip res_pjsip_pubsub chan_pjsip bridge_simple bridge_native_rtp "
    "bridge_softmix bridge_holding res_http_websocket res_websocket_client res_stasis res_stasis_answer "
    "res_stasis_playback res_stasis_recording res_stasis_snoop res_ari res_ari_model res_ari_bridges "
    "res_ari_channels res_ari_events app_stasis pbx_config"
)
_FILES = {
    "asterisk.conf": """[directories]
astetcdir => {home}
astmoddir => {modules}
astvarlibdir => /var/lib/asterisk
astdbdir => {home}
astkeydir => {home}
astdatadir => /usr/share/asterisk
astspooldir => {home}
astrundir => {home}
astlogdir => {home}
[options]
nocolor = yes
maxfiles = 8192
""",
    "modules.conf": "[modules]\nautoload = no\n{loads}",
    "logger.conf": "[general]\n[logfiles]\nmessages => notice,warning,error\n",
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
    given = os.environ.get("HUIFANG_ASTERISK")
    if not given:
        return None
    folder = Path(given)
    if not (folder / "usr/sbin/asterisk").exists():
        raise SystemExit(f"HUIFANG_ASTERISK: there is no usr/sbin/asterisk in {folder}")
    if os.geteuid() != 0:
        raise SystemExit("HUIFANG_ASTERISK: a chroot takes root")
    return folder


def version(folder: Path) -> str:
    command = ["chroot", folder, "/usr/sbin/asterisk", "-V"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


@contextmanager
def asterisk(folder: Path, bridges: int, far_sip_port: int, core: int) -> Iterator[Carrier]:
    (folder / "tmp").mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="huifang-bench-", dir=folder / "tmp"))
    inside = f"/{home.relative_to(folder)}"
    first, last = media_ports(2 * bridges + 20)
    modules = next((folder / "usr/lib").glob("**/asterisk/modules"))
    names = {
        "home": inside,
        "modules": f"/{modules.relative_to(folder)}",
        "loads": "".join(f"load = {name}.so\n" for name in _MODULES.split()),
        "http": str(_free_tcp_port()),
        "password": secrets.token_hex(8),
        "sip": str(sip_port()),
        "far": str(far_sip_port),
        "first": str(first),
        "last": str(last),
    }
    for name, text in _FILES.items():
        (home / name).write_text(text.format(**names), encoding="utf-8")
    command = ["taskset", "-c", str(core), "chroot", str(folder), "/usr/sbin/asterisk", "-f"]
    with (home / "output").open("wb") as output:
        process = subprocess.Popen(
            [*command, "-C", f"{inside}/asterisk.conf"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        app = _Application(f"http://{HOST}:{names['http']}/ari", names["password"], far_sip_port, bridges)
        app.connect(30)
        yield Carrier(process.pid, ("call", (HOST, int(names["sip"]))), app.up)
        app.stop()
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(home)


def _free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class _Application:
    """The Stasis application, in a thread of its own."""

    def __init__(self, url: str, password: str, far_sip_port: int, bridges: int) -> None:
        self._url, self._auth = url, aiohttp.BasicAuth(_USER, password)
        self._far, self._bridges = far_sip_port, bridges
        self._joined = 0
        self._connected, self._up = threading.Event(), threading.Event()
        self._fault = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def connect(self, seconds: float) -> None:
        if not self._connected.wait(seconds):
            raise NotUp(f"Asterisk's ARI doesn't answer: {self._fault}")

    def up(self, seconds: float) -> None:
        if not self._up.wait(seconds):
            raise NotUp(f"Asterisk joined {self._joined} of {self._bridges} bridges: {self._fault}")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)

    def _run(self) -> None:
        self._task = self._loop.create_task(self._serve())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self._fault = repr(error)

    async def _serve(self) -> None:
        async with aiohttp.ClientSession(auth=self._auth) as self._session:
            while True:
                try:
                    events = await self._session.ws_connect(f"{self._url}/events?app={_APP}")
                    break
                except aiohttp.ClientError as error:  # it still starts
                    self._fault = repr(error)
                    await asyncio.sleep(0.2)
            self._connected.set()
            tasks = set()
            async for message in events:
                task = asyncio.create_task(self._take(json.loads(message.data)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] != "StasisStart":
            return
        channel, arguments = event["channel"], event["args"]
        try:
            if arguments:
                await self._join(arguments[0], channel["id"])
            else:
                await self._call(channel)
        except Exception as error:
            self._fault = repr(error)

    async def _call(self, caller: dict[str, Any]) -> None:
        await self._post(f"channels/{caller['id']}/ring")
        number = f"8{int(caller['caller']['number'][-6:])}"
        await self._post(
            "channels",
            endpoint=f"PJSIP/trunk/sip:{number}@{HOST}:{self._far}",
            app=_APP,
            appArgs=caller["id"],
            callerId=caller["caller"]["number"],
        )

    async def _join(self, caller: str, operator: str) -> None:
        await self._post(f"channels/{caller}/answer")
        bridge = await self._post("bridges", type="mixing")
        await self._post(f"bridges/{bridge['id']}/addChannel", channel=f"{caller},{operator}")
        self._joined += 1
        if self._joined == self._bridges:
            self._up.set()

    async def _post(self, path: str, **query: str) -> Any:
        async with self._session.post(f"{self._url}/{path}", params=query) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise RuntimeError(f"{path}: {answer.status} {text}")
            return json.loads(text) if text else None
