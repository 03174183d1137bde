"""Digest authentication of a client (RFC 2617, RFC 7616, RFC 8760; RFC 3261 §22). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ivr.sip.errors import BadMessage
from ivr.sip.headers import parse_params, quote, split_list
from ivr.sip.message import Header, Request, Response

__all__ = [
    "Challenge",
    "Credentials",
    "Login",
    "challenges",
    "credentials_of",
    "parse_challenge",
    "response_digest",
]

_HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
}
_SESS = "-sess"  # the secret is hashed once more, with the nonces of its first use
_ALGORITHMS = {name.lower(): name for hash_ in _HASHES for name in (hash_, hash_ + _SESS)}
_QOPS = ("auth", "auth-int")
_ANSWERED_BY = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account on a trunk."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """`header` is the one to answer with; `qop` is "auth", "auth-int" or None (RFC 2069's form)."""

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
    algorithm = _ALGORITHMS.get((params.get("algorithm") or "MD5").lower())
    offered = [qop.strip().lower() for qop in (params.get("qop") or "").split(",") if qop.strip()]
    qop = next((each for each in _QOPS if each in offered), None)
    realm, nonce = params.get("realm"), params.get("nonce")
    if realm is None or nonce is None or algorithm is None or (offered and qop is None):
        return None
    if algorithm.endswith(_SESS) and qop is None:  # it needs a nonce of ours, which only goes with a qop
        return None
    return Challenge(
        header=_ANSWERED_BY[header],
        realm=realm,
        nonce=nonce,
        algorithm=algorithm,
        qop=qop,
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


def credentials_of(request: Request) -> tuple[Header, ...]:
    """The answers in a request: the ACK to its 2xx bears them, too (§13.2.2.4)."""
    return tuple(header for header in request.headers if header[0] in _ANSWERED_BY.values())


def response_digest(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    cnonce: str,
    count: int,
    body: bytes = b"",
) -> str:
    """The response value of RFC 7616 §3.4.1, of a realm, nonce and URI of whatever octets."""
    hashed = _HASHES[challenge.algorithm.removesuffix(_SESS)]

    def digest(*parts: str) -> str:
        return hashed(":".join(parts).encode("utf-8", "surrogateescape"))  # as `message.parse` reads them

    secret = digest(credentials.username, challenge.realm, credentials.password)
    if challenge.algorithm.endswith(_SESS):
        secret = digest(secret, challenge.nonce, cnonce)
    whole = (hashed(body),) if challenge.qop == "auth-int" else ()
    request = digest(method, uri, *whole)
    if challenge.qop is None:
        return digest(secret, challenge.nonce, request)
    return digest(secret, challenge.nonce, f"{count:08x}", cnonce, challenge.qop, request)


@dataclass(slots=True)
class _Realm:
    """What is known of one realm; `proved` says that an answer of ours was taken since it last asked.

    `cnonce` is set where it must stay for all answers to a nonce (-sess).
    """

    challenge: Challenge
    cnonce: str = ""
    count: int = 0
    proved: bool = False


class Login:
    """What one call knows of the trunk's challenges: answers each once, and counts the uses of a nonce."""

    def __init__(self, credentials: Credentials | None, new_token: Callable[[], str]) -> None:
        self._credentials = credentials
        self._new_token = new_token
        self._realms: dict[tuple[str, str], _Realm] = {}

    def anew(self) -> Login:
        """The same account, for another server that hasn't asked yet."""
        return Login(self._credentials, self._new_token)

    def accept(self, response: Response) -> bool:
        """Take the challenges of a 401 or 407; whether it's worth another request.

        A realm that refused our answer is asked again only if it calls the nonce stale (§22.2), or took an
        answer of ours before: then it is the nonce that ran out, whatever it's called.
        """
        fresh = False
        for challenge in challenges(response) if self._credentials else ():
            key = (challenge.header, challenge.realm)
            known = self._realms.get(key)
            if known is None or _is_worth_another(known, challenge):
                self._realms[key] = _Realm(challenge)
                fresh = True
        return fresh

    def succeeded(self) -> None:
        """A request with our answers was taken."""
        for realm in self._realms.values():
            realm.proved = True

    def headers(self, method: str, uri: str, body: bytes = b"") -> tuple[Header, ...]:
        """The Authorization headers of one more request, empty until something was accepted."""
        return tuple(self._header(each, method, uri, body) for each in self._realms.values())

    def _header(self, realm: _Realm, method: str, uri: str, body: bytes) -> Header:
        assert self._credentials is not None
        challenge = realm.challenge
        realm.count += 1
        cnonce = realm.cnonce or self._new_token()
        if challenge.algorithm.endswith(_SESS):
            realm.cnonce = cnonce
        answer = response_digest(challenge, self._credentials, method, uri, cnonce, realm.count, body)
        parts = [
            f"username={quote(self._credentials.username)}",
            f"realm={quote(challenge.realm)}",
            f"nonce={quote(challenge.nonce)}",
            f"uri={quote(uri)}",
            f'response="{answer}"',
            f"algorithm={challenge.algorithm}",
        ]
        if challenge.qop is not None:
            parts += [f"qop={challenge.qop}", f"nc={realm.count:08x}", f'cnonce="{cnonce}"']
        if challenge.opaque is not None:
            parts.append(f"opaque={quote(challenge.opaque)}")
        return challenge.header, f"Digest {', '.join(parts)}"


def _is_worth_another(known: _Realm, challenge: Challenge) -> bool:
    if known.challenge.nonce == challenge.nonce:
        return False
    return known.proved or (challenge.stale and not known.challenge.stale)
