"""Twilio's own document judges how we order and end calls, as it does for texts (test_twilio_prism)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twilio.base.exceptions import TwilioException

from callbacks.vocabulary import Disposition
from ivr.twilio_recordings import TwilioRecordings
from ivr.twilio_rest import Dialling, NotTaken, TwilioCalls
from tests.integration.http_provider import Provider, Told, provider_of
from tests.integration.twilio_world import SID, account, call_shown, refused
from tests.peers.test_twilio_prism import DOCUMENT, PROGRAM, prism_before

pytestmark = pytest.mark.skipif(not (PROGRAM and DOCUMENT), reason="Prism or Twilio's document is missing")


@pytest.fixture(scope="module")
def stub() -> Iterator[Provider]:
    with provider_of(lambda _: call_shown()) as provider:
        yield provider


@pytest.fixture(scope="module")
def prism(stub: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prism_before(stub, tmp_path_factory.mktemp("prism")) as address:
        yield address


@pytest.fixture
def twilio(prism: str) -> Iterator[TwilioCalls]:
    calls = TwilioCalls(account(prism, answer_timeout=20))
    yield calls
    calls.close()


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (call_shown(), Dialling(SID)),
        (call_shown(status="ringing"), Dialling(SID)),
        (call_shown(status="somewhere"), Dialling(None)),  # Prism's own 500: the document does judge
        (refused(400, 21211), NotTaken(Disposition.UNALLOCATED, "Twilio 21211")),
    ],
)
def test_the_document_agrees_to_an_order(
    stub: Provider, twilio: TwilioCalls, told: Told, outcome: object
) -> None:
    stub.answer = lambda _: told
    before = len(stub.asked)
    assert twilio.dial("7-ab", "13803790001", 30, 570) == outcome
    assert len(stub.asked) == before + 1  # the request was let through


def test_the_document_agrees_to_a_hanging_up(stub: Provider, twilio: TwilioCalls) -> None:
    stub.answer = lambda _: Told(200, call_shown(status="completed").body, headers=call_shown().headers)
    twilio.hang_up(SID)
    assert stub.asked[-1].form == {"Status": "completed"}


def test_the_document_agrees_to_taking_a_recording_away(stub: Provider, prism: str) -> None:
    """What the address of a sound answers stands in no document of Twilio's interface, only this."""
    stub.answer = lambda _: Told(204)
    settings = account(prism, answer_timeout=20)
    path = f"/2010-04-01/Accounts/{settings.account_sid}/Recordings/RE{'c' * 32}"
    TwilioRecordings(settings).take_away(f"{prism}{path}")
    assert (stub.asked[-1].method, stub.asked[-1].path) == ("DELETE", f"{path}.json")


def test_an_order_that_the_document_forbids_isnt_let_through(stub: Provider, prism: str) -> None:
    """A sid that is none: Prism refuses, so the other tests' requests were judged."""
    before = len(stub.asked)
    calls = TwilioCalls(account(prism, answer_timeout=20))
    with pytest.raises(TwilioException):
        calls.hang_up("nobody")
    calls.close()
    assert len(stub.asked) == before
