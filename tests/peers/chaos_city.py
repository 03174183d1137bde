"""A running city whose roles are killed at random moments: what it is made of, what must hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import app
import callbacks
from callbacks.database import make_engine, make_read_sessions
from callbacks.ledger import read_ledger
from callbacks.models import Attempt, Callback, Rating, Reply, TextMessage
from callbacks.privacy import load_or_create
from callbacks.service.core import BY_TELEPHONE
from callbacks.states import OPEN
from callbacks.stopping import PARENT_FD
from callbacks.vocabulary import Disposition
from tests.peers.chaos_agents import (
    TARGETS,
    Agents,
    calls_that_never_ended,
    held_lines,
    uncounted_unknowns,
)

PRESET = Path(callbacks.__file__).parent / "demo.toml"
UNITS = PRESET.parent / "samples" / "units.csv"
ROLES = ("voice", "sms", "clock")
LEASE = timedelta(seconds=3)  # the preset's
UNKNOWN_REST = timedelta(seconds=10)  # the preset's


@dataclass
class Chaos:
    """A city in `folder`, its log files and its roles."""

    folder: Path
    seed: int
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.environment = {
            **os.environ,
            "HUIFANG_CONFIG": str(PRESET),
            "HUIFANG_DATABASE__URL": f"sqlite:///{self.folder}/huifang.db",
            "HUIFANG_DATABASE__KEY_FILE": str(self.folder / "huifang.key"),
            "HUIFANG_SMSC__LOG_FILE": str(self.smsc_log),
            "HUIFANG_CITY__LOG_FILE": str(self.trunk_log),
            "HUIFANG_CITY__LINES": "1000",  # a killed role leaves its calls up at the far end
            "HUIFANG_CITY__RTP_PORT_MIN": "12000",  # its own: another test's city may be up beside it
            "HUIFANG_CITY__RTP_PORT_MAX": "14999",
            "HUIFANG_CITY__PORT": "0",
            "HUIFANG_SMSC__PORT": "0",
            "HUIFANG_VOICE__SIP_PORT": "0",
            "HUIFANG_CITY__SILENT_FOR": "4",  # so long an agent and a citizen talk
            "HUIFANG_POLICY__ROUND_DEADLINE": "PT45S",
            "HUIFANG_TARGETS": json.dumps({name: each.model_dump() for name, each in TARGETS.items()}),
        }
        self.roles: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def smsc_log(self) -> Path:
        return self.folder / "smsc.jsonl"

    @property
    def trunk_log(self) -> Path:
        return self.folder / "trunk.jsonl"

    @contextmanager
    def running(self) -> Iterator[None]:
        """City and roles; all end with us, however we end."""
        read_end, write_end = os.pipe()
        self._read_end = read_end
        self.environment[PARENT_FD] = str(read_end)
        city = self._start("city", stdout=subprocess.PIPE)
        try:
            assert city.stdout is not None
            self._find_city(json.loads(city.stdout.readline()))
            self.command("import-units", str(UNITS))
            for role in ROLES:
                self.start(role)
            yield
        finally:
            for process in (*self.roles.values(), city):
                process.terminate()
            for process in (*self.roles.values(), city):
                process.wait(30)
            os.close(write_end)
            os.close(read_end)
            if city.stdout is not None:
                city.stdout.close()

    def _find_city(self, ports: dict[str, int]) -> None:
        gateway = {"kind": "smpp", "port": ports["smsc"], "reconnect_first": 0.2, "reconnect_longest": 1}
        trunk = {"name": "city", "host": "127.0.0.1", "port": ports["trunk"], "lines": 40}
        trunk |= {"calls_per_second": 20, "caller_number": "037963110110"}
        self.environment["HUIFANG_SMS__GATEWAYS"] = json.dumps([gateway])
        self.environment["HUIFANG_VOICE__TRUNKS"] = json.dumps([trunk])

    def _start(self, *arguments: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[-1]}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "app", *arguments],
                env=self.environment,
                stdout=stdout,
                stderr=log,
                pass_fds=[self._read_end],
                start_new_session=True,
            )

    def start(self, role: str) -> None:
        self.roles[role] = self._start("serve", "--role", role)

    def kill(self) -> None:
        """One of the roles, now; another process takes its place at once."""
        role = self.random.choice(ROLES)
        os.kill(self.roles[role].pid, signal.SIGKILL)
        self.roles[role].wait()
        self.kills[role] += 1
        self.start(role)

    def command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "app", *arguments]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=60)

    def close_cases(self, numbers: Sequence[int]) -> None:
        """Cases that are closed now, each with a citizen who goes by the last two digits of the number."""
        now = datetime.now(UTC)
        path = self.folder / f"cases-{numbers[0]}.jsonl"
        path.write_text("".join(json.dumps(self._case(number, now)) + "\n" for number in numbers))
        self.command("import-cases", str(path))

    @contextmanager
    def agents(self) -> Iterator[Agents]:
        """The people at the desk, who write to the same database."""
        with patch.dict(os.environ, self.environment):
            office = app.open_office(app.load_settings(PRESET))
        yield Agents(office.context)
        office.close()

    def _case(self, number: int, now: datetime) -> dict[str, Any]:
        units = [line.split(",")[0] for line in UNITS.read_text(encoding="utf-8").splitlines()[1:]]
        texts_back = self.random.choice("000112345678")  # half of them are called
        phone = f"138{number:06}{texts_back}{self.random.randrange(10)}"
        return {
            "number": f"C{number:05}",
            "source_channel": "phone",
            "category": "water",
            "lead_unit": units[number % len(units)],
            "accepted_at": (now - timedelta(days=2)).isoformat(),
            "closed_at": (now - timedelta(seconds=1)).isoformat(),
            "citizen_phone": phone,
            "sensitive": number % 3 == 0,  # a person calls
        }

    def engine(self) -> Engine:
        return make_engine(self.environment["HUIFANG_DATABASE__URL"])

    def wait_until_all_have_ended(self, engine: Engine, agents: Agents, seconds: float) -> int:
        """How many callbacks are still open, and lines in use, when the time is over."""
        deadline, left = time.monotonic() + seconds, -1
        query = select(func.count()).where(Callback.state.in_(OPEN))
        while time.monotonic() < deadline and left != 0:
            agents.work_for(0.5)
            with suppress(OperationalError), make_read_sessions(engine)() as session:
                left = (session.scalar(query) or 0) + len(held_lines(session))
        return left


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# -- what must hold


def wrong_with(chaos: Chaos, session: Session) -> list[str]:
    """Everything that the kills broke; nothing, it is to be hoped."""
    ledger = read_ledger(session)
    wrong = [] if ledger.balanced else [f"ledger: {breach}" for breach in ledger.breaches] or ["ledger"]
    if ledger.coverage != 1.0:
        wrong.append(f"coverage {ledger.coverage}")
    counted = Counter(session.scalars(select(Rating.callback_id).where(Rating.counted)))
    wrong += [f"callback {one}: {number} counted ratings" for one, number in counted.items() if number > 1]
    wrong += redialled_too_soon(session)
    wrong += calls_that_never_ended(session)
    wrong += uncounted_unknowns(session)
    wrong += called_without_a_row(chaos, session)
    wrong += lost_replies(chaos, session)
    wrong += texts_sent_twice(chaos, session)
    return wrong


def redialled_too_soon(session: Session) -> list[str]:
    """After an attempt that may have rung unseen, its number rests, whichever process or person asks."""
    begun = select(Attempt).where(Attempt.channel.in_(BY_TELEPHONE), Attempt.invited_at.is_not(None))
    by_number: dict[str | None, list[Attempt]] = defaultdict(list)
    for attempt in session.scalars(begun.order_by(Attempt.invited_at)):
        by_number[attempt.number_index].append(attempt)
    wrong = []
    for attempts in by_number.values():
        for lost in (each for each in attempts if each.disposition is Disposition.UNKNOWN):
            assert lost.invited_at is not None
            later = [a.invited_at for a in attempts if a.invited_at and a.invited_at > lost.invited_at]
            if later and later[0] - lost.invited_at < UNKNOWN_REST:
                wrong.append(f"attempt {lost.id}: called again after {later[0] - lost.invited_at}")
    return wrong


def called_without_a_row(chaos: Chaos, session: Session) -> list[str]:
    """No telephone rang of which the table knows nothing: `invited_at` is committed before the INVITE."""
    privacy = load_or_create(Path(chaos.environment["HUIFANG_DATABASE__KEY_FILE"]))
    desks = {target.number for target in TARGETS.values()}
    rang = Counter(privacy.index(each["to"]) for each in records(chaos.trunk_log) if each["to"] not in desks)
    told = Counter(
        session.scalars(
            select(Attempt.number_index).where(
                Attempt.channel.in_(BY_TELEPHONE), Attempt.invited_at.is_not(None)
            )
        )
    )
    return [
        f"number {index}: rang {n} times, {told[index]} told" for index, n in rang.items() if n > told[index]
    ]


def lost_replies(chaos: Chaos, session: Session) -> list[str]:
    """The SMSC's own log: what it delivered, and again until it was acknowledged, is in the table."""
    privacy = load_or_create(Path(chaos.environment["HUIFANG_DATABASE__KEY_FILE"]))
    log = records(chaos.smsc_log)
    acknowledged = {record["delivery"] for record in log if record["kind"] == "ack"}
    sent = [record for record in log if record["kind"] == "mo"]
    stored = Counter((row[0], row[1]) for row in session.execute(select(Reply.number_index, Reply.body)))
    wrong = [
        f"delivery {each['delivery']} was never acknowledged"
        for each in sent
        if each["delivery"] not in acknowledged
    ]
    meant = Counter((privacy.index(each["from"]), each["text"]) for each in sent)
    for key, number in meant.items():
        if stored[key] != number:
            wrong.append(f"{key[1]!r}: sent {number} times, stored {stored[key]}")
    return wrong


def texts_sent_twice(chaos: Chaos, session: Session) -> list[str]:
    """A text may be lost with its process; it may not reach a citizen twice."""
    privacy = load_or_create(Path(chaos.environment["HUIFANG_DATABASE__KEY_FILE"]))
    left = Counter(
        (privacy.index(record["to"]), record["text"])
        for record in records(chaos.smsc_log)
        if record["kind"] == "submit" and record["part"] == 1
    )
    queued = Counter(
        (row[0], row[1]) for row in session.execute(select(TextMessage.number_index, TextMessage.body))
    )
    wrong = []
    for (number, text), times in left.items():
        rows = sum(n for (index, body), n in queued.items() if index == number and body.startswith(text))
        if times > rows:
            wrong.append(f"{text[:20]!r} reached {number} {times} times, queued {rows}")
    return wrong
