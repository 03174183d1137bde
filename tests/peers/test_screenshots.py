"""Contact sheets of the desk's pages and the citizens': a few here, all of them by `make screenshots`."""

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
from tests.integration.office import make_desk
from tests.peers.contact_sheet import LANGUAGES, SCHEMES, paste, take, write_index
from tests.peers.desk_sights import OTHER_SIGHTS, SIGHTS
from tests.peers.test_desk_browser import SCREENSHOTS, desk, served  # noqa: F401 (fixtures)

ALL = os.environ.get("HUIFANG_SCREENSHOTS") == "1"
_FEW = frozenset({"list", "today"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the sheets go."""
    found = SCREENSHOTS if ALL else tmp_path
    (found / "sheets").mkdir(parents=True, exist_ok=True)
    return found


@pytest.fixture
def citizens(sqlite_template: Path, tmp_path: Path, privacy: Privacy) -> Iterator[tuple[str, str]]:
    """The citizens' page, and the path of a case's own."""
    shutil.copy(sqlite_template, tmp_path / "citizens.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'citizens.db'}")
    sessions: sessionmaker[Session] = make_sessions(engine)
    office = make_desk(sessions, privacy)
    code = code_for(office.ctx, office.close(platform="city-forum"), office.now)
    assert code is not None
    with served(create_citizen_page(CitizenDeps(office.ctx, lambda: office.now))) as address:
        yield address, f"/r/{code.code}"
    engine.dispose()


@pytest.mark.timeout(900)
def test_pages_are_pictured_in_their_eight_forms(
    browser: Browser,
    desk: str,  # noqa: F811
    citizens: tuple[str, str],
    folder: Path,
) -> None:
    sights = [(sight, path) for sight, path in SIGHTS if ALL or sight in _FEW]
    others = OTHER_SIGHTS if ALL else {}
    pages = [("citizens-code", "/r/"), ("citizens-question", citizens[1])]
    shots = take(browser, desk, "head", sights) | take(browser, citizens[0], None, pages)
    for login, of_login in others.items():
        shots |= take(browser, desk, login, of_login)
        sights += of_login
    for sight, of_sight in shots.items():
        assert set(of_sight) == {(a, b, c) for a in LANGUAGES for b in SCHEMES for c in (1280, 360)}
        assert len(set(of_sight.values())) == 8, f"{sight}: two forms look the same"
        paste(browser, of_sight, folder / "sheets" / f"{sight}.jpg")
    write_index(folder, [*sights, ("citizens-code", "/r/"), ("citizens-question", "/r/CODE")])
    sheets = sorted((folder / "sheets").glob("*.jpg"))
    assert {sheet.stem for sheet in sheets} >= set(shots)
    assert sum(sheet.stat().st_size for sheet in sheets) < 5_000_000
