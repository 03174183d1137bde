"""The office's policy: saved as a numbered version, the newest holds in every role.

Without a version the settings' own [policy] section holds. A version is the whole section: what the settings
say of the policy doesn't matter any more. Its number is its key, so that of two who change the same version
one is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Thread

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from callbacks.database import in_transaction
from callbacks.models_office import PolicyVersion
from callbacks.policy_toml import Fault, PolicyRefused, changes, read_policy, unfit, write_policy
from callbacks.service.core import Context, audit
from callbacks.settings import PolicySettings

log = structlog.get_logger(__name__)

LONGEST_REASON = 200
LOOK_SECONDS = 2.0  # so long a role may go on with the old policy


class PolicyChanged(Exception):
    """Somebody else saved a version meanwhile: nothing is written. `newest` is its number."""

    def __init__(self, newest: int) -> None:
        super().__init__(f"version {newest} was saved meanwhile; nothing was changed")
        self.newest = newest


class PolicyUnreadable(Exception):
    """The newest version can't be read by this program: an older or newer one saved it."""


@dataclass(frozen=True, slots=True)
class Version:
    """A saved policy: who saved it, when and why."""

    number: int
    body: str
    by: str
    reason: str
    at: datetime

    def policy(self) -> PolicySettings:
        """PolicyUnreadable names the version and what is wrong with it."""
        try:
            return read_policy(self.body)
        except PolicyRefused as error:
            raise PolicyUnreadable(f"policy version {self.number}: {error}") from None


def checked(text: str, held: PolicySettings, survey_scale: str, now: datetime) -> PolicySettings:
    """The policy of `text`, if it may take the place of `held`; PolicyRefused names all that is wrong."""
    policy = read_policy(text)
    faults = unfit(policy, held, survey_scale, now)
    if faults:
        raise PolicyRefused(faults)
    return policy


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """What somebody wants to hold instead of version `instead_of` (0: the settings' own)."""

    text: str
    reason: str
    by: str
    instead_of: int


def save_policy(ctx: Context, wanted: NewPolicy, survey_scale: str, now: datetime) -> Version:
    """Makes it the policy of every role; PolicyRefused or PolicyChanged where it can't be."""
    policy = checked(wanted.text, ctx.policy, survey_scale, now)
    reason = wanted.reason.strip()
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        said = f"a reason of at most {LONGEST_REASON} characters is needed"
        raise PolicyRefused([Fault("reason", "reason", said)])

    def work(session: Session) -> Version:
        number = newest_number(session)
        if number != wanted.instead_of:
            raise PolicyChanged(number)
        held = ctx.policy if number == ctx.policy_version else _before(session, number)
        row = PolicyVersion(
            id=number + 1, body=write_policy(policy), by=wanted.by[:80], reason=reason, at=now
        )
        session.add(row)
        session.flush()
        keys = [change.key for change in changes(held, policy)]
        audit(session, now, wanted.by[:80], "save_policy", f"policy:{row.id}", keys=keys)
        return _from(row)

    try:
        version = ctx.run(work)
    except IntegrityError:  # another's version has this number since this instant
        with ctx.sessions() as session:
            raise PolicyChanged(newest_number(session)) from None
    ctx.take_policy(policy, version.number)
    return version


def _before(session: Session, number: int) -> PolicySettings:
    """What a version says, to be compared with; the stock where this program can't read it."""
    try:
        return _version(session, number).policy()
    except PolicyUnreadable:
        return PolicySettings()


def newest_number(session: Session) -> int:
    """The number of the version that holds; 0: the settings' own."""
    return session.scalar(_NEWEST) or 0


_NEWEST = select(func.max(PolicyVersion.id))


def newest_policy(sessions: sessionmaker[Session], otherwise: PolicySettings) -> tuple[PolicySettings, int]:
    """The policy to begin with, and its version; what can't be read is left to `refresh_policy` to refuse."""
    with sessions() as session:
        versions = list_versions(session, 1)
    try:
        return (versions[0].policy(), versions[0].number) if versions else (otherwise, 0)
    except PolicyUnreadable as error:
        log.error("policy_unreadable", error=str(error))
        return otherwise, 0


def list_versions(session: Session, most: int = 30) -> list[Version]:
    """The last versions, newest first."""
    query = select(PolicyVersion).order_by(PolicyVersion.id.desc()).limit(most)
    return [_from(row) for row in session.scalars(query)]


def _version(session: Session, number: int) -> Version:
    return _from(session.get_one(PolicyVersion, number))


def _from(row: PolicyVersion) -> Version:
    return Version(row.id, row.body, row.by, row.reason, row.at)


# -- taking effect


def refresh_policy(ctx: Context) -> bool:
    """Takes up a version that was saved since; True when there was one. Else it costs one small question.

    PolicyUnreadable when this program can't read it: then what held goes on.
    """

    def work(session: Session) -> Version | None:
        number = newest_number(session)
        return _version(session, number) if number > ctx.policy_version else None

    version = in_transaction(ctx.sessions, work)
    if version is None:
        return False
    ctx.take_policy(version.policy(), version.number)
    log.info("policy_taken_up", version=version.number, by=version.by)
    return True


class PolicyWatch:
    """Called by a role between its turns, it asks for a new version every `seconds` and takes it up.

    A database that is away and a version that can't be read are no matter of the turn's: what held goes on.
    """

    def __init__(
        self, ctx: Context, seconds: float = LOOK_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ctx, self._seconds, self._clock = ctx, seconds, clock
        self._look_at = clock() + seconds

    def __call__(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + self._seconds
        try:
            refresh_policy(self._ctx)
        except DBAPIError as error:
            log.error("database_away", error=type(error.orig).__name__)
        except PolicyUnreadable as error:
            log.error("policy_unreadable", error=str(error))


@contextmanager
def watching_policy(ctx: Context, seconds: float = LOOK_SECONDS) -> Iterator[None]:
    """For a role without turns (the desk): a thread looks while the block runs."""
    over, watch = Event(), PolicyWatch(ctx, 0.0)

    def run() -> None:
        while not over.wait(seconds):
            watch()

    thread = Thread(target=run, name="policy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(5)
