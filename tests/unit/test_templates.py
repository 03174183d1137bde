"""Templates: what is refused when one is saved, and that no case makes a longer text than was checked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.models import TextKind
from callbacks.templates import (
    KINDS,
    VARIABLES,
    TemplateError,
    check,
    fill,
    find_faults,
    longest_preview,
    measure,
    most_parts,
    preview,
    shortened,
    signed,
    units,
)
from prompts.catalogue import load_catalogue
from sms.message import parts

SIGNATURE = "示例市110联动"  # ten units with its brackets
TAIL = "编号{tail}。"


def test_every_kind_of_text_has_its_rules() -> None:
    assert set(KINDS) == {kind.value for kind in TextKind}


@pytest.mark.parametrize("kind", KINDS)
def test_the_catalogues_own_texts_pass(kind: str) -> None:
    body = load_catalogue().written[kind]["zh-CN"]
    assert check(body, kind, SIGNATURE) == []
    assert preview(body, kind, SIGNATURE).startswith("【示例市110联动】")


FAULTS = [
    # body, kind, what is said of it
    ("", "thanks", "no words"),
    ("谢谢 ", "thanks", "begins or ends with a space"),
    ("请评价：1满意，2基本满意，3不满意。", "eval", "must have {tail}"),  # of which matter?
    ("待办{tail}，请尽快签收。", "handler_todo", "must have {due_by} or {sign_by}"),
    (
        "您反映的{summary}已办理，" + TAIL,
        "eval",
        "unknown variable {summary} at 5",
    ),  # their words
    ("{unit}已办理，" + TAIL, "eval", "unknown variable {unit} at 1"),  # a unit may tell what it's about
    ("尾号{tail}", "emergency", "unknown variable {tail} at 3"),  # may answer a text of no case
    ("谢谢{", "thanks", "a single { at 3"),
    ("谢谢}", "thanks", "a single } at 3"),
    ("谢谢{}", "thanks", "unknown variable {} at 3"),
    ("尾号{tail", "eval", "a single { at 3"),
    ("尾号{{tail}", "eval", "a single } at 9"),
    ("尾号{tail!r}", "eval", "unknown variable {tail!r} at 3"),  # a name, nothing to compute
    ("尾号{tail.__class__}", "eval", "unknown variable {tail.__class__}"),
    ("【联动办】谢谢", "thanks", "【 at 1"),  # a second signature
    ("谢谢\x07", "thanks", "U+0007 at 3"),
    ("谢谢\u202e", "thanks", "U+202E at 3"),  # turns the writing round
    ("详见 http://dwz.cn/abc", "thanks", "dwz.cn at 11"),
    ("详见bit.ly/abc", "thanks", "bit.ly at 3"),
    ("字" * 61, "thanks", "71 UTF-16 units"),
    ("字" * 58 + "{tail}", "verifying", "72 UTF-16 units"),
    ("😀" * 31, "thanks", "72 UTF-16 units"),  # two units each
    ("谢谢", "greeting", "no texts of kind 'greeting'"),
]


@pytest.mark.parametrize(("body", "kind", "fault"), FAULTS)
def test_faults_are_named(body: str, kind: str, fault: str) -> None:
    assert any(fault in found for found in check(body, kind, SIGNATURE)), check(body, kind, SIGNATURE)


PASSING = [
    # body, kind
    ("字" * 60, "thanks"),  # seventy to the unit
    ("字" * 56 + "{tail}", "verifying"),
    ("评价{{满意}}" + TAIL, "eval"),  # braces themselves
    ("{{{tail}}}", "eval"),
    ("第一行\n第二行", "thanks"),
    ("详见 www.example.gov.cn", "thanks"),
    ("about.cn 谢谢", "thanks"),  # not t.cn
    ("催办{number}，{clock}", "handler_urge"),
]


@pytest.mark.parametrize(("body", "kind"), PASSING)
def test_what_may_be_saved(body: str, kind: str) -> None:
    assert check(body, kind, SIGNATURE) == []


def test_all_faults_at_once() -> None:
    found = check("{nobody}{" + "字" * 80, "eval", SIGNATURE)
    assert len(found) == 4  # unknown, unbalanced, no {tail}, too long


def test_several_parts_only_where_they_are_allowed() -> None:
    body = "字" * 124  # 134 units
    assert check(body, "thanks", SIGNATURE, several_parts=True) == []
    assert "2 parts of 67" in check(body, "thanks", SIGNATURE)[0]
    assert measure(body, SIGNATURE).parts == 2
    assert measure(body + "字", SIGNATURE).parts == 3
    assert check("字" * 400, "thanks", SIGNATURE, several_parts=True) == ["7 parts of 67 units, at most 5"]


def test_shorteners_where_the_city_allows_them() -> None:
    assert check("详见 dwz.cn/abc", "thanks", SIGNATURE, shorteners=True) == []


def test_latin_letters_leave_as_ucs2_too() -> None:
    """Not 160: the gateways send data coding 8, whatever the letters are."""
    assert check("a" * 61, "thanks", SIGNATURE) != []
    assert len(parts(signed(SIGNATURE, "a" * 61))) == 2


SHORTENED = [
    # value, bound, what is left
    ("0823", 4, "0823"),
    ("市城市管理综合执法局洛龙分局第三大队", 16, "市城市管理综合执法局洛龙分局第…"),
    ("市供水\n集团 ", 16, "市供水 集团"),
    ("【假签名】", 16, "假签名"),
    ("𠮷利区", 16, "〓利区"),  # outside the BMP
    ("a\x00b\u202e", 16, "ab"),
    ("", 4, ""),
]


@pytest.mark.parametrize(("value", "bound", "left"), SHORTENED)
def test_values_are_made_to_fit(value: str, bound: int, left: str) -> None:
    assert shortened(value, bound) == left


def test_filling_needs_every_value() -> None:
    with pytest.raises(TemplateError, match=r"no value for \{tail\}"):
        fill(TAIL, {})
    with pytest.raises(TemplateError, match="a single }"):
        fill("谢谢}", {})


def test_a_values_braces_stay_braces() -> None:
    values = {"tail": "{day", "unit": "{tail}{{x}}{0}", "day": "1"}
    assert fill("{unit}-{tail}", values) == "{tail}{{x}}{0}-{day"


PIECES = st.one_of(
    st.text(alphabet="字满意a1，😀", max_size=40),
    st.sampled_from([f"{{{name}}}" for name in VARIABLES]),
    st.sampled_from(["{{", "}}"]),
)
VALUES = st.fixed_dictionaries({name: st.text(max_size=60) for name in VARIABLES})


@settings(max_examples=200)
@given(pieces=st.lists(PIECES, min_size=1, max_size=12), values=VALUES)
def test_no_values_make_a_text_longer_than_was_checked(pieces: list[str], values: dict[str, str]) -> None:
    body = "".join(pieces)
    text = signed(SIGNATURE, fill(body, values))
    longest = measure(body, SIGNATURE)
    assert units(text) <= longest.units
    assert len(parts(text)) <= longest.parts


@settings(max_examples=150)
@given(values=VALUES, names=st.lists(st.sampled_from(list(VARIABLES)), max_size=6))
def test_what_a_variable_brings_is_never_a_template(values: dict[str, str], names: list[str]) -> None:
    """Filled in one pass: the same as joining the values."""
    body = "|".join(f"{{{name}}}" for name in names)
    joined = "|".join(shortened(values[name], VARIABLES[name].bound) for name in names)
    assert fill(body, values) == joined


@settings(max_examples=150)
@given(st.text(alphabet="字a😀", max_size=300))
def test_parts_are_never_counted_too_low(text: str) -> None:
    assert len(parts(text)) <= most_parts(units(text), "😀" in text)


@settings(max_examples=150)
@given(body=st.text(alphabet="字{}tail day", max_size=30), kind=st.sampled_from(list(KINDS)))
def test_what_passes_can_be_filled(body: str, kind: str) -> None:
    if not check(body, kind, SIGNATURE):
        assert units(preview(body, kind, SIGNATURE)) <= 70


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_preview_is_as_long_as_was_measured(kind: str) -> None:
    body = load_catalogue().written[kind]["zh-CN"]
    longest = longest_preview(body, kind, SIGNATURE)
    assert units(longest) == measure(body, SIGNATURE).units
    assert "〓" not in longest and len(preview(body, kind, SIGNATURE)) <= len(longest)


def test_a_fault_knows_its_place() -> None:
    body = "您好】{who}尾号{"
    found = [(fault.problem.value, fault.at, fault.width) for fault in find_faults(body, "thanks", SIGNATURE)]
    assert found == [("bracket", 3, 1), ("unknown_variable", 4, 5), ("stray_brace", 11, 1)]
    assert [body[at - 1 : at - 1 + width] for _, at, width in found] == ["】", "{who}", "{"]
    assert preview("{office}：{tail}", "eval", SIGNATURE, {"office": "联动办"}).endswith("】联动办：0823")
