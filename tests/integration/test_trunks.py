"""Trunks in the tables: which carries a call, what a 503 leads to, how each process finds them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from callbacks.models_office import Alarm
from callbacks.models_voice import TrunkState
from callbacks.service import calls
from callbacks.service.calls import CallOutcome
from callbacks.service.claims import ClaimedCall, begin_invite, claim_calls, ensure_lines
from callbacks.service.trunk_states import TrunkTold, forget_trunks, tell_trunks
from callbacks.states import State
from callbacks.vocabulary import Disposition, TrunkReason, TrunkStanding
from tests.integration.office import LANDLINE, Desk, make_desk

FLOW = ("satisfaction_survey", "1", "x")
US, OTHERS = "voice:here:1", "voice:there:2"


@pytest.fixture
def desk(sessions, privacy) -> Desk:
    return make_desk(sessions, privacy)


def claim(desk: Desk, rooms: dict[str, int], most: int = 100) -> list[ClaimedCall]:
    return claim_calls(desk.ctx, US, rooms, desk.now, FLOW, most)


def refused(desk: Desk, call: ClaimedCall, elsewhere: set[str]) -> None:
    """The trunk says 503 before anybody's telephone rings."""
    assert begin_invite(desk.ctx, call.attempt_id, call.token, call.key, desk.now)
    outcome = CallOutcome(Disposition.NETWORK_FAIL, 503, elsewhere=frozenset(elsewhere))
    assert calls.ended(desk.ctx, call.attempt_id, call.token, outcome, desk.later(seconds=1))


def test_what_the_first_trunk_has_no_lines_for_goes_to_the_next(desk: Desk) -> None:
    ensure_lines(desk.ctx, "a", 2)
    ensure_lines(desk.ctx, "b", 9)
    for last in range(8):
        desk.close(f"03796311000{last}")
    desk.plan()
    assert [call.trunk for call in claim(desk, {"a": 5, "b": 2}, most=3)] == ["a", "a", "b"]
    assert [call.trunk for call in claim(desk, {"a": 5, "b": 2})] == ["b", "b"]  # a is full, b may begin two
    assert claim(desk, {"a": 5}) == []


def test_a_503_sends_a_callback_on_by_each_other_trunk_once(desk: Desk) -> None:
    for trunk in ("a", "b", "c"):
        ensure_lines(desk.ctx, trunk, 2)
    callback = desk.close(LANDLINE)
    desk.plan()
    [call] = claim(desk, {"a": 1})
    refused(desk, call, {"b", "c"})
    assert (desk.state(callback), desk.callback(callback).next_at) == (State.RETRY_WAIT, desk.now)
    [call] = claim(desk, {"b": 1})  # with a line of b's own, and every gate asked again
    refused(desk, call, {"a", "c"})
    [call] = claim(desk, {"c": 1})
    refused(desk, call, {"a", "b"})  # both are up again, but have had their turn
    assert desk.callback(callback).next_at > desk.now + timedelta(seconds=5)
    assert claim(desk, {"a": 1, "b": 1, "c": 1}) == []
    attempts = [desk.attempt(id_) for id_ in (1, 2, 3)]
    assert {attempt.counts for attempt in attempts} == {False}  # none of it costs the citizen an attempt


def test_without_another_trunk_the_policy_s_pause_holds(desk: Desk) -> None:
    ensure_lines(desk.ctx, "a", 2)
    callback = desk.close(LANDLINE)
    desk.plan()
    [call] = claim(desk, {"a": 1})
    refused(desk, call, set())
    assert desk.callback(callback).next_at > desk.now + timedelta(seconds=5)


def told(
    desk: Desk, trunk: str, standing: TrunkStanding, reason: TrunkReason | None = None, news: bool = False
) -> TrunkTold:
    return TrunkTold(trunk, standing, reason, 503 if reason else None, desk.now, news)


def states(desk: Desk) -> dict[tuple[str, str], tuple[TrunkStanding, TrunkReason | None]]:
    with desk.session() as session:
        rows = session.scalars(select(TrunkState)).all()
        return {(row.owner, row.trunk): (row.standing, row.reason) for row in rows}


def test_each_process_says_how_it_finds_its_trunks(desk: Desk) -> None:
    up, aside, why = TrunkStanding.UP, TrunkStanding.ASIDE, TrunkReason.UNAVAILABLE
    tell_trunks(desk.ctx, US, [told(desk, "a", up), told(desk, "b", aside, why, news=True)], desk.now)
    tell_trunks(desk.ctx, OTHERS, [told(desk, "a", up)], desk.now)
    assert states(desk) == {(US, "a"): (up, None), (US, "b"): (aside, why), (OTHERS, "a"): (up, None)}
    tell_trunks(desk.ctx, US, [told(desk, "a", up), told(desk, "b", aside, why)], desk.now)
    with desk.session() as session:
        (alarm,) = session.scalars(select(Alarm))
        assert (alarm.kind, alarm.subject, alarm.times) == ("trunk_aside", "b", 1)  # once, while it stays so
        assert alarm.detail == {"why": "unavailable", "sip_status": 503}
    tell_trunks(desk.ctx, US, [told(desk, "a", up)], desk.now)  # the settings have b no more
    assert set(states(desk)) == {(US, "a"), (OTHERS, "a")}
    forget_trunks(desk.ctx, US)
    assert set(states(desk)) == {(OTHERS, "a")}


def test_the_word_of_a_dead_process_goes(desk: Desk) -> None:
    tell_trunks(desk.ctx, OTHERS, [told(desk, "a", TrunkStanding.ASIDE, TrunkReason.SILENT)], desk.now)
    with desk.ctx.sessions.begin() as session:
        session.execute(update(TrunkState).values(until=desk.now - timedelta(days=1)))
    tell_trunks(desk.ctx, US, [told(desk, "a", TrunkStanding.UP)], desk.now)
    assert set(states(desk)) == {(US, "a")}
