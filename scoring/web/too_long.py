"""A request over the server's bound gets a page that names the bound.

waitress answers at the head and closes while the browser still sends: the browser then tells of a broken
connection and never shows the answer. So what is too long is read to its end, unkept, and answered after it
(RFC 9110 §15.5.14 leaves a server that choice); what is longer than anybody's file is cut off as before.
"""

from __future__ import annotations

from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.utilities import RequestEntityTooLarge

from scoring.web.headers import HEADERS

_MOST_READ = 2**30  # octets that are read only to be thrown away

_PAGE = """<!doctype html>
<html lang="zh-Hans">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>413 内容太大</title>
<main>
<h1>413 内容太大</h1>
<p>附件合计不超过{most}MB，请压缩或分次提交。没有保存任何内容，请返回上一页再试。</p>
<p lang="en">Too large: files may have {most} MB together. Compress them or send them in parts.
Nothing was stored; go back and try again.</p>
</main>
</html>
"""


class TooLong(RequestEntityTooLarge):  # type: ignore[misc]
    """What is answered; `most` is the megabytes that a form's files may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"at most {most} MB")
        self._most = most

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
        body = _PAGE.format(most=self._most).encode()
        return f"{self.code} {self.reason}", [*headers, *HEADERS.items()], body


def reading_to_the_end(most: int) -> type[HTTPChannel]:
    """waitress's channel, whose answer to what is too long comes when all of it is read."""

    class Parser(HTTPRequestParser):  # type: ignore[misc]
        error: Any
        _left = 0  # octets of a body that nobody keeps

        def received(self, data: bytes) -> int:
            if self._left:
                taken = min(len(data), self._left)
                self._left -= taken
                self.completed = self._left == 0
                return taken
            consumed: int = super().received(data)
            if isinstance(self.error, RequestEntityTooLarge):
                self.error = TooLong(most)
                self._left = 0 if self._is_cut_off() else self.content_length
                self.completed = self._left == 0
            return consumed

        def _is_cut_off(self) -> bool:
            """Of what comes in chunks nobody knows how much is still to come; who asks first sends none."""
            return bool(self.chunked or self.expect_continue or self.content_length > _MOST_READ)

    class Channel(HTTPChannel):  # type: ignore[misc]
        parser_class: Any = Parser

    return Channel
