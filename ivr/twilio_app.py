"""The webhooks of Twilio's calls, beside the desk in the web role: each is one step of a dialogue.

Genuine is what is signed for our public address (X-Twilio-Signature) and bears the id of the call that the
address names. The step that is due is taken; the one before it is answered again, word for word, for Twilio
repeats what it got no answer to; any other gets the present document, and changes nothing. When the call is
over only a key of the step that was due may still come, for the citizen pressed it; all else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError

from callbacks.service import provider_calls
from callbacks.service.provider_calls import Known
from callbacks.twilio_account import Signatures
from ivr.flow_events import Prompt
from ivr.media import g711
from ivr.twilio_dialogues import Dialogues
from ivr.twilio_recordings import ComeAgain
from ivr.twilio_settings import PREFIX
from ivr.twilio_steps import Posted
from prompts.sound import wav_content

__all__ = ["create_webhooks"]

_log = structlog.get_logger(__name__)
_LONGEST = 65_536
_KEPT = "public, max-age=86400"  # a prompt's address bears its version


def create_webhooks(dialogues: Dialogues) -> Flask:
    """Serves PREFIX<call>/<step>, …/status, …/message/<case> and PREFIXprompt/<version>/<id>.wav.

    403 for what is forged or replayed, 404 for a prompt that there isn't, 503 where the database or a
    recording is away, so that it comes again.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LONGEST
    gate = _Gate(dialogues)

    @app.post(f"{PREFIX}<key>/<int:step>")
    def stepped(key: str, step: int) -> Response:
        known = gate.known(key)
        text = dialogues.step(known, step, _posted(request.form)) if known else None
        return _refused(key) if text is None else Response(text, content_type="text/xml; charset=utf-8")

    @app.post(f"{PREFIX}<key>/status")
    def told(key: str) -> Response:
        known = gate.known(key)
        status = request.form.get("CallStatus", "")
        if known is None or not dialogues.status(known, status):
            return _refused(key)
        return Response(status=204)

    @app.post(f"{PREFIX}<key>/message/<int:case>")
    def recorded(key: str, case: int) -> Response:
        known, form = gate.known(key), request.form
        if known is None:
            return _refused(key)
        if form.get("RecordingStatus") == "completed":
            address, seconds = form.get("RecordingUrl", ""), _seconds(form.get("RecordingDuration", ""))
            if not dialogues.message(known, case, address, seconds):
                return _refused(key)
        return Response(status=204)

    @app.get(f"{PREFIX}prompt/<version>/<prompt>.wav")
    def sound(version: str, prompt: str) -> Response:
        values = tuple(sorted(request.args.items()))
        try:
            audio = dialogues.prompts.audio([Prompt(prompt, values)])
        except KeyError:
            return Response("no such prompt", 404, content_type="text/plain")
        content = wav_content(g711.decode(b"".join(audio.pcma), "pcma"))
        return Response(content, content_type="audio/wav", headers={"Cache-Control": _KEPT})

    @app.errorhandler(DBAPIError)
    def away(error: DBAPIError) -> Response:
        return _again(type(error.orig).__name__)

    @app.errorhandler(ComeAgain)
    def not_yet(error: ComeAgain) -> Response:
        return _again(f"recording: {error}")

    return app


class _Gate:
    """Who may tell us something about a call."""

    def __init__(self, dialogues: Dialogues) -> None:
        self._ctx, self._settings = dialogues.ctx, dialogues.settings
        self._signatures = Signatures(dialogues.settings)

    def known(self, key: str) -> Known | None:
        """The call of that key, if the request is genuine."""
        if not self._is_signed() or request.form.get("AccountSid") != self._settings.account_sid:
            return None
        known, sid = provider_calls.find_call(self._ctx, key), request.form.get("CallSid", "")
        if known is None or not sid or not provider_calls.is_of(self._ctx, key, sid):
            return None
        return known

    def _is_signed(self) -> bool:
        address = self._settings.address(request.path.removeprefix(PREFIX))
        given = request.headers.get("X-Twilio-Signature", "")
        return self._signatures.are_genuine(
            address, request.query_string.decode("latin-1"), request.form, given
        )


def _posted(form: Mapping[str, str]) -> Posted:
    """What a step tells: of a question, of a message, or of a telephone that was rung."""
    status = form.get("DialCallStatus", "")
    return Posted(
        digits=form.get("Digits", ""),
        recorded=_seconds(form.get("RecordingDuration", "")),
        was_taken=status in ("completed", "answered"),
        why=status,
    )


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdecimal() else 0.0


def _again(why: str) -> Response:
    _log.error("webhook_not_kept", error=why)
    return Response("nothing can be kept now", 503, headers={"Retry-After": "5"})


def _refused(key: str) -> Response:
    _log.warning("webhook_refused", call=key[:40])
    return Response("refused", 403, content_type="text/plain")
