"""The desk in a real browser, as a supervisor uses it: sign in, the list, a story, the ranking, every page.

With HUIFANG_SCREENSHOTS=1 it also takes docs/screenshots anew. Any console error, any uncaught exception and
any request to another host fails it.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy.orm import Session, sessionmaker
from waitress import wasyncore
from waitress.server import create_server

from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import Privacy
from prompts.place import PromptPlace
from scoring.web.desk import create_desk
from tests.integration.desk_data import PASSWORD, desk_deps
from tests.integration.desk_office import TARGETS, build_office
from tests.peers.desk_audit import faults
from tests.peers.sights import AFTER_A_BUTTON, LOGINS, of

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"
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
    path = tmp_path_factory.mktemp("browser") / "huifang.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    sessions: sessionmaker[Session] = make_sessions(engine)
    place = PromptPlace(recordings=path.parent / "recordings")
    deps = replace(desk_deps(sessions, make_read_sessions(engine), privacy), targets=TARGETS, prompts=place)
    build_office(sessions, deps)
    with served(create_desk(deps)) as address:
        yield address
    engine.dispose()


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

    def sign_in(self, language: str, login: str = "supervisor") -> None:
        self.page.goto(f"{self.desk}/login?lang={language}")
        self.page.locator("input[name=login]").fill(login)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("main form button").click()
        self.page.wait_for_url(f"{self.desk}/")

    def pardon(self, status: int) -> None:
        """The browser's own line on an error's page, which is looked at as any other."""
        if status >= 400:
            said = [fault for fault in self.faults if f"status of {status}" in fault]
            assert self.faults == said and len(said) == 1
            self.faults.clear()

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
    assert page.locator("tbody tr").count() == 7
    page.get_by_role("link", name=STORY).click()
    assert "根本没人来管" in page.locator(".said.citizen").inner_text()
    page.get_by_role("link", name=STORY).click()
    assert page.locator(".timeline .event").count() > 8
    page.get_by_role("navigation", name="主导航").get_by_role("link", name="排名").click()
    page.get_by_role("link", name="市直部门").click()  # 1
    page.get_by_role("link", name="市城市管理局").click()  # 2
    page.get_by_role("link", name=STORY).first.click()  # 3
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
    page.wait_for_url(re.compile(r"/dissatisfaction/\d+$"))
    assert chosen in page.locator("h1").inner_text()
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


def test_many_are_chosen_and_noted_by_keyboard(visit: Visitor) -> None:
    """j and x on two rows, Tab to the act, the reason typed, Enter: no mouse."""
    visit.sign_in("zh")
    page = visit.page
    page.goto(f"{visit.desk}/dissatisfaction")
    for key in "jxjjxkx":  # the first, the third and the second; the second's box again
        page.keyboard.press(key)
    page.keyboard.press("x")
    assert page.locator("tbody input:checked").count() == 2
    assert page.locator("[data-picked]").inner_text() == "2件"
    page.locator("#bulk button[value=note]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visit.desk}/dissatisfaction/check")
    page.locator("textarea[name=reason]").focus()
    page.keyboard.type("上午统一回电")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{visit.desk}/dissatisfaction/bulk")
    assert "办好2件" in page.locator(".notice").inner_text()


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
    page.wait_for_function("document.querySelector('#live .equation b').textContent === '46'")


def test_without_script_everything_still_works(browser: Browser, desk: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    visitor = Visitor(context, desk)
    visitor.sign_in("zh")
    visitor.page.goto(f"{desk}/dissatisfaction")
    visitor.page.locator("select[name=group]").select_option("dept")
    visitor.page.get_by_role("button", name="筛选").click()
    assert visitor.page.locator("tbody tr").count() == 6
    visitor.page.goto(f"{desk}/progress")
    assert visitor.page.get_by_role("link", name="刷新").is_visible()
    context.close()
    assert visitor.faults == []


LOOKS = (
    # name, width, height, colour scheme, language
    ("zh", 1280, 800, "light", "zh"),
    ("en-dark", 1280, 800, "dark", "en"),
    ("narrow", 360, 740, "light", "zh"),
    ("narrow-en-dark", 360, 740, "dark", "en"),
    ("tablet-en", 820, 1100, "light", "en"),
)
# What README shows; test_screenshots.py makes a sheet of every page.
_KEPT = frozenset({"list", "case", "ranking", "progress"})
_KEPT_NARROW = frozenset({"list"})
_PICTURED = frozenset({"zh", "en-dark"})


class Look:
    """One form of window, in which page after page is looked at."""

    def __init__(self, visitor: Visitor, name: str, language: str) -> None:
        self.visitor, self.page, self.name, self.language = visitor, visitor.page, name, language

    def at(self, sight: str, path: str | None = None) -> None:
        """Audits the page, once it's there, and keeps its picture where one is wanted."""
        if path is not None:
            self.page.goto(self.visitor.desk + path)
        self.page.wait_for_load_state("load")
        assert faults(self.page, self.language) == [], (sight, self.page.url)
        kept = sight in (_KEPT_NARROW if self.name == "narrow" else _KEPT if self.name in _PICTURED else ())
        if kept and os.environ.get("HUIFANG_SCREENSHOTS") == "1":
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            path_to = SCREENSHOTS / f"{sight}-{self.name}.png"
            self.page.screenshot(path=path_to, full_page=self.name != "narrow")

    def press(self, sight: str, button: str) -> None:
        """Presses a button that leads to another page, and looks at that."""
        with self.page.expect_navigation():
            self.page.locator(button).first.click()
        self.at(sight)


@pytest.mark.parametrize(("name", "width", "height", "scheme", "language"), LOOKS)
def test_every_page_fits_its_window_and_is_for_everybody(
    browser: Browser, desk: str, name: str, width: int, height: int, scheme: str, language: str
) -> None:
    for login in (None, *LOGINS):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
        )
        visitor = Visitor(context, desk)
        look = Look(visitor, name, language)
        if login is not None:
            visitor.sign_in(language, login)
        for sight in of(login):
            look.at(sight.name, sight.address(language))
            visitor.pardon(sight.status)
        if login == "head" and name != "tablet-en":
            _look_at_forms(look)
        context.close()
        assert visitor.faults == []


def _look_at_forms(look: Look) -> None:
    """What comes after a button, up to where something would change for good."""
    page = look.page
    for sight in AFTER_A_BUTTON:
        page.goto(look.visitor.desk + sight.path)
        assert sight.press is not None
        sight.press(page)
        look.at(sight.name)
        look.visitor.pardon(sight.status)
    look.press("item-calling", ".phones button.primary")
    look.press("item-cancelled", ".call button")
    look.press("agents-after", ".head form button")  # given back, for the next window
