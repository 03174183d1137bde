"""The [scoring] section as text: written whole for whoever computes a month again, and read. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from scoring.settings import ScoringSettings

SECTION = "scoring"
_LENGTH: TypeAdapter[timedelta] = TypeAdapter(timedelta)


class BadSettings(ValueError):
    """The document has no [scoring] section that can decide a score; the message names every fault."""


def read_scoring(text: str) -> ScoringSettings:
    """The settings that a document's [scoring] section says. Other sections aren't looked at."""
    try:
        section = tomllib.loads(text).get(SECTION)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(str(error)) from None
    if not isinstance(section, dict):
        raise BadSettings("there is no [scoring] section")
    try:
        return ScoringSettings.model_validate(section)
    except ValidationError as error:
        faults = (".".join(map(str, (SECTION, *each["loc"]))) + f": {each['msg']}" for each in error.errors())
        raise BadSettings("\n".join(faults)) from None


def write_scoring(settings: ScoringSettings) -> str:
    """The whole section, every key with its value; reading it gives the same settings, and version."""
    return "\n".join(_section(SECTION, dict(_items(settings)))).strip() + "\n"


def _items(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        yield name, getattr(model, name)


def _section(name: str, items: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{name}]"
    tables: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in items.items():
        if isinstance(value, BaseModel):
            tables.append((f"{name}.{key}", dict(_items(value))))
        elif isinstance(value, Mapping):
            tables.append((f"{name}.{key}", value))
        else:
            yield f"{key} = {_value(value)}"
    for table, of in tables:
        yield ""
        yield from _section(table, of)


def _value(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, timedelta):
        value = _LENGTH.dump_python(value, mode="json")
    return json.dumps(str(value), ensure_ascii=False)
