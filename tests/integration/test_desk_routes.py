"""All routes of the desk, as the application has them: seen, bounded, guarded and told to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.orm import Session, sessionmaker

from callbacks.privacy import Privacy
from callbacks.vocabulary import Role
from scoring.web.desk import create_desk
from scoring.web.permissions import PUBLIC, ROLES
from tests.integration.desk_data import UNITS, desk_deps
from tests.integration.desk_office import build_office
from tests.integration.desk_pages import PAGES, sign_in_to, token
from tests.integration.desk_routes import Route, routes
from tests.peers.sights import SIGHTS

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it isn't what is asked


@pytest.fixture
def desk(sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy) -> Flask:
    deps = desk_deps(sessions, read_sessions, privacy)
    build_office(sessions, deps)
    return create_desk(deps)


def endpoints(desk: Flask, paths: list[str]) -> set[str]:
    adapter = desk.url_map.bind("localhost")
    return {adapter.match(path.partition("?")[0])[0] for path in paths}


@ONE_DATABASE
def test_every_page_is_looked_at(desk: Flask) -> None:
    """By axe, in all its forms and on a sheet: a new page fails here until it's among the sights."""
    seen = endpoints(desk, [sight.path for sight in SIGHTS])
    pages = {route.endpoint for route in routes(desk) if route.is_page}
    assert pages - seen == set()


@ONE_DATABASE
def test_every_page_is_read_in_english_and_for_numbers(desk: Flask) -> None:
    """What test_desk.py asks of each page: its words, its numbers, nothing inline."""
    pages = {route.endpoint for route in routes(desk) if route.is_page}
    assert pages - endpoints(desk, list(PAGES)) == NOT_IN_THE_TOWN


# Of these the town of test_desk.py has none; a unit's own pages are for units.
NOT_IN_THE_TOWN = {
    "accountability.one",
    "adjustments.new",
    "adjustments.one",
    "agents.item",
    "auth.login",
    "flags.show",
    "items.notice",
    "months.bulletin",
    "months.one",
    "months.show",
    "objections.lines",
    "objections.new",
    "objections.one",
    "pauses.ask_lift",
}


def _answer(desk: Flask, login: str) -> dict[Route, tuple[int, str]]:
    client = sign_in_to(desk, login)
    key = token(client, "/me")
    found = {}
    for route in routes(desk):
        if route.permission == PUBLIC or route.endpoint == "auth.sign_out":
            continue
        data = {"csrf_token": key} if route.method == "POST" else None
        with client.open(route.path, method=route.method, data=data) as response:
            found[route] = response.status_code, response.get_data().decode(errors="replace")
    return found


def test_a_unit_gets_nothing_that_isn_t_its_own(desk: Flask) -> None:
    """C01's user on every route: what units may not do is refused, what is D01's isn't there."""
    others = [name for code, name, *_ in UNITS if code != "C01"]
    for route, (status, text) in _answer(desk, "county").items():
        if route.permission not in ROLES[Role.UNIT_USER]:
            assert status == 403, route
        elif "month" in route.path and route.method == "GET":  # the city's own, for units once it's published
            assert status == (403 if route.endpoint == "months.inputs" else 200), route
        elif route.names_things:
            assert status == 404, route
        elif route.method == "GET":
            assert status == (400 if route.endpoint == "objections.new" else 200), (
                route
            )  # which asks for what
            assert not [name for name in others if name in text], route
            assert "LD20261117-0002" not in text, route


@ONE_DATABASE
@pytest.mark.parametrize("login", ["agent", "supervisor", "head", "inspector", "admin"])
def test_no_role_gets_past_what_it_may(desk: Flask, login: str) -> None:
    role = {"head": Role.OFFICE_HEAD, "admin": Role.ADMINISTRATOR}.get(login) or Role(login)
    for route, (status, _) in _answer(desk, login).items():
        assert (status == 403) == (route.permission not in ROLES[role]), (login, route)
        assert status < 500, (login, route)


@ONE_DATABASE
def test_without_signing_in_no_route_answers(desk: Flask) -> None:
    client = desk.test_client()
    key = token(client)
    for route in routes(desk):
        if route.permission == PUBLIC:
            continue
        data = {"csrf_token": key} if route.method == "POST" else None
        response = client.open(route.path, method=route.method, data=data)
        assert (response.status_code, response.location[:6]) == (302, "/login"), route


@ONE_DATABASE
def test_every_answer_tells_the_browser_to_keep_to_this_host(desk: Flask) -> None:
    client = sign_in_to(desk, "head")
    for path in [*(route.path for route in routes(desk) if route.method == "GET"), "/nope", "/people/nobody"]:
        with client.get(path) as response:
            told = response.headers
        assert told["Content-Security-Policy"].startswith("default-src 'self'; frame-ancestors"), path
        assert told["X-Content-Type-Options"] == "nosniff", path


def test_no_template_names_another_host() -> None:
    for file in (Path(__file__).parents[2] / "scoring" / "web").glob("templates/*.html"):
        assert "//" not in file.read_text(encoding="utf-8").replace("://www.w3.org", ""), file.name
