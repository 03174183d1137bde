"""Both languages are complete: a Chinese text without its English fails here.

`pybabel` with scoring/web/translations/babel.cfg brings the catalogue up to date; the commands are in it.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

WEB = Path(__file__).parents[2] / "scoring" / "web"
ENGLISH = WEB / "translations" / "en" / "LC_MESSAGES"
_CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")
_HOLE = re.compile(r"%\((\w+)\)s")


def _used() -> set[str]:
    keywords = {"_": None, "gettext": None, "_l": None, "lazy_gettext": None}
    found = extract_from_dir(
        WEB,
        [("**.py", "python"), ("templates/**.html", "jinja2")],
        {"templates/**.html": {"trimmed": "true"}},
        keywords,
    )
    return {str(message) for _, _, message, _, _ in found}


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    with (ENGLISH / "messages.po").open("rb") as file:
        return read_po(file, locale="en")


def test_every_text_has_its_english(catalogue: Catalog) -> None:
    known = {str(message.id) for message in catalogue if message.id and message.string}
    assert _used() - known == set(), "texts without English"
    assert known - _used() == set(), "English that nothing uses"


def test_english_is_english_and_keeps_the_holes(catalogue: Catalog) -> None:
    for message in catalogue:
        if message.id:
            assert not message.fuzzy, message.id
            assert not _CHINESE.search(str(message.string)), message.string
            assert set(_HOLE.findall(str(message.id))) == set(_HOLE.findall(str(message.string)))


def test_the_compiled_catalogue_is_that_of_the_texts(catalogue: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    with (ENGLISH / "messages.mo").open("rb") as file:
        stored = {message.id: message.string for message in read_mo(file) if message.id}
    assert stored == {message.id: message.string for message in read_mo(compiled) if message.id}


def test_templates_hold_no_text_outside_the_catalogue() -> None:
    """Chinese that isn't in a `_()` would stay Chinese on an English page; 中文 names itself."""
    for template in sorted((WEB / "templates").glob("*.html")):
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", template.read_text(), flags=re.DOTALL)
        rest = _CHINESE.findall(text.replace("中文", ""))
        assert rest == [], f"{template.name}: {''.join(rest)}"
