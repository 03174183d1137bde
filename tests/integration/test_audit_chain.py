"""The audit's chain in the database: linked by one at a time, tampered with past the triggers, verified."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

import app
from callbacks.alarms import AlarmKind
from callbacks.audit_chain import GENESIS
from callbacks.audit_faults import FaultKind
from callbacks.audit_verify import count_waiting, last_link, verify_audit
from callbacks.models import Audit, AuditLink
from callbacks.models_office import Alarm
from callbacks.privacy import Privacy
from callbacks.service.audit_checks import check_due, last_check
from callbacks.service.audit_links import link_all, link_audit
from callbacks.service.core import Context, audit
from callbacks.settings import PolicySettings
from tests.integration.test_cli import OFFICE, run

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LONG_AGO = "2026-11-01 02:00:00.000000"


@pytest.fixture
def ctx(sessions: sessionmaker[Session], privacy: Privacy) -> Context:
    return Context(sessions, PolicySettings(), app.EXAMPLE_OFFICE, privacy)


def write(ctx: Context, number: int) -> None:
    def work(session: Session) -> None:
        for each in range(number):
            audit(session, NOW + timedelta(seconds=each), "head", "pause", f"pause:{each}", 因=each)

    ctx.run(work)


def drain(ctx: Context) -> None:
    while link_audit(ctx, NOW, 3) == 3:
        pass


@contextmanager
def past_the_triggers(engine: Engine) -> Iterator[Connection]:
    """As somebody who owns the database."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.execute("PRAGMA foreign_keys=OFF")
            for table in ("audit", "audit_link"):
                for verb in ("update", "delete"):
                    connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{verb}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        yield connection
        connection.commit()
        if engine.dialect.name == "sqlite":
            raw.execute("PRAGMA foreign_keys=ON")
        else:
            connection.exec_driver_sql("SET session_replication_role = origin")
            connection.commit()


TAMPERINGS = [
    # (what is done, the first fault: kind, line, link)
    (["UPDATE audit SET subject = 'pause:99' WHERE id = 4"], FaultKind.ALTERED, 4, 4),
    (["UPDATE audit_link SET hash = previous WHERE seq = 4"], FaultKind.ALTERED, 4, 4),
    (["DELETE FROM audit WHERE id = 4"], FaultKind.MISSING, 4, 4),
    # with its link, and the hole closed
    (
        [
            "DELETE FROM audit_link WHERE seq = 4",
            "DELETE FROM audit WHERE id = 4",
            "UPDATE audit_link SET seq = seq + 100 WHERE seq > 4",
            "UPDATE audit_link SET seq = seq - 101 WHERE seq > 100",
        ],
        FaultKind.MISSING,
        None,
        4,
    ),
    # a deed dated back, which nobody has linked yet
    (
        [
            "INSERT INTO audit (id, at, actor, action, subject, detail) "
            f"VALUES (50, '{LONG_AGO}+00', 'head', 'pause', 'pause:1', '{{}}')"
        ],
        FaultKind.INSERTED,
        50,
        None,
    ),
    # two lines change places, by their ids
    (
        [
            "UPDATE audit SET id = 1004 WHERE id = 4",
            "UPDATE audit SET id = 4 WHERE id = 6",
            "UPDATE audit SET id = 6 WHERE id = 1004",
        ],
        FaultKind.MOVED,
        4,
        4,
    ),
    # and by their links
    (
        [
            "UPDATE audit_link SET seq = 1004 WHERE seq = 4",
            "UPDATE audit_link SET seq = 4 WHERE seq = 6",
            "UPDATE audit_link SET seq = 6 WHERE seq = 1004",
        ],
        FaultKind.MOVED,
        4,
        6,
    ),
]


@pytest.mark.parametrize(("done", "kind", "line", "place"), TAMPERINGS)
def test_tampering_is_named(
    ctx: Context, engine: Engine, done: list[str], kind: FaultKind, line: int | None, place: int | None
) -> None:
    write(ctx, 8)
    drain(ctx)
    with ctx.sessions() as session:
        assert verify_audit(session).fault is None
    with past_the_triggers(engine) as connection:
        for statement in done:
            if engine.dialect.name == "sqlite":
                statement = statement.replace("+00'", "'")
            connection.exec_driver_sql(statement)
    with ctx.sessions() as session:
        verdict = verify_audit(session)
        bounded = verify_audit(session, newest=7)
    assert verdict.fault is not None
    assert (verdict.fault.kind, verdict.fault.audit_id, verdict.fault.seq) == (kind, line, place)
    assert bounded.fault is not None


