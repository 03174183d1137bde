"""The citizens' page: a code from a source platform, one question, no sign-in (domain.md §1).

An application of its own beside the desk, so that nothing of the desk's session reaches it. It sets no cookie
and needs no CSRF token: a foreign site can make a browser send a form, but the only authority here is the
code in that form, and whoever knows a code needs nobody's browser. The code stands in the address that the
platform shows, so no page here sends a referrer, is kept by a cache or is to be indexed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from ipaddress import IPv6Network, ip_network
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import Flask, current_app, redirect, render_template, request, url_for
from flask_babel import Babel  # type: ignore[import-untyped, unused-ignore]
from flask_limiter import Limiter
from werkzeug.wrappers import Response

from callbacks.service.core import Context
from callbacks.service.web_codes import (
    LONGEST_COMMENT,
    CodeState,
    WebOutcome,
    WebQuestion,
    answer_code,
    open_code,
)
from scoring.web import citizen_errors, language, templating, words
from scoring.web.citizen_form import BadForm, Filled, read_form
from scoring.web.headers import HEADERS

PREFIX = "/r/"
_PAGES = "120 per minute"  # many citizens share one address of a mobile network
_GUESSES = "20 per 10 minutes"  # of codes that aren't any: closer, and then for right ones alike
_MOST_BYTES = 16 * 1024  # five hundred characters, each of them percent-encoded
_LANGUAGES = ("zh", "en")
_HEADERS = HEADERS | {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}

Page = str | tuple[str, int] | Response


@dataclass(frozen=True)
class CitizenDeps:
    """What `app.py` hands to the page. `now` is the domain's clock, aware."""

    ctx: Context
    now: Callable[[], datetime]
    demo: bool = False


def create_citizen_page(deps: CitizenDeps) -> Flask:
    """The WSGI application of what lies below `/r/`."""
    app = Flask(__name__, static_url_path=f"{PREFIX}static")
    app.config.update(MAX_CONTENT_LENGTH=_MOST_BYTES, MAX_FORM_PARTS=20)
    app.extensions["citizen"] = deps
    Babel(
        app,
        default_locale="zh_Hans",
        default_translation_directories=str(language.TRANSLATIONS),
        locale_selector=lambda: language.LANGUAGES[_language()],
    )
    _templates(app, deps)
    citizen_errors.set_up(app)
    _routes(app)
    app.after_request(_protect)
    return app


def _templates(app: Flask, deps: CitizenDeps) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        office=deps.ctx.office,
        demo=deps.demo,
        longest=LONGEST_COMMENT,
        language=_language,
        w=words,
        to=_to,
    )
    app.context_processor(lambda: {"scale": deps.ctx.policy.rating_scale})  # the policy may change meanwhile
    zone = ZoneInfo(deps.ctx.policy.windows.timezone)
    app.jinja_env.filters.update(local=partial(templating.local, zone), category=templating.category)


def _routes(app: Flask) -> None:
    limiter = Limiter(_guesser, app=app, storage_uri="memory://")
    pages = limiter.shared_limit(_PAGES, scope="pages")
    guesses = limiter.shared_limit(
        _GUESSES, scope="guesses", deduct_when=lambda response: response.status_code == 404
    )
    for rule, method, view in (
        ("", "GET", ask_code),
        ("", "POST", take_code),
        ("answer", "POST", take_answer),
        ("<code>", "GET", show_code),
    ):
        app.add_url_rule(PREFIX + rule, view.__name__, guesses(pages(view)), methods=[method])


def ask_code() -> Page:
    """Where a code is typed by whoever has it on paper."""
    return render_template("citizen_code.html", unknown=False)


def take_code() -> Page:
    code = request.form.get("code", "").strip()
    question = open_code(_deps().ctx, code, _deps().now())
    return _unknown() if question is None else redirect(_to("show_code", code=code), 303)


def show_code(code: str) -> Page:
    """The question, or what became of it."""
    question = open_code(_deps().ctx, code, _deps().now())
    return _unknown() if question is None else _question(question, code)


def take_answer() -> Page:
    """Stores the answer and shows it at the code's own address, so that reloading sends nothing again."""
    deps, code = _deps(), request.form.get("code", "").strip()
    try:
        answer = read_form(request.form, deps.ctx.policy.rating_scale)
    except BadForm as error:
        question = open_code(deps.ctx, code, deps.now())
        return _unknown() if question is None else (_question(question, code, error.filled), 400)
    outcome = answer_code(deps.ctx, code, answer, deps.now())
    if outcome is WebOutcome.UNKNOWN:
        return _unknown()
    told = {
        "kept": "1" if outcome is WebOutcome.UNCOUNTED else None,
        "urgent": "1" if answer.comment and deps.ctx.urgent(answer.comment) else None,
    }
    return redirect(_to("show_code", code=code, **told), 303)


def _question(question: WebQuestion, code: str, filled: Filled | None = None) -> str:
    if filled is None:
        filled = Filled(rating="" if question.given is None else str(question.given))
    return render_template(
        "citizen_question.html",
        question=question,
        code=code,
        filled=filled,
        fault=filled.fault and words.FORM_FAULTS[filled.fault],
        states=CodeState,
        kept="kept" in request.args,
        urgent="urgent" in request.args,
    )


def _unknown() -> tuple[str, int]:
    return render_template("citizen_code.html", unknown=True), 404


def _deps() -> CitizenDeps:
    return cast(CitizenDeps, current_app.extensions["citizen"])


def _language() -> str:
    """As the address says, else as the browser does."""
    asked = request.args.get("lang")
    if asked in _LANGUAGES:
        return str(asked)
    return request.accept_languages.best_match(_LANGUAGES) or "zh"


def _to(endpoint: str, **values: Any) -> str:
    """An address of this page; the language goes along once it was chosen, since no cookie keeps it."""
    chosen = {"lang": _language()} if "lang" in request.args else {}
    return url_for(endpoint, **(chosen | values))


def _guesser() -> str:
    """Who asks: an IPv4 address, or the /64 network that one customer has of IPv6 (RFC 6177)."""
    try:
        network = ip_network(f"{request.remote_addr}/64", strict=False)
    except ValueError:  # IPv4, which has no /64
        return str(request.remote_addr)
    return str(network) if isinstance(network, IPv6Network) else str(request.remote_addr)


def _protect(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
