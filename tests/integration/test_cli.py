"""The command line: what an engineer of a city types, and what it says when that's wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert

import app
from callbacks.database import make_engine
from callbacks.models_office import PolicyVersion
from tests.loopback_city import quick_city, running_city

SAMPLES = Path(__file__).parent.parent.parent / "callbacks/samples"
OFFICE = """
[office]
name = "示例市110联动办"
area_code = "0379"
signature = "示例市110联动"
sender_code = "106380110"
caller_number = "037963110110"
"""


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A city's settings with a database of its own."""
    path = tmp_path / "city.toml"
    database = f'[database]\nurl = "sqlite:///{tmp_path}/data/h.db"\nkey_file = "{tmp_path}/data/h.key"\n'
    path.write_text(OFFICE + database)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app.main, [str(argument) for argument in arguments], catch_exceptions=False)


def test_wrong_settings_are_named_with_file_key_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(OFFICE.replace("0379", "379", 1) + "[voice]\nlines = 0\nrings = 3\n")
    result = run("config", "check", "--config", path)
    assert result.exit_code == 2
    assert f"{path}: office.area_code: " in result.output and "with its leading 0, e.g. 0379" in result.output
    assert f"{path}: voice.lines: " in result.output
    assert f"{path}: voice.rings: Extra inputs are not permitted" in result.output


def test_a_time_of_day_is_a_local_clocks(tmp_path: Path) -> None:
    """A bare 22 would be 22 seconds past midnight, and a zone couldn't be held against the office's clock."""
    path = tmp_path / "wrong.toml"
    path.write_text(
        OFFICE + '[voice.toll]\nnight = { start = 22, end = "08:00+08:00" }\n'
        '[agents]\nhours = [{ start = "09:00", end = 12 }]\n'
    )
    result = run("config", "check", "--config", path)
    assert result.exit_code == 2
    for key in ("voice.toll.night.start", "voice.toll.night.end", "agents.hours.0.end"):
        assert f'{path}: {key}: Value error, a local time is written "21:30", without a zone' in result.output


def test_what_is_missing_and_what_is_no_toml_is_named(tmp_path: Path) -> None:
    assert "no --config file: office: Field required" in run("config", "check").output
    missing = run("--config", tmp_path / "none.toml", "config", "check")
    assert missing.exit_code == 2 and "no such file" in missing.output
    (tmp_path / "bad.toml").write_text("office = ")
    assert f"{tmp_path}/bad.toml: " in run("--config", tmp_path / "bad.toml", "config", "check").output


def test_the_environment_wins_and_is_named(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUIFANG_OFFICE__AREA_CODE", "1")
    assert "HUIFANG_OFFICE__AREA_CODE: " in run("--config", city, "config", "check").output
    monkeypatch.setenv("HUIFANG_OFFICE__AREA_CODE", "0371")
    result = run("--config", city, "config", "check")
    assert (result.exit_code, "the settings are right" in result.output) == (0, True)
    assert "prompts are speech, not recordings" in result.output


def test_a_saved_policy_holds_over_the_settings_own_and_no_role_starts_on_one_it_cant_read(
    city: Path, tmp_path: Path
) -> None:
    wanted = tmp_path / "policy.toml"
    wanted.write_text("[policy]\nattempts_per_round = 2\n")
    told = ("policy", "save", wanted, "--reason", "试行", "--by", "head", "--config", city)
    assert run(*told).output.endswith("version 1 holds\n")
    city.write_text(city.read_text() + "[policy]\nattempts_per_round = 5\n")
    shown = run("policy", "show", "--config", city).output
    assert "# version 1, " in shown and "\nattempts_per_round = 2\n" in shown
    later = {"id": 2, "body": "[policy]\nx = 1\n", "by": "b", "reason": "r", "at": datetime.now(UTC)}
    office = app.open_office(app.load_settings(city))
    try:
        assert office.context.policy.attempts_per_round == 2
        with office.context.sessions.begin() as session:  # a later program's
            session.execute(insert(PolicyVersion).values(later))
    finally:
        office.close()
    refused = run("serve", "--role", "clock", "--config", city)
    assert refused.exit_code == 2 and "policy version 2: policy.x: there is no such key" in refused.output
    assert run(*told).output.endswith("version 3 holds\n")  # this is how it's mended


PUBLIC = """
[web]
public_url = "https://callbacks.example.gov.cn"
trusted_proxy = "127.0.0.1"
[targets.desk-1]
number = "8001"
logins = ["ma"]
"""
CMPP = """
[[sms.gateways]]
kind = "cmpp"
name = "yd"
source_addr = "901234"
shared_secret = "secret"
"""
WARNINGS = [
    # added to settings that are ready, the warning; an empty one: none of these
    ("", ""),
    ('[intake]\nfolder = "{}/none"\n', "warning: intake.folder: {}/none isn't there"),
    ('[intake]\nfolder = "{}/city.toml"\n', "warning: intake.folder: {}/city.toml isn't there"),
    ('[intake]\nfolder = "{}"\n', ""),
    (CMPP, "warning: sms.gateways yd: CMPP has not yet been tried on a carrier"),
]
WEB_WARNINGS = [
    ('public_url = ""', "warning: web.public_url is empty: codes are given out for http://127.0.0.1:8110"),
    ('metrics_from = ["10.0.0.0/8"]', "warning: web.metrics_from: 10.0.0.0/8 is more than this machine"),
    ('metrics_from = ["0.0.0.0/0"]', "warning: web.metrics_from: 0.0.0.0/0 is more than this machine"),
    ('trusted_proxy = ""', "warning: web.trusted_proxy is empty: behind a proxy"),
]


@pytest.mark.parametrize(("added", "warning"), WARNINGS)
def test_what_isnt_ready_for_the_public_is_warned_of(
    city: Path, tmp_path: Path, added: str, warning: str
) -> None:
    city.write_text(city.read_text() + PUBLIC + added.format(tmp_path))
    warned = warnings_of(city)
    if warning:
        assert any(line.startswith(warning.format(tmp_path)) for line in warned)
    else:
        assert warned == []


@pytest.mark.parametrize(("changed", "warning"), WEB_WARNINGS)
def test_what_others_reach_or_should_not_is_warned_of(city: Path, changed: str, warning: str) -> None:
    name = changed.split(" = ")[0]
    kept = [line for line in PUBLIC.splitlines() if not line.startswith(name)]
    city.write_text(city.read_text() + "\n".join(kept).replace("[web]", f"[web]\n{changed}"))
    [warned] = warnings_of(city)
    assert warned.startswith(warning)


def test_without_an_agents_telephone_nobody_clicks(city: Path) -> None:
    city.write_text(city.read_text() + PUBLIC.replace('logins = ["ma"]', ""))
    assert warnings_of(city) == [
        "warning: targets: none has logins, so no agent can call by a click on the desk"
    ]


def warnings_of(city: Path) -> list[str]:
    """But for those of prompts and trunks, which these settings have none of, and of the year."""
    result = run("--config", city, "config", "check")
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if line.startswith("warning: ")]
    others = ("prompts are speech", "voice.trunks", "public holidays")
    return [line for line in lines if not any(words in line for words in others)]


