"""What a list gives as a file is what its page shows: row by row, for office and unit, in both languages."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from datetime import datetime, timedelta
from html import unescape
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, Callback, Case, Closing, Rating, Unit
from callbacks.privacy import Privacy
from callbacks.states import State
from callbacks.vocabulary import Exclusion
from scoring.decisions import AdjustmentKind, ObjectionKind
from scoring.models_decisions import Adjustment, Objection
from scoring.queries_filter import Filter
from scoring.web.desk import create_desk
from scoring.web.filter_words import HEADS
from tests.integration.desk_data import MONTH, NOW, Town, desk_deps
from tests.integration.desk_office import build_office
from tests.integration.desk_pages import sign_in_to


class Rows(HTMLParser):
    """The words of each row of a page's tables: what is spoken only, and marks between words, left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[Counter[str]] = []
        self._said: list[str] | None = None
        self._skipped = 0
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tbody":
            self._inside = True
        if tag == "tr" and self._inside:
            self._said = []
        if self._skipped or tag in ("form", "button"):
            self._skipped += tag not in ("input", "br", "wbr")
        elif ("class", "help") in attrs:
            self._skipped += 1

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif tag == "tbody":
            self._inside = False
        elif tag == "tr" and self._said is not None:
            self.rows.append(tokens(self._said))
            self._said = None

    def handle_data(self, data: str) -> None:
        if self._said is not None and not self._skipped:
            self._said.append(data)


def tokens(texts: list[str]) -> Counter[str]:
    """Words with how often each is there; what stands between them doesn't count."""
    return Counter(word for word in re.split(r"[\s/–—·;；└]+", " ".join(texts)) if word)


def page_rows(client: FlaskClient, page: str) -> list[Counter[str]]:
    """Of all pages of a list."""
    found: list[Counter[str]] = []
    while page:
        html = client.get(page).text
        found += Rows(html).rows
        link = re.search(r'rel="next" href="([^"]+)"', html)
        page = link.group(1).replace("&amp;", "&") if link else ""
    return found


def file_of(page: str, kind: str) -> str:
    path, mark, query = page.partition("?")
    return f"{path}.{kind}{mark}{query}"


def read_csv(client: FlaskClient, page: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The comment lines, and the rows."""
    response = client.get(file_of(page, "csv"))
    assert response.status_code == 200, page
    assert response.data.startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(response.data.decode("utf-8-sig"), newline="")))
    about = [line for line in lines if line[0].startswith("# ")]
    head, *rows = lines[len(about) :]
    return {label[2:]: value for label, value in about}, [dict(zip(head, row, strict=True)) for row in rows]


def read_xlsx(client: FlaskClient, page: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The first sheet, and the second's rows with every value as a spreadsheet shows it."""
    response = client.get(file_of(page, "xlsx"))
    assert response.status_code == 200, page
    book = load_workbook(io.BytesIO(response.data))
    assert len(book.sheetnames) == 2
    about = {str(label.value): str(value.value) for label, value in book.worksheets[0].iter_rows()}
    head, *rows = book.worksheets[1].iter_rows()
    for row in rows:
        assert not [cell.value for cell in row if cell.data_type == "f"]
    shown = [{str(top.value): _shown(cell) for top, cell in zip(head, row, strict=True)} for row in rows]
    return about, shown


def _shown(cell: object) -> str:
    value, form = cell.value, cell.number_format  # type: ignore[attr-defined]
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if form.endswith("%"):
        return f"{value * 100:.{len(form) - 3}f}%"
    if form.startswith("0."):
        return f"{value:.{len(form) - 2}f}"
    return str(value)


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d):\d\d")


def as_page(row: dict[str, str]) -> Counter[str]:
    """To the minute, as the pages show moments; without what keeps a formula from running, and without the
    columns that a page has as headings.
    """
    cells = [value for head, value in row.items() if head not in _HEADINGS]
    return tokens([_MOMENT.sub(r"\1", value).removeprefix("'") for value in cells])


_HEADINGS = ("组别", "Group", "提示", "Flag")
_RATINGS = "Satisfaction rate: of"


