"""The desk in a real browser, as a supervisor uses it: sign in, the list, a row's story, the ranking.

With HUIFANG_SCREENSHOTS=1 it also takes docs/screenshots anew. Any console error, any uncaught exception and
any request to another host fails it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy.orm import Session, sessionmaker
from waitress import wasyncore
from waitress.server import create_server

from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import Privacy
from scoring.web.desk import create_desk
from tests.integration.desk_data import PASSWORD, add_users, build, desk_deps
from tests.peers.peers import need

CHROMIUM = os.environ.get("HUIFANG_CHROMIUM", "/usr/bin/chromium")
SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
STORY = "LD20261117-0002"


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """By waitress, as in earnest, on a free loopback port; its loop is ours, so that it ends when we say."""
    channels: dict[int, Any] = {}
    server = create_server(app, map=channels, host="127.0.0.1", port=0, threads=8)
    stop = threading.Event()

    def turn() -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.1, map=channels, count=1)

    thread = threading.Thread(target=turn, name="desk")
    thread.start()
    yield f"http://127.0.0.1:{server.effective_port}"
    stop.set()
    thread.join(10)
    server.task_dispatcher.shutdown()
    wasyncore.close_all(channels)


@pytest.fixture(scope="module")
def desk(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, privacy: Privacy) -> Iterator[str]:
    """The desk's address, served by waitress as in earnest."""
    need("Chromium", Path(CHROMIUM).exists())
    path = tmp_path_factory.mktemp("browser") / "huifang.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    sessions: sessionmaker[Session] = make_sessions(engine)
    with sessions.begin() as session:
        add_users(build(session, privacy), {"supervisor"})
    app = create_desk(desk_deps(sessions, make_read_sessions(engine), privacy))
    with served(app) as address:
        yield address
    engine.dispose()


