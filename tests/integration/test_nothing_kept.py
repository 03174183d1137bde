"""With the database away and no place to keep it, a citizen's text is turned away, so that it comes again.

Each way in which texts come, with the real inbox behind it: what the sender is told, and that the same
delivery is taken, once, when there is a place again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callbacks.database import make_engine, make_sessions
from callbacks.models import Reply
from callbacks.models_office import Alarm
from callbacks.service.core import Context
from sms.cmpp_codec import DeliverResp
from sms.inbound import Inbox
from sms.message import encode
from sms.worker import SmsWorker
from tests.integration.office import MOBILE, Desk, make_desk
from tests.integration.smpp_peer import Peer
from tests.integration.test_cmpp_gateway import Far
from tests.integration.test_sms_webhooks import World, aliyun, reply_form

WORDS = "3"


class Sessions:
    """The database's, while `factory` isn't one that is away."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def __call__(self) -> Any:
        return self.factory()

    def begin(self) -> Any:
        return self.factory.begin()


@dataclass
class Office:
    """The office, its database away and its spool broken, until `mend` is called."""

    desk: Desk
    inbox: Inbox
    mend: Callable[[], object]

    def stored(self) -> list[tuple[str, str]]:
        with self.desk.session() as session:
            return [(row.number_masked, row.body) for row in session.scalars(select(Reply))]

    def alarms(self) -> list[tuple[str, bool]]:
        with self.desk.session() as session:
            return [(row.kind, row.detail["refused"]) for row in session.scalars(select(Alarm))]


# -- how the spool is broken; a read-only disk fails at the same call as the first


def no_folder(spool: Path, _file: Path) -> None:
    spool.write_text("a file where the folder should be")


def full_disk(spool: Path, file: Path) -> None:
    spool.mkdir()
    file.symlink_to("/dev/full")


def mended(spool: Path) -> None:
    if spool.is_dir():
        shutil.rmtree(spool)
    else:
        spool.unlink()


@pytest.fixture(params=[no_folder, full_disk])
def office(request, sessions, privacy, tmp_path: Path, monkeypatch) -> Iterator[Office]:
    monkeypatch.setattr("sms.inbound._PLAY_PAUSE", 0.0)
    spool = tmp_path / "spool"
    request.param(spool, spool / f"role-{os.getpid()}.spool")
    engine = make_engine(f"sqlite:///{tmp_path}/gone/huifang.db")
    desk = make_desk(sessions, privacy)
    switch = Sessions(make_sessions(engine))
    ctx: Context = replace(desk.ctx, sessions=switch)  # type: ignore[arg-type]

    def mend() -> None:
        mended(spool)
        switch.factory = sessions

    inbox = Inbox(ctx, spool, "role")
    yield Office(desk, inbox, mend)
    inbox.close()
    engine.dispose()


# -- the ways: each sends one text of a citizen, and returns the answer to it


class Heard:
    """A gateway of which the far end, too, has read events: the worker gets them all."""

    def __init__(self, far: Peer | Far) -> None:
        self._far = far

    def __getattr__(self, name: str) -> Any:
        return getattr(self._far.gateway, name)

    def poll(self, timeout: float) -> list[Any]:
        events, self._far.events = self._far.events, []
        return events + self._far.gateway.poll(min(timeout, 0.01))


def _turn(office: Office, far: Peer | Far) -> None:
    worker = SmsWorker(
        office.inbox._ctx, Heard(far), office.inbox, poll_seconds=0.01, submit_timeout=1, owner="sms:test:1"
    )
    for _ in range(5):
        worker.turn(claiming=False)


@pytest.fixture
def smpp(office: Office) -> Iterator[Callable[[], int]]:
    peer = Peer()
    peer.bind()

    def say() -> int:
        peer.deliver(source_addr=MOBILE, short_message=encode(WORDS))
        _turn(office, peer)
        status: int = peer.expect("deliver_sm_resp").status
        return status

    yield say
    peer.close()


@pytest.fixture
def cmpp(office: Office) -> Iterator[Callable[[], int]]:
    far = Far()
    far.log_in()

    def say() -> int:
        far.deliver(7, WORDS, src_terminal_id=MOBILE)
        _turn(office, far)
        _, answer = far.expect(DeliverResp)
        result: int = answer.result
        return result

    yield say
    far.close()


@pytest.fixture
def http(office: Office) -> Callable[[], int]:
    world = World(office.desk, office.inbox)
    return lambda: world.push("/sms/aliyun/replies", [aliyun(1, WORDS)]).status_code


@pytest.fixture
def twilio(office: Office) -> Callable[[], int]:
    world = World(office.desk, office.inbox)
    return lambda: world.signed("/sms/twilio/replies", reply_form(WORDS)).status_code


WAYS = [
    # by which way, the answer that it comes again after, and the one that acknowledges it
    ("smpp", 0x64, 0),  # ESME_RX_T_APPN
    ("cmpp", 8, 0),  # flow control: later
    ("http", 503, 200),
    ("twilio", 503, 200),
]


@pytest.mark.parametrize(("way", "again", "taken"), WAYS)
def test_what_cant_be_kept_is_turned_away_and_taken_when_it_comes_again(
    request: pytest.FixtureRequest, office: Office, way: str, again: int, taken: int
) -> None:
    say = request.getfixturevalue(way)
    assert [say(), say()] == [again, again]
    assert office.stored() == []
    office.mend()
    assert say() == taken
    assert office.stored() == [("138****0001", WORDS)]
    office.inbox.catch_up(office.desk.now)
    assert office.alarms() == [("spool", True)]  # a seat learns that somebody was turned away


# what came, what is kept of it: zeros at the end are padding, within they are bytes that are no text
@pytest.mark.parametrize(("content", "kept"), [("3\0", "3"), ("\0", ""), ("3\0x", "003300000078")])
@pytest.mark.parametrize("by", [Peer, Far])
def test_a_text_with_zeros_is_kept_and_not_set_aside(
    office: Office, by: Any, content: str, kept: str
) -> None:
    office.mend()
    far = by()
    if isinstance(far, Peer):
        far.bind()
        far.deliver(source_addr=MOBILE, short_message=encode(content))
        _turn(office, far)
        assert far.expect("deliver_sm_resp").status == 0
    else:
        far.log_in()
        far.deliver(7, content, src_terminal_id=MOBILE)
        _turn(office, far)
        assert far.expect(DeliverResp)[1].result == 0
    far.close()
    assert office.stored() == [("138****0001", kept)]
