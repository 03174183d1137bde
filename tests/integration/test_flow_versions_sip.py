"""A flow is replaced while a call is up: that call keeps its version, the next one has the new."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from callbacks.models import Attempt, AttemptState, Rating
from ivr.flow_load import FLOWS
from ivr.flow_shelf import FolderShelf
from ivr.script_watch import ScriptWatch
from prompts.catalogue import load_catalogue
from tests.integration.office import LANDLINE, make_desk
from tests.integration.test_agent_calls_sip import serving, trunk  # noqa: F401 (a fixture)
from tests.phones import Phone, Trunk

OTHER = "037963110002"
SURVEY = (FLOWS / "satisfaction_survey.toml").read_text()
# The new one asks for nothing after the rating.
SHORTER = SURVEY.replace('version = "3"', 'version = "short.1"').replace(
    'silent = { next = "q_resolved" }\ninvalid = { next = "q_resolved" }',
    'silent = { next = "case_over" }\ninvalid = { next = "case_over" }',
)


def test_a_call_keeps_the_version_that_it_began_with(
    sessions,
    privacy,
    trunk: Trunk,  # noqa: F811
    tmp_path: Path,
) -> None:
    desk = make_desk(sessions, privacy)
    shelf = FolderShelf(tmp_path / "flows")
    watch = ScriptWatch(shelf, "satisfaction_survey", load_catalogue(), "zh-CN")
    trunk.on_invite = lambda phone: phone.answer()

    def attempts() -> dict[str, AttemptState]:
        with desk.session() as session:
            rows = session.scalars(select(Attempt).order_by(Attempt.id))
            return {f"{row.id} {row.flow} {row.flow_version}": row.state for row in rows}

    def asked(phone: Phone) -> bool:
        """Somebody speaks to them."""
        return any(voice != b"\xd5" * 160 for voice in phone.voice)

    desk.close(LANDLINE)
    desk.plan()
    with serving(desk, trunk, tmp_path / "spool", look_for_script=watch):
        trunk.until(lambda: LANDLINE in trunk.phones and asked(trunk.phones[LANDLINE]))
        shelf.replace("satisfaction_survey", SHORTER.encode())
        desk.close(OTHER)
        desk.plan()
        trunk.until(lambda: OTHER in trunk.phones and asked(trunk.phones[OTHER]))
        trunk.until(lambda: list(attempts().values()) == [AttemptState.TALKING] * 2)
        turns = 0

        def press() -> None:
            nonlocal turns
            turns += 1
            for phone in (trunk.phones[LANDLINE], trunk.phones[OTHER]):
                if phone.talks and turns % 100 == 99:
                    phone.press("1")

        trunk.until(lambda: set(attempts().values()) == {AttemptState.ENDED}, press)
    with desk.session() as session:
        solved = [row.resolved for row in session.scalars(select(Rating).order_by(Rating.callback_id))]
    assert list(attempts()) == ["1 satisfaction_survey 3", "2 satisfaction_survey short.1"]
    assert solved == [True, None]  # asked in the first call alone
