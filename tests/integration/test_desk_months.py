"""Ranking, unit and month pages over the worked example of domain.md §4.3, published at the desk."""

from __future__ import annotations

import hashlib
import html as entities
import re
from dataclasses import replace
from fractions import Fraction

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, Unit
from callbacks.privacy import Privacy
from callbacks.vocabulary import UnitGroup
from scoring.assessment import compute_month
from scoring.decisions import Decision, ObjectionKind
from scoring.models import MonthState, ScoreEntry, ScoreMonth
from scoring.models_decisions import Objection
from scoring.month_inputs import read_inputs
from scoring.months import counting_month
from scoring.queries_months import count_corrections
from scoring.queries_ranking import read_period, read_roots
from scoring.recompute import recompute
from scoring.rules import show
from scoring.settings import ScoringSettings
from scoring.settings_toml import read_scoring
from scoring.web.desk import create_desk
from tests.integration.desk_data import Town, add_users, desk_deps
from tests.integration.desk_pages import sign_in_to, token
from tests.integration.months_city import ZONE, Months, at, november
from tests.integration.office import make_desk
from tests.integration.test_desk_exports import read_csv, read_xlsx

ROLES = ("supervisor", "head", "inspector", "admin", "city", "agent")


class Office:
    """The desk over the city of the example; its clock is set by the tests."""

    def __init__(
        self, sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
    ) -> None:
        self.now = at("2026-11-25")
        self.sessions = sessions
        self.city = Months.of(make_desk(sessions, privacy).ctx)
        november(self.city)
        self.city.unit("B1", UnitGroup.DEPT, "B")
        deps = desk_deps(sessions, read_sessions, privacy, lambda: self.now)
        self.app: Flask = create_desk(replace(deps, service=self.city.ctx))
        with sessions.begin() as session:
            town = Town(session, privacy, self.now)
            for code, id_ in self.city.units.items():
                town.units[{"B": "D01", "A": "C01"}.get(code, code)] = _unit(session, id_)
            add_users(town, set(ROLES))

    def compute(self) -> None:
        compute_month(self.sessions, "2026-11", self.city.settings, ZONE, self.now)

    def enters(self) -> dict[str, FlaskClient]:
        return {login: sign_in_to(self.app, login) for login in ROLES}


def _unit(session: Session, id_: int) -> Unit:
    return session.get_one(Unit, id_)


@pytest.fixture
def office(sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy) -> Office:
    made = Office(sessions, read_sessions, privacy)
    _deduct(made, "B")
    made.compute()
    return made


def _deduct(office: Office, unit: str) -> None:
    with office.sessions.begin() as session:
        session.add(
            ScoreEntry(
                unit_id=office.city.units[unit],
                month=counting_month(session, "2026-11", decided=True),
                kind="adjustment",
                source="adjustment:1",
                changes={"deductions": "2"},
                provenance={},
                at=at("2026-11-21"),
            )
        )


def words(html: str) -> str:
    """What is read on the page, tags and runs of space taken out."""
    return re.sub(r"\s+", " ", entities.unescape(re.sub(r"<[^>]+>", " ", html.partition("<main")[2])))


def row_of(html: str, unit: str) -> str:
    """A unit's row of the table, in words."""
    for row in re.findall(r"<tr>.*?</tr>", html, re.DOTALL):
        if f">{unit}<" in row:
            return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip()
    raise AssertionError(unit)


def post(client: FlaskClient, page: str, path: str, **form: str):
    return client.post(path, data={**form, "csrf_token": token(client, page)})


def freeze_and_publish(office: Office, head: FlaskClient) -> None:
    office.now = at("2026-12-03")
    assert post(head, "/months/2026-11", "/months/2026-11/freeze", days="5").status_code == 303
    office.now = at("2026-12-09")
    assert post(head, "/months/2026-11", "/months/2026-11/publish").status_code == 303


# -- the example's figures


