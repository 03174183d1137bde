"""Digest authentication against the RFCs' own examples."""

from __future__ import annotations

import hashlib

import pytest

from ivr.sip.digest import Challenge, Credentials, Login, challenges, parse_challenge, response_digest
from ivr.sip.message import Response
from tests.sip_world import tokens

MUFASA = Credentials("Mufasa", "Circle Of Life")


def test_rfc_2617_example() -> None:
    challenge = Challenge(
        "Authorization", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop="auth"
    )
    answer = response_digest(challenge, MUFASA, "GET", "/dir/index.html", "0a4f113b", 1)
    assert answer == "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_examples(algorithm: str, expected: str) -> None:
    challenge = Challenge(
        "Authorization",
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        algorithm,
        "auth",
    )
    credentials = Credentials("Mufasa", "Circle of Life")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    assert response_digest(challenge, credentials, "GET", "/dir/index.html", cnonce, 1) == expected


def test_without_qop_as_rfc_2069() -> None:
    challenge = Challenge("Authorization", "biloxi.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    bob = Credentials("bob", "zanzibar")
    answer = response_digest(challenge, bob, "INVITE", "sip:bob@biloxi.com", "", 1)
    assert answer == "bf57e4e0d0bffc0fbaedce64d59add5e"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Digest realm="r", nonce="n"', Challenge("Authorization", "r", "n")),
        (
            'digest realm="a, \\"b\\"",nonce="n",qop="auth-int, auth",algorithm=md5,stale=TRUE,opaque=""',
            Challenge("Authorization", 'a, "b"', "n", "MD5", "auth", "", True),
        ),
        (
            'Digest realm="r", nonce="n", qop="auth-int"',
            Challenge("Authorization", "r", "n", "MD5", "auth-int"),
        ),
        (
            'Digest realm="r", nonce="n", algorithm=sha-512-256',
            Challenge("Authorization", "r", "n", "SHA-512-256"),
        ),
        (
            'Digest realm="r", nonce="n", algorithm=md5-SESS, qop="auth"',
            Challenge("Authorization", "r", "n", "MD5-sess", "auth"),
        ),
        ('Digest realm="r", nonce="n", algorithm=MD5-sess', None),  # without qop there is no nonce of ours
        ('Digest realm="r", nonce="n", algorithm=SHA3', None),
        ('Digest realm="r", nonce="n", qop="token"', None),
        ('Basic realm="r"', None),
        ('Digest realm="r"', None),  # nothing to answer with
    ],
)
def test_challenges(value: str, expected: Challenge | None) -> None:
    assert parse_challenge("WWW-Authenticate", value) == expected


def refusal(*values: str) -> Response:
    return Response(tuple(("Proxy-Authenticate", value) for value in values), b"", 407, "No")


def test_the_first_algorithm_of_a_realm_that_we_know() -> None:
    found = challenges(refusal(
        'Digest realm="r", nonce="1", algorithm=SHA3',
        'Digest realm="r", nonce="2", algorithm=SHA-256',
        'Digest realm="r", nonce="3", algorithm=MD5',
        "Digest realm=;;",
    ))  # fmt: skip
    assert [(each.nonce, each.algorithm) for each in found] == [("2", "SHA-256")]


def test_a_challenge_is_answered_once_and_once_more_when_stale() -> None:
    login = Login(MUFASA, tokens())
    assert login.headers("INVITE", "sip:a@b") == ()
    assert login.accept(refusal('Digest realm="r", nonce="1", qop="auth", opaque="o"'))
    ((name, value),) = login.headers("INVITE", "sip:a@b")
    assert name == "Proxy-Authorization"
    assert 'nonce="1"' in value and "nc=00000001" in value and 'uri="sip:a@b"' in value
    assert 'opaque="o"' in value
    assert "nc=00000002" in login.headers("BYE", "sip:a@b")[0][1]
    assert not login.accept(refusal('Digest realm="r", nonce="2"'))  # the password is wrong
    assert login.accept(refusal('Digest realm="r", nonce="3", stale=true, qop="auth"'))
    assert "nc=00000001" in login.headers("INVITE", "sip:a@b")[0][1]
    assert not login.accept(refusal('Digest realm="r", nonce="4", stale=true'))  # no end in sight


def test_a_nonce_that_ran_out_needs_no_word_for_it() -> None:
    """An answer of ours was taken before, so the password is right."""
    login = Login(MUFASA, tokens())
    assert login.accept(refusal('Digest realm="r", nonce="1"'))
    login.succeeded()
    assert login.accept(refusal('Digest realm="r", nonce="2"'))
    assert not login.accept(refusal('Digest realm="r", nonce="3"'))
    assert not login.accept(refusal('Digest realm="r", nonce="2"'))  # the same nonce never


def test_the_session_secret_keeps_our_nonce() -> None:
    login = Login(MUFASA, tokens())
    assert login.accept(refusal('Digest realm="r", nonce="1", algorithm=SHA-256-sess, qop="auth"'))
    values = [login.headers(method, "sip:a@b")[0][1] for method in ("INVITE", "BYE")]
    assert all('cnonce="t0001"' in value for value in values)
    assert "nc=00000002" in values[1]


@pytest.mark.parametrize(
    ("algorithm", "qop", "expected"),
    [
        # A1, A2 and the whole put together step by step with another implementation's hashes
        ("MD5-sess", "auth", "md5-sess"),
        ("SHA-512-256", "auth-int", "sha512-256-int"),
    ],
)
def test_sess_and_auth_int_by_their_definition(algorithm: str, qop: str, expected: str) -> None:
    def hashed(text: str) -> str:
        name = "sha512_256" if algorithm.startswith("SHA-512") else "md5"
        return hashlib.new(name, text.encode()).hexdigest()

    secret = hashed("Mufasa:r:Circle Of Life")
    if expected == "md5-sess":
        secret = hashed(f"{secret}:n:c")
    asked = "INVITE:sip:a@b" + (f":{hashed('v=0')}" if qop == "auth-int" else "")
    challenge = Challenge("Authorization", "r", "n", algorithm, qop)
    answer = response_digest(challenge, MUFASA, "INVITE", "sip:a@b", "c", 3, b"v=0")
    assert answer == hashed(f"{secret}:n:00000003:c:{qop}:{hashed(asked)}")


def test_without_credentials_nothing_is_accepted() -> None:
    assert not Login(None, tokens()).accept(refusal('Digest realm="r", nonce="1"'))
    assert "secret" not in repr(Credentials("user", "secret"))


def test_octets_that_are_no_utf_8_are_hashed_as_they_came() -> None:
    """A realm in GB18030, a nonce of any octets, a Contact's URI as well."""
    realm, nonce, uri = b"\xc2\xe5\xd1\xf4", b"\xff\x01", b"sip:\xb2\xe2@b"
    challenge = Challenge(
        "Proxy-Authorization",
        *(octets.decode("utf-8", "surrogateescape") for octets in (realm, nonce)),
    )
    told = response_digest(challenge, MUFASA, "BYE", uri.decode("utf-8", "surrogateescape"), "", 1)
    secret = hashlib.md5(b"Mufasa:" + realm + b":Circle Of Life").hexdigest().encode()
    request = hashlib.md5(b"BYE:" + uri).hexdigest().encode()
    assert told == hashlib.md5(secret + b":" + nonce + b":" + request).hexdigest()
