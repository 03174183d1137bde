"""Files through the web role as it's served: what is promised goes in, what is over it gets a clear page."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from waitress import wasyncore

import app
from callbacks.models import Unit
from callbacks.vocabulary import Role, UnitGroup, UnitLevel
from scoring.models_items import Evidence
from scoring.users import add_user
from sms.inbound import Inbox
from tests.integration.desk_data import PASSWORD
from tests.integration.test_web_role import CONFIG

MEGABYTE = 2**20
_BOUND = "----a-form"


class Browser:
    """As much of one as a form with a file needs: it sends all before it reads the answer."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body or None, headers | ({"Content-Type": kind} if kind else {}))
        response = connection.getresponse()
        if cookie := response.headers.get("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        self.headers, text = response.headers, response.read().decode()
        connection.close()
        return response.status, text

    def token(self, page: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.ask("GET", page)[1])
        assert found is not None
        return found.group(1)

    def send(self, path: str, page: str, fields: dict[str, str], *files: bytes) -> tuple[int, str]:
        parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
        parts.append(('name="csrf_token"', self.token(page).encode()))
        parts += [(f'name="files"; filename="{n}.pdf"', file) for n, file in enumerate(files)]
        lines = [
            f"--{_BOUND}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() for head, _ in parts
        ]
        body = b"".join(line + part + b"\r\n" for line, (_, part) in zip(lines, parts, strict=True))
        body += f"--{_BOUND}--\r\n".encode()
        return self.ask("POST", path, body, f"multipart/form-data; boundary={_BOUND}")


def pdf(size: int) -> bytes:
    return b"%PDF-1.7\n".ljust(size, b" ")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, sessionmaker[Session]]]:
    """The port of the web role, made as `huifang serve web` makes it, and its database."""
    folder = tmp_path_factory.mktemp("web")
    path: Path = folder / "huifang.toml"
    path.write_text(CONFIG.partition("[voice.twilio]")[0].format(folder=folder), encoding="utf-8")
    office = app.open_office(app.load_settings(path))
    inbox, now = Inbox(office.context, folder / "spool", "web"), datetime.now(UTC)
    with office.context.sessions.begin() as session:
        group, level = UnitGroup.DEPT, UnitLevel.CITY
        session.add(Unit(code="D01", name="市水务集团", name_en="", group=group, level=level, valid_from=now))
        add_user(session, "head", "主任", Role.OFFICE_HEAD, PASSWORD, now=now)
    sockets: dict[int, Any] = {}
    web = app.WebSettings(host="127.0.0.1", port=0, threads=2)
    server = app.web_server(app.create_app(office, inbox), web, sockets)
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.1, map=sockets, count=1)

    thread = threading.Thread(target=turn, name="web")
    thread.start()
    yield server.effective_port, office.context.sessions
    stop.set()
    thread.join(10)
    server.task_dispatcher.shutdown()
    wasyncore.close_all(sockets)
    inbox.close()
    office.close()


@pytest.fixture
def browser(served: tuple[int, sessionmaker[Session]]) -> Browser:
    """Signed in as the office's head."""
    found = Browser(served[0])
    form = f"login=head&password={PASSWORD}&csrf_token={found.token('/login')}"
    status, _ = found.ask("POST", "/login", form.encode(), "application/x-www-form-urlencoded")
    assert status == 302
    return found


RECORD = {"measure": "talk", "unit": "D01", "on_day": "2026-01-05", "reason": "多次逾期"}


def record(browser: Browser, *files: bytes) -> tuple[int, str]:
    return browser.send("/accountability", "/accountability", RECORD, *files)


def test_evidence_of_twelve_megabytes_goes_in(
    browser: Browser, served: tuple[int, sessionmaker[Session]]
) -> None:
    status, text = record(browser, pdf(12 * MEGABYTE))
    assert status == 303, text
    with served[1]() as session:
        assert session.scalars(select(Evidence.size)).all() == [12 * MEGABYTE]


# what is sent, and what the page says of the bound
@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ((12 * MEGABYTE + 1,), "不超过12MB"),  # one octet over: the form's own page
        ((13 * MEGABYTE,), "附件最多5个，合计不超过12MB"),
        ((7 * MEGABYTE, 6 * MEGABYTE), "附件最多5个，合计不超过12MB"),
        ((40 * MEGABYTE,), "附件合计不超过12MB"),  # the server's own bound: read to its end, then told
        ((9,) * 6, "附件最多5个"),  # six small ones: none is left out in silence
    ],
)
def test_what_is_too_large_gets_a_page_that_names_the_bound(
    browser: Browser, served: tuple[int, sessionmaker[Session]], sizes: tuple[int, ...], says: str
) -> None:
    with served[1]() as session:
        before = len(session.scalars(select(Evidence.id)).all())
    status, text = record(browser, *(pdf(size) for size in sizes))
    assert status == (400 if sizes == (12 * MEGABYTE + 1,) else 413)
    assert says in text and "<h1>" in text
    assert browser.headers["Content-Type"] == "text/html; charset=utf-8"
    assert browser.headers["Content-Security-Policy"].startswith("default-src 'self'")
    with served[1]() as session:
        assert len(session.scalars(select(Evidence.id)).all()) == before


def test_a_form_without_files_stays_short(browser: Browser) -> None:
    body = f"body={'x' * 100_000}&csrf_token={browser.token('/me')}".encode()
    status, text = browser.ask("POST", "/me", body, "application/x-www-form-urlencoded")
    assert status == 413
    assert "不超过64KB" in text


def test_files_of_an_ended_session_lead_to_the_door(served: tuple[int, sessionmaker[Session]]) -> None:
    status, _ = Browser(served[0]).send("/accountability", "/login", RECORD, pdf(MEGABYTE))
    assert status == 302
