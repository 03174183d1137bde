"""What calls say: each prompt is heard here, and a recording takes its place or gives it back to speech.

A recording passes the same checks as by `huifang prompts import`; one that doesn't changes nothing. Calls
have it from the next one on. Files and audit are two things: the audit's line is written first and committed
last, so a folder that can't be written leaves no line.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Lock

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as Answer

from callbacks.service.core import audit
from prompts.importing import Prepared, prepare, put
from prompts.listing import Origin, PromptRow, list_prompts, prompt_row
from prompts.pieces import Piece
from prompts.recording_faults import BadRecording
from prompts.recordings import drop_recording, file_hash
from scoring.web.context import deps
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission, needs
from scoring.web.prompt_words import ORIGINS, why
from scoring.web.uploads import takes_files

pages = Blueprint("prompts", __name__)

_changing = Lock()  # one change at a time: it's compared with what was seen, then written
_LONGEST_NAME = 160
_Do = Callable[[Path], object]


class _Refused(Exception):
    """The change isn't made; the message is the reader's, `status` the page's."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@pages.get("/prompts")
@needs(Permission.SEE_PROMPTS)
def show() -> str:
    rows = list_prompts(deps().prompts)
    return render_template(
        "prompts.html",
        rows=rows,
        origins=ORIGINS,
        recorded=sum(row.origin is Origin.RECORDING for row in rows),
        stale=sum(row.stale for row in rows),
        at=recorded_at,
        **_of_the_place(),
    )


@pages.get("/prompts/<piece_id>")
@needs(Permission.SEE_PROMPTS)
def one(piece_id: str) -> str:
    return _page(_piece_or_404(piece_id))


@pages.get("/prompts/<piece_id>/sound.wav")
@needs(Permission.SEE_PROMPTS)
def sound(piece_id: str) -> Response:
    """As calls say it, 8 kHz; 404 where there's none."""
    path = prompt_row(deps().prompts, _piece_or_404(piece_id)).path
    try:
        content = path.read_bytes() if path is not None else abort(404)
    except OSError:
        abort(404)
    return Response(content, mimetype="audio/wav")


@pages.post("/prompts/<piece_id>/recording")
@needs(Permission.CHANGE_PROMPTS)
@takes_files
def record(piece_id: str) -> Answer | tuple[str, int]:
    """Takes the sent file's place."""
    piece, sent = _piece_or_404(piece_id), request.files.get("file")
    try:
        prepared = _prepared(piece, sent)
        name = (sent.filename or "")[:_LONGEST_NAME] if sent else ""
        told = {"source": prepared.recording.source, "file": name, "seconds": prepared.recording.seconds}
        _change(piece, "record_prompt", lambda _folder: put(deps().prompts, prepared), told)
    except _Refused as error:
        return _page(piece, str(error)), error.status
    flash(_("已更换。从下一个电话开始使用这段录音。"))
    if prepared.recording.limited:
        level = f"{prepared.recording.level:.0f}"
        flash(_("音量偏低（%(level)s dBov）：录音中的最高音不允许再放大。", level=level))
    return redirect(url_for("prompts.one", piece_id=piece.id), 303)


@pages.post("/prompts/<piece_id>/speech")
@needs(Permission.CHANGE_PROMPTS)
def speech(piece_id: str) -> Answer | tuple[str, int]:
    """Back to the speech that came with the program."""
    piece = _piece_or_404(piece_id)
    try:
        _change(piece, "speech_prompt", lambda folder: drop_recording(folder, piece.id), {})
    except _Refused as error:
        return _page(piece, str(error)), error.status
    flash(_("已恢复合成语音。"))
    return redirect(url_for("prompts.one", piece_id=piece.id), 303)


def _prepared(piece: Piece, sent: FileStorage | None) -> Prepared:
    if sent is None or not sent.filename:
        raise _Refused(_("请选择一个声音文件。"))
    files = [(piece.id, piece, sent.stream.read())]
    outcome = prepare(deps().prompts, files, current_user.login, deps().now())
    if piece.id in outcome.refused:
        raise _Refused(_told(outcome.refused[piece.id], sent.filename))
    return outcome.taken[piece.id]


def _told(error: BadRecording, name: str) -> str:
    return _("没有更换。%(file)s：%(why)s", file=name[:_LONGEST_NAME], why=why(error))


def _change(piece: Piece, action: str, do: _Do, told: dict[str, object]) -> None:
    """Does it and writes who did; _Refused where it's no longer what was seen, or can't be written."""
    folder = deps().prompts.recordings
    if folder is None:
        raise _Refused(_("没有设置录音文件夹，不能更换提示音。"), 409)

    def work(session: Session) -> None:
        audit(session, deps().now(), current_user.login, action, f"prompt:{piece.id}", **told)
        session.flush()
        do(folder)

    with _changing:
        if request.form.get("seen", "") != _seen(prompt_row(deps().prompts, piece)):
            raise _Refused(_("这条提示音刚才已被更换，您的操作没有执行。请试听后再决定。"), 409)
        try:
            deps().writer.run(work)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise _Refused(_("录音文件夹不能写入：%(why)s", why=reason), 503) from None


def _page(piece: Piece, fault: str = "") -> str:
    row = prompt_row(deps().prompts, piece)
    return render_template(
        "prompt.html",
        row=row,
        seen=_seen(row),
        origins=ORIGINS,
        fault=fault,
        at=recorded_at(row),
        **_of_the_place(),
    )


def _of_the_place() -> dict[str, object]:
    place = deps().prompts
    return {"may_record": place.recordings is not None, "tongue": _tongue(place.language)}


def _tongue(language: str) -> str:
    return "en" if language == "en" else "zh-Hans"


def _seen(row: PromptRow) -> str:
    """What tells whether it's still the recording that somebody saw; empty for speech."""
    return file_hash(row.path) if row.origin is Origin.RECORDING and row.path else ""


def recorded_at(row: PromptRow) -> datetime | None:
    """When it was recorded; None where nobody knows."""
    try:
        found = datetime.fromisoformat(row.recording.at) if row.recording else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _piece_or_404(piece_id: str) -> Piece:
    found = next((piece for piece in deps().prompts.pieces() if piece.id == piece_id), None)
    if found is None:
        abort(404)
    return found
