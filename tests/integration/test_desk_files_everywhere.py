"""No list without its files, and each is what its page shows: the pages that test_desk_exports.py leaves."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import Privacy
from scoring.web.desk import create_desk
from tests.integration.desk_data import desk_deps
from tests.integration.desk_office import build_office
from tests.integration.desk_pages import sign_in_to
from tests.integration.desk_routes import routes
from tests.integration.test_desk_exports import Rows, as_page, file_of, read_csv, read_xlsx, tokens


@pytest.fixture(scope="module")
def desk(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, privacy: Privacy
) -> Iterator[Flask]:
    """One office for all of these tests, which only read. What is asked here isn't the database's."""
    path = tmp_path_factory.mktemp("files") / "huifang.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    deps = desk_deps(make_sessions(engine), make_read_sessions(engine), privacy)
    build_office(deps.sessions, deps)
    yield create_desk(deps)
    engine.dispose()


@pytest.fixture(scope="module")
def clients(desk: Flask) -> dict[str, FlaskClient]:
    """Each signs in once: more would be turned away within the minute."""
    return {login: sign_in_to(desk, login) for login in ("head", "admin", "city")}


@pytest.fixture
def head(clients: dict[str, FlaskClient]) -> FlaskClient:
    clients["head"].get("/?lang=zh")
    return clients["head"]


# Pages of one thing, whose tables are parts of its story, and what only leads to lists.
OF_ONE_THING = {
    "inbound.one",
    "items.show",
    "items.notice",
    "objections.lines",  # the lines of the unit's own page, which has its files
    "overview.show",
    "people.one",
    "policy.show",
    "ranking.rule",
    "templates.edit",
}


def test_no_list_is_without_its_files(desk: Flask, clients: dict[str, FlaskClient]) -> None:
    """A new page with a table fails here until it gives its files, or is said to be of one thing."""
    linked: set[str] = set()
    without = set()
    found = list(routes(desk))
    for route in found:
        answers = [client.get(route.path).text for client in clients.values()] if route.is_page else []
        files = {link for text in answers for link in re.findall(r'href="([^"]+\.csv)[?"]', text)}
        linked |= files
        if any("<tbody" in text for text in answers) and not files:
            without.add(route.endpoint)
    assert without == OF_ONE_THING
    exports = {route.path for route in found if route.is_export}
    exports = {path.replace("2026-09/corrections", "2026-10/corrections") for path in exports}  # it has some
    assert exports - linked == {"/months/2026-10/corrections.csv"} - linked
    for path in sorted(exports):
        assert clients["head"].get(path).status_code == 200, path


def section_rows(html: str, page: str) -> list[Counter[str]]:
    """The page's rows: of the bulletin those of the groups' tables, which come after the lists' own."""
    if page.endswith("/bulletin"):
        html = html.partition('<section class="group">')[2]
    html = re.sub(r'<a class="button".*?</a>', "", html)  # what may be done with a row
    if page == "/templates":
        html = re.sub(r"(\d+)(?:单位|条| units)|parts: (\d+)", r"\1\2", html)
    return Rows(html).rows


HEADINGS = {
    "/progress": ("项目", "Component"),
    "/months/2026-09/bulletin": ("红黑榜", "组别", "Red and black lists", "Group"),
    "/months/2026-10/bulletin": ("红黑榜", "组别", "Red and black lists", "Group"),
    "/inbound": ("待办", "To do"),
}


def told(page: str, row: dict[str, str]) -> Counter[str]:
    """As the page says it: without what it has as headings, and without what would be said twice."""
    kept = {head: value for head, value in row.items() if head not in HEADINGS.get(page, ())}
    found = as_page(kept)
    if page.endswith("/bulletin"):
        rated = row.get("满意率·分母") or row.get("Satisfaction rate: of")
        found += tokens([f"n={rated}"] if rated else [])
        found += tokens(["n=0" for value in row.values() if value in ("按1计", "Counts as 1")])
    return found


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "page",
    [
        "/progress",
        "/progress?group=county",
        "/progress?unit=D03",
        "/months",
        "/months/2026-09/bulletin",
        "/months/2026-10/bulletin",
        "/inbound",
        "/pauses",
        "/templates",
        "/flows",
        "/prompts",
        "/hard-cases",
        "/appeals",
        "/appeals?stage=ended",
    ],
)
def test_a_file_is_what_its_page_shows(head: FlaskClient, language: str, page: str) -> None:
    head.get(f"/?lang={language}")
    path = page.partition("?")[0]
    shown = section_rows(head.get(page).text, page)
    _, rows = read_csv(head, page)
    assert [without_dashes(told(path, row)) for row in rows] == [without_dashes(row) for row in shown], page
    assert len(rows) > 0 or page == "/appeals?stage=ended"
    assert [list(row.values()) for row in read_xlsx(head, page)[1]] == [list(row.values()) for row in rows]
    assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", str(rows))


def without_dashes(row: Counter[str]) -> Counter[str]:
    return row - Counter({"—": 99})


def test_the_bulletin_s_file_is_for_the_newspaper(head: FlaskClient, clients: dict[str, FlaskClient]) -> None:
    """No citizen's number or name, masked or not; drafts say so; a unit gets it once it's published."""
    unit = clients["city"]
    about, rows = read_csv(head, "/months/2026-10/bulletin")
    assert about["状态"].startswith("草稿")
    assert about["期间"] == "2026-10" and about["时区"] == "Asia/Shanghai"
    assert "****" not in str(rows)
    lists = Counter(row["红黑榜"][:2] for row in read_csv(head, "/months/2026-09/bulletin")[1])
    page = head.get("/months/2026-09/bulletin").text
    assert lists["红榜"] == len(Rows(between(page, 'class="red"', 'class="black"')).rows)
    assert lists["黑榜"] == len(Rows(between(page, 'class="black"', 'class="group"')).rows)
    assert unit.get(file_of("/months/2026-09/bulletin", "xlsx")).status_code == 200
    assert unit.get(file_of("/months/2026-10/bulletin", "xlsx")).status_code == 403


def between(html: str, start: str, end: str) -> str:
    return html.partition(start)[2].partition(end)[0]


@pytest.mark.parametrize("page", ["/progress", "/progress?group=dept", "/ledger"])
def test_each_count_leads_to_as_many(head: FlaskClient, page: str) -> None:
    links = set(re.findall(r'<a href="(/callbacks\?[^"]+)">(\d+)</a>', head.get(page).text))
    assert len(links) > 8
    for link, number in links:
        assert f"<small>{number}件</small>" in head.get(link.replace("&amp;", "&")).text, link


def test_counts_of_units_lead_to_as_many(head: FlaskClient) -> None:
    links = re.findall(r'<a href="(/cases\?[^"]+)">(\d+)</a>', head.get("/units").text)
    assert links
    for link, number in links:
        assert f"<small>{number}件</small>" in head.get(link.replace("&amp;", "&")).text, link
    assert head.get("/cases?only=rated_today").status_code == 400
