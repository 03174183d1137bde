"""Fixtures that every test may use. The whole suite runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import structlog
from flask import Flask
from hypothesis import settings
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

import scoring.models  # noqa: F401 (its tables)
from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import Privacy, new_privacy
from callbacks.schema import upgrade
from tests.databases import cluster_commands, folder_in_memory, postgresql_cluster, postgresql_programs
from tests.peers.peers import need

_numbers = count(1)


# No test fails because the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Every test's files, of the programs that it starts too, are in memory, or where TMPDIR says."""
    folder = folder_in_memory()
    if "TMPDIR" not in os.environ and folder is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


@pytest.fixture(scope="session", autouse=True)
def pages_compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each test makes a desk of its own; its pages' templates are compiled by the first that shows them."""
    compiled = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("pages")))
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": compiled}


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """A command that a test runs in this process sets up its own log, on an output that ends with it."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file without rows."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    with engine.connect().execution_options(
        isolation_level="AUTOCOMMIT", sqlite_begin="DEFERRED"
    ) as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The cluster's URL, with a migrated template database."""
    programs = postgresql_programs()
    need("PostgreSQL", programs is not None)
    assert programs is not None
    with postgresql_cluster(programs) as url:
        with cluster_commands(url) as told:
            told("CREATE DATABASE template_huifang")
        engine = make_engine(f"{url}/template_huifang")
        upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def postgresql_told(postgresql_server: str) -> Iterator[Callable[[str], None]]:
    """What the cluster itself is told."""
    with cluster_commands(postgresql_server) as told:
        yield told


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    if request.param == "sqlite":
        path = tmp_path / "huifang.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server, told = request.getfixturevalue("postgresql_server"), request.getfixturevalue("postgresql_told")
    name = f"test_{next(_numbers)}"
    # Files copied as they are: block by block through the log takes twice as long.
    told(f"CREATE DATABASE {name} TEMPLATE template_huifang STRATEGY FILE_COPY")
    yield f"{server}/{name}"
    told(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    return make_sessions(engine)


@pytest.fixture
def read_sessions(engine: Engine) -> sessionmaker[Session]:
    return make_read_sessions(engine)


@pytest.fixture(scope="session")
def privacy() -> Privacy:
    return new_privacy()
