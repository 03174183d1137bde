"""The months: open, draft, published; what is in the way, what they were computed from, and the bulletin."""

from __future__ import annotations

from datetime import timedelta
from tempfile import TemporaryFile

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from callbacks.service.core import audit
from scoring.assessment import month_bounds
from scoring.models import ScoreMonth
from scoring.month_closing import (
    MonthRefused,
    Refusal,
    freeze_month,
    inputs_text,
    inputs_writer,
    publish_month,
)
from scoring.queries_bulletin import Bulletin, read_bulletin
from scoring.queries_filter import BadFilter, Filter, parse
from scoring.queries_months import count_corrections, has_anything, in_the_way, read_corrections, read_months
from scoring.queries_ranking import Period, city_counts, rates, read_period
from scoring.settings import ScoringSettings
from scoring.settings_toml import write_scoring
from scoring.web import score_charts, words_scores
from scoring.web.context import chosen, deps, scope
from scoring.web.downloads import send_written
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs

pages = Blueprint("months", __name__)

OBJECTION_DAYS, MOST_DAYS = 5, 60


@pages.get("/months")
@needs(Permission.SEE_MONTHS)
def show() -> str:
    with deps().read_sessions() as session:
        return render_template("months.html", rows=read_months(session), s=words_scores, at=deps().now())


@pages.get("/months/<month>")
@needs(Permission.SEE_MONTHS)
def one(month: str) -> str:
    return _page(month_or_404(month))


@pages.post("/months/<month>/freeze")
@needs(Permission.CLOSE_MONTHS)
def freeze(month: str) -> AnyResponse | tuple[str, int]:
    month_or_404(month)
    days = request.form.get("days", "")
    if not (days.isascii() and days.isdigit() and int(days) <= MOST_DAYS):
        return _page(month, fault=_("异议期写0到%(most)s的整数天。", most=MOST_DAYS)), 400
    now = deps().now()
    try:
        until = now + timedelta(days=int(days))
        freeze_month(deps().writer, month, current_user.login, now, deps().scoring, until)
    except MonthRefused as error:
        return _refused(month, error.reason)
    flash(_("%(month)s已冻结为草稿，现在可以提出异议。", month=month))
    return redirect(url_for("months.one", month=month), 303)


@pages.post("/months/<month>/publish")
@needs(Permission.CLOSE_MONTHS)
def publish(month: str) -> AnyResponse | tuple[str, int]:
    month_or_404(month)
    leave = request.form.get("leave") == "1"
    try:
        publish_month(deps().writer, month, current_user.login, deps().now(), leave_undecided=leave)
    except MonthRefused as error:
        return _refused(month, error.reason)
    flash(_("%(month)s已公布，不再更改。", month=month))
    return redirect(url_for("months.one", month=month), 303)


def _refused(month: str, reason: Refusal) -> tuple[str, int]:
    """The page as it is now, which says who closed or published it in the meantime."""
    return _page(month, fault=str(words_scores.REFUSALS[reason])), 409


def _page(month: str, fault: str = "") -> str:
    now, timezone = deps().now(), deps().policy.windows.timezone
    with deps().read_sessions() as session:
        start, end = month_bounds(month, timezone)
        period = read_period(session, month, deps().scoring)
        return render_template(
            "month.html",
            month=month,
            period=period,
            closed=period.closed,
            to_come=now < start,
            over=now >= end,
            anything=has_anything(session, month),
            way=in_the_way(session, month, timezone, now),
            corrections=read_corrections(session, month, chosen().page),
            of_month=Filter(month=month),
            whole=scope(session).units is None,
            days=OBJECTION_DAYS,
            most_days=MOST_DAYS,
            fault=fault,
            s=words_scores,
            at=now,
        )


# -- what a month was computed from


@pages.get("/months/<month>/inputs.csv")
@needs(Permission.SEE_MONTHS)
def inputs(month: str) -> Response:
    """The lines that `huifang assess` computes it again from. They're the city's: not for one unit alone."""
    with deps().read_sessions() as session:
        _closed_or_404(session, month)
        if scope(session).units is not None:
            abort(403)
        writer = inputs_writer(session, month)
        file = TemporaryFile()  # noqa: SIM115 (the response closes it); a month has a million lines
        for piece in inputs_text(session, month, writer):
            file.write(piece.encode())
    with deps().sessions.begin() as writing:
        detail = {"kind": "csv", "rows": writer.entries, "sha256": writer.digest}
        audit(writing, deps().now(), current_user.login, "export", f"inputs:{month}", **detail)
    return send_written(file, f"inputs-{month}.csv", "text/csv")


@pages.get("/months/<month>/settings.toml")
@needs(Permission.SEE_MONTHS)
def settings(month: str) -> Response:
    with deps().read_sessions() as session:
        row = _closed_or_404(session, month)
        text = write_scoring(ScoringSettings.model_validate(row.settings))
    response = Response(text, mimetype="application/toml")
    response.headers["Content-Disposition"] = f'attachment; filename="settings-{month}.toml"'
    return response


# -- 排名通报


@pages.get("/months/<month>/bulletin")
@needs(Permission.SEE_MONTHS)
def bulletin(month: str) -> str | tuple[str, int]:
    """To be printed, or made a PDF by the browser; as a file it's in `exports_months`."""
    with deps().read_sessions() as session:
        period, found = bulletin_or_403(session, month)
        if not found.rows:
            return _page(month), 404
        return render_template(
            "bulletin.html",
            month=month,
            period=period,
            closed=period.closed,
            published=period.is_published,
            groups=found.groups,
            red=found.red,
            black=found.black,
            corrections=count_corrections(session, month),
            city=rates(city_counts(found.rows)),
            units=len(found.rows),
            bar=score_charts.bounds_bar,
            s=words_scores,
            at=deps().now(),
        )


def bulletin_or_403(session: Session, month: str) -> tuple[Period, Bulletin]:
    """A unit reads it when it's published."""
    period = read_period(session, month_or_404(month), deps().scoring)
    if scope(session).units is not None and not period.is_published:
        abort(403)
    return period, read_bulletin(session, period)


def month_or_404(month: str) -> str:
    try:
        found = parse({"month": month}).month
    except BadFilter:
        abort(404)
    if found != month or not "1970" < month < "2999":
        abort(404)
    return month


def _closed_or_404(session: Session, month: str) -> ScoreMonth:
    row = session.get(ScoreMonth, month_or_404(month))
    if row is None:
        abort(404)
    return row
