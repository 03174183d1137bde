"""`huifang sms preview`: the text as it leaves, its length, its faults; with status 1 where there are any."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import app
from callbacks.models import TextKind
from callbacks.service.templates import save
from tests.integration.test_cli import OFFICE, run


@pytest.fixture
def city(tmp_path: Path) -> Path:
    path = tmp_path / "city.toml"
    database = f'[database]\nurl = "sqlite:///{tmp_path}/h.db"\nkey_file = "{tmp_path}/h.key"\n'
    path.write_text(OFFICE + database)
    return path


def test_the_words_that_hold_are_shown(city: Path) -> None:
    shown = run("--config", city, "sms", "preview", "optout")
    assert shown.exit_code == 0
    assert shown.output.splitlines()[0] == (
        "【示例市110联动】已停止向您发送评价短信，不影响诉求办理。紧急情况请直接拨打110。"
    )
    assert "at most 43 UTF-16 units with the signature, parts: 1" in shown.output
    office = app.open_office(app.load_settings(city))
    save(office.context, TextKind.OPTOUT, "已停发。{hotline}", False, "head", datetime.now(UTC))
    office.close()
    assert "】已停发。110联动热线\n" in run("--config", city, "sms", "preview", "optout").output


def test_words_are_tried_without_saving_them(city: Path) -> None:
    tried = run("--config", city, "sms", "preview", "thanks", "--words", "好" * 61)
    assert tried.exit_code == 1
    assert "【示例市110联动】好好" in tried.output and "it would need 2 parts" in tried.output
    allowed = run("--config", city, "sms", "preview", "thanks", "--several-parts", "--words", "好" * 61)
    assert (allowed.exit_code, "parts: 2" in allowed.output) == (0, True)
    faulty = run("--config", city, "sms", "preview", "thanks", "--words", "谢谢{who}")
    assert faulty.exit_code == 1 and "unknown variable {who} at 3" in faulty.output
