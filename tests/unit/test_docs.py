"""What the pages for newcomers say is true: commands, targets, files and tables are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

import app
import scoring.models  # noqa: F401 (its tables)
from callbacks.models import Base
from ivr.settings import VoiceSettings
from ivr.sip_tls import TlsSettings
from ivr.trunk_numbers import CallerForm, rewritten
from ivr.trunk_settings import TrunkSettings

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    ROOT / name
    for name in ("README.md", "README.zh-CN.md", "docs/architecture.md", "docs/sip.md", "docs/trunks.md")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES[:2], ids=lambda page: page.name)
def test_the_commands_exist(page: Path) -> None:
    text = page.read_text()
    for match in re.finditer(r"huifang(?: --config \S+)? ([a-z-]+)(?: ([a-z]+))?", text):
        command = app.main.commands.get(match[1])
        if match[1] == "com":
            continue
        assert command is not None, match[0]
        if isinstance(command, click.Group) and match[2]:
            assert match[2] in command.commands, match[0]
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", text):
        if target not in ("and",):
            assert f"\n{target}:" in makefile, target


def test_what_the_page_of_sip_names_is_there() -> None:
    """Transcripts by their names, tests by their files and functions; and every transcript is named."""
    transcripts = {path.stem for path in (ROOT / "tests/transcripts/sip").glob("*.txt")}
    shown: set[str] = set()
    for row in (ROOT / "docs/sip.md").read_text().splitlines():
        if row.startswith("|"):
            shown |= set(re.findall(r"`([^`]+)`", row.split("|")[3]))
    for name in shown - transcripts:
        path, _, test = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert not test or f"def {test}(" in (ROOT / path).read_text(), name
    assert transcripts <= shown


def test_the_tables_that_the_plan_names_exist() -> None:
    named = re.findall(r"`([a-z]+_[a-z_]+)`", (ROOT / "docs/architecture.md").read_text())
    tables = set(Base.metadata.tables)
    for name in ("callback_move", "text_message", "attempt_callback"):
        assert name in named and name in tables


TRUNKS = (ROOT / "docs/trunks.md").read_text()


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", TRUNKS, re.DOTALL))
def test_the_settings_of_the_page_of_trunks_are_right(text: str) -> None:
    voice = VoiceSettings.model_validate(tomllib.loads(text)["voice"])
    for trunk in voice.trunks:
        assert rewritten("13803790001", trunk.number_rules).endswith("13803790001")


def test_what_the_page_of_trunks_names_is_there() -> None:
    settings = {
        *TrunkSettings.model_fields,
        *VoiceSettings.model_fields,
        *CallerForm.model_fields,
        *TlsSettings.model_fields,
        "register",
    }
    named = re.findall(r"^#? ?([a-z_]+) = ", TRUNKS, re.MULTILINE)
    assert set(named) <= settings
    assert (
        TRUNKS.count("huifang_trunk_up") and "huifang_trunk_up" in (ROOT / "callbacks/metrics.py").read_text()
    )
    for event in ("trunk_set_aside", "trunk_up", "trunk_registered", "trunk_not_registered"):
        assert f"`{event}`" in TRUNKS
        assert any(f'"{event}"' in path.read_text() for path in (ROOT / "ivr").glob("trunk_*.py")), event
    assert "trunk_state" in Base.metadata.tables


def test_the_example_settings_are_right() -> None:
    settings = app.load_settings(ROOT / "deploy/huifang.toml")
    assert settings.voice.trunks[0].name == "carrier"
    assert not settings.demo


def test_the_locked_versions_are_those_of_the_project() -> None:
    """Whoever adds a dependency runs `make lock`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[><=;]", each)[0].lower() for each in project["dependencies"]}
    locked = re.findall(r"^([a-z0-9-]+)==", (ROOT / "deploy/requirements.txt").read_text(), re.MULTILINE)
    assert wanted <= {name.lower() for name in locked}
    assert "://" not in (ROOT / "uv.lock").read_text()
