"""[targets] in a city's file: what is refused, with the place that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import app
from callbacks.target_settings import TargetSettings, telephones_of

CITY = """
[office]
name = "示例市110联动办"
area_code = "0379"
signature = "示例市110联动"
sender_code = "106380110"
caller_number = "037963110110"

[[voice.trunks]]
name = "carrier"
host = "127.0.0.1"
caller_number = "037963110110"

[targets]
"""

FAULTS = [
    # a line of [targets], what `config check` says
    (
        'desk-1 = { number = "8001", trunk = "pbx" }',
        "targets.desk-1.trunk: no trunk is named 'pbx'; there is carrier",
    ),
    ('desk-1 = { number = "" }', "targets.desk-1.number: "),
    ('desk-1 = { number = "sip:8001@10.0.0.1" }', "targets.desk-1.number: "),  # digits alone are dialled
    ('desk-1 = { number = "110", logins = ["ma"] }', "110 is an emergency number, not the telephone of ma"),
    ('desk-1 = { number = "#37" }', "targets.desk-1.number: "),  # no character of a SIP user part
    ('desk-1 = { trunk = "carrier" }', "targets.desk-1.number: Field required"),
    ('desk-1 = { number = "8001", login = "ma" }', "targets.desk-1.login: Extra inputs are not permitted"),
    ('"desk 1" = { number = "8001" }', "targets.desk 1"),
]


@pytest.mark.parametrize(("line", "said"), FAULTS)
def test_what_is_wrong_is_named(tmp_path: Path, line: str, said: str) -> None:
    told = check(tmp_path, line)
    assert told.exit_code == 2
    assert said in told.output


def check(tmp_path: Path, *lines: str):
    path = tmp_path / "city.toml"
    path.write_text(CITY + "\n".join(lines))
    return CliRunner().invoke(app.main, ["--config", str(path), "config", "check"], catch_exceptions=False)


def test_extensions_and_whole_numbers_are_dialled_as_written(tmp_path: Path) -> None:
    told = check(
        tmp_path,
        'desk-1 = { number = "8001", trunk = "carrier", logins = ["ma", "li"] }',
        'desk-2 = { number = "*37", logins = ["ma"] }',
        'emergency = { number = "110" }',  # a desk that calls may be handed to; nobody's telephone
    )
    assert told.exit_code == 0, told.output
    targets = app.load_settings(tmp_path / "city.toml").targets
    assert telephones_of(targets, "ma") == ("desk-1", "desk-2")
    assert telephones_of(targets, "li") == ("desk-1",)
    assert telephones_of(targets, "wang") == ()
    assert targets["desk-2"] == TargetSettings(number="*37", logins=("ma",))
