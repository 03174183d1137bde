"""A dissatisfaction item's whole life: rated 3 by key over SIP, appealed, mended, called again over SIP.

The service runs as a city runs it, all roles by `huifang serve`; its people work in Chromium; the citizen is
a telephone of the simulated city that changes its mind once the matter is mended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from ivr.citizen import Behaviour, Citizen
from ivr.city import CityTrunk
from prompts.catalogue import load_catalogue
from prompts.pieces import all_pieces, office_piece
from prompts.sound import write_wav
from tests.databases import free_port
from tests.integration.desk_data import PASSWORD
from tests.loopback_city import quick_city, running_city
from tests.peers.chaos_city import PRESET, UNITS
from tests.peers.test_desk_browser import Visitor

CASE, CITIZEN, UNIT = "C00001", "037961112233", "c01"
PEOPLE = {
    "supervisor": ("--role", "supervisor"),
    "head": ("--role", "office_head"),
    "unit": ("--role", "unit_user", "--unit", UNIT),
}
PHOTO = {"name": "现场.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n photo"}


def short_prompts(folder: Path) -> Path:
    """A tone for each piece that is spoken: what is tested is the way of the keys, not what is said."""
    folder.mkdir()
    for piece in [*all_pieces(load_catalogue(), "zh-CN"), office_piece("x")]:
        write_wav(folder / f"{piece.id}.wav", (np.sin(np.arange(1600) * 0.5) * 3000).astype(np.int16))
    return folder


class Changing:
    """Who lives at the number: dissatisfied at the first call, satisfied at the next."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, number: str) -> Citizen:
        assert number == CITIZEN
        self.calls += 1
        return Citizen(Behaviour.ANSWERS, ("3", None, "2", "1") if self.calls == 1 else ("1", None, "1"))


class Office:
    """The service over its own database, and the trunk that it calls by."""

    def __init__(self, folder: Path, trunk: int) -> None:
        self.folder, self.port = folder, free_port()
        line = {"name": "city", "host": "127.0.0.1", "port": trunk, "caller_number": "037963110110"}
        self.environment = {
            **os.environ,
            "HUIFANG_CONFIG": str(PRESET),
            "HUIFANG_DATABASE__URL": f"sqlite:///{folder}/huifang.db",
            "HUIFANG_DATABASE__KEY_FILE": str(folder / "huifang.key"),
            "HUIFANG_VOICE__TRUNKS": json.dumps([line]),
            "HUIFANG_VOICE__SIP_PORT": "0",
            "HUIFANG_VOICE__MESSAGES": "true",
            "HUIFANG_RECORDINGS": str(short_prompts(folder / "recordings")),
            "HUIFANG_WEB__PORT": str(self.port),
        }

    def command(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "app", *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close_case(self) -> None:
        now = datetime.now(UTC)
        case = {
            "number": CASE,
            "source_channel": "phone",
            "category": "water",
            "lead_unit": UNIT,
            "accepted_at": (now - timedelta(days=2)).isoformat(),
            "closed_at": (now - timedelta(seconds=1)).isoformat(),
            "citizen_phone": CITIZEN,
        }
        path = self.folder / "cases.jsonl"
        path.write_text(json.dumps(case) + "\n", encoding="utf-8")
        self.command("import-cases", str(path))

    @contextmanager
    def serving(self) -> Iterator[str]:
        log = (self.folder / "serve.log").open("wb")
        with (
            log,
            subprocess.Popen(
                [sys.executable, "-m", "app", "serve"], env=self.environment, stdout=log, stderr=log
            ) as process,
        ):
            try:
                yield f"http://127.0.0.1:{self.port}"
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)


@pytest.fixture
def city(monkeypatch: pytest.MonkeyPatch) -> Iterator[CityTrunk]:
    monkeypatch.setattr("ivr.city.citizen_of", Changing())
    with running_city(quick_city(pause=0.7, message_seconds=3.0)) as city:
        yield city


def sign_in(browser: Browser, desk: str, login: str) -> Visitor:
    visitor = Visitor(browser.new_context(viewport={"width": 1280, "height": 800}), desk)
    visitor.sign_in("zh", login)
    return visitor


