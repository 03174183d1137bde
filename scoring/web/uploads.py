"""Files that come with a form, and showing them again to who may see what they stand behind."""

from __future__ import annotations

from flask import abort, current_app, request
from flask_login import current_user

from scoring.evidence import LARGEST_FILE, File
from scoring.web.permissions import View

MOST_MEGABYTES = LARGEST_FILE // 2**20  # of a form's files together
LARGEST_REQUEST = LARGEST_FILE + 2**18  # with the form's words, and the lines between its parts
MOST_FILES = 5


def takes_files(view: View) -> View:
    """Declares that a view's form brings files: only for these a request may be long."""
    view.__dict__["desk_files"] = True
    return view


def allow_files() -> None:
    """Before anything reads the form: a signed-in user's form with files may be longer than others."""
    if brings_files() and current_user.is_authenticated:
        request.max_content_length = LARGEST_REQUEST


def brings_files() -> bool:
    """Whether this request's form may have files."""
    view = current_app.view_functions.get(request.endpoint or "")
    return view is not None and bool(view.__dict__.get("desk_files"))


def sent_files() -> tuple[File, ...]:
    """The request's files that have a name and something in them; 413 where they are over MOST_FILES."""
    found = (File((each.filename or "")[:160], each.stream.read()) for each in request.files.getlist("files"))
    files = tuple(file for file in found if file.name and file.content)
    if len(files) > MOST_FILES:
        abort(413)
    return files
