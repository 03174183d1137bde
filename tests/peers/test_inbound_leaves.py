"""Callers who leave: while they wait, and at the very moment when somebody picks up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callbacks.database import make_engine, make_read_sessions
from callbacks.inbound_figures import Outcome, read_figures
from scoring.queries_inbound import read_inbound
from tests.peers.inbound_world import picks_up_too_late, the_world
from tests.peers.sipp import pause
from tests.peers.sipp_crowd import TAKEN, invite, the_caller
from tests.peers.test_inbound_sipp import until

RINGING = '<recv response="180"/>'
# The ACK to a failure is of the INVITE's transaction, six messages before it (RFC 3261 §17.1.1.3).
NOT_UP = '<recv response="487"/>'


def cancels(caller: str) -> tuple[str, ...]:
    """Hangs up while it rings."""
    side = the_caller(caller)
    acknowledged = side.request("ACK", 1).replace("[branch]", "[branch-6]")
    acknowledged = acknowledged.replace("[next_url]", "sip:[service]@[remote_ip]:[remote_port]")
    return (
        invite(caller),
        RINGING,
        pause(200),
        side.cancel(),
        '<recv response="200"/>',
        NOT_UP,
        acknowledged,
    )


def cancels_too_late(caller: str) -> tuple[str, ...]:
    """Hangs up when our 200 is on its way: it's up all the same, so it's acknowledged and ended (§9.1)."""
    side = the_caller(caller)
    ended = (side.request("ACK", 1), side.bye())
    return (invite(caller), RINGING, TAKEN, side.cancel(), '<recv response="200"/>', *ended)


@pytest.mark.timeout(120)
def test_who_leaves_frees_the_telephone_and_is_on_the_desks_page(tmp_path: Path) -> None:
    settings = {"ring_time": 1, "rest": 1, "t1": 0.2, "t2": 0.8}
    since = datetime.now(UTC) - timedelta(hours=1)
    with the_world(tmp_path, picks_up_too_late(3), **settings) as world:
        world.call(*cancels("1380001")).ended_well()
        world.until_over(1)
        # The telephone picks up when its time is over; this caller waits, and goes as it's rung again.
        waits = world.stay(caller="1380002")
        until(lambda: world.telephones[0].calls == 3)
        waits.go_on()
        waits.ended_well()
        world.until_over(2)
        world.call(*cancels_too_late("1380003")).ended_well()
        world.until_over(3)
        talks = world.stay(caller="1380004")
        world.until_talking(2)
        waits = world.stay(caller="1380005")  # nobody being free
        world.until_waiting(2)
        for each in (waits, talks):
            each.go_on()
            each.ended_well()
        calls = world.until_over(5)
    kept = [(c.queued_at is not None, c.talked_at is not None, c.target, len(c.legs)) for c in calls]
    assert kept == [
        (False, False, None, 1),
        (True, False, None, 2),
        (False, True, "seat-1", 1),
        (False, True, "seat-1", 1),
        (True, False, None, 0),
    ]
    assert {call.ended_by for call in calls} == {"caller"}
    seen = world.seen()
    telephone = world.telephones[0]
    assert "unexpected" not in telephone.faults
    byes = [each for each in seen if each.line.startswith("BYE") and each.target == telephone.port]
    assert len(byes) == telephone.calls == 5  # whoever picked up was told that nobody is there any more
    engine = make_engine(world.url)
    with make_read_sessions(engine)() as session:
        page, figures = read_inbound(session, since), read_figures(session, since)
    engine.dispose()
    assert [call.id for call in page.given_up] == [calls[at].id for at in (0, 1, 4)]
    assert (page.waiting, page.talking, page.came) == (0, 0, 5)
    assert figures.outcomes == {Outcome.IN_TIME: 2, Outcome.GAVE_UP: 3}
