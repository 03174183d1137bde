"""A call for several cases over real SIP: what was left out at the last moment isn't spoken of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from callbacks.models import Attempt, AttemptState
from callbacks.service.answers import Answer, rate
from callbacks.service.core import lock_callbacks
from callbacks.states import State
from callbacks.vocabulary import Channel
from ivr.dialplan import DialPlan
from tests.integration.office import LANDLINE, OFFICE, Desk, make_desk
from tests.integration.test_agent_calls_sip import serving, trunk  # noqa: F401 (a fixture)
from tests.phones import Trunk


@dataclass(frozen=True)
class Meanwhile(DialPlan):
    """Something happens between the claim and `invited_at`: when the number is looked at."""

    happens: Callable[[], object] = lambda: None

    def citizen(self, raw: str, out_of_area_zero: bool = False) -> str:
        self.happens()
        return super().citizen(raw, out_of_area_zero)


def answered_on_the_web(desk: Desk, callback_id: int) -> None:
    with desk.ctx.sessions.begin() as session:
        [callback] = lock_callbacks(session, [callback_id])
        rate(desk.ctx, session, callback, Answer(2, Channel.WEB, "2"), desk.now)


def is_over(desk: Desk) -> bool:
    with desk.session() as session:
        return session.scalars(select(Attempt.state)).all() == [AttemptState.ENDED]


def test_the_case_that_was_answered_isnt_asked_for(
    sessions,
    privacy,
    trunk: Trunk,  # noqa: F811
    tmp_path: Path,
) -> None:
    desk = make_desk(sessions, privacy)
    first, *others = [desk.close(LANDLINE) for _ in range(3)]
    desk.plan()
    plan = Meanwhile("0379", OFFICE.own_numbers, {}, happens=lambda: answered_on_the_web(desk, first))
    trunk.on_invite = lambda phone: phone.answer()
    with serving(desk, trunk, tmp_path, plan):
        trunk.until(lambda: LANDLINE in trunk.phones)
        phone, turns = trunk.phones[LANDLINE], iter(range(10**6))

        def press() -> None:
            if phone.talks and next(turns) % 100 == 99:
                phone.press("1")

        trunk.until(lambda: f"BYE {LANDLINE}" in trunk.log, press)
        trunk.until(lambda: is_over(desk))
    assert [desk.state(each) for each in (first, *others)] == [State.RATED] * 3
    by = [[(rating.channel, rating.value) for rating in desk.ratings(each)] for each in (first, *others)]
    assert by == [[(Channel.WEB, 2)], [(Channel.VOICE, 1)], [(Channel.VOICE, 1)]]