def repeated(page: str, row: dict[str, str]) -> Counter[str]:
    """Heads that a page says in its rows: the node monitor's, and before a time that was agreed on."""
    if page.startswith("/agents"):
        return tokens([head for head in ("约定", "Agreed on") if _MOMENT.fullmatch(row.get(head, ""))])
    if page.startswith("/ranking"):  # the n beside an interval, and beside a Q without second callbacks
        known = row.get("满意率·分母") or row.get(_RATINGS)
        counted = [f"n={known}"] if known else []
        return tokens(counted + ["n=0" for value in row.values() if value in ("按1计", "Counts as 1")])
    if not page.startswith("/nodes"):
        return Counter()
    heads = [head for head in row if f"{head}·" in " ".join(row)]
    dues = [head.partition("·")[2] for head in row if row[head] and head.endswith(("·限", "·by"))]
    return tokens(heads + dues)


@pytest.fixture
def desk(sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy) -> Flask:
    """An office with something on every page, and words that a spreadsheet would run."""
    deps = desk_deps(sessions, read_sessions, privacy)
    build_office(sessions, deps)
    with sessions.begin() as session:
        for rating, text in zip(
            session.scalars(select(Rating).where(Rating.value == 3)), FORMULAS, strict=False
        ):
            rating.comment = text
        session.scalars(select(Case).order_by(Case.id)).first().category = "=1+1"  # type: ignore[union-attr]
    return create_desk(deps)


