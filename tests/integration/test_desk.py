"""The desk over both databases: who gets in, who sees what, and that page, counts and export agree."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import make_engine, make_read_sessions, make_sessions
from callbacks.privacy import Privacy
from scoring.web.desk import create_desk
from scoring.web.permissions import PUBLIC, Permission, declared
from tests.integration.desk_data import PASSWORD, Town, add_users, build, desk_deps
from tests.integration.desk_pages import (
    PAGES,
    Shown,
    SignIn,
    numbers_in,
    session_cookie,
    sign_in_to,
    token,
    try_login,
)


@dataclass(frozen=True)
class City:
    """A built town in a database that these tests only read (but for the audit of sign-ins)."""

    sessions: sessionmaker[Session]
    read_sessions: sessionmaker[Session]
    town: Town


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated database for the whole module: building the town for each test would take minutes."""
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("desk") / "huifang.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    server = str(request.getfixturevalue("postgresql_server"))
    request.getfixturevalue("postgresql_told")("CREATE DATABASE desk TEMPLATE template_huifang")
    return f"{server}/desk"


@pytest.fixture(scope="module")
def city(url: str, privacy: Privacy) -> Iterator[City]:
    engine = make_engine(url)
    sessions = make_sessions(engine)
    with sessions.begin() as session:
        town = build(session, privacy)
        add_users(town, {"supervisor", "city", "county", "agent"})
    yield City(sessions, make_read_sessions(engine), town)
    engine.dispose()


@pytest.fixture
def town(city: City) -> Town:
    return city.town


@pytest.fixture(scope="module")
def app(city: City, privacy: Privacy) -> Flask:
    return create_desk(desk_deps(city.sessions, city.read_sessions, privacy))


@pytest.fixture
def door(city: City, privacy: Privacy) -> Flask:
    """A desk of the test's own: where the limit of sign-ins counts from nought."""
    return create_desk(desk_deps(city.sessions, city.read_sessions, privacy))


@pytest.fixture(scope="module")
def cookies(app: Flask) -> dict[str, str]:
    """Each user signs in once for all these tests."""
    clients = {login: sign_in_to(app, login) for login in ("supervisor", "city", "county", "agent")}
    return {login: session_cookie(client) for login, client in clients.items()}


@pytest.fixture
def sign_in(app: Flask, cookies: dict[str, str]) -> SignIn:
    def enter(login: str) -> FlaskClient:
        client = app.test_client()
        client.set_cookie("huifang", cookies[login])
        return client

    return enter


@pytest.fixture
def supervisor(sign_in: SignIn) -> FlaskClient:
    return sign_in("supervisor")


# Who gets in


def test_every_route_declares_a_permission_or_is_public(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        permission = declared(app.view_functions[rule.endpoint])
        assert permission == PUBLIC or isinstance(permission, Permission), rule.rule


def test_a_route_that_declares_nothing_is_refused(door: Flask) -> None:
    def forgotten() -> str:
        return "what nobody was meant to see"

    door.view_functions["progress.show"] = forgotten
    assert sign_in_to(door, "supervisor").get("/progress").status_code == 403


@pytest.mark.parametrize("page", PAGES)
def test_without_signing_in_every_page_leads_to_the_door(app: Flask, page: str) -> None:
    response = app.test_client().get(page)
    assert response.status_code == 302
    assert response.location.startswith("/login?next=")


def test_signing_in_leads_to_where_one_wanted(door: Flask) -> None:
    client = door.test_client()
    response = try_login(client, "supervisor", PASSWORD, "/login?next=/ranking?group%3Ddept")
    assert response.location == "/ranking?group=dept"
    assert client.get(response.location).status_code == 200


@pytest.mark.parametrize("target", ["//e.example/", "https://e.example/", "/\\e.example", "javascript:1"])
def test_signing_in_never_leads_to_another_host(door: Flask, target: str) -> None:
    response = try_login(door.test_client(), "supervisor", PASSWORD, f"/login?next={target}")
    assert response.location == "/"


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("supervisor", "not-the-password"),
        ("nobody", PASSWORD),
        ("", ""),
        ("super\x00visor", PASSWORD),
    ],
)
def test_a_wrong_password_says_no_more_than_that(door: Flask, login: str, password: str) -> None:
    response = try_login(door.test_client(), login, password)
    assert response.status_code == 401
    assert "用户名或密码不对" in response.text


