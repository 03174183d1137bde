"""`huifang flow`: check, show, run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app import main
from ivr.flow_load import FLOWS

SHIPPED = [str(path) for path in sorted(FLOWS.glob("*.toml"))]


def flow(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["flow", *arguments], input=typed)


def test_the_shipped_flows_are_right() -> None:
    result = flow("check", *SHIPPED)
    assert result.exit_code == 0, result.output
    assert "satisfaction_survey, version 3" in result.output


def test_every_fault_is_printed_with_its_line(tmp_path: Path) -> None:
    text = Path(SHIPPED[-1]).read_text()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        text.replace('say = "thanks_good"', 'say = "thank"').replace('next = "person" }', 'next = "me" }')
    )
    result = flow("check", SHIPPED[0], str(wrong), str(tmp_path / "none.toml"))
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 1 + 5 + 1  # a prompt, five keys, and a file that isn't there
    at = 1 + text[: text.index('say = "thanks_good"')].count("\n")
    assert f"{wrong}:{at}: nodes.thanks_good.say.0: prompt 'thank' is not in the catalogue" in lines
    assert lines[-1].startswith(f"{tmp_path / 'none.toml'}:1: ")
    assert "callback_line, version 1" in result.stdout  # the right one is told too


def test_show_writes_text_and_picture(tmp_path: Path) -> None:
    result = flow("show", "inbound_110", "--svg", str(tmp_path / "flow.svg"))
    assert result.exit_code == 0, result.output
    assert "[operators] 排队 operators" in result.output
    assert (tmp_path / "flow.svg").read_text().startswith("<svg")
    assert flow("show", "inbound_110", "--svg", str(tmp_path / "no/flow.svg")).exit_code == 1
    missing = flow("show", "nix")
    assert missing.exit_code == 1 and "no flow is named 'nix'; there is callback_line" in missing.output


RUNS = [
    # arguments, what is typed, what is told in this order
    (
        ["satisfaction_survey", "--may-record"],
        ["3", "", "2", "5", "水还是很小"],
        [
            "评价为不满意（按 3）",
            "未解决",
            "原因 other",
            "嘀",
            "第 1 件的留言 1.2 秒：水还是很小",
            "挂机：完成",
        ],
    ),
    (
        ["satisfaction_survey", "--round", "2", "--category", ""],
        ["1", "*", "2", "1"],
        [
            "您上次评价不满意的事项",
            "评价为满意",
            "评价改为基本满意（按 2）",
            "评价已记录",
            "已解决",
            "挂机：完成",
        ],
    ),
    (["satisfaction_survey"], ["", ""], ["没有收到您的按键", "挂机：没有得到答复"]),
    (["satisfaction_survey"], ["hm", "9"], ["'hm'？", "非本人", "挂机：非本人"]),
    (["satisfaction_survey"], ["3", "h"], ["评价为不满意"]),  # hung up
    (["satisfaction_survey"], ["3"], ["评价为不满意"]),  # the input ends
    (
        ["callback_line", "--cases", "2", "--in-hours"],
        ["5", "1", "", "1", "0", "a"],
        ["转接 agents", "挂机：转人工"],
    ),
    (
        ["callback_line", "--cases", "0", "--in-hours"],
        ["0", "f"],
        ["转接 agents", "工作人员正忙", "挂机：转人工"],
    ),
    (["callback_line", "--cases", "0", "--may-record"], ["2", "请给我回电"], ["留言 1.2 秒：请给我回电"]),
    (["inbound_110"], ["p2", "", "a"], ["进入队列 operators", "您排在第2位", "挂机：已由他人接听"]),
    (["satisfaction_survey", "--lang", "en"], ["1", "", "1"], ["the water supply matter", "评价为满意"]),
]


@pytest.mark.parametrize(("arguments", "typed", "told"), RUNS)
def test_a_flow_is_held_at_the_terminal(arguments: list[str], typed: list[str], told: list[str]) -> None:
    result = flow("run", *arguments, typed="\n".join(typed) + "\n")
    assert result.exit_code == 0, result.output
    at = 0
    for words in told:
        at = result.output.find(words, at)
        assert at >= 0, f"{words} isn't told, or too early:\n{result.output}"


def test_a_flow_is_held_by_the_wall_clock() -> None:
    """The key is there before the prompt, which it isn't an answer to; then the input ends."""
    script = (
        "import sys; from app import main; main(['flow', 'run', 'tests/data/short_survey.toml', '--wall'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input="1\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "没有收到您的按键" in done.stdout
