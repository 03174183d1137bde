"""An explanation as JSON: stable words, UTC times, numbers masked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from callbacks.explain import Explanation, GateNote
from callbacks.gates import Gate
from callbacks.policy import Step


def explanation_json(found: Explanation, masked: Mapping[str, str]) -> dict[str, Any]:
    """`{"at", "questions": [{"question", "answer"}], "numbers", "attempts_left", "step", "gate"}`."""
    return {
        "at": _time(found.at),
        "deadline": _time(found.view.deadline),
        "questions": [
            {"question": question.value, "answer": None if step is None else step_json(step, masked)}
            for question, step in found.questions
        ],
        "numbers": [
            {
                "number": masked.get(note.phone.index),
                "kind": note.phone.kind.value,
                "barred": note.phone.barred,
                "texts_suppressed": note.phone.texts_suppressed,
                "open_text": note.phone.open_text,
                "called": note.called,
                "chosen": note.chosen,
            }
            for note in found.numbers
        ],
        "attempts_left": found.attempts_left,
        "step": step_json(found.step, masked),
        "gate": None if found.gate is None else _gate_note(found.gate, masked),
    }


def step_json(step: Step, masked: Mapping[str, str]) -> dict[str, Any]:
    """`{"step": "call", "number": "138****0001", "at": …}`."""
    return {"step": _name(step), **_values(step, masked)}


def _gate_note(note: GateNote, masked: Mapping[str, str]) -> dict[str, Any]:
    used = note.usage
    return {
        "channel": note.channel.value,
        "number": masked.get(note.number_index),
        "at": _time(note.at),
        "checks": [
            {"check": check.value, "answer": None if gate is None else _gate(gate)}
            for check, gate in note.checks
        ],
        "window": {
            "day": note.window.kind.value,
            "slots": [[_time(slot.start), _time(slot.end)] for slot in note.window.slots],
            "opens": _time(note.window.opens),
        },
        "pauses": [{"reason": each.reason, "until": _time(each.until)} for each in note.pauses],
        "calls": None
        if used is None
        else {
            "last": _time(used.last),
            "in_30_days": used.in_30_days,
            "in_day": used.in_day,
            "in_half_day": used.in_half_day,
        },
        "answer": _gate(note.answer),
        "earliest": _time(note.earliest),
    }


def _gate(gate: Gate) -> dict[str, Any]:
    return {"gate": _name(gate), **_values(gate, {})}


def _name(value: object) -> str:
    """`HandOver` → `hand_over`."""
    name = type(value).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _values(value: Step | Gate, masked: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field in fields(value):
        given = getattr(value, field.name)
        if field.name == "number_index":
            told["number"] = masked.get(given)
        else:
            told[field.name] = _time(given) if isinstance(given, datetime) else str(given)
    return told


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