def test_the_eleventh_try_in_a_minute_is_turned_away(door: Flask) -> None:
    client = door.test_client()
    statuses = [try_login(client, "supervisor", "wrong").status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    assert "尝试过于频繁" in try_login(client, "supervisor", PASSWORD).text


def test_a_form_without_its_token_is_refused(app: Flask) -> None:
    response = app.test_client().post("/login", data={"login": "supervisor", "password": PASSWORD})
    assert response.status_code == 400
    assert "表单已失效" in response.text


def test_signing_out_ends_the_session(supervisor: FlaskClient) -> None:
    supervisor.post("/logout", data={"csrf_token": token(supervisor, "/")})
    assert supervisor.get("/").status_code == 302


def test_health_needs_no_login(app: Flask) -> None:
    assert app.test_client().get("/healthz").json == {"status": "ok"}


# Who sees what


@pytest.mark.parametrize("login", ["city", "county"])
def test_a_unit_sees_its_own_subtree_only(sign_in: SignIn, town: Town, login: str) -> None:
    own, other = ("D01", "C01") if login == "city" else ("C01", "D01")
    client = sign_in(login)
    for page in ("/dissatisfaction", "/cases", "/callbacks", "/progress", "/", "/ranking?group=dept"):
        assert town.units[other].name not in client.get(page).text, page
    assert client.get(f"/ranking/{own}").status_code == 200
    assert client.get(f"/ranking/{other}").status_code == 404
    story = "/cases/LD20261117-0002"  # D01's
    assert client.get(story).status_code == (200 if login == "city" else 404)
    assert numbers_in(client.get("/cases?unit=D01").text) == [] or login == "city"


def test_a_unit_never_learns_who_rated(sign_in: SignIn) -> None:
    """Not even masked: no column, no head, no timeline, no search by a number; words are masked."""
    client = sign_in("city")
    pages = [
        "/dissatisfaction",
        "/dissatisfaction.csv",
        "/cases",
        "/callbacks",
        "/cases/LD20261117-0002",
        "/",
    ]
    for page in pages:
        text = client.get(page).text.replace("打我电话139****0002细说", "")
        assert "****" not in text, page
        assert "13903790002" not in text
    found = client.post("/cases", data={"q": "13903790002", "csrf_token": token(client, "/")})
    assert "phone=" not in found.location


def test_a_unit_finds_nothing_by_a_numbers_index(
    sign_in: SignIn, town: Town, supervisor: FlaskClient
) -> None:
    by_index = f"/cases?phone={town.privacy.index('13903790002')}"
    assert numbers_in(supervisor.get(by_index).text) == ["LD20261117-0002"]
    assert numbers_in(sign_in("city").get(by_index).text) == []


def test_a_search_by_number_leaves_no_number_in_the_address(supervisor: FlaskClient) -> None:
    form = {"q": "+86 139 0379 0002", "csrf_token": token(supervisor, "/")}
    response = supervisor.post("/cases", data=form)
    assert re.fullmatch(r"/cases\?phone=[0-9a-f]{32}", response.location)
    assert numbers_in(supervisor.get(response.location).text) == ["LD20261117-0002"]
    typed = supervisor.get("/cases?q=13903790002")
    assert typed.location == response.location


def test_no_page_holds_a_whole_telephone_number(supervisor: FlaskClient) -> None:
    for page in (*PAGES, "/dissatisfaction.csv"):
        assert not re.search(r"(?<!\d)1[3-9]\d{9}(?!\d)", supervisor.get(page).text), page


# The list: page, counts and export are one filter's


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 6),
        ("group=dept", 5),
        ("unit=D03", 2),
        ("category=water", 1),
        ("age=d1", 1),
        ("age=over", 1),
        ("age=d3&group=dept", 1),
        ("q=0002", 1),
        ("q=%25", 0),  # a percent sign is text, no pattern
        ("item=listed", 6),
        ("item=fixed", 0),
        ("unit=D03&age=d7", 1),
        ("sort=newest", 6),
    ],
)
def test_page_counts_and_export_agree(supervisor: FlaskClient, query: str, expected: int) -> None:
    page = supervisor.get(f"/dissatisfaction?{query}").text
    export = supervisor.get(f"/dissatisfaction.csv?{query}")
    lines = export.text.removeprefix("\ufeff").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("# ")))
    assert numbers_in(page) == [row["案件编号"] for row in rows]
    assert len(rows) == expected
    assert f"<small>{expected}件</small>" in page
    if "item" not in query:  # in the office, at the unit, second callback, hard cases: all that's open
        tabs = re.findall(r"<b>(\d+)</b></a>", page.partition('<nav class="tabs"')[2].partition("</nav>")[0])
        assert int(tabs[0]) == expected == sum(int(number) for number in tabs[1:5])


