"""Texts through the whole worker beside smpplib alone on a like connection, and replies to counted ratings.

One run, both sides against the simulated city's SMSC in a process of its own (`make bench-sms`):

- submits: row, claim, submit, answer stored, receipt stored and acknowledged; beside smpplib's client, which
  only sends, reads and acknowledges, with the same window. Goal: over half of its rate.
- replies: 100 a second for 30 s, from the SMSC's deliver_sm to its acknowledgement, which follows the commit
  of the counted rating. Goal on PostgreSQL: p99 under 200 ms.

CPU is that of the thread that sends; PostgreSQL's own and the SMSC's aren't in it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import smpplib.client  # noqa: E402
import smpplib.consts  # noqa: E402
import structlog  # noqa: E402
from sqlalchemy import func, select  # noqa: E402

import scoring.models  # noqa: E402, F401 (its tables)
from callbacks.database import make_engine, make_sessions  # noqa: E402
from callbacks.intake import store_rows  # noqa: E402
from callbacks.intake_rows import CaseRow  # noqa: E402
from callbacks.models import Rating, TextMessage, TextState  # noqa: E402
from callbacks.outcomes import OutcomeFeed  # noqa: E402
from callbacks.privacy import new_privacy  # noqa: E402
from callbacks.schema import upgrade  # noqa: E402
from callbacks.service.core import Context  # noqa: E402
from callbacks.service.planning import plan_due  # noqa: E402
from callbacks.settings import OfficeSettings, PolicySettings, Span, WindowSettings  # noqa: E402
from callbacks.stopping import Stop  # noqa: E402
from callbacks.units import import_units  # noqa: E402
from callbacks.vocabulary import SourceChannel  # noqa: E402
from scoring.ledger import ScoreLedger  # noqa: E402
from sms.city import CitySmsc  # noqa: E402
from sms.inbound import Inbox  # noqa: E402
from sms.settings import SmscSettings  # noqa: E402
from sms.smpp_gateway import SmppGateway  # noqa: E402
from sms.smpp_settings import SmppSettings  # noqa: E402
from sms.worker import SmsWorker  # noqa: E402
from tests.databases import postgresql_cluster, postgresql_programs  # noqa: E402

TEXTS = int(os.environ.get("HUIFANG_BENCH_TEXTS", "3000"))
REPLIES_A_SECOND, REPLY_SECONDS = 100, int(os.environ.get("HUIFANG_BENCH_SECONDS", "30"))
WINDOW = 50
GOALS = {"ratio_to_smpplib": "over 0.5", "reply_p99_ms": "under 200 on PostgreSQL"}
ALWAYS = (Span.model_validate({"start": "00:00", "end": "00:00"}),)
POLICY = PolicySettings(
    windows=WindowSettings(voice=ALWAYS, voice_weekend=ALWAYS, sms=ALWAYS),
    first_step_delay=timedelta(0),
)
OFFICE = OfficeSettings(
    name="示例市110联动办",
    area_code="0379",
    signature="示例市110联动",
    sender_code="106380110",
    caller_number="037963110110",
)


# -- the far end, in a process of its own


@contextmanager
def far_end(log: Path) -> Iterator[Any]:
    """The SMSC's port is the first thing in the pipe; `("say", numbers)` has each write 1, at the rate."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run_far_end, args=(theirs, str(log)))
    process.start()
    try:
        yield ours
    finally:
        ours.send(None)
        process.join(20)


def run_far_end(pipe: Any, log: str) -> None:
    settings = SmscSettings(port=0, receipt_delay=0.0, redeliver_after=60.0, log_file=Path(log))
    smsc, stop = CitySmsc(settings), Stop()
    threading.Thread(target=smsc.run, args=(stop,), daemon=True).start()
    pipe.send(smsc.port)
    while (order := pipe.recv()) is not None:
        began = time.monotonic()
        for place, number in enumerate(order[1]):
            time.sleep(max(0.0, began + place / REPLIES_A_SECOND - time.monotonic()))
            smsc.order(lambda number=number: smsc.say(number, OFFICE.sender_code, "1"))
    stop.set()


