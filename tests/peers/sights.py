"""Every page of the desk, each with who looks at it: what the browser's tests visit and picture.

`tests/integration/test_desk_routes.py` fails for a page that a change added without a sight here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.integration.desk_office import CALLED, ON_THE_WEB


@dataclass(frozen=True, slots=True)
class Sight:
    """A page and who looks at it; `press` does what leads from there to the sight, where a button does."""

    name: str
    path: str
    login: str | None = "head"
    press: Callable[[Page], None] | None = None
    status: int = 200

    def address(self, language: str) -> str:
        """The path, which says the language where no sign-in did."""
        return self.path if self.login else f"{self.path}?lang={language}"


SIGHTS = (
    Sight("login", "/login", None),
    Sight("today", "/"),
    Sight("list", "/dissatisfaction"),
    Sight("case", "/cases/LD20261116-0001"),
    Sight("case-by-a-person", f"/cases/{CALLED}"),
    Sight("case-on-the-web", f"/cases/{ON_THE_WEB}"),
    Sight("ranking", "/ranking?group=dept"),
    Sight("unit", "/ranking/D03"),
    Sight("rule", "/scoring-rules"),
    Sight("progress", "/progress"),
    Sight("cases", "/cases"),
    Sight("none-found", "/cases?q=nothing"),
    Sight("callbacks", "/callbacks"),
    Sight("inbound", "/inbound"),
    Sight("inbound-caller", "/inbound/in-answered"),
    Sight("inbound-talk", "/inbound/in-talks"),
    Sight("agents", "/agents"),
    Sight("agents-agreed", "/agents?tab=agreed"),
    Sight("agent-item", "/agents/10"),
    Sight("nodes", "/nodes?late=1"),
    Sight("ledger", "/ledger"),
    Sight("ledger-day", "/ledger?day=2026-11-22"),
    Sight("alarms", "/alarms"),
    Sight("pauses", "/pauses"),
    Sight("pause-lift", "/pauses/1/lift"),
    Sight("templates", "/templates"),
    Sight("template", "/templates/eval"),
    Sight("flows", "/flows"),
    Sight("flow", "/flows/satisfaction_survey"),
    Sight("prompts", "/prompts"),
    Sight("prompt", "/prompts/greeting.0"),
    Sight("policy", "/policy"),
    Sight("item", "/dissatisfaction/1"),
    Sight("item-appealed", "/dissatisfaction/3"),
    Sight("item-hard-case", "/dissatisfaction/4"),
    Sight("notice-supervision", "/dissatisfaction/6/notice/supervision"),
    Sight("notice-rectification", "/dissatisfaction/2/notice/rectification"),
    Sight("list-office", "/dissatisfaction?stage=office"),
    Sight("hard-cases", "/hard-cases"),
    Sight("appeals", "/appeals"),
    Sight("adjustments", "/adjustments"),
    Sight("adjustment", "/adjustments/1"),
    Sight("adjustment-new", "/adjustments/new"),
    Sight("objections", "/objections"),
    Sight("objection", "/objections/1"),
    Sight("accountability", "/accountability"),
    Sight("accountability-one", "/accountability/1"),
    Sight("flags", "/flags?month=2026-11"),
    Sight("months", "/months"),
    Sight("month", "/months/2026-11"),
    Sight("month-published", "/months/2026-09"),
    Sight("bulletin", "/months/2026-11/bulletin"),
    Sight("audit", "/audit"),
    Sight("me", "/me"),
    Sight("missing", "/cases/NO-SUCH-CASE", status=404),
    Sight("units", "/units", "admin"),
    Sight("unit-edit", "/units/D03/edit", "admin"),
    Sight("people", "/people", "admin"),
    Sight("person", "/people/city", "admin"),
    Sight("not-for-you", "/policy", "city", status=403),
    Sight("unit-today", "/", "city"),
    Sight("unit-list", "/dissatisfaction", "city"),
    Sight("unit-item", "/dissatisfaction/2", "city"),
    Sight("objection-lines", "/objections/lines?month=2026-11", "city"),
    Sight("objection-new", "/objections/new?kind=on_time&subject=closing:1:1", "city"),
    Sight("remarks", "/accountability/1", "inspector"),
)


PRINTED = (  # what an office prints, on A4: upright, and the bulletin across
    (Sight("notice-rectification", "/dissatisfaction/2/notice/rectification"), 794),
    (Sight("notice-supervision", "/dissatisfaction/6/notice/supervision"), 794),
    (Sight("bulletin", "/months/2026-09/bulletin"), 1123),
)


def of(login: str | None) -> tuple[Sight, ...]:
    """What one of the desk's people looks at; None: before they sign in."""
    return tuple(sight for sight in SIGHTS if sight.login == login)


LOGINS = ("head", "admin", "city", "inspector")


# -- what comes after a button, up to where something would change for good


def _check_pause(page: Page) -> None:
    page.locator("[name=scope][value=unit]").check()
    page.locator("[name=unit]").select_option("D01")
    page.locator("[name=reason]").fill("系统切换")
    press(page, ".pause button.primary")


def _check_template(page: Page) -> None:
    press(page, "form.sheet button.primary")


def _refuse_template(page: Page) -> None:
    page.locator("[name=body]").fill("您的事项{x}已办结【")
    press(page, "form.sheet button.primary")


def _check_policy(page: Page) -> None:
    text = page.locator("textarea[name=text]")
    text.fill(text.input_value().replace("attempts_per_round = 3", "attempts_per_round = 2"))
    press(page, "form.sheet button.primary")


def _note_many(page: Page) -> None:
    for box in page.locator("tbody [type=checkbox]").all()[:3]:
        box.check()
    press(page, "#bulk [value=note]")


def _send_too_much(page: Page) -> None:
    page.locator("[name=body]").evaluate("node => { node.value = '长'.repeat(30000) }")
    press(page, "form.sheet button.primary")


def _take(page: Page) -> None:
    if page.locator(".take button").count():
        press(page, ".take button")


def press(page: Page, button: str) -> None:
    """Presses a button that leads to another page."""
    with page.expect_navigation():
        page.locator(button).first.click()


AFTER_A_BUTTON = (
    Sight("pause-check", "/pauses", press=_check_pause),
    Sight("template-check", "/templates/eval", press=_check_template),
    Sight("template-faults", "/templates/eval", press=_refuse_template, status=400),
    Sight("policy-check", "/policy", press=_check_policy),
    Sight("list-check", "/dissatisfaction", press=_note_many),
    Sight("too-much", "/templates/eval", press=_send_too_much, status=413),
    Sight("agent-taken", "/agents/40", press=_take),
)


def _answer(page: Page) -> None:
    if page.locator("summary").count() == 0:  # not yet, in another window
        page.locator(".choice").nth(2).click()
        press(page, "form button")


def citizens_sights(path: str, other: str) -> tuple[Sight, ...]:
    """The citizens' pages; a case's own, and another's, which is answered."""
    return (
        Sight("citizens-code", "/r/", None),
        Sight("citizens-unknown", "/r/none-such", None, status=404),
        Sight("citizens-question", path, None),
        Sight("citizens-answered", other, None, press=_answer),
    )
