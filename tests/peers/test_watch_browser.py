"""A cry for help shows on an open desk without a reload, whatever is being read there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session, sessionmaker

from callbacks.alarms import AlarmKind
from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.models_office import Alarm
from callbacks.privacy import Privacy
from scoring.web.desk import create_desk
from tests.integration.desk_data import NOW, PASSWORD, Town, add_users, build, desk_deps
from tests.peers.test_desk_browser import served


@pytest.fixture
def sessions(sqlite_template: Path, tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    path = tmp_path / "huifang.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    yield make_sessions(engine)
    engine.dispose()


def test_an_alarm_shows_while_the_page_is_read(
    sessions: sessionmaker[Session], privacy: Privacy, browser: Browser
) -> None:
    with sessions.begin() as session:
        add_users(build(session, privacy), {"agent"})
        session.query(Alarm).delete()
    app = create_desk(desk_deps(sessions, make_read_sessions(sessions.kw["bind"]), privacy))
    with served(app) as address:
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{address}/login")
        page.fill("[name=login]", "agent")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_url(f"{address}/")
        banner = page.locator("#banner")
        expect(banner).to_be_empty()
        page.evaluate("getSelection().selectAllChildren(document.getElementById('live'))")  # somebody reads
        with sessions.begin() as session:
            town = Town(session, privacy)
            cry = town.reply(None, "13703799903", NOW, "救命", None, emergency=True)
            town.alarm(AlarmKind.EMERGENCY_REPLY, f"reply:{cry.id}", NOW)
        for _ in range(2):  # paused and resumed: it's renewed at once
            page.locator("[data-live-control] button").click()
        expect(banner).to_contain_text("紧急求助1条，请立即核实")
        page.evaluate("getSelection().removeAllRanges()")
        for _ in range(2):
            page.locator("[data-live-control] button").click()
        expect(page.locator("#live .alarm")).to_contain_text("救命")
        page.locator("#live .alarm button").click()
        expect(banner).to_be_empty()
        assert wrong == []
        page.close()