def test_the_ranking_shows_the_worked_example_to_the_last_digit(office: Office) -> None:
    supervisor = sign_in_to(office.app, "supervisor")
    dept = supervisor.get("/ranking?month=2026-11&group=dept").text
    assert row_of(dept, "单位C") == (
        "1 单位C 192.29 48.07 优秀 92.86% 6.5/7 100.00% 7/7 100.00% 10/10 90.00% 9/10 按1计 n=0 "
        "100.00% 7/7 77.78% 7/9 100.00% 9/9 77.78% 7/9 64.6%–100.0% n=7 77.8%–100.0% 100.00% 10/10 10"
    )
    b = row_of(dept, "单位B")
    assert b.startswith("2 单位B 140.00 35.00 合格 75.00% 6/8 75.00% 6/8 80.00% 8/10 100.00% 10/10 0.00% 0/1")
    county = supervisor.get("/ranking?month=2026-11&group=county").text
    a = row_of(county, "单位A")
    assert a.startswith("1 单位A 179.00 35.80 良好 87.50% 7/8 87.50% 7/8 90.00% 9/10 90.00% 9/10 100.00% 1/1")
    assert "87.50% 7/8 88.89% 8/9 100.00% 9/9 88.89% 8/9 52.9%–97.8% n=8 77.8%–88.9%" in a
    assert "单位B1" not in dept  # below another: in its sums, not in the ranking
    for said in ("暂定", "Asia/Shanghai", "规则版本", "参加排名2个单位"):
        assert said in words(dept)


def test_the_unit_s_page_works_its_score_out_and_has_the_lines_behind_it(office: Office) -> None:
    supervisor = sign_in_to(office.app, "supervisor")
    page = words(supervisor.get("/ranking/A?month=2026-11").text)
    for step in (
        "S = (6.5 + 0.5 × 1) ÷ 8 = 0.875",
        "80·S = 80 × 0.875 = 70",
        "五项合计 = 70 + 35 + 36 + 18 + 20 = 179",
        "得分 = 179 − 0 + 0 = 179.00",
        "折算分 = 179 ÷ 200 × 40 = 35.80",
    ):
        assert step in page, step
    page = words(supervisor.get("/ranking/C?month=2026-11").text)
    assert "80·S = 80 × 13/14 = 520/7 ≈ 74.2857" in page
    assert "得分 = 1346/7 − 0 + 0 = 1346/7 ≈ 192.29" in page
    assert "折算分 = 1346/7 ÷ 200 × 50 = 673/14 ≈ 48.07" in page
    second = words(supervisor.get("/ranking/B?month=2026-11&part=q").text)
    assert "得分的依据 共1条" in second and "二次回访 不满意" in second
    points = words(supervisor.get("/ranking/B?month=2026-11&part=points").text)
    assert "扣分 +2" in points
    lines = supervisor.get("/ranking/B?month=2026-11&part=t").text
    assert len(re.findall(r'<th scope="row"><a class="number" href="/cases/M-\d+">', lines)) == 10


def test_the_lines_of_a_unit_turn_their_pages_without_losing_one(office: Office) -> None:
    for _ in range(30):
        office.city.case("C", at("2026-11-11"))
    supervisor = sign_in_to(office.app, "supervisor")
    first = supervisor.get("/ranking/C?month=2026-11").text
    total = int(re.search(r"共(\d+)条", first)[1])
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    rest = supervisor.get(following).text
    assert [html.count('data-label="计入"') for html in (first, rest)] == [50, total - 50]


def test_units_below_are_on_the_page_of_the_one_above(office: Office) -> None:
    callback = office.city.case("B1", at("2026-11-10"))
    office.city.rate(callback, 1, at("2026-11-12"), True)
    office.compute()
    supervisor = sign_in_to(office.app, "supervisor")
    page = words(supervisor.get("/ranking/B?month=2026-11").text)
    assert "下级单位" in page and "单位B1" in page
    assert "办结 11" in page  # the one below is in the sum


def test_a_year_sums_the_months_counts_and_is_assessed_once(office: Office) -> None:
    freeze_and_publish(office, sign_in_to(office.app, "head"))
    for place in range(4):
        callback = office.city.case("A", at("2026-12-10"), late=place == 3)
        office.city.rate(callback, 3, at("2026-12-12"), False)
    compute_month(office.sessions, "2026-12", office.city.settings, ZONE, at("2026-12-20"))
    page = sign_in_to(office.app, "supervisor").get("/ranking?year=2026&group=county").text
    row = row_of(page, "单位A")
    # S = 7/12, RES = 7/12, T = 12/14, A = 13/14, Q = 1: no mean of 179 and December's.
    score = show(Fraction(120 * 7, 12) + Fraction(40 * 12, 14) + Fraction(20 * 13, 14) + 20)
    assert row.startswith(f"1 单位A {score} ")
    assert "58.33% 7/12" in row and "7/12" in row and "12/14" in row
    assert "全年合计：各月数目相加，一次计算（2个月）" in words(page)


