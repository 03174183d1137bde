"""The pages of deductions, objections, accountability and remarks: by role, by two, and what is told."""

from __future__ import annotations

import io
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from callbacks.models import Audit, Case
from scoring.models import ScoreEntry
from tests.integration.desk_data import MONTH, NOW, Town
from tests.integration.desk_pages import SignIn, token

CASE = "LD20261117-0002"  # of D01
FALSE = {"kind": "false_closing", "case": CASE, "reason": "现场核查与答复不符"}


def send(client: FlaskClient, path: str, *, file: bool = False, **form: str) -> TestResponse:
    data: dict[str, object] = {**form, "csrf_token": token(client, "/")}
    if file:
        data["files"] = (io.BytesIO(b"x" * 200_000), "核查.txt")  # more than other forms may bring
    return client.post(path, data=data, content_type="multipart/form-data" if file else None)


def test_a_deduction_from_proposal_to_score(sign_in: SignIn) -> None:
    supervisor, head = sign_in("supervisor"), sign_in("head")
    assert "请附上证据文件" in send(supervisor, "/adjustments/new", **FALSE).text
    made = send(supervisor, "/adjustments/new", file=True, **FALSE)
    assert made.status_code == 303
    page = made.location
    own = send(supervisor, page, answer="approve", reason="属实")
    assert own.status_code == 400 and "提出人不能自己决定" in own.text
    assert send(head, page, answer="approve", reason="属实").status_code == 303
    again = send(head, page, answer="reject", reason="我看不属实")
    assert again.status_code == 409
    assert "head 已经先作了决定" in again.text and "我看不属实" in again.text
    assert "核查.txt" in head.get(page).text
    assert (
        "已成立" in head.get("/adjustments?standing=approved&deed=false_closing&unit=D01&month=2026-11").text
    )
    assert "没有扣分或加分" in head.get("/adjustments?unit=D02").text
    assert send(head, page, answer="maybe", reason="x").status_code == 400


def test_a_unit_sees_its_own_alone(sign_in: SignIn) -> None:
    page = send(sign_in("supervisor"), "/adjustments/new", file=True, **FALSE).location
    assert sign_in("city").get(page).status_code == 200
    assert sign_in("county").get(page).status_code == 404
    assert page not in sign_in("county").get("/adjustments").text


# who, proposes, objects, records, signs remarks
@pytest.mark.parametrize(
    ("login", "proposes", "objects", "records", "signs"),
    [
        ("supervisor", True, False, False, False),
        ("head", True, False, True, False),
        ("inspector", False, False, False, True),
        ("admin", False, False, False, False),
        ("city", False, True, False, False),
    ],
)
def test_who_may_what(
    sign_in: SignIn, login: str, proposes: bool, objects: bool, records: bool, signs: bool
) -> None:
    client = sign_in(login)
    for path in ("/adjustments", "/objections", "/accountability"):
        assert client.get(path).status_code == 200
    assert (client.get("/adjustments/new").status_code == 200) is proposes
    assert (client.get("/objections/lines").status_code == 200) is objects
    assert (send(client, "/accountability").status_code == 400) is records  # nothing filled in; else 403
    assert (send(client, "/remarks", subject="month:2026-11", body="同意。").status_code == 303) is signs


def test_an_agent_has_no_part_in_it(sign_in: SignIn) -> None:
    for path in ("/adjustments", "/objections", "/accountability"):
        assert sign_in("agent").get(path).status_code == 403


