"""Every route of the desk, as the application has it, with a path to try it by: none is forgotten.

The things in the paths are of the office of `desk_office`, and of unit D01 where they're a unit's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask

from scoring.web.permissions import Permission, declared

_THINGS: dict[str, object] = {
    "adjustment_id": 1,
    "alarm_id": 1,
    "appeal_id": 1,
    "call_id": 1,
    "callback_id": 10,
    "code": "D01",
    "evidence_id": 1,
    "filename": "desk.css",
    "item_id": 2,
    "kind": "csv",
    "leg": "in-talks",
    "login": "city",
    "message_id": 1,
    "month": "2026-09",
    "name": "satisfaction_survey",
    "number": "LD20261117-0002",
    "objection_id": 1,
    "pause_id": 1,
    "phone_id": 1,
    "piece_id": "greeting.0",
    "record_id": 1,
    "token": "in-talks",
}
_KINDS = {"templates": "eval", "items": "supervision"}  # blueprint → what `kind` is there
# What a browser saves or plays, or a machine asks for: no page to read.
NOT_PAGES = frozenset(
    {
        "evidence.save",
        "flows.source",
        "inbound.hear",
        "items.evidence",
        "messages.hear",
        "months.inputs",
        "months.settings",
        "overview.health",
        "prompts.sound",
        "static",
    }
)


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a rule. `names_things`: its path says which one."""

    method: str
    path: str
    endpoint: str
    permission: Permission | str | None
    names_things: bool

    @property
    def is_export(self) -> bool:
        return self.path.endswith(".csv") and self.endpoint != "months.inputs"

    @property
    def is_page(self) -> bool:
        return self.method == "GET" and not self.is_export and self.endpoint not in NOT_PAGES


def routes(app: Flask) -> Iterator[Route]:
    """KeyError where a rule has a part that `_THINGS` doesn't know yet."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        blueprint = rule.endpoint.partition(".")[0]
        values = {name: _THINGS[name] for name in rule.arguments}
        if "kind" in values and blueprint in _KINDS:
            values["kind"] = _KINDS[blueprint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield Route(
                method,
                adapter.build(rule.endpoint, values, method=method),
                rule.endpoint,
                declared(app.view_functions[rule.endpoint]),
                bool(rule.arguments - {"kind"}),
            )
