"""The desk in Chromium as a supervisor tries it: to the citizen's own words, five hundred at once, page and
file side by side, Back; all of it without JavaScript too; and a unit's user before every closed door.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, StorageState, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, Unit
from callbacks.privacy import Privacy
from callbacks.states import State
from callbacks.vocabulary import Role
from scoring.item_states import ItemState
from scoring.models_items import DissatisfactionItem
from scoring.web.context import DeskDeps
from scoring.web.desk import create_desk
from scoring.web.permissions import PUBLIC, ROLES
from tests.integration.desk_data import NOW, Town
from tests.integration.desk_office import CALLED
from tests.integration.desk_routes import routes
from tests.integration.test_desk_exports import Rows, as_page
from tests.peers.test_desk_browser import STORY, Visitor, served

Sessions = sessionmaker[Session]
MANY = 500
SPOKEN = "LD20261116-0001"  # whose citizen left a message


@pytest.fixture(scope="module")
def app(office_sessions: Sessions, office_deps: DeskDeps, privacy: Privacy) -> Flask:
    """The office, with 500 items more to be looked through."""
    with office_sessions.begin() as session:
        town = Town(session, privacy)
        town.units = {unit.code: unit for unit in session.scalars(select(Unit))}
        for n in range(MANY):
            callback = town.callback(
                town.case(f"MANY-{n:04d}", "C02", "water", None, 2, nodes=False), State.RATED
            )
            town.item(callback, town.rating(callback, 3, NOW), NOW).state = ItemState.VERIFYING
    return create_desk(office_deps)


@pytest.fixture(scope="module")
def desk(app: Flask) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture(params=[True, False], ids=["script", "no-script"])
def scripted(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def signed_in(browser: Browser, desk: str) -> StorageState:
    """The supervisor signs in once: more than ten times a minute would be turned away."""
    context = browser.new_context()
    Visitor(context, desk).sign_in("zh")
    found = context.storage_state()
    context.close()
    return found


@pytest.fixture
def visit(scripted: bool, signed_in: StorageState, browser: Browser, desk: str) -> Iterator[Visitor]:
    """A supervisor's window, with JavaScript and without."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        locale="zh-CN",
        java_script_enabled=scripted,
        storage_state=signed_in,
    )
    visitor = Visitor(context, desk)
    yield visitor
    context.close()
    assert visitor.faults == []


# case, its unit, and what of the citizen's words is there at the second click
@pytest.mark.parametrize(
    ("case", "unit", "said"),
    [
        (STORY, "市城市管理局", "根本没人来管"),  # a comment
        (CALLED, "市人力资源和社会保障局", "说工资只付了一半，语气平和。"),  # an agent's note
        (SPOKEN, "市水务集团", "群众留言"),  # a recording, which the third click plays
    ],
)
def test_from_the_ranking_to_the_citizen_s_own_words_and_back(
    visit: Visitor, office_sessions: Sessions, scripted: bool, case: str, unit: str, said: str
) -> None:
    page = visit.page
    page.goto(f"{visit.desk}/ranking?group=dept")
    page.get_by_role("link", name=unit).first.click()
    page.get_by_role("link", name=case).first.click()
    expect(page.locator(".said.citizen")).to_contain_text(said)
    expect(page.locator(".said.unit blockquote")).not_to_be_empty()
    if case == SPOKEN:
        _listen(page, scripted)
        with office_sessions() as session:
            heard = session.scalars(select(Audit.actor).where(Audit.action == "hear_message")).all()
        assert set(heard) == {"supervisor"}
    page.go_back()
    expect(page.locator("h1")).to_contain_text(unit)
    page.go_back()
    expect(page.get_by_role("link", name="市直部门")).to_have_attribute("aria-current", "true")


def _listen(page: Page, scripted: bool) -> None:
    """The third click; the prompt that came before the beep stands beside the player."""
    figure = page.locator(".said.citizen figure").first
    expect(figure).to_contain_text("如需补充说明，请在提示音后留言")
    audio = figure.locator("audio")
    if scripted:
        seconds = audio.evaluate(
            """async (audio) => {
                audio.muted = true;
                await audio.play();
                await new Promise((done) => audio.addEventListener("timeupdate", done, { once: true }));
                return audio.duration;
            }"""
        )
        assert round(seconds) == 7
    else:
        response = page.context.request.get(urljoin(page.url, str(audio.get_attribute("src"))))
        assert response.ok and response.headers["content-type"] == "audio/wav"


