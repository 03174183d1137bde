"""Digest authentication of a client (RFC 2617, RFC 7616; RFC 3261 §22). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ivr.sip.errors import BadMessage
from ivr.sip.headers import parse_params, quote, split_list
from ivr.sip.message import Header, Response

__all__ = ["Challenge", "Credentials", "Login", "challenges", "parse_challenge", "response_digest"]

_ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}
_ANSWERED_BY = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account on a trunk."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """`header` is the one to answer with; `qop` is "auth" or None (RFC 2069's form)."""

    header: str
    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str | None = None
    opaque: str | None = None
    stale: bool = False


def parse_challenge(header: str, value: str) -> Challenge | None:
    """A challenge that we can meet; None for another scheme, algorithm or qop. BadMessage if unreadable."""
    scheme, _, text = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    params = parse_params(";".join(split_list(text, header)), header)
    algorithm = (params.get("algorithm") or "MD5").upper()
    offered = [qop.strip().lower() for qop in (params.get("qop") or "").split(",") if qop.strip()]
    realm, nonce = params.get("realm"), params.get("nonce")
    if realm is None or nonce is None or algorithm not in _ALGORITHMS or (offered and "auth" not in offered):
        return None
    return Challenge(
        header=_ANSWERED_BY[header],
        realm=realm,
        nonce=nonce,
        algorithm=algorithm,
        qop="auth" if offered else None,
        opaque=params.get("opaque"),
        stale=(params.get("stale") or "").lower() == "true",
    )


def challenges(response: Response) -> list[Challenge]:
    """The first of each realm that we can meet (RFC 8760 §2.4: the server prefers by order)."""
    found: dict[tuple[str, str], Challenge] = {}
    for name in _ANSWERED_BY:
        for value in response.every(name):
            try:
                challenge = parse_challenge(name, value)
            except BadMessage:
                continue
            if challenge is not None:
                found.setdefault((name, challenge.realm), challenge)
    return list(found.values())


def response_digest(
    challenge: Challenge, credentials: Credentials, method: str, uri: str, cnonce: str, count: int
) -> str:
    """The response value of RFC 7616 §3.4.1."""
    digest = _ALGORITHMS[challenge.algorithm]
    secret = digest(f"{credentials.username}:{challenge.realm}:{credentials.password}".encode())
    request = digest(f"{method}:{uri}".encode())
    if challenge.qop is None:
        return digest(f"{secret}:{challenge.nonce}:{request}".encode())
    return digest(f"{secret}:{challenge.nonce}:{count:08x}:{cnonce}:auth:{request}".encode())


class Login:
    """What one call knows of the trunk's challenges: answers each once, and counts the uses of a nonce."""

    def __init__(self, credentials: Credentials | None, new_token: Callable[[], str]) -> None:
        self._credentials = credentials
        self._new_token = new_token
        self._challenges: dict[tuple[str, str], Challenge] = {}
        self._counts: dict[str, int] = {}

    def accept(self, response: Response) -> bool:
        """Take the challenges of a 401 or 407; whether it's worth another request.

        A realm that refused our answer is asked again only if it calls the nonce stale (§22.2).
        """
        fresh = False
        for challenge in challenges(response) if self._credentials else ():
            known = self._challenges.get((challenge.header, challenge.realm))
            if known is None or (challenge.stale and known.nonce != challenge.nonce and not known.stale):
                self._challenges[(challenge.header, challenge.realm)] = challenge
                fresh = True
        return fresh

    def headers(self, method: str, uri: str) -> tuple[Header, ...]:
        """The Authorization headers of one more request, empty until something was accepted."""
        return tuple(self._header(each, method, uri) for each in self._challenges.values())

    def _header(self, challenge: Challenge, method: str, uri: str) -> Header:
        assert self._credentials is not None
        count = self._counts[challenge.nonce] = self._counts.get(challenge.nonce, 0) + 1
        cnonce = self._new_token()
        answer = response_digest(challenge, self._credentials, method, uri, cnonce, count)
        parts = [
            f"username={quote(self._credentials.username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(uri)}",
            f'response="{answer}"',
            f"algorithm={challenge.algorithm}",
        ]
        if challenge.qop is not None:
            parts += ["qop=auth", f"nc={count:08x}", f'cnonce="{cnonce}"']
        if challenge.opaque is not None:
            parts.append(f"opaque={quote(challenge.opaque)}")
        return challenge.header, f"Digest {', '.join(parts)}"
