"""`huifang token`: shown once, listed, revoked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from callbacks.api.commands import command
from callbacks.api.tokens import find_token
from callbacks.privacy import Privacy
from callbacks.service.core import Context
from tests.integration.office import make_desk


@dataclass
class Line:
    """A command line on a database."""

    ctx: Context

    def with_context(self, work: Callable[[Context], Any]) -> Any:
        return work(self.ctx)

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(command(), words, obj=self)


@pytest.fixture
def line(sessions: sessionmaker[Session], privacy: Privacy) -> Line:
    return Line(make_desk(sessions, privacy).ctx)


def test_a_token_is_added_listed_and_revoked(line: Line):
    added = line("add", "forum", "--scope", "ratings:write", "--scope", "cases:write", "--platform", "city")
    token = added.output.strip()
    assert find_token(line.ctx.sessions, token) is not None
    assert line("list").output == "forum\tcases:write,ratings:write\tcity\tused never\tin force\n"
    assert line("revoke", "forum").exit_code == 0
    assert find_token(line.ctx.sessions, token) is None
    assert "revoked" in line("list").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "forum", "--scope", "cases:write"), "already"),
        (("add", "other"), "--scope"),
        (("add", "other", "--scope", "cases:read"), "cases:read"),
        (("revoke", "nobody"), "nobody"),
    ],
)
def test_what_cant_be_done_is_said(line: Line, words: tuple[str, ...], said: str):
    line("add", "forum", "--scope", "cases:write")
    result = line(*words)
    assert result.exit_code != 0 and said in result.output
