"""Every text in both languages, the written ones within one message, and prompts joined of pieces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from prompts.catalogue import LANGUAGES, CatalogueError, load_catalogue, text_units, variables_of
from prompts.pieces import all_pieces, piece_ids
from prompts.speech import as_spoken

CATALOGUE = load_catalogue()


def test_the_catalogue_has_no_faults() -> None:
    assert CATALOGUE.faults() == []


# domain.md §8.2's own counts, with a ten-character signature
UNITS = {"eval": 67, "clarify": 56, "thanks": 54, "reason": 53, "verifying": 46, "re_eval": 61, "closed": 52}
UNITS |= {"optout": 43, "emergency": 50, "removed": 41, "prenotice": 62, "handler_todo": 49}
UNITS |= {"handler_urge": 38, "handler_supervise": 40, "handler_rectify": 51}


@pytest.mark.parametrize(("template", "units"), UNITS.items())
def test_units(template: str, units: int) -> None:
    values = {"month": "12", "day": "20", "tail": "0823", "caller": "0379-63110110", "hotline": "110联动热线"}
    values |= {"kind": "企业诉求", "sign_by": "8月23日18时", "due_by": "8月30日", "clock": "整改已超期"}
    text = CATALOGUE.text(template, "zh-CN", **values)
    assert text_units(f"【示例市110联动】{text}") == units


def test_a_text_that_grew_is_named() -> None:
    longer = {**CATALOGUE.written, "eval": {"zh-CN": "满" * 61, "en": "x"}}
    assert replace(CATALOGUE, written=longer).faults() == [
        "written.eval: 71 UTF-16 units with the signature, at most 70"
    ]


def test_a_missing_language_or_variable_is_named() -> None:
    broken = {**CATALOGUE.spoken, "invalid": {"zh-CN": "x"}, "no_input": {"zh-CN": "{day}", "en": "b"}}
    faults = replace(CATALOGUE, spoken=broken).faults()
    assert faults == ["spoken.invalid: no en", "spoken.no_input: the languages use different variables"]
    gas = {"gas": {"en": "gas"}}
    assert replace(CATALOGUE, categories=gas).faults() == ["categories.gas: no zh-CN"]
    assert replace(CATALOGUE, months={"en": ["January"]}).faults() == ["months.en: 1, not 12"]
    with pytest.raises(CatalogueError, match="tail"):
        CATALOGUE.text("verifying", "zh-CN")
    with pytest.raises(CatalogueError, match="nothing"):
        CATALOGUE.text("nothing", "en")


def test_an_unknown_variable_is_named() -> None:
    spoken = {**CATALOGUE.spoken, "invalid": {"zh-CN": "{name}您好", "en": "Hello {name}"}}
    written = {**CATALOGUE.written, "optout": {"zh-CN": "{phone}已停止", "en": "{phone} stopped"}}
    faults = replace(CATALOGUE, spoken=spoken, written=written).faults()
    assert [fault.partition(";")[0] for fault in faults] == [
        "spoken.invalid: unknown variable {name}",
        "written.optout: unknown variable {phone}",
    ]


def test_a_file_that_is_no_catalogue_is_named(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    with pytest.raises(CatalogueError, match=r"catalogue\.toml"):
        load_catalogue.__wrapped__(path)
    for text in (b"spoken = ", b"[speeches]", b"\xff"):
        path.write_bytes(text)
        with pytest.raises(CatalogueError, match=r"catalogue\.toml"):
            load_catalogue.__wrapped__(path)


def test_the_slow_question_is_the_question_and_the_ninth_key() -> None:
    """domain.md §8.1: the same choices in the same order, so the second hearing shifts nobody's answer."""
    for language in LANGUAGES:
        quick, slow = (CATALOGUE.speech(p, language) for p in ("q_rating", "q_rating_slow"))
        assert [d for d in slow if d.isdigit()] == ["1", "2", "3", "9", "0"]
        assert [d for d in quick if d.isdigit()] == ["1", "2", "3", "0"]
    assert CATALOGUE.spoken["q_rating_slow"]["slow"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_prompt_is_joined_of_known_pieces(language: str) -> None:
    known = {piece.id for piece in all_pieces(CATALOGUE, language)} | {"office"}
    values = {"month": "12", "day": "31", "category": "water", "rating": "cn3.2", "position": "31"}
    for prompt in CATALOGUE.spoken:
        assert set(piece_ids(CATALOGUE, prompt, language, values)) <= known


def test_a_date_is_joined_of_numbers() -> None:
    values = {"month": "11", "day": "3", "category": "a category that the city added"}
    ids = piece_ids(CATALOGUE, "greeting", "zh-CN", values)
    assert ids[1] == "office"
    assert {"number.11", "number.3", "category.other"} <= set(ids)


def test_110_is_said_digit_by_digit() -> None:
    assert as_spoken("请拨打110，按1", "zh-CN") == "请拨打幺幺零，按1"
    assert as_spoken("dial 110, press 1", "en") == "dial 1 1 0, press 1"


def test_what_the_engine_misreads_is_spelt() -> None:
    assert as_spoken("重听请按星号键", "zh-CN") == "chong2 ting1请按星号键"
    assert as_spoken("已重新办理", "zh-CN") == "已重新办理"


def test_variables_are_those_in_braces() -> None:
    assert variables_of("{month}月{day}日") == {"month", "day"}
