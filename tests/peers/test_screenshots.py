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
from tests.integration.office import Desk, make_desk
from tests.peers.contact_sheet import LANGUAGES, SCHEMES, in_order, paste, take, take_printed, write_index
from tests.peers.sights import AFTER_A_BUTTON, SIGHTS, citizens_sights
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
def citizens(sqlite_template: Path, tmp_path: Path, privacy: Privacy) -> Iterator[tuple[str, str, str]]:
    """The citizens' page, and the paths of two cases' own."""
    shutil.copy(sqlite_template, tmp_path / "citizens.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'citizens.db'}")
    sessions: sessionmaker[Session] = make_sessions(engine)
    office = make_desk(sessions, privacy)
    with served(create_citizen_page(CitizenDeps(office.ctx, lambda: office.now))) as address:
        yield address, _own_path(office), _own_path(office)
    engine.dispose()


def _own_path(office: Desk) -> str:
    code = code_for(office.ctx, office.close(platform="city-forum"), office.now)
    assert code is not None
    return f"/r/{code.code}"


@pytest.mark.timeout(900)
def test_pages_are_pictured_in_their_eight_forms(
    browser: Browser,
    desk: str,  # noqa: F811
    citizens: tuple[str, str, str],
    folder: Path,
) -> None:
    sights = [sight for sight in (*SIGHTS, *AFTER_A_BUTTON) if ALL or sight.name in _FEW]
    pages = citizens_sights(*citizens[1:])
    shots = take(browser, desk, sights) | take(browser, citizens[0], pages)
    for name, of_sight in shots.items():
        assert set(of_sight) == {(a, b, c) for a in LANGUAGES for b in SCHEMES for c in (1280, 360)}
        assert len(set(of_sight.values())) == 8, f"{name}: two forms look the same"
        paste(browser, in_order(of_sight), folder / "sheets" / f"{name}.webp")
    paste(browser, take_printed(browser, desk), folder / "sheets" / "printed.webp", margin=24)
    write_index(folder, [*sights, *citizens_sights("/r/CODE", "/r/CODE")])
    sheets = sorted((folder / "sheets").glob("*.webp"))
    assert {sheet.stem for sheet in sheets} >= set(shots)
    assert sum(sheet.stat().st_size for sheet in sheets) < 9_000_000
