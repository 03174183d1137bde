"""The same bridges by Asterisk over ARI (`benchmarks.asterisk`).

Each caller comes into a Stasis application, which has it ring, calls the operator, answers when they do and
puts both into a bridge of their own. The application's own CPU isn't counted.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.asterisk import APP, USER, running_asterisk
from benchmarks.bridge_engines import Carrier, NotUp
from benchmarks.bridge_far_ends import HOST

__all__ = ["asterisk"]


@contextmanager
def asterisk(folder: Path, bridges: int, far_sip_port: int, core: int) -> Iterator[Carrier]:
    with running_asterisk(folder, 2 * bridges, far_sip_port, core) as server:
        app = _Application(server.url, server.password, far_sip_port, bridges)
        app.connect(30)
        yield Carrier(server.pid, ("call", (HOST, server.sip_port)), app.up)
        app.stop()


class _Application:
    """The Stasis application, in a thread of its own."""

    def __init__(self, url: str, password: str, far_sip_port: int, bridges: int) -> None:
        self._url, self._auth = url, aiohttp.BasicAuth(USER, password)
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
                    events = await self._session.ws_connect(f"{self._url}/events?app={APP}")
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
            app=APP,
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