def test_a_year_has_each_month_as_its_units_were_then(office: Office) -> None:
    """A comes below Z after November: what it did before stays its own, and isn't lost to the city."""
    freeze_and_publish(office, sign_in_to(office.app, "head"))
    office.city.unit("Z", UnitGroup.COUNTY)
    with office.sessions.begin() as session:
        _unit(session, office.city.units["A"]).parent_id = office.city.units["Z"]
    for _ in range(5):
        office.city.rate(office.city.case("A", at("2026-12-10")), 1, at("2026-12-12"), True)
    compute_month(office.sessions, "2026-12", office.city.settings, ZONE, at("2026-12-20"))
    with office.sessions() as session:
        rows = read_roots(session, read_period(session, "2026", office.city.settings))
    assert {row.unit.code: row.closed for row in rows} == {"A": 10, "B": 10, "C": 10, "Z": 5}


# -- a month's life


def test_a_head_closes_and_publishes_and_everybody_can_compute_it_again(office: Office) -> None:
    clients = office.enters()
    head, supervisor, city = clients["head"], clients["supervisor"], clients["city"]
    assert "冻结2026-11" not in head.get("/months/2026-11").text  # it isn't over
    assert post(head, "/months/2026-11", "/months/2026-11/freeze", days="5").status_code == 409
    office.now = at("2026-12-03")
    assert "冻结2026-11" in head.get("/months/2026-11").text
    refused = post(head, "/months/2026-11", "/months/2026-11/freeze", days="many")
    assert refused.status_code == 400 and "异议期写0到60的整数天" in refused.text
    for other in ("supervisor", "inspector", "admin", "city", "agent"):
        assert post(clients[other], "/", "/months/2026-11/freeze", days="5").status_code == 403
    assert post(head, "/months/2026-11", "/months/2026-11/freeze", days="5").status_code == 303

    draft = words(supervisor.get("/ranking?month=2026-11&group=dept").text)
    assert "草稿 异议截止 2026-12-08 10:00" in draft
    assert "草稿" in supervisor.get("/months/2026-11/bulletin").text
    assert city.get("/months/2026-11/bulletin").status_code == 403
    again = post(head, "/months/2026-11", "/months/2026-11/freeze", days="5")
    assert again.status_code == 409 and "head已冻结" in again.text
    early = post(head, "/months/2026-11", "/months/2026-11/publish")
    assert early.status_code == 409 and "异议期还没有结束" in early.text

    office.now = at("2026-12-09")
    assert post(head, "/months/2026-11", "/months/2026-11/publish").status_code == 303
    page = supervisor.get("/months/2026-11").text
    with office.sessions() as session:
        row = session.get_one(ScoreMonth, "2026-11")
        assert row.state is MonthState.PUBLISHED
        assert row.inputs_hash in page and row.audit_head in page
    with supervisor.get("/months/2026-11/inputs.csv") as response:
        inputs = response.data
    assert hashlib.sha256(inputs).hexdigest() == row.inputs_hash
    settings = read_scoring(city.get("/months/2026-11/settings.toml").text)
    assert settings.version == row.settings_version
    found = recompute(read_inputs(inputs), settings)
    scores = {found.unit(each).code: show(each.assessment.score) for each in found.assessed if each.rank}
    assert scores == {"A": "179.00", "B": "140.00", "C": "192.29"}
    assert city.get("/months/2026-11/inputs.csv").status_code == 403  # the whole city's lines
    with office.sessions() as session:
        actions = [line.action for line in session.scalars(select(Audit).where(Audit.actor != "system"))]
    assert {"close_month", "publish_month", "export"} <= set(actions)


