"""The desk's ways in a real browser, by keyboard where hands stay on it: agent, pause, alarm."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Callback, Rating
from callbacks.models_office import AgentCall, AgentContact, ContactOutcome, Pause
from callbacks.states import State
from callbacks.vocabulary import Channel
from scoring.web.context import DeskDeps
from scoring.web.desk import create_desk
from tests.peers.test_desk_browser import Visitor, served

Sessions = sessionmaker[Session]


@pytest.fixture(scope="module")
def desk(office_deps: DeskDeps) -> Iterator[str]:
    with served(create_desk(office_deps)) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, desk: str) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visitor = Visitor(context, desk)
    yield visitor
    context.close()
    assert visitor.faults == []


def tab_to(page: Page, wanted: Locator, most: int = 60) -> Locator:
    """Reaches what is wanted by the tabulator alone, as somebody without a mouse does; its focus is seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("node => node === document.activeElement"):
            assert wanted.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
            return wanted
    raise AssertionError(f"{wanted} isn't reached within {most} tabulators")


def press(page: Page, button: Locator) -> None:
    """Presses it by keyboard; another page comes."""
    tab_to(page, button)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_an_agent_takes_a_case_calls_gives_the_call_up_and_stores_what_was_said(
    visit: Visitor, office_sessions: Sessions
) -> None:
    visit.sign_in("zh", "agent")
    page = visit.page
    page.goto(f"{visit.desk}/agents")
    waiting = page.locator("h1 small").inner_text()
    press(page, page.get_by_role("button", name="接手下一件"))
    item = int(page.url.rpartition("/")[2])
    case = page.locator("h1 .number").inner_text()
    assert "您好，这里是示例市110联动办" in page.locator(".script li").first.inner_text()
    telephone = page.get_by_label("您的电话")
    assert telephone.locator("option").all_inner_texts() == ["desk-1", "desk-2"]
    press(page, page.get_by_role("button", name="拨打电话"))
    call = page.locator(".call.on")
    expect(call).to_contain_text("等待空闲线路")
    expect(page.get_by_role("button", name="拨打电话")).to_have_count(0)  # one call at a time
    press(page, call.get_by_role("button", name="取消呼叫"))
    expect(page.locator(".call")).to_contain_text("您取消了呼叫")
    expect(page.get_by_role("button", name="拨打电话")).to_be_visible()
    page.get_by_label("满意", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("不满意", exact=True)).to_be_checked()
    page.get_by_label("未解决", exact=True).check()
    page.get_by_label("不满意原因").select_option("too_slow")
    page.get_by_label("群众原话").fill("拖了一个月。")
    press(page, page.get_by_role("button", name="登记评价"))
    assert page.url == f"{visit.desk}/agents"
    expect(page.locator(".notice")).to_contain_text("已登记：已评价")
    expect(page.locator("tbody")).not_to_contain_text(case)
    assert page.locator("h1 small").inner_text() != waiting
    with office_sessions() as session:
        assert session.get_one(Callback, item).state is State.RATED
        rating = session.scalars(select(Rating).where(Rating.callback_id == item)).one()
        assert (rating.channel, rating.value, rating.comment) == (Channel.AGENT, 3, "拖了一个月。")
        contact = session.scalars(select(AgentContact).where(AgentContact.callback_id == item)).one()
        assert (contact.outcome, contact.attempt_id) == (ContactOutcome.RATED, None)
        assert session.scalars(select(AgentCall.error).where(AgentCall.callback_id == item)).all() == [
            "cancelled"
        ]


def test_a_pause_is_checked_set_and_lifted(visit: Visitor, office_sessions: Sessions) -> None:
    visit.sign_in("en")
    page = visit.page
    page.goto(f"{visit.desk}/pauses")
    scope = page.get_by_role("group", name="Scope")
    category = page.locator("select[name=category]")
    expect(category).to_be_hidden()  # only the field that the scope needs
    scope.get_by_label("Category").check()
    category.select_option("traffic")
    page.get_by_label("Reason (required, kept)").fill("道路施工，统一答复")
    press(page, page.get_by_role("button", name="Next: check"))
    assert page.locator(".facts").inner_text().count("traffic") == 1
    expect(page.locator(".big")).to_have_text(re.compile(r"[1-9]\d* open callbacks will stop and wait"))
    with office_sessions() as session:
        before = len(session.scalars(select(Pause)).all())
    press(page, page.locator("main form button"))
    row = page.locator("tbody tr", has_text="道路施工，统一答复")
    expect(row).to_contain_text("until somebody resumes")
    with office_sessions() as session:
        assert len(session.scalars(select(Pause)).all()) == before + 1
    press(page, row.get_by_role("link", name="Resume"))
    press(page, page.locator("main form button"))
    expect(page.locator("table").first).not_to_contain_text("道路施工")
    with office_sessions() as session:
        lifted = session.scalars(select(Pause).order_by(Pause.id.desc())).first()
        assert lifted is not None and lifted.lifted_by == "supervisor"


def test_alarms_are_acknowledged_one_by_one_and_the_banner_goes_with_them(visit: Visitor) -> None:
    visit.sign_in("zh")
    page = visit.page
    banner = page.locator("#banner")
    expect(banner).to_have_text("紧急求助1条，请立即核实 另有未确认的告警10条")
    with page.expect_navigation():
        banner.locator("a").click()
    rows = page.locator("table").first.locator("tbody tr")
    expect(rows).to_have_count(11)
    expect(rows.first).to_contain_text("救命 我要报警")
    expect(rows.filter(has_text="hotline")).to_contain_text("现已补齐")
    press(page, rows.first.get_by_role("button"))  # a cry for help, named for a screen reader besides
    expect(banner).to_have_text("未确认的告警10条")
    for left in range(9, -1, -1):
        with page.expect_navigation():
            rows.first.get_by_role("button").click()
        if left:
            expect(banner).to_have_text(f"未确认的告警{left}条")
    expect(banner).to_be_empty()
    expect(page.locator("h1")).to_contain_text("未确认0条")
    expect(page.locator("main section table tbody tr")).to_have_count(12)
