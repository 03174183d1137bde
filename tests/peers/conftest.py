"""The browser that reads our pages, and an office behind them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import Privacy
from scoring.web.context import DeskDeps
from tests.integration.desk_data import desk_deps
from tests.integration.desk_office import TARGETS, build_office
from tests.peers.peers import need

_CHROMIUM = os.environ.get("HUIFANG_CHROMIUM", "/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need("Chromium", Path(_CHROMIUM).exists())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def office_sessions(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sessionmaker[Session]]:
    """Of a database of the module's own, without a row yet."""
    path = tmp_path_factory.mktemp("office") / "huifang.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    yield make_sessions(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def office_deps(office_sessions: sessionmaker[Session], privacy: Privacy) -> DeskDeps:
    """What the desk of the tests' office needs; the office is in the database."""
    read_sessions = make_read_sessions(office_sessions.kw["bind"])
    deps = replace(desk_deps(office_sessions, read_sessions, privacy), targets=TARGETS)
    build_office(office_sessions, deps)
    return deps