def test_the_file_is_the_page_row_by_row(visit: Visitor) -> None:
    page = visit.page
    for wanted in ("/dissatisfaction?group=dept&sort=newest&q=LD", "/ranking?group=dept", "/nodes?late=1"):
        page.goto(visit.desk + wanted)
        shown = Rows(page.content()).rows
        with page.expect_download() as loaded:
            page.get_by_role("link", name="导出CSV").click()
        with loaded.value.path().open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file) if not line[0].startswith("# ")]
        rows = [as_page(dict(zip(lines[0], line, strict=True))) for line in lines[1:]]
        assert len(rows) == len(shown) > 0, wanted
        for row, on_page in zip(rows, shown, strict=True):
            assert sum((row - on_page).values()) == 0, (wanted, row - on_page)


def test_the_filter_and_the_place_are_in_the_address(visit: Visitor) -> None:
    """Narrowed, a page on, a row opened, and back: each address shows the same again."""
    page = visit.page
    page.goto(f"{visit.desk}/dissatisfaction?q=MANY")
    page.get_by_role("link", name="下一页").click()
    here, first = page.url, page.locator("tbody th").first.inner_text()
    page.locator("tbody th a").first.click()
    page.go_back()
    assert (page.url, page.locator("tbody th").first.inner_text()) == (here, first)
    page.goto(here)
    assert page.locator("tbody th").first.inner_text() == first
    assert page.locator("h1 small").inner_text() == f"{MANY}件"


def test_five_hundred_are_assigned_and_what_failed_is_named(
    visit: Visitor, office_sessions: Sessions, scripted: bool
) -> None:
    page = visit.page
    to = "负责人" if scripted else "督办一"
    page.goto(f"{visit.desk}/dissatisfaction?q=MANY&stage=all")
    page.get_by_label(f"本次筛选的全部{MANY}件").check()
    page.get_by_role("button", name="指定经办人").click()
    expect(page.locator("h1 small")).to_have_text(f"{MANY}件")
    page.get_by_label("经办人").select_option(label=to)
    ended = _end(office_sessions)  # while the page waits for its answer
    page.get_by_role("button", name=f"指定经办人 · {MANY}件").click()
    expect(page.locator(".notice")).to_have_text(f"办好{MANY - len(ended)}件，没有办成{len(ended)}件。")
    assert page.locator("tbody th").all_inner_texts() == ended
    expect(page.locator("tbody td").first).to_have_text("此件已经结束。")


def _end(sessions: Sessions) -> list[str]:
    """Two of the items that are open end; all that have ended, by their cases' numbers."""
    with sessions.begin() as session:
        query = select(DissatisfactionItem).order_by(DissatisfactionItem.id.desc())
        many = session.scalars(query.limit(MANY)).all()
        for item in [item for item in many if item.state is ItemState.VERIFYING][:2]:
            item.state = ItemState.FIXED
        ended = [MANY - 1 - at for at, item in enumerate(many) if item.state is ItemState.FIXED]
    return [f"MANY-{n:04d}" for n in sorted(ended)]


def test_some_are_ticked_and_noted(visit: Visitor) -> None:
    page = visit.page
    page.goto(f"{visit.desk}/dissatisfaction?q=MANY")
    for at in (0, 2):
        page.locator("tbody input[type=checkbox]").nth(at).check()
    page.get_by_role("button", name="备注").click()
    page.get_by_label("理由").fill("上午统一回电")
    page.get_by_role("button", name="备注 · 2件").click()
    expect(page.locator(".notice")).to_have_text("办好2件，没有办成0件。")


def test_a_unit_s_user_finds_every_other_door_closed(browser: Browser, desk: str, app: Flask) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    visitor = Visitor(context, desk)
    visitor.sign_in("zh", "county")
    page = visitor.page
    names = page.locator("nav.main a").all_inner_texts()
    assert not {"人工回访", "策略", "短信模板", "用户", "审计", "暂停回访", "告警"} & set(names)
    key = page.locator("input[name=csrf_token]").first.get_attribute("value") or ""
    tried = 0
    for route in routes(app):
        allowed = route.permission == PUBLIC or route.permission in ROLES[Role.UNIT_USER]
        if allowed and not (route.names_things and "month" not in route.path and route.permission != PUBLIC):
            continue
        tried += 1
        form = {"csrf_token": key}
        if route.method == "GET":
            answer = context.request.get(desk + route.path, max_redirects=0)
        else:
            answer = context.request.post(desk + route.path, form=form, max_redirects=0)
        assert answer.status == (404 if allowed else 403), route
        answer.dispose()
    assert tried > 80
    _sees(visitor, page, "/policy", "没有权限")
    _sees(visitor, page, f"/cases/{STORY}", "没有找到")
    context.close()
    assert visitor.faults == []


def _sees(visitor: Visitor, page: Page, path: str, said: str) -> None:
    """A page that says why and what's next; the browser's own line on its status is no fault."""
    page.goto(visitor.desk + path)
    expect(page.locator("h1")).to_contain_text(said)
    expect(page.locator("main")).to_contain_text(re.compile("请"))
    visitor.faults[:] = [fault for fault in visitor.faults if "status of 40" not in fault]
