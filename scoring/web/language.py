"""The desk's two languages. The messages' ids are Chinese; `?lang=en` or the switch chooses English."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request, session
from flask_babel import (  # type: ignore[import-untyped, unused-ignore]
    Babel,
    get_locale,
    lazy_gettext,
)
from flask_babel import gettext as _gettext

__all__ = ["LANGUAGES", "TRANSLATIONS", "current", "gettext", "lazy_gettext", "set_up"]

LANGUAGES = {"zh": "zh_Hans", "en": "en"}
TRANSLATIONS = Path(__file__).parent / "translations"


def set_up(app: Flask) -> None:
    Babel(
        app,
        default_locale="zh_Hans",
        default_translation_directories=str(TRANSLATIONS),
        locale_selector=_choose,
    )
    app.before_request(_keep)


def gettext(message: str, **values: object) -> str:
    """The message in the reader's language, with `%(name)s` filled in."""
    return str(_gettext(message, **values))


def current() -> str:
    """`zh` or `en`."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "zh"


def _keep() -> None:
    """`?lang=` holds from now on, as the switch's form does."""
    asked = request.args.get("lang")
    if asked in LANGUAGES and session.get("lang") != asked:
        session["lang"] = asked


def _choose() -> str:
    asked = request.args.get("lang") or session.get("lang")
    return LANGUAGES.get(str(asked), "zh_Hans")