def test_an_objection_from_line_to_correction(
    sign_in: SignIn, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        session.add(
            ScoreEntry(
                unit_id=town.units["D01"].id,
                month=MONTH,
                kind="closed",
                source="closing:1:1",
                changes={"closed": "1", "signed_on_time": "1"},
                provenance={},
                at=NOW,
            )
        )
    unit, head, supervisor = sign_in("city"), sign_in("head"), sign_in("supervisor")
    lines = unit.get("/objections/lines").text
    found = re.search(r'href="(/objections/new\?[^"]+)"', lines)
    assert found is not None
    assert "办结超期" in unit.get(found.group(1).replace("&amp;", "&")).text
    line = {"kind": "on_time", "subject": "closing:1:1", "reason": "系统故障"}
    assert send(sign_in("county"), "/objections/new", **line).status_code == 404
    assert send(unit, "/objections/new", **{**line, "kind": "signed"}).status_code == 400
    page = send(unit, "/objections/new", **line).location
    assert page in unit.get("/objections/lines").text  # raised: the line leads to it
    assert send(unit, page, answer="uphold", reason="x", seen="0").status_code == 403
    assert send(supervisor, page, answer="uphold", reason="属实", seen="0").status_code == 303
    stale = send(head, page, answer="reject", reason="请再核实", seen="0")
    assert stale.status_code == 409 and "请再核实" in stale.text and "supervisor" in stale.text
    assert send(head, page, answer="uphold", reason="属实", seen="1").status_code == 303
    assert "已成立" in unit.get(page).text


def test_who_made_a_deduction_isn_t_asked_about_the_objection_to_it(sign_in: SignIn) -> None:
    unit, head, supervisor = sign_in("city"), sign_in("head"), sign_in("supervisor")
    deduction = send(supervisor, "/adjustments/new", file=True, **FALSE).location
    send(head, deduction, answer="approve", reason="属实")
    line = {"kind": "deduction", "subject": deduction.strip("/").replace("adjustments/", "adjustment:")}
    page = send(unit, "/objections/new", **line, reason="材料已补交").location
    for client in (supervisor, head):
        shown = client.get(page).text
        assert 'name="answer"' not in shown and "不足两人" in shown  # the office has only these two
        refused = send(client, page, answer="reject", reason="扣分属实", seen="0")
        assert refused.status_code == 400 and "不足两人" in refused.text
        assert "扣分属实" in refused.text  # what they wrote isn't lost


def test_a_unit_objects_to_a_case_that_was_open_and_overdue(
    sign_in: SignIn, town: Town, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as session:
        case = session.scalars(select(Case).where(Case.number == CASE)).one()
        source = f"open:{MONTH}:{case.id}"
        session.add(
            ScoreEntry(
                unit_id=town.units["D01"].id,
                month=MONTH,
                kind="open",
                source=source,
                changes={"open": "1", "overdue_open": "1"},
                provenance={"case": case.id},
                at=NOW,
            )
        )
    unit = sign_in("city")
    lines = unit.get("/objections/lines").text
    assert "超期未办结" in lines and CASE in lines
    on_time, signed = re.findall(r'href="(/objections/new\?[^"]+)"', lines)
    assert "签收超时" in unit.get(signed.replace("&amp;", "&")).text  # it's in T and in A
    link = on_time
    form = unit.get(link.replace("&amp;", "&")).text
    assert "超期未办结" in form and CASE in form
    page = send(unit, "/objections/new", kind="on_time", subject=source, reason="期限已延长").location
    assert CASE in sign_in("head").get(page).text


def test_accountability_is_recorded_and_the_inspector_signs_beside_it(sign_in: SignIn) -> None:
    form = {"measure": "talk", "unit": "D01", "on_day": "2026-11-20", "reason": "整改不力"}
    assert "请附上文件" in send(sign_in("head"), "/accountability", **form).text
    page = send(sign_in("head"), "/accountability", file=True, **form).location
    inspector = sign_in("inspector")
    subject = page.strip("/").replace("/", ":")
    assert send(inspector, "/remarks", subject=subject, body="已核。", next=page).location == page
    assert "已核。" in inspector.get(page).text
    assert send(inspector, "/remarks", subject="house:1", body="x").status_code == 400


def test_nothing_is_posted_without_its_token(sign_in: SignIn) -> None:
    head = sign_in("head")
    for path in ("/adjustments/new", "/adjustments/1", "/objections/1", "/accountability", "/remarks"):
        assert head.post(path, data={"reason": "x"}).status_code == 400


def test_evidence_is_saved_by_who_may_see_what_it_stands_behind(
    sign_in: SignIn, sessions: sessionmaker[Session]
) -> None:
    supervisor = sign_in("supervisor")
    form = {**FALSE, "csrf_token": token(supervisor, "/"), "files": (io.BytesIO(b"MZ\x00"), "x.exe")}
    refused = supervisor.post("/adjustments/new", data=form, content_type="multipart/form-data")
    assert refused.status_code == 400 and "附件须是" in refused.text and FALSE["reason"] in refused.text
    page = send(supervisor, "/adjustments/new", file=True, **FALSE).location
    [link] = re.findall(r'href="(/evidence/\d+)"', supervisor.get(page).text)
    saved = sign_in("city").get(link)
    assert saved.data == b"x" * 200_000 and "attachment" in saved.headers["Content-Disposition"]
    assert sign_in("county").get(link).status_code == 404
    with sessions() as session:
        taken = session.scalars(select(Audit.actor).where(Audit.action == "evidence")).all()
    assert taken == ["city"]