def test_the_export_is_utf8_with_bom_and_says_its_time_zone(supervisor: FlaskClient) -> None:
    export = supervisor.get("/dissatisfaction.csv")
    assert export.data.startswith(b"\xef\xbb\xbf")
    assert "# 时区,Asia/Shanghai" in export.text.splitlines()
    assert 'filename="dissatisfaction-20261123-1002.csv"' in export.headers["Content-Disposition"]


# The case story


def test_the_story_tells_all_in_order(supervisor: FlaskClient) -> None:
    text = " ".join(Shown(supervisor.get("/cases/LD20261116-0001").text.replace('lang="zh-Hans"', "")).text)
    story = re.sub(r"\s+", " ", text.partition("经过")[2])
    places = [
        story.index(part)
        for part in (
            "受理",
            "交办",
            "签收 市水务集团",
            "办结 市水务集团",
            "评价短信 已送达",
            "送达 11-19 00:02:24",
            "第1次电话 占线",
            "SIP 486",
            "Q.850 17",
            "第2次电话 接通",
            "通话 41.3秒",
            "评价 不满意",
            "按键 3",
            "请对办理情况作出评价",
            "提示音结束后1240毫秒",
            "问题没有解决",
            "记分 评价计入",
            "收到的评价 +1",
            "列入不满意清单",
        )
    ]
    assert places == sorted(places)


def test_the_units_reply_stands_beside_the_citizens_words(supervisor: FlaskClient) -> None:
    html = supervisor.get("/cases/LD20261117-0002").text
    unit, _, citizen = html.partition('class="said unit"')[2].partition('class="said citizen"')
    assert "劝离流动摊贩6处" in unit
    assert "根本没人来管" in citizen.partition("</section>")[0]
    assert "超期" in html


def test_a_case_that_there_isnt_says_so(supervisor: FlaskClient) -> None:
    for number in ("LD-NONE", "a%00b", "../x"):
        response = supervisor.get(f"/cases/{number}")
        assert response.status_code == 404
        assert "没有找到" in response.text


# Ranking and progress


def test_equal_scores_share_a_rank_and_small_samples_are_apart(supervisor: FlaskClient) -> None:
    html = supervisor.get("/ranking?group=dept&month=2026-11").text
    ranked, _, apart = html.partition("样本不足")
    rows = re.findall(r'<td class="rank">(\d+)</td><th scope="row"><a [^>]+>([^<]+)</a>', ranked)
    assert rows == [("1", "市城市管理局"), ("1", "市人力资源和社会保障局"), ("3", "市水务集团")]
    assert "市环境保护局" in apart
    assert "170.00" in ranked and "42.50" in ranked  # 80·5.5/8 … of 200, and of 50


@pytest.mark.parametrize(
    "page", ["/ranking?group=dept", "/ranking?group=county", "/ranking/D03", "/progress"]
)
def test_no_percentage_without_its_n(supervisor: FlaskClient, page: str) -> None:
    html = supervisor.get(page).text
    rates = re.findall(r"<b>(\d+\.\d+%)</b>\s*(<small>[\d.]+/\d+</small>)?", html)
    assert rates
    assert all(n for _, n in rates)


def test_a_rate_of_nothing_is_a_dash(supervisor: FlaskClient) -> None:
    row = supervisor.get("/ranking?group=county").text.partition("洛滨新区")[2].partition("</tr>")[0]
    assert row.count("—") >= 3  # no score, no points, no satisfaction rate
    assert "0.00%" in row  # nobody rated: the response rate is 0/10, which is something


def test_a_month_without_records_says_why(supervisor: FlaskClient) -> None:
    assert "这个月还没有考核记录" in supervisor.get("/ranking?month=2020-01").text


def test_the_rule_is_one_click_from_the_ranking(supervisor: FlaskClient) -> None:
    assert 'href="/scoring-rules?month=2026-11"' in supervisor.get("/ranking").text
    assert "80·S + 40·RES + 40·T + 20·A + 20·Q" in supervisor.get("/scoring-rules").text


