"""The page of the telephone's dialogues: pictures, words, and an upload that is checked first."""

from __future__ import annotations

import html
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit
from ivr.flow_load import FLOWS
from ivr.flow_shelf import FolderShelf
from scoring.web.context import DeskDeps
from tests.integration.desk_pages import WHO_SETS_WORDS, SignIn, token

SHIPPED = (FLOWS / "inbound_110.toml").read_bytes()
OWN = SHIPPED.replace(b'version = "1"', b'version = "luoyang.1"').replace(b"wait = 45.0", b"wait = 30.0")


@pytest.fixture
def shelf(app: Flask, tmp_path: Path) -> FolderShelf:
    """A folder of the city's own for the test's desk."""
    shelf = FolderShelf(tmp_path / "own flows")
    deps: DeskDeps = app.extensions["desk"]
    app.extensions["desk"] = replace(deps, flows=shelf)
    return shelf


def seen(client: FlaskClient, name: str = "inbound_110") -> str:
    """What the page says of the flow that it shows; empty where there's no form."""
    found = re.search(r'name="seen" value="([^"]+)"', client.get(f"/flows/{name}").text)
    return found.group(1) if found else ""


def bring(
    client: FlaskClient, content: bytes, name: str = "inbound_110", made_from: str | None = None
) -> TestResponse:
    mark = seen(client, name) if made_from is None else made_from
    form = {"csrf_token": token(client, "/"), "seen": mark, "file": (io.BytesIO(content), "my flow.toml")}
    return client.post(f"/flows/{name}", data=form, content_type="multipart/form-data")


def audited(sessions: sessionmaker[Session]) -> list[tuple[str, str, str]]:
    with sessions() as session:
        found = session.scalars(select(Audit).where(Audit.subject.like("flow:%")).order_by(Audit.id))
        return [(row.actor, row.action, row.subject) for row in found]


def test_every_flow_is_listed_and_drawn(head: FlaskClient, shelf: FolderShelf) -> None:
    page = head.get("/flows").text
    for path in FLOWS.glob("*.toml"):
        assert f'href="/flows/{path.stem}"' in page
        one = head.get(f"/flows/{path.stem}").text
        assert "<svg" in one and "style=" not in one and "<style" not in one
        assert html.escape("从 ") in one
        assert head.get(f"/flows/{path.stem}.toml").data == path.read_bytes()
    assert head.get("/flows/nix").status_code == 404
    assert head.get("/flows/nix.toml").status_code == 404


def test_another_flow_holds_and_goes_again(
    head: FlaskClient, shelf: FolderShelf, sessions: sessionmaker[Session]
) -> None:
    before = len(audited(sessions))
    assert bring(head, OWN).status_code == 303
    assert shelf.load("inbound_110").version == "luoyang.1"
    page = head.get("/flows/inbound_110").text
    assert "luoyang.1" in page and "30 秒无人接听" in page and "恢复系统自带的流程" in page
    form = {"csrf_token": token(head, "/"), "seen": seen(head)}
    stock = head.post("/flows/inbound_110/stock", data=form)
    assert stock.status_code == 303
    assert shelf.load("inbound_110").version == "1"
    assert audited(sessions)[before:] == [
        ("head", "save_flow", "flow:inbound_110"),
        ("head", "stock_flow", "flow:inbound_110"),
    ]


def test_the_second_of_two_is_told_and_overwrites_nothing(
    head: FlaskClient, shelf: FolderShelf, sessions: sessionmaker[Session]
) -> None:
    opened = seen(head)
    assert bring(head, OWN).status_code == 303
    before = audited(sessions)
    second = bring(head, OWN.replace(b"luoyang.1", b"luoyang.2"), made_from=opened)
    assert (second.status_code, "刚才已被更换" in second.text) == (409, True)
    form = {"csrf_token": token(head, "/"), "seen": opened}
    assert head.post("/flows/inbound_110/stock", data=form).status_code == 409
    assert shelf.load("inbound_110").version == "luoyang.1" and audited(sessions) == before


def test_a_faulty_one_is_refused_with_all_its_faults(
    head: FlaskClient, shelf: FolderShelf, sessions: sessionmaker[Session]
) -> None:
    bring(head, OWN)
    before = audited(sessions)
    faulty = OWN.replace(b"luoyang.1", b"luoyang.2").replace(
        b'say = "inbound_through"', b'say = "inbound_trough"'
    )
    faulty = faulty.replace(b'otherwise = "waiting"', b'otherwise = "weighting"')
    answer = bring(head, faulty)
    assert answer.status_code == 400
    told = html.unescape(answer.text)
    assert "prompt 'inbound_trough' is not in the catalogue" in told
    assert "leads to 'weighting', which is no node" in told
    line = 1 + faulty[: faulty.index(b"inbound_trough")].count(b"\n")
    assert f"inbound_110.toml:{line}: nodes.operators.say.0" in told
    assert shelf.load("inbound_110").version == "luoyang.1" and audited(sessions) == before


def test_what_is_no_flow_is_refused(head: FlaskClient, shelf: FolderShelf) -> None:
    assert bring(head, b"").status_code == 400
    assert bring(head, b"\xff\xd8\xff\xe0 a picture").status_code == 400
    assert bring(head, OWN, "callback_line").status_code == 400  # another flow's file
    assert bring(head, OWN, "nix").status_code == 404
    assert bring(head, b"#" * 80_000).status_code == 413
    assert head.post("/flows/inbound_110", data={}).status_code == 400  # no token
    assert not any(flow.own for flow in shelf.flows())


def test_a_flow_that_was_spoiled_by_hand_is_shown_with_its_faults(
    head: FlaskClient, shelf: FolderShelf, tmp_path: Path
) -> None:
    bring(head, OWN)
    (tmp_path / "own flows/inbound_110.toml").write_text("name = ")
    assert "1处问题" in head.get("/flows").text
    page = head.get("/flows/inbound_110").text
    assert "现用的流程有问题" in page and "inbound_110.toml:1: " in page and "<svg" not in page
    assert bring(head, OWN.replace(b"luoyang.1", b"luoyang.3")).status_code == 303


@pytest.mark.parametrize(("login", "sees", "changes"), WHO_SETS_WORDS)
def test_who_may_change_a_flow(
    sign_in: SignIn, shelf: FolderShelf, login: str, sees: bool, changes: bool
) -> None:
    client = sign_in(login)
    for path in ("/flows", "/flows/inbound_110", "/flows/inbound_110.toml"):
        assert client.get(path).status_code == (200 if sees else 403)
    assert ('href="/flows"' in client.get("/").text) is sees
    assert ("检查并启用" in client.get("/flows/inbound_110").text) is changes
    assert bring(client, OWN).status_code == (303 if changes else 403)
    form = {"csrf_token": token(client, "/"), "seen": seen(client)}
    assert client.post("/flows/inbound_110/stock", data=form).status_code == (303 if changes else 403)


def test_an_office_without_a_telephone_has_no_such_page(app: Flask, head: FlaskClient) -> None:
    app.extensions["desk"] = replace(app.extensions["desk"], flows=None)
    assert head.get("/flows").status_code == 404
