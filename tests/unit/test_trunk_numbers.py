"""How a trunk wants numbers written: tables with why each row is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ivr.trunk_numbers import BadRewrite, CallerForm, NumberRule, identity_header, rewritten, shown
from ivr.trunk_settings import TrunkSettings

TRUNK = {"name": "city", "host": "192.0.2.1", "caller_number": "037963110110"}
E164 = (
    NumberRule(match=r"(1[3-9]\d{9})", replace=r"+86\1"),
    NumberRule(match=r"0(\d{9,11})", replace=r"+86\1"),
)
PBX = (NumberRule(match="0379([2-8]\\d{7})", replace="9\\1"), NumberRule(match="(.*)", replace="9\\1"))


@pytest.mark.parametrize(
    ("number", "rules", "dialled"),
    [
        ("13803790001", (), "13803790001"),  # no rules: as it is
        ("13803790001", E164, "+8613803790001"),  # E.164 for a mobile
        ("037963110000", E164, "+8637963110000"),  # and for a landline, without its 0
        (
            "013903780001",
            (NumberRule(match=r"0(1.*)", replace=r"\1"),),
            "13903780001",
        ),  # the 0 taken off again
        ("037963110000", PBX, "963110000"),  # the first that fits: an own number by 9, without the area code
        ("13803790001", PBX, "913803790001"),  # the next one: anything else by 9
        ("13803790001", (NumberRule(match=r"138", replace="9"),), "13803790001"),  # the whole number must fit
        ("13803790001", (NumberRule(match=r"(?P<who>\d+)", replace=r"*72\g<who>#"),), "*7213803790001#"),
        ("13803790001", (NumberRule(match=r"(\d+)", replace=r"\g<1>0"),), "138037900010"),  # a digit follows
        (
            "13803790001",
            (NumberRule(match=r"(\d+?)(0001)?", replace=r"\1"),),
            "1380379",
        ),  # groups may be empty
    ],
)
def test_numbers_are_rewritten(number: str, rules: tuple[NumberRule, ...], dialled: str) -> None:
    assert rewritten(number, rules) == dialled


@pytest.mark.parametrize(
    ("replace", "told"),
    [
        ("", "makes no number"),  # nothing is left
        ("110", "an emergency number"),  # no rule brings a citizen's call to a desk
        ("0379110", "an emergency number"),  # which it does with an area code, too
        ("+86110", "an emergency number"),
        (r"\1\1\1\1", "makes no number"),  # longer than a number can be
    ],
)
def test_what_a_rule_must_not_make_of_a_number(replace: str, told: str) -> None:
    with pytest.raises(BadRewrite, match=told):
        rewritten("13803790001", (NumberRule(match=r"(\d+)", replace=replace),))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"match": "(", "replace": ""}, "no regular expression"),
        ({"match": r"\d+", "replace": r"\1"}, "has no group 1"),
        ({"match": r"(\d+)", "replace": r"\g<who>"}, "has no group who"),
        ({"match": r"(\d+)", "replace": r"\10"}, "before a digit"),
        ({"match": r"(\d+)", "replace": "sip:1@x"}, "alone"),
        ({"match": r"(\d+)", "replace": "1\r\n"}, "alone"),
        ({"match": "", "replace": "1"}, "at least 1 character"),
    ],
)
def test_bad_rules_are_named(rule: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        TrunkSettings.model_validate({**TRUNK, "number_rules": [rule]})
    assert "number_rules" in str(caught.value)


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.text("0123456789+*#", max_size=8))
def test_what_is_dialled_is_always_a_number(number: str, prefix: str) -> None:
    try:
        made = rewritten(number, (NumberRule(match=r"(.*)", replace=rf"{prefix}\1"),))
    except BadRewrite:
        return
    assert made.endswith(number) and made.startswith(prefix)
    assert "+" not in made[1:]


@pytest.mark.parametrize(
    ("number", "plus_86", "only_86", "none"),
    [
        # a landline with its area code: E.164 has no trunk prefix 0
        ("037963110110", "+8637963110110", "8637963110110", "037963110110"),
        # the same as a carrier may write it
        ("+8637963110110", "+8637963110110", "8637963110110", "037963110110"),
        ("008637963110110", "+8637963110110", "8637963110110", "037963110110"),
        ("8637963110110", "+8637963110110", "8637963110110", "037963110110"),
        # a caller of ours whose mobile is shown to an operator
        ("13803790001", "+8613803790001", "8613803790001", "13803790001"),
        # Beijing, whose area code is 10
        ("01062345678", "+861062345678", "861062345678", "01062345678"),
        # an extension of a PBX, a service number, another country: as they are
        ("8001", "8001", "8001", "8001"),
        ("95588", "95588", "95588", "95588"),
        ("+4930123456", "+4930123456", "+4930123456", "+4930123456"),
    ],
)
def test_our_number_as_the_trunk_wants_it(number: str, plus_86: str, only_86: str, none: str) -> None:
    assert shown(number, CallerForm(country_code="plus_86")) == plus_86
    assert shown(number, CallerForm(country_code="86")) == only_86
    assert shown(number, CallerForm(country_code="none")) == none
    assert shown(number, CallerForm()) == number


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        (CallerForm(), ()),
        (CallerForm(identity="p-asserted"), (("P-Asserted-Identity", "<sip:1@x>"),)),
        (CallerForm(identity="p-preferred"), (("P-Preferred-Identity", "<sip:1@x>"),)),
        (
            CallerForm(identity="remote-party", display_name='示例市"110"'),
            (("Remote-Party-ID", '"示例市\\"110\\"" <sip:1@x>;party=calling;screen=yes;privacy=off'),),
        ),
    ],
)
def test_headers_of_our_identity(form: CallerForm, headers: tuple[tuple[str, str], ...]) -> None:
    assert identity_header("sip:1@x", form) == headers


@pytest.mark.parametrize("number", ["110", "+86110", "86110", "12110", "120"])
def test_never_110_itself_as_caller(number: str) -> None:
    with pytest.raises(ValidationError, match="never 110 itself"):
        TrunkSettings.model_validate({**TRUNK, "caller_number": number})


@pytest.mark.parametrize("number", ["037963110110", "0379110", "8001", "+8637963110110"])
def test_other_numbers_of_ours(number: str) -> None:
    assert TrunkSettings.model_validate({**TRUNK, "caller_number": number}).caller_number == number


def test_an_account_needs_its_password() -> None:
    with pytest.raises(ValidationError, match="register needs username"):
        TrunkSettings.model_validate({**TRUNK, "register": True})
    account = {"register": True, "username": "office", "password": "secret", "registrar": "192.0.2.7"}
    assert TrunkSettings.model_validate({**TRUNK, **account}).register_account