def balance(html: str) -> list[int]:
    """The ledger's equation: closed, and what that is the sum of."""
    return [int(n) for n in re.findall(r"<span><b>(?:<a [^>]+>)?(\d+)(?:</a>)?</b>", html)]


def test_progress_balances_and_its_counts_are_links_to_as_many(supervisor: FlaskClient) -> None:
    html = supervisor.get("/progress").text
    sums = balance(html)
    assert sums[0] == sum(sums[1:]) == 44
    assert "平账" in html and "10:02:15" in html
    links = re.findall(r'<a href="(/callbacks\?[^"]*state=[^"]+)">.*?<b>(\d+)</b>', html)
    assert len(links) >= 8
    for link, number in links:
        assert f"<small>{number}件</small>" in supervisor.get(link.replace("&amp;", "&")).text


def test_progress_follows_its_filter(supervisor: FlaskClient) -> None:
    assert balance(supervisor.get("/progress?unit=D03").text)[0] == 6


def test_what_waits_today(supervisor: FlaskClient, sign_in: SignIn) -> None:
    html = supervisor.get("/").text
    assert "救命 我要报警" in html
    assert "137****9902" in html
    assert len(numbers_in(html)) == 4  # the agent queue
    tiles = re.findall(r'<a href="(/[^"]+)"><span>[^<]+</span><b>(\d+)</b>', html)
    assert [number for _, number in tiles] == ["6", "4", "2", "2"]
    for link, number in tiles:
        assert f"<small>{number}件</small>" in supervisor.get(link).text, link
    assert "救命" not in sign_in("city").get("/").text


# Languages, headers, errors


@pytest.mark.parametrize("page", [*PAGES, "/nope", "/callbacks?state=nope", "/dissatisfaction?q=none"])
def test_an_english_page_is_english(supervisor: FlaskClient, page: str) -> None:
    """All but what is marked as Chinese: the cities' own words, and the switch back."""
    html = supervisor.get(f"{page}{'&' if '?' in page else '?'}lang=en").text
    assert '<html lang="en">' in html
    rest = "".join(Shown(html).text)
    for name in ("督办一", "市容", "示例市110联动办"):  # the city's own names stay as they are
        rest = rest.replace(name, "")
    assert re.findall(r"[\u3400-\u9fff\uff00-\uffef]+", rest) == []


def test_the_language_is_kept(supervisor: FlaskClient) -> None:
    assert '<html lang="zh-Hans">' in supervisor.get("/").text
    supervisor.get("/?lang=en")
    assert '<html lang="en">' in supervisor.get("/progress").text
    form = {"lang": "zh", "next": "/ranking", "csrf_token": token(supervisor, "/")}
    assert supervisor.post("/language", data=form).location == "/ranking"
    assert '<html lang="zh-Hans">' in supervisor.get("/progress").text


def test_headers_and_cookies(door: Flask, supervisor: FlaskClient) -> None:
    response = supervisor.get("/")
    assert response.headers["Content-Security-Policy"].startswith(
        "default-src 'self'; frame-ancestors 'none'"
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-store"
    cookie = try_login(door.test_client(), "agent", PASSWORD).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("page", [*PAGES, "/nope"])
def test_no_page_has_inline_script_or_style(supervisor: FlaskClient, page: str) -> None:
    html = supervisor.get(page).text
    names = {name for name, _ in Shown(html).attributes}
    assert "style" not in names
    assert not {name for name in names if name.startswith("on")}
    assert "<style" not in html
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)
    assert "DEMO" in html


@pytest.mark.parametrize(
    "page",
    [
        "/callbacks?state=RATED",
        "/dissatisfaction?age=d2",
        "/dissatisfaction?page=x",
        "/ranking?month=2026-13",
        "/cases?phone=13800000000",
        "/dissatisfaction.csv?q=%00",
    ],
)
def test_a_value_that_makes_no_sense_is_named(supervisor: FlaskClient, page: str) -> None:
    response = supervisor.get(page)
    assert response.status_code == 400
    assert page.partition("?")[2].partition("=")[0] in response.text


def test_a_fault_is_a_page_and_a_log_line_without_values(door: Flask) -> None:
    def fails() -> str:
        raise RuntimeError("13803790001")

    fails.__dict__["desk_permission"] = Permission.SEE_PROGRESS
    door.view_functions["progress.show"] = fails
    response = sign_in_to(door, "supervisor").get("/progress")
    assert response.status_code == 500
    assert "13803790001" not in response.text
    assert "系统出错" in response.text