def test_a_line_committed_late_is_linked_later(ctx: Context) -> None:
    write(ctx, 2)
    drain(ctx)
    with ctx.sessions.begin() as session:
        session.add(Audit(id=10, at=NOW, actor="head", action="pause", subject="a", detail={}))
    drain(ctx)
    with ctx.sessions.begin() as session:
        session.add(Audit(id=9, at=NOW, actor="head", action="pause", subject="b", detail={}))
    with ctx.sessions() as session:
        assert (verify_audit(session).waiting, count_waiting(session)) == (1, 1)
    drain(ctx)
    with ctx.sessions() as session:
        order = list(session.scalars(select(AuditLink.audit_id).order_by(AuditLink.seq)))
        assert order == [1, 2, 10, 9]
        assert verify_audit(session).fault is None


def test_two_linkers_at_once_make_one_chain(ctx: Context) -> None:
    write(ctx, 60)
    faults: list[BaseException] = []

    def link() -> None:
        try:
            drain(ctx)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=link) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    with ctx.sessions() as session:
        verdict = verify_audit(session)
        assert (verdict.verified, verdict.waiting, verdict.fault) == (60, 0, None)


def test_a_transaction_links_its_own_lines_or_none(ctx: Context) -> None:
    with ctx.sessions.begin() as session:
        audit(session, NOW, "head", "publish_month", "month:2026-10")
        head = link_all(session, NOW)
    with ctx.sessions() as session:
        assert last_link(session) == (1, head)
    undone = ctx.sessions()
    audit(undone, NOW, "head", "publish_month", "month:2026-11")
    assert link_all(undone, NOW) != head
    undone.rollback()
    undone.close()
    with ctx.sessions() as session:
        assert last_link(session) == (1, head)


def test_the_nightly_verification_is_kept_and_raises_an_alarm(
    ctx: Context, engine: Engine, read_sessions: sessionmaker[Session]
) -> None:
    write(ctx, 5)
    drain(ctx)
    assert check_due(ctx, read_sessions, NOW)
    assert not check_due(ctx, read_sessions, NOW + timedelta(hours=1))
    with ctx.sessions() as session:
        check = last_check(session)
        assert check is not None
        assert (check.verified, check.whole, check.fault) == (5, True, "")
    with past_the_triggers(engine) as connection:
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE id = 2")
    assert check_due(ctx, read_sessions, NOW + timedelta(days=1))
    with ctx.sessions() as session:
        check = last_check(session)
        alarm = session.scalars(select(Alarm)).one()
        assert check is not None
        assert (check.fault, check.line, check.link) == ("altered", 2, 2)
        assert (alarm.kind, alarm.detail["line"]) == (AlarmKind.AUDIT_BROKEN, 2)


def test_the_command(database_url: str, tmp_path: Path, ctx: Context, engine: Engine) -> None:
    path = tmp_path / "city.toml"
    path.write_text(f'{OFFICE}[database]\nurl = "{database_url}"\nkey_file = "{tmp_path}/h.key"\n')
    assert run("--config", path, "audit", "head").output.splitlines()[0] == GENESIS
    write(ctx, 4)
    drain(ctx)
    write(ctx, 1)
    with ctx.sessions() as session:
        head = last_link(session)[1]
        assert session.scalar(select(func.count()).select_from(AuditLink)) == 4
    right = run("--config", path, "audit", "verify", "--head", head)
    assert right.output.splitlines() == ["4 lines verified, 1 not linked yet", f"head {head}", "right"]
    other = run("--config", path, "audit", "verify", "--head", "f" * 64)
    assert (other.exit_code, other.output.splitlines()[-1][:30]) == (1, "missing: the chain doesn't con")
    assert run("--config", path, "audit", "verify", "--head", "nope").exit_code == 2
    with past_the_triggers(engine) as connection:
        connection.exec_driver_sql("UPDATE audit SET action = 'login' WHERE id = 3")
    wrong = run("--config", path, "audit", "verify", "--json")
    assert wrong.exit_code == 1
    told = json.loads(wrong.output)
    assert (told["verified"], told["fault"]["kind"], told["fault"]["line"]) == (2, "altered", 3)