def records(log: Path, kind: str) -> list[dict[str, Any]]:
    if not log.exists():
        return []
    lines = log.read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


class Acknowledged:
    """How many deliveries were acknowledged, by kind, `receipt` or `mo`; each look reads the new lines alone.

    The measured worker runs in this process: reading the whole log again and again took the interpreter from
    it for 150 ms a second, which was most of what the slowest replies waited for.
    """

    def __init__(self, log: Path) -> None:
        self._log, self._read = log, 0
        self._kinds: dict[int, str] = {}
        self._counts = {"receipt": 0, "mo": 0}

    def wait_for(self, kind: str, wanted: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._counts[kind] < wanted:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {self._counts[kind]} of {wanted} acknowledged")
            time.sleep(0.05)
            self._look()

    def _look(self) -> None:
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for record in map(json.loads, whole.splitlines()):
            if record["kind"] in self._counts:
                self._kinds[record["delivery"]] = record["kind"]
            elif record["kind"] == "ack" and (kind := self._kinds.pop(record["delivery"], None)):
                self._counts[kind] += 1


def cpu_of(thread: threading.Thread) -> float:
    """CPU seconds that a running thread has had."""
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def ms_a_text(cpu_seconds: float) -> float:
    return round(1000 * cpu_seconds / TEXTS, 3)


def rate_of(log: Path) -> float:
    """Texts a second, from the first submit to the last receipt's acknowledgement, by the SMSC's clock."""
    submits, acks = records(log, "submit"), records(log, "ack")
    return len(submits) / (acks[-1]["at"] - submits[0]["at"])


# -- smpplib alone


def smpplib_alone(folder: Path) -> tuple[float, float]:
    """Texts a second, and CPU milliseconds a text."""
    log = folder / "alone.jsonl"
    with far_end(log) as pipe:
        client = smpplib.client.Client("127.0.0.1", pipe.recv(), allow_unknown_opt_params=True)
        open_submits = receipts = 0

        def answered(pdu: Any) -> None:
            nonlocal open_submits
            open_submits -= 1

        def received(pdu: Any) -> int:
            nonlocal receipts
            receipts += 1
            return 0

        client.set_message_sent_handler(answered)
        client.set_message_received_handler(received)
        client.connect()
        client.bind_transceiver(system_id="huifang", password="secret")
        began = time.thread_time()
        for number in numbers():
            while open_submits >= WINDOW:
                client.read_once()
            client.send_message(
                source_addr=OFFICE.sender_code,
                destination_addr=number,
                short_message=WORDS.encode("utf-16-be"),
                data_coding=smpplib.consts.SMPP_ENCODING_ISO10646,
                registered_delivery=1,
            )
            open_submits += 1
        while open_submits or receipts < TEXTS:
            client.read_once()
        cpu = time.thread_time() - began
        Acknowledged(log).wait_for("receipt", TEXTS, 30)
        client.unbind()
        client.disconnect()
    return rate_of(log), ms_a_text(cpu)


# -- the whole worker


WORDS = (
    "【示例市110联动】您11月20日反映的事项（编号尾号0001）已办结。请回复数字评价：1满意 2基本满意 3不满意。"
)


def numbers() -> Iterator[str]:
    """Citizens who don't write back by themselves: the last digit but one is 0."""
    return (f"138{serial:06}0{serial % 10}" for serial in range(TEXTS))


def prepare(ctx: Context) -> None:
    """As many cases, their questions queued."""
    now = datetime.now(UTC)
    import_units(ctx, ROOT / "callbacks/samples/units.csv", now)
    rows = [row_of(serial, number, now) for serial, number in enumerate(numbers())]
    for first in range(0, TEXTS, 500):
        store_rows(ctx, rows[first : first + 500], now)
    while plan_due(ctx, datetime.now(UTC), 200):
        pass


def row_of(serial: int, number: str, now: datetime) -> CaseRow:
    return CaseRow(
        line=serial + 1,
        number=f"B{serial:06}",
        source_channel=SourceChannel.PHONE,
        platform=None,
        category="water",
        enterprise=False,
        sensitive=False,
        complex=False,
        lead_unit="c01",
        assisting_units=(),
        summary="",
        reply="",
        citizen_phones=(number,),
        handler_phone=None,
        accepted_at=now - timedelta(days=3),
        assigned_at=None,
        signed_at=None,
        replied_at=None,
        due_at=None,
        closed_at=now,
        closing_no=1,
        exclusion=None,
    )


@contextmanager
def worker_at(ctx: Context, port: int, folder: Path) -> Iterator[threading.Thread]:
    settings = {"kind": "smpp", "port": port, "window": WINDOW, "rate_per_second": 10_000}
    gateway = SmppGateway(SmppSettings.model_validate(settings))
    worker = SmsWorker(
        ctx,
        gateway,
        Inbox(ctx, folder / "spool", "sms"),
        poll_seconds=0.05,
        submit_timeout=30,
        owner="sms:bench:1",
    )
    stop = Stop()
    thread = threading.Thread(target=worker.run, args=(stop, 10.0))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()


def whole_worker(url: str, folder: Path) -> dict[str, float]:
    engine = make_engine(url)
    upgrade(engine)
    subscribers = (ScoreLedger("Asia/Shanghai"), OutcomeFeed())
    ctx = Context(make_sessions(engine), POLICY, OFFICE, new_privacy(), subscribers)
    prepare(ctx)
    log, spoken = folder / f"{engine.dialect.name}.jsonl", TEXTS
    with far_end(log) as pipe, worker_at(ctx, pipe.recv(), folder) as thread:
        acknowledged = Acknowledged(log)
        acknowledged.wait_for("receipt", TEXTS, 600)
        submits, cpu = rate_of(log), cpu_of(thread)
        spoken = min(TEXTS, REPLIES_A_SECOND * REPLY_SECONDS)
        pipe.send(("say", list(numbers())[:spoken]))
        acknowledged.wait_for("mo", spoken, 600)
    with ctx.sessions() as session:
        delivered = select(func.count()).where(TextMessage.state == TextState.DELIVERED)
        assert session.scalar(delivered) or TEXTS <= 0
        assert session.scalar(select(func.count()).where(Rating.counted)) == spoken
    engine.dispose()
    sent = {record["delivery"]: record["at"] for record in records(log, "mo")}
    waits = sorted(
        1000 * (ack["at"] - sent[ack["delivery"]]) for ack in records(log, "ack") if ack["delivery"] in sent
    )
    return {
        "submits_per_second": round(submits, 1),
        "cpu_ms_per_text": ms_a_text(cpu),
        "reply_p50_ms": round(waits[len(waits) // 2], 1),
        "reply_p99_ms": round(waits[int(len(waits) * 0.99)], 1),
        "reply_longest_ms": round(waits[-1], 1),
        "replies": spoken,
    }


def main() -> None:
    import logging

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone, alone_cpu = smpplib_alone(folder)
        print(f"smpplib alone: {alone:.0f} texts/s, {alone_cpu} ms CPU a text, window {WINDOW}")
        results: dict[str, Any] = {"sqlite": whole_worker(f"sqlite:///{folder}/huifang.db", folder)}
        if (programs := postgresql_programs()) is not None:
            with postgresql_cluster(programs, fsync=True) as url:
                results["postgresql"] = whole_worker(f"{url}/postgres", folder)
    for database, result in results.items():
        result["ratio_to_smpplib"] = round(result["submits_per_second"] / alone, 2)
        print(database, json.dumps(result))
    print("goals:", json.dumps(GOALS))
    report = {
        "command": "make bench-sms",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "texts": TEXTS,
        "window": WINDOW,
        "smpplib_alone_per_second": round(alone, 1),
        "smpplib_alone_cpu_ms_per_text": alone_cpu,
        "goals": GOALS,
        **results,
    }
    target = ROOT / "benchmarks/results/sms.json"
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