FORMULAS = ("=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "＝1", "打13803790001")

# Lists and filters; what the page shows beside its cells, which no file needs.
LISTS = (
    "/cases",
    "/cases?group=dept&sort=oldest",
    "/cases?q=0002",
    "/cases?unit=D03",
    "/callbacks",
    "/callbacks?state=rated&month=2026-11&sort=oldest",
    "/callbacks?only=running_out",
    "/nodes",
    "/nodes?late=1&sort=oldest",
    "/dissatisfaction",
    "/dissatisfaction?group=dept&sort=newest",
    "/dissatisfaction?unit=D01",
    "/ranking?group=dept",
    "/ranking?group=county",
    "/accountability",
    "/accountability?unit=D01",
    "/units",
    "/units?group=dept",
)
OFFICE_ONLY = ("/agents", "/agents?tab=agreed", "/ledger", "/ledger?day=2026-11-22", "/alarms")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_file_is_what_its_page_shows(desk: Flask, language: str) -> None:
    for login, pages in (("supervisor", (*LISTS, *OFFICE_ONLY)), ("city", LISTS)):
        client = sign_in_to(desk, login)
        client.get(f"/?lang={language}")
        for page in pages:
            shown = page_rows(client, page)
            about, rows = read_csv(client, page)
            told = [as_page(row) + repeated(page, row) for row in rows]
            if page.startswith("/ledger"):  # the units' table, among others
                begin = shown.index(told[0])
                shown = shown[begin : begin + len(told)]
            assert told == shown, (login, page)
            again, sheet = read_xlsx(client, page)
            assert [list(row.values()) for row in sheet] == [list(row.values()) for row in rows], page
            assert again == about
            assert str(len(rows)) in about.values(), page
            assert login == "supervisor" or "****" not in " ".join(map(str, sheet)).replace(_OWN_WORDS, "")


_OWN_WORDS = "打我电话139****0002细说"


def test_what_is_decided_is_listed_alike(desk: Flask, sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        _decisions(session)
    for login in ("supervisor", "city"):
        client = sign_in_to(desk, login)
        for page in ("/adjustments", "/adjustments?standing=proposed", "/objections?month=2026-11"):
            shown = [Counter(row) for row in page_rows(client, page)]
            _, rows = read_csv(client, page)
            assert [as_page(row) for row in rows] == [_signed(row) for row in shown], (login, page)
            assert len(rows) >= (2 if login == "supervisor" else 1)


def _decisions(session: Session) -> None:
    """Of one unit of each kind, and of another."""
    case = session.scalars(select(Case).where(Case.number == "LD20261117-0002")).one()
    units = [case.lead_unit_id, session.scalars(select(Unit.id).where(Unit.code == "C01")).one()]
    for n, unit in enumerate(units):
        given = {"unit_id": unit, "reason": "=理由"}
        by = {"kind": AdjustmentKind.FALSE_CLOSING, "subject": f"case:{9000 + n}", "points": "2"}
        session.add(Adjustment(case_id=case.id, proposed_by="head", proposed_at=NOW, **by, **given))
        to = {"kind": ObjectionKind.ON_TIME, "subject": f"closing:{9000 + n}:1", "month": MONTH}
        session.add(Objection(by="city", at=NOW, **to, **given))


def _signed(row: Counter[str]) -> Counter[str]:
    """The page's points as numbers have them, to the hundredth."""

    def number(word: str) -> str:
        return f"{float(word.replace('−', '-')):.2f}" if re.fullmatch(r"[−+]\d+", word) else word

    return Counter({number(word): times for word, times in row.items()})


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_list_of_people_is_its_page(desk: Flask, language: str) -> None:
    client = sign_in_to(desk, "head")
    client.get(f"/?lang={language}")
    for page in ("/people", "/people?role=unit_user", "/people?q=supervisor"):
        _, rows = read_csv(client, page)
        assert [as_page(row) for row in rows] == page_rows(client, page) != [], page
        assert [list(row.values()) for row in read_xlsx(client, page)[1]] == [
            list(row.values()) for row in rows
        ]
    for login in ("supervisor", "city", "agent"):
        assert sign_in_to(desk, login).get("/people.csv").status_code == 403


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_gaps_at_intake_are_those_of_the_ledger_s_page(desk: Flask, language: str) -> None:
    client = sign_in_to(desk, "supervisor")
    client.get(f"/?lang={language}")
    html = client.get("/ledger").text
    tables = html.partition('id="gaps"')[2].partition("</section>")[0]
    assert "/ledger/gaps.csv" in tables
    _, rows = read_csv(client, "/ledger/gaps")
    assert len(rows) == 2  # one is open, one came
    assert [as_page(row) for row in rows] == Rows(tables).rows
    assert sign_in_to(desk, "city").get("/ledger/gaps.xlsx").status_code == 403


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_flags_of_a_month_are_those_of_their_page(
    app: Flask, town: Town, sessions: sessionmaker[Session], language: str
) -> None:
    with sessions.begin() as session:
        town.session = session
        _odd_things(town)
    client = sign_in_to(app, "supervisor")
    client.get(f"/?lang={language}")
    html = client.get("/flags?month=2026-11").text
    _, rows = read_csv(client, "/flags?month=2026-11")
    assert _flags(html) == [(next(iter(row.values())), as_page(row)) for row in rows]
    assert len({title for title, _ in _flags(html)}) == 6
    assert not re.search(r"1[3-9]\d{9}", str(rows))  # masked
    assert read_csv(client, "/flags?month=2026-09")[1] == []
    assert len(read_xlsx(client, "/flags?month=2026-11")[1]) == len(rows)
    for login in ("city", "agent", "admin"):
        assert sign_in_to(app, login).get("/flags.csv").status_code == 403


def _odd_things(town: Town) -> None:
    """One flag of each kind that needs no second delivery of a case."""
    phone, day = "13803798888", NOW.replace(hour=9, minute=0) - timedelta(days=20)
    cases = [town.case(f"FL-{n}", "D01", "water", phone, 2, nodes=False) for n in range(4)]
    cases[0].handler_phone_index = town.privacy.index(phone)
    for n in range(25):
        left_out = Exclusion.ANONYMOUS if n < 20 else None
        case = town.case(f"EX-{n}", "D04", "water", None, 2, exclusion=left_out, nodes=False)
        town.callback(case, State.EXCLUDED if left_out else State.UNREACHED)
    for n in range(30):
        town.callback(town.case(f"OK-{n}", "D02", "water", None, 2, nodes=False), State.UNREACHED)
    for n in range(3):
        case = town.case(f"QK-{n}", "C03", "water", None, 3, nodes=False)
        rating = town.rating(town.callback(case, State.RATED), 1, day + timedelta(seconds=15 * n))
        rating.ms_since_prompt_end = -60_000 if n == 0 else 100
    for number in (2, 3):
        first = town.session.get_one(Closing, (case.id, 1))
        names = ("case_id", "unit_id", "accepted_at", "closed_at")
        town.session.add(Closing(**{name: getattr(first, name) for name in names}, closing_no=number))


def _flags(html: str) -> list[tuple[str, Counter[str]]]:
    """Each flag of the page with its section's title: rows of tables, and points of lists."""
    found = []
    html = re.sub(r">(11-03 \d\d:\d\d):\d\d<", r">2026-\1<", html)  # one flag is to the second
    for section in html.partition("<main")[2].split("<section>")[1:]:
        title = re.search(r"<h2>(.*?) <small>", section)[1]
        body = section.partition("</h2>")[2].partition("</section>")[0]
        as_rows = body.replace("<ul>", "<tbody>").replace("</ul>", "</tbody>")
        as_rows = as_rows.replace("<li>", "<tr>").replace("</li>", "</tr>")
        found += [(unescape(title), row) for row in Rows(as_rows).rows]
    return found


def test_an_export_says_what_it_is(desk: Flask) -> None:
    about, rows = read_csv(sign_in_to(desk, "supervisor"), "/callbacks?unit=D03&month=2026-11&sort=oldest")
    assert about == {
        "演示 DEMO": "模拟城市：案件、号码和答复均为虚构，不连接真实线路。",
        "联动办": "示例市110联动办",
        "页面": "回访记录",
        "查询条件": "承办单位: 市水务集团; 月份: 2026-11; 排序: 最早在前",
        "期间": "2026-11",
        "时区": "Asia/Shanghai",
        "导出时间": "2026-11-23 10:02:15",
        "导出人": "督办一 (supervisor)",
        "行数": str(len(rows)),
        "脱敏": "电话号码均已脱敏",
        "公式": "以 = + - @ 开头的文字前加了'号，表格软件不会当公式运行。",
    }


def test_a_spreadsheet_runs_nothing(desk: Flask) -> None:
    _, rows = read_csv(sign_in_to(desk, "supervisor"), "/dissatisfaction?stage=all")
    texts = [value for row in rows for value in row.values()]
    assert not [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r", "＝"))]
    assert {f"'{text}" for text in FORMULAS[:5]} <= set(texts)
    assert "打138****0001" in texts


def test_each_export_is_in_the_audit_with_its_filter(desk: Flask, sessions: sessionmaker[Session]) -> None:
    client = sign_in_to(desk, "supervisor")
    number = len(read_xlsx(client, "/callbacks?unit=D03")[1])
    with sessions() as session:
        row = session.scalars(select(Audit).where(Audit.action == "export")).one()
        assert (row.actor, row.subject) == ("supervisor", "callbacks")
        assert row.detail == {"filter": {"unit": "D03"}, "kind": "xlsx", "rows": number}


def test_an_export_needs_what_its_page_needs(desk: Flask) -> None:
    client = sign_in_to(desk, "city")
    for page in (*OFFICE_ONLY, "/people", "/flags", "/ledger/gaps"):
        assert client.get(file_of(page, "csv")).status_code == 403
    assert client.get("/cases.xlsx?unit=D03").status_code == 200  # nothing of it is theirs
    assert read_csv(client, "/cases?unit=D03")[1] == []
    assert client.get("/cases.pdf").status_code == 404


def test_a_long_list_is_whole(
    desk: Flask, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several pages of reading and several sheets, no row left out or twice."""
    monkeypatch.setattr("scoring.web.export._PAGE", 7)
    monkeypatch.setattr("scoring.web.export_files.MOST_ROWS", 20)
    client = sign_in_to(desk, "supervisor")
    _, rows = read_csv(client, "/callbacks")
    with sessions() as session:
        number = len(session.scalars(select(Callback.id)).all())
    book = load_workbook(io.BytesIO(client.get("/callbacks.xlsx").data))
    cases = [row[0].value for sheet in book.worksheets[1:] for row in sheet.iter_rows(min_row=2)]
    assert len(rows) == number == len(cases)
    assert cases == [row["案件编号"] for row in rows]
    assert book.sheetnames == ["说明", "数据", *(f"数据 {at}" for at in range(2, len(book.sheetnames)))]


def test_every_part_of_a_filter_has_words() -> None:
    assert {*HEADS, "page"} == set(Filter.__slots__)
