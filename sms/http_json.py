"""Finding a value in somebody else's JSON, by a path of dots. Pure."""

from __future__ import annotations

import json
from typing import Any


class BadJson(ValueError):
    """Bytes that are no JSON, or too deep."""


def read_json(body: bytes) -> Any:
    """BadJson tells why not."""
    try:
        return json.loads(body)
    except RecursionError:
        raise BadJson("nested too deep") from None
    except ValueError as error:  # of the JSON, of its UTF-8, of a number thousands of digits long
        raise BadJson(str(error)[:120]) from None


def find(tree: Any, path: str) -> list[Any]:
    """The values at `path`, such as `Data.0.id` or `result.*.smsMsgId`; none where it leads nowhere."""
    found = [tree]
    for step in path.split("."):
        found = [each for one in found for each in _step(one, step)]
    return found


def _step(tree: Any, step: str) -> list[Any]:
    if isinstance(tree, dict):
        return [tree[step]] if step in tree else []
    if isinstance(tree, list):
        if step == "*":
            return tree
        if step.isascii() and step.isdigit() and int(step) < len(tree):
            return [tree[int(step)]]
    return []


def word(value: Any) -> str | None:
    """A text, number or truth as a word; None for what is no single value."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return None


def shown(text: str, longest: int) -> str:
    """Somebody else's word as it may be stored and logged: nothing that can't be printed, cut to length."""
    return "".join(each if each.isprintable() else "?" for each in text[:longest])