@pytest.fixture(scope="module")
def browser(desk: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


class Visitor:
    """A browser window that remembers what went wrong in it."""

    def __init__(self, context: BrowserContext, desk: str) -> None:
        self.desk = desk
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self._console(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        self.page.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.faults.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        if urlsplit(url).netloc != urlsplit(self.desk).netloc:
            self.faults.append(f"another host: {url}")

    def sign_in(self, language: str) -> None:
        self.page.goto(f"{self.desk}/login?lang={language}")
        self.page.locator("input[name=login]").fill("supervisor")
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("main form button").click()
        self.page.wait_for_url(f"{self.desk}/")

    def fits(self) -> bool:
        """Nothing is wider than the window: no sideways scrolling of the page itself."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture
def visit(browser: Browser, desk: str) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    visitor = Visitor(context, desk)
    yield visitor
    context.close()
    assert visitor.faults == []


def test_from_the_list_to_a_story_and_from_the_ranking_to_one_in_three_clicks(visit: Visitor) -> None:
    visit.sign_in("zh")
    page = visit.page
    page.get_by_role("navigation", name="主导航").get_by_role("link", name="不满意清单").click()
    assert page.locator("tbody tr").count() == 6
    page.get_by_role("link", name=STORY).click()
    assert "根本没人来管" in page.locator(".said.citizen").inner_text()
    assert page.locator(".timeline .event").count() > 8
    page.get_by_role("navigation", name="主导航").get_by_role("link", name="排名").click()
    page.get_by_role("link", name="市直部门").click()  # 1
    page.get_by_role("link", name="市城市管理局").click()  # 2
    page.get_by_role("link", name=STORY).click()  # 3
    assert "根本没人来管" in page.locator(".said.citizen").inner_text()
    page.go_back()
    assert page.locator("h1").inner_text().startswith("市城市管理局")


def test_the_list_is_worked_by_keyboard(visit: Visitor) -> None:
    visit.sign_in("zh")
    page = visit.page
    page.goto(f"{visit.desk}/dissatisfaction")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    chosen = page.locator("tr.here th a").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visit.desk}/cases/{chosen}")
    page.keyboard.press("/")
    page.keyboard.type("0002")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visit.desk}/cases?q=0002")
    page.keyboard.press("?")
    help_box = page.get_by_role("dialog")
    assert help_box.is_visible()
    help_box.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert not help_box.is_visible()  # single keys are off (WCAG 2.1.4)


def test_the_skip_link_comes_first_and_focus_is_seen(visit: Visitor) -> None:
    visit.sign_in("zh")
    visit.page.keyboard.press("Tab")
    focused = visit.page.locator(":focus")
    assert focused.inner_text() == "跳到正文"
    assert focused.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    box = focused.bounding_box()
    assert box is not None
    assert box["height"] >= 24


def test_progress_renews_itself_and_pauses(visit: Visitor) -> None:
    visit.sign_in("en")
    page = visit.page
    page.goto(f"{visit.desk}/progress")
    page.evaluate("document.querySelector('#live .equation b').textContent = 'old'")
    page.get_by_role("button", name="Pause").click()
    with page.expect_response(lambda response: response.url.endswith("/progress")):
        page.get_by_role("button", name="Resume").click()
    page.wait_for_function("document.querySelector('#live .equation b').textContent === '44'")


def test_without_script_everything_still_works(browser: Browser, desk: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    visitor = Visitor(context, desk)
    visitor.sign_in("zh")
    visitor.page.goto(f"{desk}/dissatisfaction")
    visitor.page.locator("select[name=group]").select_option("dept")
    visitor.page.get_by_role("button", name="筛选").click()
    assert visitor.page.locator("tbody tr").count() == 5
    visitor.page.goto(f"{desk}/progress")
    assert visitor.page.get_by_role("link", name="刷新").is_visible()
    context.close()
    assert visitor.faults == []


LOOKS = (
    # name, width, height, colour scheme, language
    ("zh", 1280, 800, "light", "zh"),
    ("en-dark", 1280, 800, "dark", "en"),
    ("narrow", 360, 740, "light", "zh"),
    ("tablet-en", 820, 1100, "light", "en"),
)
SIGHTS = (
    ("today", "/"),
    ("list", "/dissatisfaction"),
    ("case", "/cases/LD20261116-0001"),
    ("ranking", "/ranking?group=dept"),
    ("unit", "/units/D03"),
    ("progress", "/progress"),
    ("cases", "/cases"),
    ("callbacks", "/callbacks"),
    ("rule", "/ranking/rule"),
    ("templates", "/templates"),
    ("template", "/templates/handler_todo"),
    ("agents", "/agents"),
    ("nodes", "/nodes"),
    ("ledger", "/ledger"),
    ("alarms", "/alarms"),
    ("pauses", "/pauses"),
    ("policy", "/policy"),
)
_KEPT = frozenset(
    {"today", "list", "case", "ranking", "progress", "agents", "nodes", "ledger", "alarms", "policy"}
)


@pytest.mark.parametrize(("name", "width", "height", "scheme", "language"), LOOKS)
def test_every_page_fits_its_window(
    browser: Browser, desk: str, name: str, width: int, height: int, scheme: str, language: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    visitor = Visitor(context, desk)
    visitor.sign_in(language)
    for sight, path in SIGHTS:
        visitor.page.goto(f"{desk}{path}")
        assert visitor.fits(), sight
        small = visitor.page.evaluate(_SMALL_TARGETS)
        assert small == [], sight
        if os.environ.get("HUIFANG_SCREENSHOTS") == "1" and sight in _KEPT and name != "tablet-en":
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            visitor.page.screenshot(path=SCREENSHOTS / f"{sight}-{name}.png", full_page=width > 400)
    context.close()
    assert visitor.faults == []


# Controls below 24 px (WCAG 2.5.8); links within a sentence or cell are excepted there.
_SMALL_TARGETS = """
() => [...document.querySelectorAll("button, select, input:not([type=hidden]), nav a, .button")]
  .filter((node) => node.checkVisibility())
  .map((node) => [node.outerHTML.slice(0, 60), node.getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.width < 24 || box.height < 24))
  .map(([html]) => html)
"""
