"""One HTTP exchange that knows whether anything left, bounded in time and size. For one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

_KEEP_ALIVE = 4.0  # servers drop idle connections after five seconds and more; a text mustn't meet that
_LONGEST_ANSWER = 65_536
_sent = threading.local()


class NothingLeft(Exception):
    """No connection: no byte of the request went out. Says why, without the request's address or fields."""


class NoAnswer(Exception):
    """The request went out, or part of it, and no whole answer came back. Says why, like NothingLeft."""


class _Told:
    """Tells the thread that the request's own bytes go out; a proxy's CONNECT isn't one of them."""

    sock: Any

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            _sent.any = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _sent.any = True
        super().send(data)  # type: ignore[misc]


class _Plain(_Told, HTTPConnection):
    pass


class _Tls(_Told, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


_POOLS = {"http": _PlainPool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    """Without retries (requests' default): what may have gone isn't sent again."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """At once: urllib3 alone would leave it to the collector."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 (its container can't be iterated)
                manager.pools[key].close()
        super().close()


class Wire:
    """Without a session: no redirects, cookies, netrc, or proxies of the environment."""

    def __init__(self, connect_timeout: float, answer_timeout: float, proxy: str | None = None) -> None:
        self._timeouts = (connect_timeout, answer_timeout)
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=1)
        self._proxies = {} if proxy is None else {"http": proxy, "https": proxy}
        self._used_at = 0.0

    def exchange(self, request: requests.Request) -> tuple[int, bytes]:
        """The answer's status and body. NothingLeft or NoAnswer else."""
        if time.monotonic() - self._used_at > _KEEP_ALIVE:
            self._adapter.close()  # its idle connections; it opens another
        _sent.any = False
        try:
            return self._exchange(request.prepare())
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise (NoAnswer if _sent.any else NothingLeft)(_why(error)) from None
        finally:
            self._used_at = time.monotonic()

    def _exchange(self, prepared: requests.PreparedRequest) -> tuple[int, bytes]:
        deadline = time.monotonic() + sum(self._timeouts)
        with self._adapter.send(
            prepared, stream=True, timeout=self._timeouts, proxies=self._proxies
        ) as response:
            body = b""
            for piece in response.iter_content(4096):
                body += piece
                if len(body) > _LONGEST_ANSWER:
                    raise NoAnswer("the answer is too long")
                if time.monotonic() > deadline:
                    raise NoAnswer("the answer is too slow")
            return response.status_code, body

    def close(self) -> None:
        self._adapter.close()


def _why(error: BaseException) -> str:
    """The innermost cause, in words of ours: urllib3's name addresses, and those hold numbers and texts."""
    causes = list(_causes(error))
    for cause in reversed(causes):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return type(causes[-1]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        inner = getattr(one, "reason", None) or (one.args[0] if one.args else None)
        one = inner if isinstance(inner, BaseException) else (one.__cause__ or one.__context__)
