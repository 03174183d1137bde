"""A saved policy: checked, numbered, of two one refused, and taken up by whoever is at work."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from callbacks.commands.policy import command
from callbacks.models import Audit
from callbacks.models_office import Pause, PauseScope, PolicyVersion
from callbacks.open_callbacks import snapshot
from callbacks.policy_toml import PolicyRefused, read_policy, write_policy
from callbacks.preflight_run import forecast
from callbacks.privacy import Privacy
from callbacks.service.core import Context
from callbacks.service.policy_versions import (
    NewPolicy,
    PolicyChanged,
    PolicyUnreadable,
    PolicyWatch,
    list_versions,
    newest_policy,
    refresh_policy,
    save_policy,
    watching_policy,
)
from callbacks.settings import PolicySettings
from callbacks.states import State
from tests.integration.office import LANDLINE, MOBILE, Desk, make_desk

STOCK = PolicySettings()


@pytest.fixture
def desk(sessions: sessionmaker[Session], privacy: Privacy) -> Desk:
    return make_desk(sessions, privacy, STOCK)


def wanted(body: str = "[policy]\nattempts_per_round = 2\n", instead_of: int = 0, **more: str) -> NewPolicy:
    return NewPolicy(body, more.get("reason", "试行两次"), more.get("by", "head"), instead_of)


def save(desk: Desk, new: NewPolicy) -> int:
    return save_policy(desk.ctx, new, "cn3", desk.now).number


def test_a_version_holds_at_once_here_and_after_a_look_elsewhere(desk: Desk) -> None:
    other = replace(desk.ctx)  # another role of the same office
    assert save(desk, wanted()) == 1
    assert desk.ctx.policy.attempts_per_round == 2 and desk.ctx.policy_version == 1
    assert other.policy.attempts_per_round == 3
    assert refresh_policy(other) and not refresh_policy(other)
    assert other.policy == desk.ctx.policy
    assert newest_policy(desk.ctx.sessions, STOCK) == (desk.ctx.policy, 1)
    with desk.session() as session:
        [version] = list_versions(session)
        assert (version.by, version.reason, version.at) == ("head", "试行两次", desk.now)
        # the whole section is kept: a later stock value changes nothing
        assert version.body == write_policy(PolicySettings(attempts_per_round=2))
        [audited] = session.scalars(select(Audit).where(Audit.action == "save_policy"))
        assert (audited.actor, audited.subject) == ("head", "policy:1")
        assert audited.detail == {"keys": ["attempts_per_round"]}


def test_the_second_who_changes_the_same_version_is_refused(desk: Desk) -> None:
    save(desk, wanted())
    with pytest.raises(PolicyChanged, match="version 1 was saved meanwhile"):
        save(desk, wanted("[policy]\ntexts = false\n", instead_of=0, by="other"))
    with pytest.raises(PolicyChanged):  # one that isn't there yet
        save(desk, wanted(instead_of=5))
    assert desk.ctx.policy.texts
    assert save(desk, wanted("[policy]\ntexts = false\n", instead_of=1)) == 2


def test_of_two_at_the_same_instant_one_is_kept(desk: Desk) -> None:
    ready, told = threading.Barrier(2), []

    def run(by: str) -> None:
        ctx = replace(desk.ctx)
        ready.wait(10)
        try:
            told.append(save_policy(ctx, wanted(by=by), "cn3", desk.now).number)
        except PolicyChanged as error:
            told.append(-error.newest)

    threads = [threading.Thread(target=run, args=(by,)) for by in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(told) == [-1, 1]


# what is wrong, and how it's told
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('[policy]\nscale = "cn5"\n', "policy.scale: cn5, but the survey asks on cn3"),
        ('[policy.windows]\ntimezone = "Asia/Urumqi"\n', "policy.windows.timezone: Asia/Urumqi, but"),
        ("[policy.caps]\nper_day = 0\n", "policy.caps.per_day: Input should be greater than or equal to 1"),
        ("[policy]\nreply_wiat = 3\n", "policy.reply_wiat: there is no such key; perhaps reply_wait"),
        ('[policy]\nlease = "-PT1S"\n', "policy.lease: "),
        ("[office]\nname = 1\n", "there is no [policy] section"),
        ("[policy\n", "line 1"),
        (
            "[policy.windows]\nvoice = []\nvoice_holiday = []\n[policy.windows.weekday]\n"
            "sat = { voice = [] }\nsun = { voice = [] }\n",
            "policy.windows.voice: these leave no time at all",
        ),
    ],
)
def test_what_cant_be_is_refused_with_its_key(desk: Desk, body: str, said: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        save(desk, wanted(body))
    assert said in str(refused.value)
    assert desk.ctx.policy_version == 0


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "a\nb"])
def test_without_a_reason_nothing_is_saved(desk: Desk, reason: str) -> None:
    with pytest.raises(PolicyRefused, match="reason"):
        save(desk, wanted(reason=reason))


def test_who_is_at_work_looks_now_and_then_and_lives_through_what_it_cant_read(desk: Desk) -> None:
    clock = [0.0]
    other = replace(desk.ctx)
    watch = PolicyWatch(other, 2.0, lambda: clock[0])
    save(desk, wanted())
    watch()
    assert other.policy_version == 0  # no question yet
    clock[0] = 2.5
    watch()
    assert other.policy_version == 1
    with desk.ctx.sessions.begin() as session:  # a later program's key
        row = {"id": 2, "body": "[policy]\nx = 1\n", "by": "b", "reason": "r", "at": desk.now}
        session.execute(insert(PolicyVersion).values(**row))
    clock[0] = 5.0
    watch()
    assert other.policy_version == 1 and other.policy.attempts_per_round == 2
    with pytest.raises(PolicyUnreadable, match=r"policy version 2: policy\.x: there is no such key"):
        refresh_policy(other)
    assert newest_policy(desk.ctx.sessions, STOCK) == (STOCK, 0)  # a role then refuses to start
    assert save(desk, wanted(instead_of=2)) == 3  # and this is how it's mended


def test_a_role_without_turns_has_a_thread_that_looks(desk: Desk) -> None:
    desk_role = replace(desk.ctx)
    with watching_policy(desk_role, 0.01):
        save(desk, wanted())
        until = time.monotonic() + 10
        while desk_role.policy_version == 0 and time.monotonic() < until:
            time.sleep(0.01)
    assert desk_role.policy == desk.ctx.policy


def test_a_new_policy_decides_of_what_is_open(desk: Desk) -> None:
    """Texts on: a mobile waits for its text; off: it's called."""
    ctx = desk.ctx
    callback = desk.close(MOBILE)
    save(desk, wanted("[policy]\ntexts = false\n"))
    desk.later(hours=2)
    desk.plan()
    assert desk.state(callback) is State.CALL_QUEUED
    assert ctx.policy_version == 1


