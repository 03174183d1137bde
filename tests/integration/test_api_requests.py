"""Who may ask, and what is refused before anything is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.tokens import TokenRefused, find_token, list_tokens, make_token, revoke_token
from callbacks.api.wsgi import beside
from callbacks.database import make_engine, make_sessions
from callbacks.models import Audit
from callbacks.models_systems import ApiToken
from callbacks.privacy import Privacy, new_privacy
from tests.integration.api_world import ALL, Api, case, make_api, problem
from tests.integration.office import Desk, make_desk


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


@pytest.fixture
def api(desk: Desk) -> Api:
    return make_api(desk)


def test_a_token_is_shown_once_and_kept_as_its_hash(desk: Desk):
    token = make_token(desk.ctx, "forum", ["ratings:write"], "city-forum", "admin", desk.now)
    caller = find_token(desk.ctx.sessions, token)
    assert caller is not None
    assert (caller.name, caller.platform, caller.scopes) == ("forum", "city-forum", {"ratings:write"})
    with desk.session() as session:
        row = session.scalars(select(ApiToken)).one()
        lines = session.scalars(select(Audit)).all()
    assert token not in repr(vars(row))
    assert [(line.action, line.subject) for line in lines] == [("token_made", "forum")]
    assert token not in repr([line.detail for line in lines])


GUESSES = ["", "huifang_", "x" * 43, "é" * 50, "x" * 100_000]


def test_no_guess_is_a_token(desk: Desk):
    make_token(desk.ctx, "forum", ALL, None, "admin", desk.now)
    for presented in GUESSES:
        assert find_token(desk.ctx.sessions, presented) is None


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("forum", ["cases:write"]),  # taken
        ("other", []),  # may nothing
        ("other", ["cases:read"]),  # no such scope
        (" ", ["cases:write"]),  # no name
        ("x" * 81, ["cases:write"]),  # too long for its column
    ],
)
def test_a_token_that_makes_no_sense_isnt_made(desk: Desk, name: str, scopes: list[str]):
    make_token(desk.ctx, "forum", ALL, None, "admin", desk.now)
    with pytest.raises(TokenRefused):
        make_token(desk.ctx, name, scopes, None, "admin", desk.now)
    assert [caller.name for caller in list_tokens(desk.ctx.sessions)] == ["forum"]


def test_a_revoked_token_opens_nothing_and_stays_in_the_list(api: Api):
    assert api.get("/outcomes").status_code == 200
    revoke_token(api.desk.ctx, "forum", "admin", api.desk.now)
    with problem(api.get("/outcomes"), 401, "unauthorized"):
        pass
    assert [caller.revoked_at for caller in list_tokens(api.desk.ctx.sessions)] == [api.desk.now]
    with pytest.raises(TokenRefused):
        revoke_token(api.desk.ctx, "forum", "admin", api.desk.now)


def test_the_last_use_is_kept_to_the_minute(api: Api):
    first = api.desk.now
    for seconds, kept in ((0, first), (30, first), (60, None)):
        api.desk.now = first
        now = api.desk.later(seconds=seconds)
        api.get("/outcomes")
        assert list_tokens(api.desk.ctx.sessions)[0].last_used_at == (kept or now)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer nobody", "Basic Zm9ydW06eA==", "Bearer a b"]
)
@pytest.mark.parametrize("path", ["/api/v1/outcomes", "/api/v1/no-such-path"])
def test_without_a_token_nothing_is_told(api: Api, header: str | None, path: str):
    answer = api.app.test_client().get(path, headers={} if header is None else {"Authorization": header})
    with problem(answer, 401, "unauthorized"):
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="huifang"'


@pytest.mark.parametrize(
    ("path", "scope"),
    [("/cases", "cases:write"), ("/ratings", "ratings:write"), ("/codes", "ratings:write")],
)
def test_a_scope_opens_its_operations_alone(api: Api, path: str, scope: str):
    token = api.token("reader", ("outcomes:read",))
    answer = api.post(path, b"not even read", token)
    with problem(answer, 403, "insufficient_scope"):
        assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]
    assert api.get("/outcomes", token).status_code == 200


BODIES = [
    (b"", "application/json", 400, "not_json"),
    (b"{", "application/json", 400, "not_json"),
    (b"\xff\xfe", "application/json", 400, "not_json"),  # no UTF-8
    (b'{"cases":[NaN]}', "application/json", 400, "not_json"),  # Python would take it
    (b'{"cases":[],"cases":[]}', "application/json", 400, "not_json"),  # a field twice
    (b"[" * 100_000, "application/json", 400, "not_json"),  # deeper than any reader goes
    (b'{"cases":[' + b"9" * 5000 + b"]}", "application/json", 400, "not_json"),
    (b"{}", "text/plain", 415, "not_json"),
    (b"cases=", "application/x-www-form-urlencoded", 415, "not_json"),
    (b"[]", "application/json", 422, "invalid"),
    (b"{}", "application/json", 422, "invalid"),
    (b'{"cases":[]}', "application/json", 422, "invalid"),  # none is no request
    (b'{"cases":{}}', "application/json", 422, "invalid"),
    (b'{"cases":[1],"more":1}', "application/json", 422, "invalid"),
    (b'{"cases":[' + b"1," * 1000 + b"1]}", "application/json", 422, "invalid"),  # 1,001 rows
    (b" " * (4 * 2**20 + 1), "application/json", 413, "request_entity_too_large"),
]


def test_a_body_that_is_no_batch_is_refused_whole(api: Api):
    for body, kind, status, code in BODIES:
        with problem(api.post("/cases", body, Content_Type=kind), status, code):
            pass


def test_a_compressed_body_is_refused(api: Api):
    with problem(api.post("/cases", b"{}", Content_Encoding="gzip"), 415, "not_json"):
        pass


def test_a_fault_names_the_field_and_never_the_value(api: Api):
    answer = api.post("/ratings", {"case": "LD-1", "rating": "13803790001", "id": "r1", "name": "张三"})
    with problem(answer, 422, "invalid") as body:
        assert {error["field"] for error in body["errors"]} == {"rating", "name"}
        assert "13803790001" not in answer.text and "张三" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/cases"), ("DELETE", "/outcomes"), ("OPTIONS", "/codes")]
)
def test_another_method_is_refused_with_the_right_one(api: Api, method: str, path: str):
    headers = {"Authorization": f"Bearer {api.token()}"}
    answer = api.app.test_client().open(f"/api/v1{path}", method=method, headers=headers)
    with problem(answer, 405, "method_not_allowed"):
        assert answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/no-such-path", "//outcomes", "/outcomes/", "/"])
def test_an_unknown_path_is_a_problem_too(api: Api, path: str):
    with problem(api.get(path), 404, "not_found"):
        pass


def test_a_token_that_asks_too_often_waits_and_the_others_dont(desk: Desk):
    api = make_api(desk, limit="3 per minute")
    for _ in range(3):
        assert api.get("/outcomes").status_code == 200
    answer = api.get("/outcomes")
    with problem(answer, 429, "too_many_requests"):
        assert 0 <= int(answer.headers["Retry-After"]) <= 60
    assert api.get("/outcomes", api.token("another")).status_code == 200


def test_while_the_database_is_away_the_caller_is_told_to_come_again(api: Api, tmp_path: Path):
    token = api.token()
    nowhere = make_engine(f"sqlite:///{tmp_path}/no/such/place.db")
    away = make_api(replace(api.desk, ctx=replace(api.desk.ctx, sessions=make_sessions(nowhere))))
    answer = away.get("/outcomes", token)
    with problem(answer, 503, "database_away"):
        assert answer.headers["Retry-After"] == "5"
    nowhere.dispose()


def test_a_fault_of_ours_is_logged_by_its_place_alone(api: Api, capsys):
    api.desk.close(platform="city-forum")
    token = api.token()
    api.post("/codes", {"case": "110-0001"})
    other_keys = make_api(replace(api.desk, ctx=replace(api.desk.ctx, privacy=new_privacy())))
    with problem(other_keys.post("/codes", {"case": "110-0001"}, token), 500, "internal_error") as body:
        assert "key" not in body["detail"]
    lines = capsys.readouterr()
    assert "KeyFileError" in lines.out + lines.err
    assert "110-0001" not in lines.out + lines.err


def test_the_api_stands_beside_the_desk(api: Api):
    def pages(_environ, start_response):
        start_response("200 OK", [])
        return [b"a page"]

    environ = {"PATH_INFO": "/api/v1/openapi.json", "REQUEST_METHOD": "GET", "wsgi.url_scheme": "http"}
    environ |= {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    both, statuses = beside(pages, {"/api/": api.app}), []
    served = b"".join(both(environ, lambda status, _headers: statuses.append(status)))
    assert b'"openapi":"3.1.0"' in served
    assert both(environ | {"PATH_INFO": "/apiary"}, lambda *_: None) == [b"a page"]


def test_a_log_line_has_the_token_by_name_and_nothing_of_the_request(api: Api, capsys):
    api.send(case(citizen_phone="13803790001", summary="张三家停水"))
    shown = capsys.readouterr()
    lines = shown.out + shown.err
    assert "send_cases" in lines and "forum" in lines
    assert "13803790001" not in lines and "张三" not in lines and api.token() not in lines
