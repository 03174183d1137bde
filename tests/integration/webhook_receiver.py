"""A system on loopback that takes webhooks as badly as a test wants: fails, hangs, answers late, trickles."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from callbacks.webhooks import DELIVERY, SIGNATURE, TIMESTAMP


@dataclass(frozen=True)
class Taken:
    """A request as it came."""

    delivery: str
    timestamp: str
    signature: str
    body: bytes

    @property
    def row(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def seq(self) -> int:
        return self.row["seq"]


@dataclass(frozen=True)
class Says:
    """What the receiver does with a request; with `held` it says so only when the test lets go."""

    status: int | None = 204  # None: closes without an answer
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    held: bool = False
    trickles: bool = False  # the head comes, the body doesn't


class Receiver(AbstractContextManager["Receiver"]):
    """Does what `script` says, one a request, then 204. `taken` holds every request in its order."""

    def __init__(self, *script: Says, tls: ssl.SSLContext | None = None) -> None:
        self.script = deque(script)
        self.taken: list[Taken] = []
        self.came = threading.Semaphore(0)
        self.let_go = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.answer(self)

            def do_GET(self) -> None:  # what a followed redirect may become
                receiver.answer(self)

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False  # joined at the end, so that no thread outlives its test

            def handle_error(self, *_args: Any) -> None:
                pass  # whoever hangs up on us is what the test is about

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/in?key=of-the-address"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        head = request.headers
        self.taken.append(Taken(head[DELIVERY], head[TIMESTAMP], head[SIGNATURE], body))
        says = self.script.popleft() if self.script else Says()
        self.came.release()
        if says.held:
            self.let_go.wait(30)
        if says.status is None:
            return
        request.send_response(says.status)
        for name, value in says.headers.items():
            request.send_header(name, value)
        if says.status not in (204, 304):
            request.send_header("Content-Length", str(len(says.body)))
        request.end_headers()
        if says.trickles:
            self.let_go.wait(30)
        request.wfile.write(says.body)

    @property
    def seqs(self) -> list[int]:
        return [taken.seq for taken in self.taken]

    def __exit__(self, *_exc: object) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
