"""REGISTER and OPTIONS: what holds whatever a registrar answers, and the seconds in its headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.sip import Account, CallInUse, Credentials, InviteFailed, Registered, RegistrationFailed, UserAgent
from ivr.sip.envelope import envelope_of
from ivr.sip.headers import seconds_of
from ivr.sip.incoming import reply
from ivr.sip.message import Request, parse, serialise
from ivr.sip.registration import FIRST_PAUSE, LONGEST_PAUSE, refresh_after
from tests.sip_world import OUR_MEDIA, THEIRS, new_agent

ACCOUNT = Account(
    "sip:carrier.example", THEIRS, "sip:office@carrier.example", Credentials("office", "x"), 600
)
CHALLENGE = 'Digest realm="carrier.example", nonce="n", qop="auth"'


def sent(agent: UserAgent) -> list[Request]:
    messages = [parse(data) for data, _ in agent.take_outgoing()]
    return [message for message in messages if isinstance(message, Request)]


def answer(agent: UserAgent, request: Request, now: float, status: int, *headers: tuple[str, str]) -> None:
    response = reply(request, envelope_of(request), THEIRS, status, headers=headers)
    agent.receive(serialise(response), THEIRS, now)


Answer = tuple[int, tuple[tuple[str, str], ...]] | None  # a status and its headers; None is silence
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.none(),
    st.tuples(st.just(200), st.integers(0, 4000).map(lambda n: (("Expires", str(n)),))),
    st.tuples(st.just(401), st.just((("WWW-Authenticate", CHALLENGE),))),
    st.tuples(st.just(423), st.integers(0, 10**7).map(lambda n: (("Min-Expires", str(n)),))),
    st.tuples(st.just(503), st.integers(0, 10**9).map(lambda n: (("Retry-After", str(n)),))),
    st.tuples(st.sampled_from([302, 403, 404, 500, 606]), st.just(())),
)


@given(st.lists(ANSWERS, max_size=25))
def test_a_registration_goes_on_whatever_is_answered(
    answers: list[tuple[int, tuple[tuple[str, str], ...]] | None],
) -> None:
    agent, now = new_agent(), 0.0
    agent.register("a", ACCOUNT, now)
    asked: list[Request] = []
    bound_until = 0.0
    for each in answers:
        requests = sent(agent)
        while not requests:  # until the next round
            before = now
            assert agent.deadline is not None, "it has given up"
            now = max(now, agent.deadline)
            assert now - before <= 3600, "it waits for longer than anybody may ask"
            agent.handle_timer(now)
            requests = sent(agent)
        (request,) = requests  # one at a time (§10.2)
        asked.append(request)
        assert not bound_until or now < bound_until, "the binding ran out before it was refreshed"
        if each is None:
            while not any(isinstance(event, RegistrationFailed) for event in agent.take_events()):
                assert agent.deadline is not None
                now = agent.deadline
                agent.handle_timer(now)
                sent(agent)  # repetitions
            bound_until = 0.0
            continue
        answer(agent, request, now, each[0], *each[1])
        told = agent.take_events()
        bound_until = next((now + e.expires for e in told if isinstance(e, Registered)), 0.0)
    numbers = [int((request.first("CSeq") or "").split()[0]) for request in asked]
    assert numbers == list(range(1, len(asked) + 1))
    assert len({request.first("Call-ID") for request in asked}) <= 1


@given(st.floats(0.1, 1e6))
def test_a_binding_is_refreshed_in_its_second_half(granted: float) -> None:
    after = refresh_after(granted)
    assert granted / 2 <= after < granted
    if granted >= 60:
        assert granted - after >= 30


def test_the_pause_between_failures_grows_up_to_ten_minutes() -> None:
    agent, now, pauses = new_agent(), 0.0, []
    agent.register("a", ACCOUNT, now)
    requests = sent(agent)
    for _ in range(8):
        answer(agent, requests[0], now, 403)
        failed_at = now
        while not (requests := sent(agent)):
            assert agent.deadline is not None
            now = agent.deadline
            agent.handle_timer(now)
        pauses.append(now - failed_at)
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE, LONGEST_PAUSE)


def test_a_registrar_that_always_has_another_realm_isn_t_asked_for_ever() -> None:
    agent, requests = new_agent(), 0
    agent.register("a", ACCOUNT, 0.0)
    while asked := sent(agent):
        requests += 1
        answer(agent, asked[0], 0.0, 401, ("WWW-Authenticate", f'Digest realm="r{requests}", nonce="n"'))
    assert requests == 4
    assert [type(event) for event in agent.take_events()] == [RegistrationFailed]


def test_a_key_is_registered_once() -> None:
    agent = new_agent()
    agent.register("a", ACCOUNT, 0.0)
    with pytest.raises(CallInUse):
        agent.register("a", ACCOUNT, 0.0)
    agent.unregister("a", 0.0)
    agent.unregister("a", 0.0)
    with pytest.raises(ValueError, match="line end"):
        agent.options("t", "sip:a\r\nTo: b", THEIRS, 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 18000;duration=3600", 18000),
        ("120 (I'm in a meeting)", 120),
        ("0", 0),
        ("4294967295", 2**31 - 1),  # §20.19: what doesn't fit is the most that fits
        ("", None),
        ("soon", None),
        ("-5", None),
        ("12x", None),
        ("٣", None),  # digits of ASCII alone
        (None, None),
    ],
)
def test_seconds_of_a_header(text: str | None, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


def test_a_503_says_for_how_long_it_wants_no_calls() -> None:
    agent = new_agent()
    agent.invite("c", "sip:13803790001@192.0.2.2", THEIRS, OUR_MEDIA, "sip:1@192.0.2.1", 0.0)
    (request,) = sent(agent)
    answer(agent, request, 0.0, 503, ("Retry-After", "40"))
    (failed,) = agent.take_events()
    assert isinstance(failed, InviteFailed)
    assert (failed.status, failed.retry_after) == (503, 40)
