"""The desk over a small town, with a user of each role, and certificates: what several tests stand on."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from callbacks.privacy import Privacy
from scoring.web.desk import create_desk
from tests.integration.certificates import make_papers
from tests.integration.desk_data import USERS, Town, add_users, build, desk_deps
from tests.integration.desk_pages import SignIn, sign_in_to


@pytest.fixture
def town(sessions: sessionmaker[Session], privacy: Privacy) -> Town:
    with sessions.begin() as session:
        town = build(session, privacy)
        add_users(town, {login for login, *_ in USERS})
    return town


@pytest.fixture
def app(
    town: Town, sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
) -> Flask:
    return create_desk(desk_deps(sessions, read_sessions, privacy))


@pytest.fixture
def sign_in(app: Flask) -> SignIn:
    return lambda login: sign_in_to(app, login)


@pytest.fixture
def head(app: Flask) -> FlaskClient:
    return sign_in_to(app, "head")


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of the office, the trunk, another, and one that the authority didn't sign."""
    return make_papers(tmp_path_factory.mktemp("papers"))