# -- what a preflight is given


def test_the_snapshot_is_what_the_service_sees(desk: Desk) -> None:
    """Called once, then forecast: the number's and the round's history count."""
    desk.now = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)  # Monday, two in the afternoon
    desk.close(MOBILE)
    first = desk.close(LANDLINE)
    desk.later(hours=2)
    desk.plan()
    [call] = desk.claim()
    with desk.session() as session:
        seen = snapshot(desk.ctx, session, desk.now)
        half = snapshot(desk.ctx, session, desk.now, lines=7, most=1)
    states = {each.id: each.view.state for each in seen.waiting}
    assert states == {call.cases[0].callback_id: State.DIALING, first - 1: State.SMS_QUEUED}
    assert (seen.lines, seen.open_in_all, seen.share) == (5, 2, 1.0)
    assert half.lines == 7 and len(half.waiting) <= 2 and half.open_in_all == 2
    found = forecast(seen, desk.ctx.policy)
    assert sum(found.outcomes.values()) == 2 and found.texts == 1


# -- the command line


@dataclass
class Line:
    """A command line on a database."""

    ctx: Context

    def policy(self) -> PolicySettings:
        return self.ctx.policy

    def survey_scale(self) -> str:
        return "cn3"

    def with_context(self, work: Callable[[Context], Any]) -> Any:
        return work(self.ctx)

    def __call__(self, *words: object) -> Result:
        return CliRunner().invoke(command(), [str(word) for word in words], obj=self, catch_exceptions=False)


