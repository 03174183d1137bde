"""The calls of the voice benchmark by Asterisk over ARI, both its own CPU and its client's counted."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.asterisk import APP, USER, running_asterisk
from benchmarks.bridge_far_ends import HOST
from benchmarks.measuring import beside
from benchmarks.voice_line import PROMPT, Measured, NotUp, told
from benchmarks.voice_plan import Plan
from ivr.media import g711

__all__ = ["asterisk"]


@contextmanager
def asterisk(folder: Path, plan: Plan, up: int, far_sip_port: int, core: int) -> Iterator[Measured]:
    with running_asterisk(folder, 2 * up, far_sip_port, core) as server:
        (server.home.path / "prompt.alaw").write_bytes(g711.encode(PROMPT, "pcma"))
        arguments = server.url, server.password, f"{server.home.inside}/prompt", far_sip_port, plan, core
        with beside(run_client, *arguments) as (pid, pipe):
            if (answer := told(pipe, 60)) != "connected":
                raise NotUp(f"Asterisk's ARI doesn't answer: {answer}")
            yield Measured((server.pid, pid), server.sip_port, pipe)


def run_client(
    pipe: Connection, url: str, password: str, prompt: str, far_sip_port: int, plan: Plan, core: int
) -> None:
    os.sched_setaffinity(0, {core})
    asyncio.run(_Client(pipe, url, password, prompt, far_sip_port, plan).serve())


class _Client:
    """A Stasis application: who calls is answered, whom we call is there when it starts."""

    def __init__(
        self, pipe: Connection, url: str, password: str, prompt: str, far_sip_port: int, plan: Plan
    ) -> None:
        self._pipe, self._url, self._auth = pipe, url, aiohttp.BasicAuth(USER, password)
        self._prompt, self._far, self._plan = prompt, far_sip_port, plan
        self._numbers: dict[str, int] = {}
        self._start_at = 0.0
        self.keys: dict[int, str] = {}
        self.ended: Counter[str] = Counter()
        self.faults: list[str] = []

    async def serve(self) -> None:
        async with aiohttp.ClientSession(auth=self._auth) as self._session:
            events = await self._connected()
            self._pipe.send("connected")
            start_at = await asyncio.to_thread(self._pipe.recv)
            if start_at is None:
                return
            self._start_at = start_at
            tasks = {asyncio.create_task(self._dial_all()), asyncio.create_task(self._hear(events))}
            await asyncio.sleep(max(0.0, start_at + self._plan.over + 5.0 - time.monotonic()))
            for task in tasks:
                task.cancel()
        told = {"all_keys": self._plan.pressed(self.keys), "ended": self.ended, "faults": self.faults}
        self._pipe.send(told)
        await asyncio.to_thread(self._pipe.recv)

    async def _connected(self) -> aiohttp.ClientWebSocketResponse:
        until = time.monotonic() + 30
        while True:
            try:
                return await self._session.ws_connect(f"{self._url}/events?app={APP}")
            except aiohttp.ClientError as error:  # it still starts
                if time.monotonic() > until:
                    self._pipe.send(repr(error))
                    raise
                await asyncio.sleep(0.2)

    async def _hear(self, events: aiohttp.ClientWebSocketResponse) -> None:
        tasks = set()
        async for message in events:
            event = json.loads(message.data)
            match event["type"]:
                case "StasisStart":
                    task = asyncio.create_task(self._begun(event["channel"], event["args"]))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                case "ChannelDtmfReceived":
                    self.keys[self._numbers[event["channel"]["id"]]] += event["digit"]
                case "StasisEnd":
                    self.ended["StasisEnd"] += 1

    async def _begun(self, channel: dict[str, Any], arguments: list[str]) -> None:
        name = channel["id"]
        number = int(arguments[0]) if arguments else int(channel["caller"]["number"].removeprefix("7"))
        self._numbers[name], self.keys[number] = number, ""
        if not arguments:
            await self._ask("POST", f"channels/{name}/answer")
        await self._ask("POST", f"channels/{name}/play", media=f"sound:{self._prompt}")
        if arguments:
            end_at = self._start_at + self._plan.end(number)
            await asyncio.sleep(max(0.0, end_at - time.monotonic()))
            await self._ask("DELETE", f"channels/{name}")

    async def _dial_all(self) -> None:
        for number in range(self._plan.calls):
            if self._plan.is_out(number):
                await asyncio.sleep(max(0.0, self._start_at + self._plan.begin(number) - time.monotonic()))
                await self._ask(
                    "POST",
                    "channels",
                    endpoint=f"PJSIP/trunk/sip:8{number}@{HOST}:{self._far}",
                    app=APP,
                    appArgs=str(number),
                )

    async def _ask(self, method: str, path: str, **query: str) -> None:
        async with self._session.request(method, f"{self._url}/{path}", params=query) as answer:
            text = await answer.text()
            if answer.status >= 300:
                self.faults.append(f"{path}: {answer.status} {text}")