def test_a_published_bulletin_stays_when_units_are_renamed_and_never_names_a_citizen(office: Office) -> None:
    head = sign_in_to(office.app, "head")
    freeze_and_publish(office, head)
    before = head.get("/months/2026-11/bulletin").text
    for said in (
        "红榜",
        "黑榜",
        "单位A",
        "179.00",
        "192.29",
        "审计链的末端",
        "依据的哈希",
        "回访率",
        "接通率",
    ):
        assert said in before, said
    assert "草稿" not in before
    assert not re.search(r"1[3-9]\d{9}|\*{3,}|M-\d{5}", before)
    assert 'class="main"' not in before  # no desk around it
    with office.sessions.begin() as session:
        _unit(session, office.city.units["A"]).name = "改名后的单位"
    assert head.get("/months/2026-11/bulletin").text == before
    assert sign_in_to(office.app, "city").get("/months/2026-11/bulletin").status_code == 200


def test_the_bulletin_is_a_file_too(office: Office) -> None:
    """Both groups as they're printed, who is on which list, and what the print has at its foot."""
    clients = office.enters()
    head, city = clients["head"], clients["city"]
    office.now = at("2026-12-03")
    post(head, "/months/2026-11", "/months/2026-11/freeze", days="5")
    about, _ = read_csv(head, "/months/2026-11/bulletin")
    assert about["状态"].startswith("草稿") and "审计链的末端" not in about
    assert city.get("/months/2026-11/bulletin.csv").status_code == 403  # not before it's published
    office.now = at("2026-12-09")
    post(head, "/months/2026-11", "/months/2026-11/publish")
    page = city.get("/months/2026-11/bulletin").text
    about, rows = read_csv(city, "/months/2026-11/bulletin")
    with office.sessions() as session:
        row = session.get_one(ScoreMonth, "2026-11")
    settings = ScoringSettings.model_validate(row.settings)
    assert about["审计链的末端"] == row.audit_head and about["依据的哈希（SHA-256）"] == row.inputs_hash
    assert about["规则的哈希（SHA-256）"] == settings.digest and about["状态"].startswith("已公布")
    assert about["联系不上的"] == "联系不上的不计入满意指数。"
    for said in (row.audit_head, row.inputs_hash, settings.digest, "bulletin.xlsx", "bulletin.csv"):
        assert said in page, said
    found = [
        (row["组别"], row["名次"], row["承办单位"], row["得分（满分200）"], row["红黑榜"]) for row in rows
    ]
    assert found == [
        ("县（市、区）", "1", "单位A", "179.00", "红榜"),
        ("市直部门", "1", "单位C", "192.29", "红榜"),
        ("市直部门", "2", "单位B", "140.00", "黑榜（倒数第1）"),
    ]
    facts, again = read_xlsx(city, "/months/2026-11/bulletin")
    assert (facts["审计链的末端"], len(again)) == (row.audit_head, 3)
    ranking, _ = read_csv(head, "/ranking?month=2026-11&group=dept")
    assert ranking["审计链的末端"] == row.audit_head
    assert head.get("/months/2026-10/bulletin.csv").status_code == 404  # nothing was assessed


def test_what_isn_t_decided_holds_publishing_up_unless_it_s_left_to_the_next_month(office: Office) -> None:
    head = sign_in_to(office.app, "head")
    office.now = at("2026-12-03")
    post(head, "/months/2026-11", "/months/2026-11/freeze", days="0")
    with office.sessions.begin() as session:
        session.add(
            Objection(
                unit_id=office.city.units["B"],
                month="2026-11",
                kind=ObjectionKind.DEDUCTION,
                subject="adjustment:1",
                reason="材料已补交",
                by="city",
                at=office.now,
                state=Decision.PROPOSED,
            )
        )
    assert "没有审定的异议1项" in words(head.get("/months/2026-11").text)
    refused = post(head, "/months/2026-11", "/months/2026-11/publish")
    assert refused.status_code == 409 and "还有异议、申诉或扣分加分没有审定" in refused.text
    assert post(head, "/months/2026-11", "/months/2026-11/publish", leave="1").status_code == 303


def test_corrections_of_an_earlier_month_are_on_the_later_one(office: Office) -> None:
    freeze_and_publish(office, sign_in_to(office.app, "head"))
    with office.sessions() as session:
        rating = session.scalar(
            select(ScoreEntry.rating_id).where(
                ScoreEntry.unit_id == office.city.units["C"], ScoreEntry.kind == "rated"
            )
        )
    office.now = at("2026-12-10")
    office.city.remove(rating, office.now)
    office.city.case("A", at("2026-11-30"))  # it came when its month was closed
    compute_month(office.sessions, "2026-12", office.city.settings, ZONE, office.now)
    page = words(sign_in_to(office.app, "supervisor").get("/months/2026-12").text)
    assert "对以前月份的更正" in page and "评价剔除 2026-11 M-" in page and "办结 2026-11 M-" in page
    with office.sessions() as session:
        number = count_corrections(session, "2026-12")["2026-11"]
    printed = words(sign_in_to(office.app, "supervisor").get("/months/2026-12/bulletin").text)
    assert f"本月计入对2026-11的更正{number}项。" in printed and f"更正 共{number}条" in page


