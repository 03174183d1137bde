"""The citizens' page in a real browser, 360 px wide: read, chosen, sent, changed; large enough for old hands.

With HUIFANG_SCREENSHOTS=1 it also takes docs/screenshots anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_engine, make_sessions
from callbacks.privacy import Privacy
from callbacks.service.web_codes import code_for
from scoring.web.citizen_page import CitizenDeps, create_citizen_page
from tests.integration.office import Desk, make_desk
from tests.peers.test_desk_browser import SCREENSHOTS, Visitor, served


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path, privacy: Privacy) -> Iterator[Desk]:
    shutil.copy(sqlite_template, tmp_path / "huifang.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'huifang.db'}")
    sessions: sessionmaker[Session] = make_sessions(engine)
    yield make_desk(sessions, privacy)
    engine.dispose()


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    with served(create_citizen_page(CitizenDeps(desk.ctx, lambda: desk.now))) as address:
        yield address


_KEPT = frozenset({"citizen", "citizen-done"})
LOOKS = (
    # name, colour scheme, the browser's language
    ("zh", "light", "zh-CN"),
    ("en-dark", "dark", "en-GB"),
)


@pytest.mark.parametrize(("name", "scheme", "locale"), LOOKS)
def test_a_citizen_answers_on_a_telephone(
    browser: Browser, desk: Desk, address: str, name: str, scheme: str, locale: str
) -> None:
    callback_id = desk.close(platform="city-forum")
    code = code_for(desk.ctx, callback_id, desk.now)
    assert code is not None
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
        locale=locale,
        java_script_enabled=True,  # there is none; the checks below are ours
        has_touch=True,
    )
    visitor = Visitor(context, address)
    page = visitor.page

    def looked_at(sight: str) -> None:
        assert visitor.fits(), sight
        assert page.evaluate(_SMALL) == [], sight
        if os.environ.get("HUIFANG_SCREENSHOTS") == "1" and sight in _KEPT:
            page.screenshot(path=SCREENSHOTS / f"{sight}-{name}.png", full_page=True)

    page.goto(f"{address}/r/{code.code}")
    looked_at("citizen")
    boxes = page.locator("fieldset").first.locator(".choice").evaluate_all(_LOOK)
    assert len(boxes) == 3 and len({str(box) for box in boxes}) == 1  # no choice looks larger or warmer
    page.locator("form button").click()
    assert page.locator("[name=rating]:invalid").count() == 3  # nothing is sent without a choice
    page.locator(".choice").nth(2).tap()
    page.locator("[name=resolved][value=no]").check()
    page.locator("textarea").fill("没有人来看过。")
    page.locator("form button").click()
    page.wait_for_url(f"{address}/r/{code.code}")
    assert page.get_by_role("status").is_visible()
    looked_at("citizen-done")
    page.locator("summary").click()
    looked_at("citizen-change")
    page.locator(".choice").nth(1).tap()
    page.locator("form button").click()
    page.wait_for_function("!document.querySelector('details')")
    page.goto(f"{address}/r/")
    looked_at("citizen-code")
    context.close()
    assert visitor.faults == []
    kept = [(r.value, r.resolved, r.comment) for r in desk.ratings(callback_id)]
    assert kept == [(3, False, "没有人来看过。"), (2, False, "")]  # words stay with what they were said to


# Targets below 44 px (WCAG 2.5.5): a choice is its whole card.
_SMALL = """
() => [...document.querySelectorAll("button, .button, .choice, textarea, summary, nav a, .field input")]
  .filter((node) => node.checkVisibility())
  .map((node) => [node.outerHTML.slice(0, 60), node.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([html]) => html)
"""
_LOOK = """
nodes => nodes.map((node) => {
  const box = node.getBoundingClientRect(), style = getComputedStyle(node)
  return [box.width, box.height, style.color, style.backgroundColor, style.borderColor, style.fontSize]
})
"""
