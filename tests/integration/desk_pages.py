"""Reading the desk's pages as a reader does."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.integration.desk_data import PASSWORD

SignIn = Callable[[str], FlaskClient]

PAGES = (
    "/",
    "/dissatisfaction",
    "/dissatisfaction/1",
    "/hard-cases",
    "/appeals",
    "/adjustments",
    "/objections",
    "/accountability",
    "/cases",
    "/cases/LD20261116-0001",
    "/cases/LD20261117-0002",
    "/callbacks",
    "/ranking?group=county",
    "/ranking?group=dept",
    "/scoring-rules",
    "/ranking/D03",
    "/progress",
    "/agents",
    "/pauses",
    "/nodes",
    "/ledger",
    "/ledger?day=2026-11-22",
    "/alarms",
    "/inbound",
    "/inbound/in-gave-up",
    "/inbound/in-talks",
    "/inbound/in-answered",
    "/templates",
    "/templates/eval",
    "/flows",
    "/flows/inbound_110",
    "/prompts",
    "/prompts/greeting.0",
    "/policy",
    "/units",
    "/units/D03/edit",
    "/people",
    "/people/city",
    "/me",
    "/audit",
)

# Who sees the pages of what citizens are told (texts, dialogues, recordings), and who may change it.
WHO_SETS_WORDS = [
    ("agent", False, False),
    ("supervisor", True, False),
    ("head", True, True),
    ("inspector", True, False),
    ("admin", False, False),
    ("city", False, False),
]


def token(client: FlaskClient, page: str = "/login") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(page, follow_redirects=True).text)
    assert found is not None
    return found.group(1)


def try_login(client: FlaskClient, login: str, password: str, target: str = "/login") -> TestResponse:
    form = {"login": login, "password": password, "csrf_token": token(client)}
    return client.post(target, data=form)


class Shown(HTMLParser):
    """What a reader sees of a page: its text outside `lang="zh-Hans"`, spoken attributes, and its cells."""

    _VOID = frozenset({"meta", "link", "input", "img", "br", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self._chinese: list[bool] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += found.items()
        inside = bool(self._chinese and self._chinese[-1]) or found.get("lang") == "zh-Hans"
        if tag not in self._VOID:
            self._chinese.append(inside)
        if not inside:
            spoken = ("aria-label", "data-label", "placeholder", "alt", "title", "data-pause", "data-lost")
            self.text += [found[name] for name in spoken if name in found]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._VOID:
            self._chinese.pop()

    def handle_data(self, data: str) -> None:
        if not (self._chinese and self._chinese[-1]):
            self.text.append(data)


def numbers_in(html: str) -> list[str]:
    """The case numbers of a page's rows, in order."""
    return re.findall(r'<th scope="row"><a class="number" href="[^"]+">([^<]+)</a>', html)


def walk(client: FlaskClient, page: str, relation: str) -> list[tuple[list[str], str]]:
    found = []
    while page:
        html = client.get(page).text
        found.append((numbers_in(html), page))
        link = re.search(rf'rel="{relation}" href="([^"]+)"', html)
        page = link.group(1).replace("&amp;", "&") if link else ""
    return found


def sign_in_to(app: Flask, login: str) -> FlaskClient:
    client = app.test_client()
    assert try_login(client, login, PASSWORD).status_code == 302
    return client


def session_cookie(client: FlaskClient) -> str:
    cookie = client.get_cookie("huifang")
    assert cookie is not None
    return cookie.value