@pytest.fixture
def line(desk: Desk) -> Line:
    return Line(desk.ctx)


def test_the_command_line_shows_checks_saves_and_shows_again(line: Line, tmp_path: Path) -> None:
    shown = line("show").output
    assert shown.startswith("# version 0: the settings' own\n") and read_policy(shown) == STOCK
    assert json.loads(line("schema").output)["properties"]["scale"]["enum"] == ["cn3", "cn5"]
    file = tmp_path / "policy.toml"
    file.write_text(shown.replace("per_day = 2", "per_day = 0").replace("cases_per_call", "case_per_call"))
    wrong = line("check", file)
    assert wrong.exit_code == 1
    assert f"{file}: policy.caps.per_day: " in wrong.output and "e.g. per_day = 2" in wrong.output
    assert f"{file}: policy.case_per_call: there is no such key; perhaps cases_per_call" in wrong.output
    file.write_text(shown.replace("per_day = 2", "per_day = 1"))
    assert line("check", file).output == "the policy is right\n"
    assert line("save", file, "--reason", "少打扰", "--by", "主任").output == "version 1 holds\n"
    late = line("save", file, "--reason", "x", "--by", "y", "--instead-of", "0")
    assert late.exit_code == 1 and "version 1 was saved meanwhile" in late.output
    assert "主任: 少打扰" in line("show").output and line.ctx.policy.caps.per_day == 1


def test_the_preflight_on_the_command_line(line: Line, desk: Desk, tmp_path: Path) -> None:
    desk.now = datetime.now(UTC)
    desk.close(LANDLINE)
    file = tmp_path / "policy.toml"
    file.write_text("[policy]\nattempts_per_round = 1\n")
    found = json.loads(line("preflight", file, "--json", "--lines", "2").output)
    assert found["open"] == 1 and found["lines"] == 2
    assert found["then"]["calls"] <= found["now"]["calls"]
    assert "would be" in line("preflight", file).output
    file.write_text("[policy]\nx = 1\n")
    assert line("preflight", file).exit_code == 1


def test_explain_tells_each_decision_and_the_past(line: Line, desk: Desk) -> None:
    desk.close(LANDLINE)
    desk.close(LANDLINE)
    desk.later(hours=2)
    desk.plan()
    with desk.ctx.sessions.begin() as session:
        pause = Pause(scope=PauseScope.ALL, reason="群众13803790001要求", by="head", at=desk.now)
        pause.until = desk.now + timedelta(hours=20)
        session.add(pause)
    at = "2026-11-23T14:00"
    said = line("explain", "110-0001", "--at", at).output
    for part in (
        "110-0001 closing 1, round 1: call queued since 2026-11-23 14:00",
        "number ****0001: landline",
        "attempts of the round: 0 of 3 used, 3 left",
        'pause: holds to 2026-11-23 14:05; "群众138****0001要求" until 2026-11-24 10:00',
        "by what is known now, at 2026-11-24 10:00 at the earliest",
        "asked in the same call: 110-0002",
        "call: pending → call queued",
    ):
        assert part in said
    chinese = line("explain", "110-0001", "--at", at, "--lang", "zh-CN").output
    assert "同一次电话一并询问：110-0002" in chinese and "下一步：打电话给****0001" in chinese
    found = json.loads(line("explain", "110-0001", "--at", at, "--json").output)["callbacks"][0]
    assert found["now"]["step"]["step"] == "call" and found["now"]["gate"]["answer"]["reason"] == "pause"
    assert found["together"] == ["110-0002"] and found["past"][0]["trigger"] == "call"


def test_a_case_that_isnt_there_and_a_time_that_isnt_one(line: Line) -> None:
    missing = line("explain", "110-9999")
    assert missing.exit_code == 1 and "no case has the number '110-9999'" in missing.output
    assert line("explain", "110-9999", "--at", "noon").exit_code == 2