# -- who sees what


def test_a_unit_may_object_to_its_lines_when_the_month_is_closed(office: Office) -> None:
    city = sign_in_to(office.app, "city")
    assert "/objections/new" not in city.get("/ranking/B?month=2026-11").text
    office.now = at("2026-12-03")
    post(sign_in_to(office.app, "head"), "/months/2026-11", "/months/2026-11/freeze", days="5")
    page = entities.unescape(city.get("/ranking/B?month=2026-11").text)
    links = re.findall(r'href="(/objections/new\?month=2026-11&kind=(\w+)&subject=[^"]+)"', page)
    assert sorted(kind for _, kind in links) == ["deduction", "on_time", "on_time"]
    assert all(city.get(link).status_code == 200 for link, _ in links)
    assert "/objections/new" not in sign_in_to(office.app, "supervisor").get("/ranking/B?month=2026-11").text


SEEN = (
    # path, who may see it
    ("/ranking?month=2026-11", {"supervisor", "head", "inspector", "admin", "city"}),
    ("/scoring-rules?month=2026-11", {"supervisor", "head", "inspector", "admin", "city"}),
    ("/months", {"supervisor", "head", "inspector", "admin", "city"}),
    ("/months/2026-11", {"supervisor", "head", "inspector", "admin", "city"}),
    ("/months/2026-11/bulletin", {"supervisor", "head", "inspector", "admin"}),  # open: not a unit's yet
    ("/ranking/B", {"supervisor", "head", "inspector", "admin", "city"}),
    ("/ranking/A", {"supervisor", "head", "inspector", "admin"}),  # another unit's: 404
)


def test_who_sees_scores(office: Office) -> None:
    clients = office.enters()
    for path, allowed in SEEN:
        codes = {login: client.get(path).status_code for login, client in clients.items()}
        assert {login for login, code in codes.items() if code == 200} == allowed, (path, codes)
        assert set(codes.values()) <= {200, 403, 404}


ABSENT = (
    # path, status, what it says
    ("/months/2027-05", 200, "这个月还没有开始"),
    ("/months/2020-01", 200, "这个月还没有考核记录"),
    ("/months/2027-05/bulletin", 404, "这个月还没有开始"),
    ("/months/2026-13", 404, "没有找到"),
    ("/months/soon", 404, "没有找到"),
    ("/months/2020-01/inputs.csv", 404, "没有找到"),
    ("/ranking?year=2019", 200, "这个月还没有考核记录"),
    ("/ranking?year=20", 400, "year"),
    ("/ranking/A?part=x", 400, "part"),
    ("/ranking/NONE", 404, "没有找到"),
)


def test_months_and_units_that_there_are_not(office: Office) -> None:
    head = sign_in_to(office.app, "head")
    for path, status, said in ABSENT:
        response = head.get(path)
        assert (response.status_code, said in response.text) == (status, True), path


def test_another_policy_for_the_unreached_is_printed(
    sessions: sessionmaker[Session], read_sessions: sessionmaker[Session], privacy: Privacy
) -> None:
    office = Office(sessions, read_sessions, privacy)
    settings = office.city.settings.model_copy(update={"unreached_policy": "assume_satisfied"})
    office.city.settings = settings
    office.compute()
    office.app.extensions["desk"] = replace(office.app.extensions["desk"], scoring=settings)
    supervisor = sign_in_to(office.app, "supervisor")
    for page in ("/ranking?group=dept", "/ranking/C", "/scoring-rules", "/months/2026-11/bulletin"):
        assert "本表把联系不上的按满意计入满意指数" in supervisor.get(page).text, page
    about, _ = read_csv(supervisor, "/ranking?group=dept")
    assert about["联系不上的"] == "本表把联系不上的按满意计入满意指数。"
    assert "94.44% 8.5/9" in row_of(supervisor.get("/ranking?group=dept").text, "单位C")
