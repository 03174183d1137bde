from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from callbacks.outcomes import OutcomeKind
from callbacks.states import TERMINAL
from callbacks.webhook_settings import Webhooks, WebhookSettings

SECRET = "invented-secret-of-a-test"


def webhook(**given: Any) -> WebhookSettings:
    return WebhookSettings(
        **{"name": "city-desk", "url": "https://desk.example.com/in", "secret": SECRET, **given}
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.example.com/in?key=1",
        "https://desk.example.com:8443/",
        "http://127.0.0.1:8080/in",  # on this machine nobody listens
        "http://[::1]:8080/in",
        "http://localhost/in",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    assert webhook(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://desk.example.com/in",  # anybody could read it
        "http://127.0.0.1.example.com/in",  # only looks like this machine
        "http://localhost.example.com/in",
        "http://127.0.0.1@example.com/in",
        "https://user:secret@desk.example.com/in",
        "https://desk.example.com/in#part",
        "https://desk.example.com:99999/",
        "https:///in",
        "ftp://desk.example.com/",
        "desk.example.com",
        "https://desk.example.com/a b",
        "https://desk.example.com/\n",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        webhook(url=url)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "City Desk"},
        {"name": "x" * 41},
        {"secret": "short"},
        {"events": ["rate"]},  # a word that no outcome has would never come
        {"timeout": 0},
        {"timeout": 600},
        {"platform": ""},
        {"retries": 3},
    ],
)
def test_values_that_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        webhook(**given)


def test_the_secret_isnt_printed() -> None:
    assert SECRET not in repr(webhook())


def test_each_name_once() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Webhooks)
    assert len(adapter.validate_python([webhook(), webhook(name="forum")])) == 2
    with pytest.raises(ValidationError, match="same name"):
        adapter.validate_python([webhook(), webhook()])


def test_every_terminal_state_is_an_outcome() -> None:
    assert {state.value for state in TERMINAL} <= {kind.value for kind in OutcomeKind}
