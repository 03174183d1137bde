"""Golden transcripts of described providers; HUIFANG_UPDATE=1 rewrites them.

A line that begins with $ is what happens, the lines with > after it are what comes of it:
`$ gateway NAME`, `$ send REF CODE NUMBER TEXT`, `$ answer STATUS BODY`, `$ push KIND METHOD QUERY BODY`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sms.events import ReceiptArrived, ReplyArrived, Submission
from sms.http_answer import read_answer
from sms.http_push import BadElement, Element
from sms.http_pushes import HttpPushes, PushKind, PushRequest
from sms.http_request import build, values_of
from sms.http_settings import HttpSettings
from sms.http_template import render

TESTS = Path(__file__).parent.parent
TRANSCRIPTS = sorted((TESTS / "transcripts/http").glob("*.txt"))
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


class Provider:
    """Plays a transcript's lines on the pure parts of one gateway."""

    def __init__(self, name: str) -> None:
        with (TESTS / f"data/http_gateways/{name}.toml").open("rb") as file:
            self.settings = HttpSettings(**tomllib.load(file))
        self.values: dict[str, str] = {}

    def play(self, verb: str, rest: str) -> Iterator[str]:
        match verb:
            case "send":
                yield from self.send(*rest.split(" ", 3))
            case "answer":
                status, _, body = rest.partition(" ")
                answer = self.settings.answer
                own_id = answer.own_id and render(answer.own_id, self.values)
                yield repr(read_answer(answer, int(status), body.encode(), own_id))
            case "push":
                yield from self.push(*[*rest.split(" ", 3), ""][:4])

    def send(self, ref: str, code: str, number: str, text: str) -> Iterator[str]:
        settings = self.settings
        submission = Submission(int(ref), code, number, text)
        secret = settings.secret.get_secret_value()
        self.values = values_of(submission, settings.request, NOW, "nonce-1", settings.account, secret)
        request = build(settings.request, self.values)
        yield f"{request.method} {request.url}"
        yield from (f"{name}: {value}" for name, value in request.headers.items())
        if request.body is not None:
            yield request.body.decode()

    def push(self, kind: str, method: str, query: str, body: str) -> Iterator[str]:
        assert self.settings.push is not None
        pushes = HttpPushes(self.settings.name, self.settings.push)
        path = f"/sms/{self.settings.name}/{kind}"
        request = PushRequest(method, path, query.removeprefix("?"), {}, body.encode())
        if not pushes.is_genuine(request):
            yield "forged"
            return
        elements = pushes.read(PushKind(kind), request)
        yield from map(told, elements)
        refused = [each for each in elements if isinstance(each, BadElement)]
        yield repr(pushes.answer(PushKind(kind), refused))


def told(element: Element) -> str:
    match element:
        case ReceiptArrived():
            return f"receipt {element.message_id} {element.status} {element.error}".rstrip()
        case ReplyArrived():
            words = element.raw.hex(" ") if element.text is None else element.text
            way = f"{element.source} to {element.destination}"
            return f"reply {way}, {element.delivery}, {element.digest[:8]}: {words}"
        case BadElement():
            return f"refused {element.index} {element.field}: {element.reason}"


def played(lines: list[str]) -> Iterator[str]:
    provider: Provider | None = None
    for line in lines:
        if line.startswith(">"):
            continue
        yield line
        if line.startswith("$ "):
            _, verb, rest = line.split(" ", 2)
            if verb == "gateway":
                provider = Provider(rest)
            else:
                assert provider is not None
                yield from (f"> {each}" for each in provider.play(verb, rest))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    found = list(played(lines))
    if os.environ.get("HUIFANG_UPDATE") == "1":
        path.write_text("\n".join(found) + "\n", "utf-8")
    assert lines == found


def test_there_are_transcripts() -> None:
    assert {path.stem for path in TRANSCRIPTS} >= {"aliyun", "kannel", "huawei"}
