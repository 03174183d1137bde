"""Texts with places in braces, as a city describes a provider's requests. Pure.

`{text}` stands for a value, `{text|percent}` for it in an encoding, `{{` and `}}` for braces themselves.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

_TOKEN = re.compile(r"\{\{|\}\}|\{([a-z_]+)(?:\|([a-z0-9_]+))?\}|[{}]")


class BadTemplate(ValueError):
    """A template that names what there isn't, or whose braces don't match."""


def percent(value: str) -> str:
    """RFC 3986: all but letters, digits and -._~ as %XX of its UTF-8."""
    return quote(value, safe="")


ENCODINGS: Mapping[str, Callable[[str], str]] = {
    "percent": percent,
    "form": quote_plus,
    "json": lambda value: json.dumps(value, ensure_ascii=False),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "sha256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
}


def names(template: str) -> frozenset[str]:
    """The names that it asks for. BadTemplate where it can't be read."""
    found = set()
    for token in _TOKEN.finditer(template):
        _check(token, template)
        if token[1]:
            found.add(token[1])
    return frozenset(found)


def render(template: str, values: Mapping[str, str]) -> str:
    """The template with its values in place. What a value holds is never read as a template.

    BadTemplate for a name that isn't in `values`.
    """

    def replace(token: re.Match[str]) -> str:
        _check(token, template)
        name, encoding = token[1], token[2]
        if not name:
            return token[0][0]
        if name not in values:
            raise BadTemplate(f"{{{name}}} isn't known here: {template!r}")
        return ENCODINGS[encoding](values[name]) if encoding else values[name]

    return _TOKEN.sub(replace, template)


def _check(token: re.Match[str], template: str) -> None:
    if len(token[0]) == 1:
        raise BadTemplate(f"a single {token[0]} at {token.start()}: {template!r}; write it twice")
    if token[2] and token[2] not in ENCODINGS:
        raise BadTemplate(f"no encoding is named {token[2]}; there are {', '.join(ENCODINGS)}")