def reload_until(page: Page, holds: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, page.locator("main").inner_text()
        page.wait_for_timeout(500)
        page.reload()


def act(page: Page, name: str, reason: str, *, file: bool = False, **choices: str) -> None:
    """Opens one of the acts, fills it in as asked and sends it."""
    form = page.locator("details.act").filter(has=page.locator("summary", has_text=name))
    form.locator("summary").click()
    for label, choice in choices.items():
        form.locator(f"[name={label}]").select_option(label=choice)
    form.locator("[name=reason]").fill(reason)
    if file:
        form.locator("[name=files]").set_input_files(PHOTO)  # type: ignore[arg-type]
    with page.expect_navigation():
        form.get_by_role("button", name=name).click()


def decide(page: Page, reason: str) -> None:
    """Against the appeal: the claim is reasonable, the unit's conduct wasn't proper."""
    for label in ("诉求合理", "单位履职不到位", "申诉不成立"):
        page.get_by_label(label, exact=True).check()
    page.get_by_label("理由").last.fill(reason)
    with page.expect_navigation():
        page.get_by_role("button", name="登记决定").click()


def heard(page: Page) -> float:
    """Plays the citizen's message as a listener does; how many seconds it has."""
    return page.evaluate(
        """async () => {
            const audio = document.querySelector(".said audio");
            await audio.play();
            await new Promise((done) => audio.addEventListener("timeupdate", done, { once: true }));
            return audio.duration;
        }"""
    )


def state(page: Page) -> str:
    return page.locator("h1 .state").inner_text()


@pytest.mark.timeout(420)
def test_an_items_whole_life(tmp_path: Path, browser: Browser, city: CityTrunk) -> None:
    office = Office(tmp_path, city.port)
    office.command("import-units", str(UNITS))
    for login, role in PEOPLE.items():
        office.command("user", "add", login, "--name", login, *role, "--password", PASSWORD)
    office.close_case()
    with office.serving() as desk:
        wait_for_the_desk(browser, desk)
        visitors = {login: sign_in(browser, desk, login) for login in PEOPLE}
        supervisor, head, unit = (visitors[login].page for login in PEOPLE)

        # The citizen pressed 3: the item is on the list, with what was pressed.
        supervisor.goto(f"{desk}/dissatisfaction")
        reload_until(supervisor, lambda: supervisor.get_by_role("link", name=CASE).count() == 1)
        supervisor.get_by_role("link", name=CASE).click()
        said = supervisor.locator(".said.citizen")
        reload_until(supervisor, lambda: "问题没有解决" in said.inner_text())  # the call still goes on
        assert "不满意" in said.inner_text() and "未解决" in said.inner_text()
        reload_until(supervisor, lambda: said.locator("audio").count() == 1)  # what was said after the beep
        assert 1 < heard(supervisor) < 60
        assert state(supervisor) == "核实中"
        act(supervisor, "核实属实，交办整改", "电话核实，仍在停水")
        assert state(supervisor) == "交办整改"
        item = supervisor.url

        # The unit appeals; two decide against it.
        unit.goto(f"{desk}/dissatisfaction")
        unit.get_by_role("link", name=CASE).click()
        assert unit.url == item
        act(unit, "提出申诉", "管道归物业管", file=True, grounds="不属于本单位")
        assert state(unit) == "申诉复核"
        supervisor.reload()
        decide(supervisor, "管线在该单位辖区")
        assert state(supervisor) == "申诉复核"  # one alone decides nothing
        head.goto(f"{desk}/appeals")
        expect(head.locator("tbody tr")).to_contain_text("待我决定")
        head.get_by_role("link", name=CASE).click()
        decide(head, "同意")
        assert state(head) == "交办整改"

        # It mends the matter, and shows it.
        unit.reload()
        act(unit, "签收整改", "")
        act(unit, "提交整改结果", "阀门已更换，恢复供水", file=True)
        assert state(unit) == "审核中"
        supervisor.reload()
        act(supervisor, "审核通过，二次回访", "照片属实")
        assert state(supervisor) == "二次回访"

        # The second callback goes over the line; the citizen presses 1.
        reload_until(supervisor, lambda: state(supervisor) == "整改满意")
        verdicts = supervisor.locator(".said.citizen .verdict").all_inner_texts()
        assert [text.split()[0] for text in verdicts] == ["不满意", "满意"]
        steps = supervisor.locator(".timeline .event.node b").all_inner_texts()
        assert steps == [
            "开始核实", "核实属实，交办整改", "提出申诉", "申诉不成立", "签收整改", "提交整改结果",
            "审核通过，二次回访", "二次回访：不再不满意",
        ]  # fmt: skip

        assert "整改后权重变化" in supervisor.locator("main").inner_text()  # the credit of domain.md §4.1

        # The case's story tells both calls, and the chain of the audit holds.
        supervisor.locator("h1").get_by_role("link", name=CASE).click()
        expect(supervisor.locator(".timeline .event.called")).to_have_count(2)
        head.goto(f"{desk}/audit")
        expect(head.locator("main")).to_contain_text("收听群众留言")
        assert [visitor.faults for visitor in visitors.values()] == [[], [], []]
    office.command("audit", "verify")


def wait_for_the_desk(browser: Browser, desk: str) -> None:
    page = browser.new_page()
    deadline = time.monotonic() + 60
    while True:
        try:
            page.goto(f"{desk}/health")
            break
        except Error:  # not up yet
            assert time.monotonic() < deadline
            time.sleep(0.3)
    page.close()
