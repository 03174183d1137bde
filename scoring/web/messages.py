"""A citizen's voice message, to be heard: who did, and when, is in the audit."""

from __future__ import annotations

from flask import Blueprint, Response, abort, request
from flask_login import current_user
from sqlalchemy.orm import Session

from callbacks.models import Callback
from callbacks.models_voice import VoiceMessage
from callbacks.recording_file import wav_head
from scoring.web.context import deps, scope
from scoring.web.listening import note_listening
from scoring.web.permissions import Permission, needs

pages = Blueprint("messages", __name__)


@pages.get("/messages/<int:message_id>.wav")
@needs(Permission.HEAR_MESSAGES)
def hear(message_id: int) -> Response:
    """As it was spoken, in the telephone's own coding. A player that asks for a part of it hears on."""
    with deps().sessions.begin() as session:
        message = session.get(VoiceMessage, message_id) if message_id < 2**31 else None
        if message is None or message.content is None:
            abort(404)
        subject = _subject(session, message)
        note_listening(session, "hear_message", subject, message=message.id)
        octets = message.content
        content = wav_head(len(octets), message.codec) + octets + b"\0" * (len(octets) % 2)
    response = Response(content, mimetype="audio/wav")
    response.headers["Cache-Control"] = "private, no-store"
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response


def _subject(session: Session, message: VoiceMessage) -> str:
    """What the audit says it's about; 404 for readers who may not know of it."""
    if message.callback_id is None:
        if not current_user.may(Permission.SEE_INBOUND):
            abort(404)
        return f"inbound:{message.inbound_token}"
    if not scope(session).covers(session.get_one(Callback, message.callback_id).unit_id):
        abort(404)
    return f"callback:{message.callback_id}"
