"""Keys of SRTP in session descriptions: which lines are taken, and what is agreed by them (RFC 4568)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip.crypto import Crypto, SrtpKeys, cryptos_of, new_cryptos
from ivr.sip.description import parse_description
from ivr.sip.errors import BadDescription, Unacceptable
from ivr.sip.sdp import LocalMedia, LocalSession, Profiles, offered

K30 = "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj"  # of RFC 4568 §5.1
K28 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw"
KEY = b"70xwPH5@/,L:S1wY\"~='EpgT%(i_Vc"
CM_80, CM_32, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"

TAKEN = [
    (f"1 {CM_80} inline:{K30}", Crypto(1, CM_80, KEY)),
    (f"12 {CM_32} inline:{K30}|2^20", Crypto(12, CM_32, KEY)),  # a lifetime, longer than any call
    (f"1 {CM_80} inline:{K30}|1048576", Crypto(1, CM_80, KEY)),  # in digits
    (f"3 {GCM} inline:{K28}==", Crypto(3, GCM, bytes(range(28)))),
    (f"3 {GCM} inline:{K28}", Crypto(3, GCM, bytes(range(28)))),  # §6.1: "=" may be left out
    (f"1 {CM_80} inline:{K30} WSH=128", Crypto(1, CM_80, KEY)),  # how late a packet may come there
    (f"1 {CM_80} inline:{K30} -odd=1", Crypto(1, CM_80, KEY)),  # needs not be understood (§6.3.7)
]


@pytest.mark.parametrize(("value", "crypto"), TAKEN)
def test_a_line_that_is_taken(value: str, crypto: Crypto) -> None:
    assert cryptos_of([value]) == [crypto]


NOT_TAKEN = [
    "",
    f"1 {CM_80}",
    f"x {CM_80} inline:{K30}",
    f"1 F8_128_HMAC_SHA1_80 inline:{K30}",  # a suite that nobody has
    f"1 {CM_80} inline:{K30}|2^20|1:32",  # an MKI
    f"1 {CM_80} inline:{K30}|1:32",
    f"1 {CM_80} inline:{K30}|2^20|1:4;inline:{K30}|2^20|2:4",  # several keys, told apart by their MKI
    f"1 {CM_80} inline:{K28}",  # too short for the suite
    f"1 {GCM} inline:{K30}",  # too long
    f"1 {CM_80} inline:!{K30[1:]}",
    f"1 {CM_80} inline:{K30[:-3]}",  # no base64 has that length
    f"1 {CM_80} uri:https://example.org/key",
    f"1 {CM_80} inline:{K30} UNENCRYPTED_SRTP",
    f"1 {CM_80} inline:{K30} UNAUTHENTICATED_SRTP",
    f"1 {CM_80} inline:{K30} KDR=1",
    f"1 {CM_80} inline:{K30}|2^20 FEC_ORDER=FEC_SRTP",
]


@pytest.mark.parametrize("value", NOT_TAKEN)
def test_a_line_that_is_passed_over(value: str) -> None:
    good = f"7 {CM_80} inline:{K30}"
    assert [crypto.tag for crypto in cryptos_of([value, good])] == [7]


@given(st.text(max_size=80) | st.text("ACEMS_1280inle:+/=|^ ", max_size=80))
def test_any_line_is_a_key_or_none(value: str) -> None:
    for crypto in cryptos_of([value]):
        assert cryptos_of([str(crypto)]) == [crypto]


@given(st.binary(min_size=88, max_size=88))
def test_what_we_write_is_what_is_read(octets: bytes) -> None:
    drawn = iter(octets)
    ours = new_cryptos(lambda size: bytes(next(drawn) for _ in range(size)))
    assert tuple(cryptos_of(map(str, ours))) == ours


def test_no_key_is_shown() -> None:
    crypto = Crypto(1, CM_80, KEY)
    local = LocalMedia("192.0.2.1", 20000, crypto=(crypto,))
    for each in (crypto, local, SrtpKeys(CM_80, KEY, KEY)):
        assert "70xw" not in repr(each) and "NzB4" not in repr(each)


HEAD = ("v=0", "o=- 1 1 IN IP4 192.0.2.2", "s=-", "c=IN IP4 192.0.2.2", "t=0 0")
SECURE, PLAIN = "m=audio 30000 RTP/SAVP 8", "m=audio 30002 RTP/AVP 8"


def sdp(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*HEAD, *lines)).encode()


def session(plain: bool = True, secure: bool = True, first: int = 0) -> LocalSession:
    crypto = new_cryptos(lambda size: bytes([first + size]) * size) if secure else ()
    return LocalSession("t0000001", LocalMedia("192.0.2.1", 20000, crypto=crypto, plain=plain))


@pytest.mark.parametrize("suite", [CM_80, GCM, CM_32])
def test_both_ends_agree_on_a_suite_and_each_others_keys(suite: str) -> None:
    caller, called = session(), session(first=100)
    called.local = replace(called.local, crypto=tuple(c for c in called.local.crypto if c.suite == suite))
    offer = caller.offer()
    answer, theirs = called.answer(offer)
    ours = caller.agreed(answer)
    assert ours.keys is not None and theirs.keys is not None
    assert (ours.keys.suite, ours.keys.ours, ours.keys.theirs) == (
        suite,
        theirs.keys.theirs,
        theirs.keys.ours,
    )
    (stream,) = parse_description(answer).streams
    assert stream.protocol == "RTP/SAVP" and len(stream.every("crypto")) == 1
    (crypto,) = cryptos_of(stream.every("crypto"))
    assert crypto.tag == next(c.tag for c in caller.local.crypto if c.suite == suite)


OFF, PREFERRED, REQUIRED = Profiles(True, False), Profiles(True, True), Profiles(False, True)
NOTHING = Profiles(False, False)
K1, K2 = f"a=crypto:1 {CM_80} inline:{K30}", f"a=crypto:2 {GCM} inline:{K28}=="
MKI = f"a=crypto:1 {CM_80} inline:{K30}|1:32"
OFFERS = [
    # what is offered, by which profiles we may talk, where they're heard then; None is 488
    ((SECURE, K1), OFF, None),
    ((SECURE, K1), PREFERRED, 30000),
    ((SECURE, K1), REQUIRED, 30000),
    ((SECURE, MKI), PREFERRED, None),  # a key that we can't take
    ((SECURE,), PREFERRED, None),  # without any
    ((SECURE, MKI, K2), PREFERRED, 30000),  # the first that we can
    ((PLAIN,), PREFERRED, 30002),
    ((PLAIN,), REQUIRED, None),  # required
    ((PLAIN, K1), REQUIRED, None),  # best effort (RFC 8643) isn't required enough
    ((PLAIN, K1), PREFERRED, 30002),  # and its keys are passed over
    ((SECURE, K1, PLAIN), PREFERRED, 30000),  # the first of both
    ((PLAIN, SECURE, K1), REQUIRED, 30000),
    ((SECURE, K1, PLAIN), OFF, 30002),
    ((SECURE, MKI, PLAIN), PREFERRED, 30002),
    ((SECURE, K1), NOTHING, None),  # required, of a caller who isn't on TLS
    ((PLAIN,), NOTHING, None),
    (("m=audio 30000 RTP/SAVPF 8", K1), PREFERRED, None),
    (("m=audio 30000 UDP/TLS/RTP/SAVP 8",), PREFERRED, None),  # DTLS
]


@pytest.mark.parametrize(("lines", "profiles", "port"), OFFERS)
def test_which_stream_of_an_offer_we_take(
    lines: tuple[str, ...], profiles: Profiles, port: int | None
) -> None:
    ours = session(*profiles)
    if port is None:
        with pytest.raises(Unacceptable):
            offered(sdp(*lines), "192.0.2.1", profiles=profiles)
        with pytest.raises(Unacceptable):
            ours.answer(sdp(*lines))
        return
    assert offered(sdp(*lines), "192.0.2.1", profiles=profiles).port == port
    _, media = ours.answer(sdp(*lines))
    assert media.port == port and (media.keys is not None) is (port == 30000)


ANSWERS = [
    (PLAIN,),  # to an offer by RTP/SAVP that isn't legal
    (SECURE,),  # without a key
    (SECURE, f"a=crypto:9 {CM_80} inline:{K30}"),  # no such tag
    (SECURE, f"a=crypto:1 {CM_32} inline:{K30}"),  # tag 1 was of another suite
    (SECURE, K1, K2),  # two
    ("m=audio 0 RTP/SAVP 8", K1),
]


@pytest.mark.parametrize("lines", ANSWERS)
def test_an_answer_of_no_use(lines: tuple[str, ...]) -> None:
    caller = session()
    caller.offer()
    with pytest.raises(Unacceptable):
        caller.agreed(sdp(*lines))


def test_an_answer_by_srtp_to_an_offer_without_is_of_no_use() -> None:
    caller = session(secure=False)
    caller.offer()
    with pytest.raises(Unacceptable):
        caller.agreed(sdp(SECURE, K1))


LATE = [
    # whom our 200 offers voice to an INVITE without an offer, which their ACK answers: by what
    (OFF, b"RTP/AVP"),
    (PREFERRED, b"RTP/AVP"),  # who has no SRTP would be lost: there is no second offer
    (REQUIRED, b"RTP/SAVP"),
    (NOTHING, None),  # required, of a caller who isn't on TLS: 488
]


@pytest.mark.parametrize(("profiles", "profile"), LATE)
def test_an_offer_that_cant_be_made_again(profiles: Profiles, profile: bytes | None) -> None:
    called = session(*profiles)
    if profile is None:
        with pytest.raises(Unacceptable):
            called.offer(again=False)
    else:
        assert profile in called.offer(again=False)


def test_a_reinvite_may_bring_a_new_key_and_ours_stays() -> None:
    called = session()
    _, before = called.answer(sdp(SECURE, K1))
    _, same = called.answer(sdp(SECURE, K1))
    _, after = called.answer(sdp(SECURE, f"a=crypto:1 {CM_80} inline:{'B' * 40}"))
    assert before.keys is not None and after.keys is not None
    assert same.keys == before.keys
    assert after.keys.ours == before.keys.ours and after.keys.theirs != before.keys.theirs


def test_what_was_secure_stays_so() -> None:
    called = session()
    called.answer(sdp(SECURE, K1))
    with pytest.raises(Unacceptable):
        called.answer(sdp(PLAIN))
    assert b"RTP/SAVP" in called.offer()


def test_what_stays_unchanged_keeps_its_key_and_tag() -> None:
    """A refresh of ours offers what we answered, by the tag that was theirs."""
    called = session()
    answer, before = called.answer(sdp(SECURE, f"a=crypto:7 {CM_80} inline:{K30}"))
    assert called.unchanged() == answer and b"a=crypto:7 " in answer
    after = called.agreed(sdp(SECURE, f"a=crypto:7 {CM_80} inline:{K30}"))
    assert after == before


def test_what_began_without_may_become_secure_by_them_alone() -> None:
    called = session()
    called.answer(sdp(PLAIN))
    assert b"RTP/AVP" in called.offer()
    _, media = called.answer(sdp(SECURE, K1))
    assert media.keys is not None


@given(st.lists(st.sampled_from([SECURE, PLAIN, K1, K2, MKI, "a=crypto:", "a=sendonly", "a=crypto:1"])))
def test_nothing_else_is_raised(lines: list[str]) -> None:
    try:
        answer, media = session().answer(sdp(*lines))
    except (BadDescription, Unacceptable):
        return
    profile = answer.partition(b"m=audio 20000 ")[2].split()[0]
    assert (profile == b"RTP/SAVP") is (media.keys is not None)
