"""The tokens by which systems use the API: shown once, kept as SHA-256, bound to scopes and a platform."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.problems import ApiError
from callbacks.models_systems import ApiScope, ApiToken
from callbacks.service.core import Context, audit

_PREFIX = "huifang_"  # so that a token in the wrong place is recognised
_BYTES = 32
_LONGEST = 200  # characters that are worth a look
_USE_KEPT_EVERY = timedelta(minutes=1)


class TokenRefused(ApiError):
    """The token can't be made or revoked; the message says why."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The system behind a request. `platform` bounds which cases it may see; None: all."""

    id: int
    name: str
    scopes: frozenset[ApiScope]
    platform: str | None
    last_used_at: datetime | None
    made_at: datetime
    revoked_at: datetime | None


def make_token(
    ctx: Context, name: str, scopes: Collection[str], platform: str | None, by: str, now: datetime
) -> str:
    """A new token, for the only time; TokenRefused for a name that's taken or a scope that isn't one."""
    granted = _scopes(scopes)
    if not 1 <= len(name.strip()) <= 80 or len(platform or "") > 80:
        raise TokenRefused("the names of a token and of a platform have 1 to 80 characters")
    token = _PREFIX + secrets.token_urlsafe(_BYTES)

    def work(session: Session) -> None:
        if session.scalar(select(ApiToken.id).where(ApiToken.name == name.strip())) is not None:
            raise TokenRefused(f"there is a token {name.strip()!r} already; a revoked one keeps its name")
        session.add(
            ApiToken(
                name=name.strip(),
                token_hash=_hash(token),
                scopes={"scopes": granted},
                platform=platform or None,
                made_at=now,
                made_by=by,
            )
        )
        audit(session, now, by, "token_made", name.strip(), scopes=granted, platform=platform or "")

    ctx.run(work)
    return token


def revoke_token(ctx: Context, name: str, by: str, now: datetime) -> None:
    """From now on the token opens nothing; TokenRefused when there is none of that name in force."""

    def work(session: Session) -> None:
        token = session.scalar(select(ApiToken).where(ApiToken.name == name).with_for_update())
        if token is None or token.revoked_at is not None:
            raise TokenRefused(f"there is no token {name!r} in force")
        token.revoked_at = now
        audit(session, now, by, "token_revoked", name)

    ctx.run(work)


def list_tokens(sessions: sessionmaker[Session]) -> list[Caller]:
    """All tokens, revoked ones too, by name."""
    with sessions() as session:
        return [_caller(token) for token in session.scalars(select(ApiToken).order_by(ApiToken.name))]


def find_token(sessions: sessionmaker[Session], presented: str) -> Caller | None:
    """Who presents this token; None for nobody.

    The look-up is by the hash, of which a guess learns nothing; the comparison always takes the same time.
    """
    if len(presented) > _LONGEST:
        return None
    digest = _hash(presented)
    with sessions() as session:
        token = session.scalar(select(ApiToken).where(ApiToken.token_hash == digest))
        if token is None or not hmac.compare_digest(token.token_hash, digest):
            return None
        return None if token.revoked_at is not None else _caller(token)


def keep_use(ctx: Context, caller: Caller, now: datetime) -> None:
    """When the token was last used, to the minute: a read needn't be a write each time."""
    if caller.last_used_at is not None and now < caller.last_used_at + _USE_KEPT_EVERY:
        return
    ctx.run(
        lambda session: session.execute(
            update(ApiToken).where(ApiToken.id == caller.id).values(last_used_at=now)
        )
    )


def _caller(token: ApiToken) -> Caller:
    return Caller(
        id=token.id,
        name=token.name,
        scopes=frozenset(ApiScope(scope) for scope in token.scopes["scopes"]),
        platform=token.platform,
        last_used_at=token.last_used_at,
        made_at=token.made_at,
        revoked_at=token.revoked_at,
    )


def _scopes(scopes: Collection[str]) -> list[str]:
    known = [scope.value for scope in ApiScope]
    if not scopes or not set(scopes) <= set(known):
        raise TokenRefused(f"a token has scopes among {', '.join(known)}")
    return sorted(set(scopes))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
