"""The web role's one address: the desk, the API and the providers' pushes, each with its own rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waitress.server import create_server
from werkzeug.test import Client

import app
from sms.inbound import Inbox

CONFIG = """
[office]
name = "示例市110联动办"
area_code = "0379"
signature = "示例市110联动"
sender_code = "106380110"
caller_number = "037963110110"

[database]
url = "sqlite:///{folder}/huifang.db"
key_file = "{folder}/huifang.key"

[voice.twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "token-of-the-account"
number = "+15005550006"
public_url = "https://city.example"

[[sms.gateways]]
kind = "smpp"
name = "carrier"

[[sms.gateways]]
"""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Client]:
    path = tmp_path / "huifang.toml"
    provider = Path(__file__).parent.parent / "data/http_gateways/kannel.toml"
    path.write_text(
        CONFIG.format(folder=tmp_path) + as_gateway(provider.read_text(encoding="utf-8")), encoding="utf-8"
    )
    office = app.open_office(app.load_settings(path))
    inbox = Inbox(office.context, tmp_path / "spool", "web")
    yield Client(app.create_app(office, inbox))
    inbox.close()
    office.close()


def as_gateway(toml: str) -> str:
    """The file describes one gateway; in a city's settings it stands in [[sms.gateways]]."""
    return "\n".join(
        line.replace("[", "[sms.gateways.", 1) if line.startswith("[") else line for line in toml.splitlines()
    )


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/login", 200, "登录"),
        ("/api/v1/openapi.json", 200, "openapi"),
        ("/api/v1/outcomes", 401, "problem"),
        ("/metrics", 200, "huifang_ledger_balanced 1.0"),
        ("/sms/unknown/replies", 404, ""),
        ("/r/", 200, "评价码"),
        ("/r", 308, "/r/"),
        ("/r/ABCDEFGHJK", 404, "评价码"),
        ("/voice/twilio/prompt/v1/nothing.wav", 404, "no such prompt"),
        ("/voice/twilio/1-ab/0", 405, ""),
        ("/", 302, "/login"),
    ],
)
def test_each_path_goes_to_its_own(web: Client, path: str, status: int, says: str) -> None:
    answer = web.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert answer.status_code == status, answer.get_data(as_text=True)[:400]
    assert says in answer.get_data(as_text=True) + str(answer.headers)


# who connects, what the request says of itself, whose request it counts as
@pytest.mark.parametrize(
    ("peer", "forwarded", "counted"),
    [
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "198.51.100.1, 192.0.2.7", "192.0.2.7"),  # the last is the proxy's own word
        ("203.0.113.5", "192.0.2.7", "203.0.113.5"),  # not the proxy: anybody may write that
    ],
)
def test_only_the_named_proxy_says_who_asks(peer: str, forwarded: str, counted: str) -> None:
    seen: list[str] = []

    def application(environ: dict[str, str], start_response: Any) -> list[bytes]:
        seen.append(environ["REMOTE_ADDR"])
        start_response("200 OK", [])
        return []

    settings = app._proxy(app.WebSettings(trusted_proxy="127.0.0.1"))
    server = create_server(application, map={}, host="127.0.0.1", port=0, **settings)
    Client(server.application).get(
        "/", environ_overrides={"REMOTE_ADDR": peer}, headers={"X-Forwarded-For": forwarded}
    )
    server.close()
    assert seen == [counted]
    assert app._proxy(app.WebSettings()) == {}


def test_a_forged_push_is_refused(web: Client) -> None:
    assert web.post("/sms/kannel/replies", data={"from": "13803790001", "text": "1"}).status_code == 403
