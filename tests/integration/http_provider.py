"""A provider of texts on loopback: it records what it's asked and answers as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """Query and form, the first of each name."""
        pairs = parse_qs(self.query, keep_blank_values=True) | parse_qs(
            self.body.decode("latin-1"), keep_blank_values=True
        )
        return {name: values[0] for name, values in pairs.items()}


@dataclass(frozen=True)
class Told:
    """An answer; `how`: whole, drop (none at all), cut (half of it), trickle (byte by byte) or stall."""

    status: int = 200
    body: str | bytes = ""
    how: str = "whole"
    headers: Mapping[str, str] = field(default_factory=dict)


class Provider:
    """`answer` decides; `asked` keeps what came, `connections` how many there were."""

    def __init__(self, answer: Callable[[Asked], Told]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def setup(self) -> None:
                provider.connections += 1
                super().setup()

            def do_GET(self) -> None:
                provider.serve(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        self.server.handle_error = lambda *_: None  # the tests hang up on it
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        where = urlsplit(handler.path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked = Asked(handler.command, where.path, where.query, dict(handler.headers), body)
        self.asked.append(asked)
        told = self.answer(asked)
        if told.how == "stall":
            self.over.wait(20)
        if told.how in ("drop", "stall"):
            handler.close_connection = True
            return
        written = told.body.encode() if isinstance(told.body, str) else told.body
        handler.send_response(told.status)
        for name, value in told.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(written)))
        handler.end_headers()
        if told.how == "cut":
            handler.wfile.write(written[: len(written) // 2])
            handler.close_connection = True
        elif told.how == "trickle":
            for each in written:
                handler.wfile.write(bytes((each,)))
                if self.over.wait(0.05):
                    return
        else:
            handler.wfile.write(written)


@contextmanager
def provider_of(answer: Callable[[Asked], Told]) -> Iterator[Provider]:
    provider = Provider(answer)
    thread = threading.Thread(target=provider.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        provider.over.set()
        provider.server.shutdown()
        provider.server.server_close()
        thread.join(10)
