"""Saved templates: refused with all faults, the newest holds for the texts that are made next."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.models import Audit, TextKind
from callbacks.models_office import TextTemplate
from callbacks.privacy import Privacy
from callbacks.service.core import Context
from callbacks.service.replies import IncomingReply, reply_came
from callbacks.service.templates import (
    TemplateChanged,
    TemplateRefused,
    back_to_stock,
    current,
    find_template,
    list_templates,
    save,
    template_faults,
    template_history,
)
from callbacks.service.texts import claim_texts
from callbacks.wording import stock_template
from tests.integration.office import MOBILE, OFFICE, Desk, make_desk

OWN = "您{month}月{day}日反映的{tail}已办结，请回复1满意、2基本满意、3不满意。"


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy)


def test_the_catalogue_holds_until_something_is_saved(desk: Desk) -> None:
    with desk.session() as session:
        assert current(session, TextKind.EVAL) == stock_template(TextKind.EVAL)
        assert {template.kind for template in list_templates(session)} == set(TextKind)
        assert find_template(session, TextKind.EVAL).by is None
        assert template_faults(desk.ctx, session) == {}


def test_the_next_text_has_the_saved_words(desk: Desk) -> None:
    desk.close(MOBILE)
    desk.plan()
    save(desk.ctx, TextKind.EVAL, OWN, False, "head", desk.later(minutes=1))
    desk.close("13803790002")
    desk.plan()
    before, after = desk.texts()
    assert "已办理答复" in before.body  # made before: it leaves as it was made
    assert after.body == "【示例市110联动】您11月20日反映的0002已办结，请回复1满意、2基本满意、3不满意。"
    assert [claimed.body for claimed in claim_texts(desk.ctx, "sms:1", "city", 5, 15, desk.now)] == [
        before.body,
        after.body,
    ]


def test_answers_take_saved_words_too(desk: Desk) -> None:
    save(desk.ctx, TextKind.THANKS, "收到，谢谢！", False, "head", desk.now)
    desk.close(MOBILE)
    desk.plan()
    claim_texts(desk.ctx, "sms:1", "city", 5, 15, desk.now)
    reply_came(desk.ctx, IncomingReply("city", "d1", MOBILE, OFFICE.sender_code, "1", rating=1), desk.now)
    assert desk.texts()[-1].body == "【示例市110联动】收到，谢谢！"


def test_the_newest_of_its_kind_holds(desk: Desk) -> None:
    save(desk.ctx, TextKind.THANKS, "谢谢一", False, "head", desk.now)
    save(desk.ctx, TextKind.THANKS, "谢谢二", True, "head", desk.later(minutes=1))
    save(desk.ctx, TextKind.OPTOUT, "已停", False, "head", desk.later(minutes=1))
    with desk.session() as session:
        assert current(session, TextKind.THANKS) == "谢谢二"
        holds = find_template(session, TextKind.THANKS)
        assert (holds.several_parts, holds.by) == (True, "head")
        lines = session.scalars(select(Audit).where(Audit.action == "save_template")).all()
    assert [line.subject for line in lines] == ["template:thanks", "template:thanks", "template:optout"]


def test_a_faulty_template_is_refused_with_all_faults(desk: Desk) -> None:
    with pytest.raises(TemplateRefused) as refused:
        save(desk.ctx, TextKind.EVAL, "{summary}" + "字" * 70, False, "head", desk.now)
    assert len(refused.value.faults) == 3  # unknown variable, no {tail}, too long
    with desk.session() as session:
        assert session.scalar(select(TextTemplate.id)) is None


def test_templates_are_only_added_to(desk: Desk) -> None:
    save(desk.ctx, TextKind.THANKS, "谢谢", False, "head", desk.now)
    with desk.session() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(update(TextTemplate).values(body="别的"))
    with desk.session() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(text("DELETE FROM text_template"))


def test_a_signature_that_grew_is_noticed(desk: Desk) -> None:
    save(desk.ctx, TextKind.THANKS, "字" * 60, False, "head", desk.now)
    longer = OFFICE.model_copy(update={"signature": "示例市110联动办"})
    ctx = Context(desk.ctx.sessions, desk.ctx.policy, longer, desk.ctx.privacy)
    with desk.session() as session:
        assert list(template_faults(ctx, session)) == [TextKind.THANKS]


def test_of_two_who_change_the_same_words_the_second_is_told(desk: Desk) -> None:
    first = save(desk.ctx, TextKind.THANKS, "谢谢一", False, "head", desk.now, instead_of=0)
    with pytest.raises(TemplateChanged) as told:
        save(desk.ctx, TextKind.THANKS, "谢谢二", False, "deputy", desk.now, instead_of=0)
    assert told.value.newest == first
    with pytest.raises(TemplateChanged):
        back_to_stock(desk.ctx, TextKind.THANKS, "deputy", desk.now, instead_of=0)
    with desk.session() as session:
        assert current(session, TextKind.THANKS) == "谢谢一"
    save(desk.ctx, TextKind.THANKS, "谢谢二", False, "deputy", desk.now, instead_of=first.version)


def test_two_in_the_same_instant_are_held_apart_by_the_table(desk: Desk) -> None:
    with desk.session() as session:
        for by in ("head", "deputy"):
            row = TextTemplate(kind="thanks", body=by, several_parts=False, by=by, at=desk.now, follows=0)
            session.add(row)
        with pytest.raises(IntegrityError):
            session.flush()


def test_the_catalogues_words_hold_again(desk: Desk) -> None:
    save(desk.ctx, TextKind.THANKS, "谢谢", True, "head", desk.now)
    holds = back_to_stock(desk.ctx, TextKind.THANKS, "head", desk.later(minutes=1))
    with desk.session() as session:
        assert find_template(session, TextKind.THANKS) == holds
        assert current(session, TextKind.THANKS) == stock_template(TextKind.THANKS) == holds.body
        assert (holds.stock, holds.by, holds.several_parts) == (True, "head", False)
        assert [template.stock for template in template_history(session, TextKind.THANKS)] == [True, False]
        lines = session.scalars(select(Audit).order_by(Audit.id)).all()
    assert [line.action for line in lines] == ["save_template", "stock_template"]
    assert lines[1].detail == {"version": 2, "instead_of": 1}
