"""Twilio's own OpenAPI document judges our requests and the stub's answers, by Prism between the two.

HUIFANG_PRISM names the program (npm's @stoplight/prism-cli), HUIFANG_TWILIO_SPEC twilio_api_v2010.json; the
document isn't ours to ship, so the test is skipped without them. Its array-typed form fields get the encoding
that they lack (form, exploded).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sms.events import Submission, SubmitFailed, Submitted, SubmitUnknown
from sms.twilio_gateway import make_twilio_gateway
from tests.integration.http_provider import Provider, Told, provider_of
from tests.integration.test_gateway_contract import SENDER, SILENT, collect, of
from tests.integration.test_twilio_gateway import SID, described, error, message

PROGRAM, DOCUMENT = os.environ.get("HUIFANG_PRISM"), os.environ.get("HUIFANG_TWILIO_SPEC")

pytestmark = pytest.mark.skipif(not (PROGRAM and DOCUMENT), reason="Prism or Twilio's document is missing")


@pytest.fixture(scope="module")
def stub() -> Iterator[Provider]:
    with provider_of(lambda _: message()) as provider:
        yield provider


@pytest.fixture(scope="module")
def prism(stub: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prism_before(stub, tmp_path_factory.mktemp("prism")) as address:
        yield address


@contextmanager
def prism_before(stub: Provider, folder: Path) -> Iterator[str]:
    """The address of a Prism that passes on what the document allows, and answers 4xx or 500 else."""
    patched = folder / "twilio.json"
    patched.write_text(json.dumps(with_encodings(Path(str(DOCUMENT)).read_text("utf-8"))), "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(PROGRAM), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), str(patched), stub.url]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_it_listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def with_encodings(document: str) -> object:
    read = json.loads(document)
    for operations in read["paths"].values():
        for operation in operations.values():
            content = (
                operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            )
            for body in content.values():
                for name, schema in body.get("schema", {}).get("properties", {}).items():
                    if schema.get("type") == "array":
                        body.setdefault("encoding", {})[name] = {"style": "form", "explode": True}
    return read


def wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "Prism doesn't start"
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("source", "told", "outcome"),
    [
        (SENDER, message(), Submitted(7, (SID,))),
        ("106380111", message(status="accepted"), Submitted(7, (SID,))),  # by a messaging service
        (SENDER, message(sid=5), SubmitUnknown(7)),  # Prism's own 500: the document does judge
        (SENDER, error(400, 21610), SubmitFailed(7, True, "Twilio 21610")),
    ],
)
def test_the_document_agrees(stub: Provider, prism: str, source: str, told: Told, outcome: object) -> None:
    stub.answer = lambda _: told
    before = len(stub.asked)
    gateway = make_twilio_gateway(described(prism, submit_timeout=20))
    gateway.submit(Submission(7, source, SILENT, "【示例市110联动】您好"))
    kinds = Submitted | SubmitFailed | SubmitUnknown
    events = collect(gateway, lambda events: bool(of(events, kinds)), 30)
    gateway.close()
    assert of(events, kinds) == [outcome]
    assert len(stub.asked) == before + 1  # the request was let through