@pytest.mark.parametrize(("ends", "is_warned"), [(30, True), (90, False), (None, False)])
def test_the_calendars_end_is_warned_of_in_time(
    city: Path, monkeypatch: pytest.MonkeyPatch, ends: int | None, is_warned: bool
) -> None:
    end = None if ends is None else datetime.now(UTC).date() + timedelta(days=ends)
    monkeypatch.setattr(app, "calendar_ends", lambda _windows: end)
    output = run("--config", city, "config", "check").output
    assert (f"public holidays are known up to {end}" in output) == is_warned


def test_a_scale_that_the_survey_does_not_ask_on_is_refused(
    city: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUIFANG_POLICY__SCALE", "cn5")
    result = run("--config", city, "config", "check")
    assert result.exit_code == 2
    assert "policy.scale: cn5, but the survey asks on cn3" in result.output


def test_the_demos_preset_calls_nobody_but_loopback(city: Path) -> None:
    trunk = '[[voice.trunks]]\nname = "carrier"\nhost = "192.0.2.1"\ncaller_number = "037963110110"\n'
    city.write_text("demo = true\n" + city.read_text() + trunk)
    result = run("--config", city, "serve")
    assert result.exit_code == 2
    assert "demo = true is only for loopback; voice.trunks carrier isn't" in result.output


def test_the_demos_preset_calls_nobody_by_a_cloud_number(city: Path) -> None:
    twilio = f'[voice]\nline = "twilio"\n[voice.twilio]\naccount_sid = "AC{"0" * 32}"\nauth_token = "x"\n'
    twilio += 'number = "+15005550006"\npublic_url = "https://city.example"\n'
    city.write_text("demo = true\n" + city.read_text() + twilio)
    result = run("--config", city, "serve")
    assert result.exit_code == 2
    assert "demo = true is only for loopback; voice.twilio isn't" in result.output


def test_from_files_to_a_balanced_ledger(city: Path, tmp_path: Path) -> None:
    assert run("--config", city, "import-units", SAMPLES / "units.csv").output == "119 units\n"
    bad = tmp_path / "bad.csv"
    head, row, *_ = (SAMPLES / "cases.csv").read_text().splitlines()
    bad.write_text(f"{head}\n{row.replace('phone', 'fax', 1)}\n")
    refused = run("--config", city, "import-cases", "--strict", bad)
    assert refused.exit_code == 1 and f"{bad}: line 2: source_channel: 'fax'" in refused.output
    taken = run("--config", city, "import-cases", SAMPLES / "cases.csv")
    assert taken.output == "200 rows: 200 created; 0 bad\n"
    again = run("--config", city, "import-cases", SAMPLES / "cases.csv")
    assert again.output == "200 rows: 200 unchanged; 0 bad\n"
    ledger = json.loads(run("--config", city, "ledger", "--json").output)
    assert (ledger["balanced"], ledger["closed"], ledger["open"]) == (True, 200, 200)
    assert run("--config", city, "ledger").output.splitlines()[-1] == "balanced"


def test_a_ledger_that_does_not_balance_ends_with_1(city: Path, tmp_path: Path) -> None:
    run("--config", city, "import-units", SAMPLES / "units.csv")
    run("--config", city, "import-cases", SAMPLES / "cases.csv")
    engine = make_engine(f"sqlite:///{tmp_path}/data/h.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM callback WHERE id = 1")
    engine.dispose()
    result = run("--config", city, "ledger")
    assert result.exit_code == 1
    assert "closed without a callback" in result.output and "NOT BALANCED: 1 cases" in result.output


def test_users_are_added_once(city: Path) -> None:
    arguments = ("--config", city, "user", "add", "chief", "--name", "示例主任", "--role", "office_head")
    assert run(*arguments, "--password", "long-enough-1").output == "chief may sign in as office_head\n"
    assert "exists already" in run(*arguments, "--password", "long-enough-1").output
    short = run(
        "--config", city, "user", "add", "b", "--name", "x", "--role", "supervisor", "--password", "x"
    )
    assert short.exit_code == 1 and "at least" in short.output.replace("login", "at least")


def test_sms_parse() -> None:
    found = json.loads(run("sms", "parse", "３，没人来", "--json").output)
    assert found == {"rating": 3, "opt_out": False, "emergency": False, "unclear": False, "comment": "没人来"}
    assert "opt_out    True" in run("sms", "parse", "td").output


def test_a_call_tells_what_came_of_it() -> None:
    with running_city(quick_city()) as city:
        result = run("call", "13803790008", "--trunk", f"127.0.0.1:{city.port}", "--json")  # 8: unallocated
    found = json.loads(result.output.splitlines()[-1])
    assert set(found) == {
        "disposition", "sip_status", "q850", "answered", "keys", "rating", "duration_ms", "call_id", "codec",
        "machine", "machine_sign",
    }  # fmt: skip
    assert (found["disposition"], found["sip_status"], found["q850"]) == ("unallocated", 404, 1)
    assert (found["answered"], found["keys"], found["rating"]) == (False, [], None)
    assert (found["machine"], found["machine_sign"]) == (None, None)


def test_a_call_leaves_its_trace(tmp_path: Path) -> None:
    name = tmp_path / "first.call"
    with running_city(quick_city()) as city:
        where = f"127.0.0.1:{city.port}"
        run("call", "13803790008", "--trunk", where, "--trace", str(name), "--json")
    text = name.with_name("first.call.txt").read_text(encoding="utf-8")
    assert [word in text for word in ("INVITE (SDP)", "404 ", " ACK ")] == [True] * 3
    assert name.with_name("first.call.pcap").read_bytes().count(b"INVITE sip:13803790008@") == 1


def test_a_trace_that_can_not_be_written_hides_nothing_of_the_call(tmp_path: Path) -> None:
    (tmp_path / "name.txt").mkdir()
    with running_city(quick_city()) as city:
        where = f"127.0.0.1:{city.port}"
        done = run("call", "13803790008", "--trunk", where, "--trace", str(tmp_path / "name"))
    assert done.exit_code == 0 and "trace: [Errno 21] Is a directory" in done.output
    assert "disposition  unallocated" in done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--trunk", "127.0.0.1:5060", "--flow", "nothing"),
            "no flow is named 'nothing'; there is callback_line, inbound_110, sat",
        ),
        (("--trunk", "example.invalid:5060"), "--trunk example.invalid: "),  # nobody knows the name
        (("--trunk", "127.0.0.1:5060:1"), "is no HOST:PORT"),
        (("--trunk", "127.0.0.1:70000"), "trunks.0.port"),
        (("--trunk", "127.0.0.1", "--certificate", __file__), "a certificate and its key go together"),
        (("--trunk", "127.0.0.1", "--transport", "tls", "--authorities", __file__), "authorities "),
        (("--trunk", "127.0.0.1", "--user", "office"), "username and password go together"),
        (("--trunk", "127.0.0.1", "--password", "secret"), "whose? Give --user, too"),
        (("--trunk", "127.0.0.1", "--trace", "no/folder/name"), "no file can be 'no/folder/name'"),
        (("--trunk", "127.0.0.1", "--trace", "."), "no file can be '.'"),
        (("--trunk", "127.0.0.1", "--early", "no/folder/name.wav"), "no file can be 'no/folder/name.wav'"),
    ],
)
def test_a_wrong_call_is_named(arguments: tuple[str, ...], told: str) -> None:
    result = run("call", "13803790001", *arguments)
    assert result.exit_code != 0 and told in result.output
