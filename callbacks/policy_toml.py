"""The [policy] section as text: read with its faults named, written whole, compared key by key. Pure."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from callbacks.settings import DayWindows, PolicySettings, RetrySettings, Span
from callbacks.vocabulary import Channel
from callbacks.windows import NeverOpen, next_open

SECTION = "policy"
_LENGTH: TypeAdapter[timedelta] = TypeAdapter(timedelta)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a key: `kind` is a stable word, `said` it in English, `right` what would do."""

    key: str
    kind: str
    said: str
    right: str = ""

    def __str__(self) -> str:
        place = f"{self.key}: " if self.key else ""
        return f"{place}{self.said}" + (f"; {self.right}" if self.right else "")


class PolicyRefused(ValueError):
    """The policy can't be; `faults` has all that is wrong with it."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value differs, as it's written; None where one side has none."""

    key: str
    old: str | None
    new: str | None


def read_policy(text: str) -> PolicySettings:
    """The policy that the [policy] section of a document says; PolicyRefused names every fault by its key.

    What the section doesn't give is as by stock. Other sections aren't looked at, so that a city's whole file
    may be given.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyRefused([Fault("", "toml", str(error))]) from None
    section = document.get(SECTION)
    if not isinstance(section, dict):
        raise PolicyRefused([Fault("", "no_section", "there is no [policy] section", "begin with [policy]")])
    try:
        return PolicySettings.model_validate(section)
    except ValidationError as error:
        raise PolicyRefused([_fault(dict(each)) for each in error.errors()]) from None


def unfit(policy: PolicySettings, held: PolicySettings, survey_scale: str, now: datetime) -> list[Fault]:
    """What a policy that is right in itself can't change while the office works, and what leaves no time."""
    faults = []
    if policy.scale != survey_scale:
        said = f"{policy.scale}, but the survey asks on {survey_scale}"
        faults.append(Fault("policy.scale", "scale", said, f'scale = "{survey_scale}"'))
    zone = held.windows.timezone
    if policy.windows.timezone != zone:
        said = f"{policy.windows.timezone}, but the scores' months and the pages go by {zone}"
        faults.append(Fault("policy.windows.timezone", "timezone", said, f'timezone = "{zone}"'))
    for channel in (Channel.VOICE, Channel.SMS):
        try:
            next_open(now, channel, policy.windows)
        except NeverOpen:
            said, right = "these leave no time at all within sixty days", _stock(("windows", channel.value))
            faults.append(Fault(f"policy.windows.{channel}", "never_open", said, right))
    return faults


def _fault(error: Mapping[str, Any]) -> Fault:
    path = tuple(str(part) for part in error["loc"])
    key, kind = ".".join((SECTION, *path)), str(error["type"])
    if kind == "extra_forbidden":
        return Fault(key, kind, "there is no such key", _near(path))
    said = str(error["msg"]).removeprefix("Value error, ")
    given = error.get("input")
    if isinstance(given, str | int | float | bool):
        said = f"{said}; given {json.dumps(given, ensure_ascii=False)}"
    return Fault(key, kind, said, _stock(path))


def _near(path: tuple[str, ...]) -> str:
    """Which key was probably meant, else those that there are."""
    known = sorted(_fields_at(path[:-1]))
    close = get_close_matches(path[-1], known, 1, 0.6)
    return f"perhaps {close[0]}" if close else f"one of {', '.join(known)}"


def _fields_at(path: tuple[str, ...]) -> Iterator[str]:
    found: Any = PolicySettings()
    for part in path:
        found = getattr(found, part, None)
        if isinstance(found, tuple):
            found = found[0]
    yield from type(found).model_fields if isinstance(found, BaseModel) else ()


def _stock(path: tuple[str, ...]) -> str:
    """The stock value, as an example of what would be right."""
    found: Any = PolicySettings()
    name = SECTION
    for part in path:
        if not isinstance(found, BaseModel) or part not in type(found).model_fields:
            break
        name, found = part, getattr(found, part)
    if isinstance(found, BaseModel) or found is None:
        return ""
    return f"e.g. {name} = {_value(found)}"


@cache
def policy_schema() -> dict[str, Any]:
    """The JSON Schema of the [policy] section."""
    schema = PolicySettings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


# -- writing


def write_policy(policy: PolicySettings) -> str:
    """The whole section, every key with its value; reading it gives the same policy."""
    return "\n".join(_section(SECTION, policy)).strip() + "\n"


def _section(name: str, model: BaseModel) -> Iterator[str]:
    yield f"[{name}]"
    tables: list[tuple[str, BaseModel]] = []
    for key, field in type(model).model_fields.items():
        value = getattr(model, key)
        if value is None:
            continue
        if isinstance(value, BaseModel) and not _is_inline(value):
            tables.append((f"{name}.{key}", value))
            continue
        note = f"  # {field.description}" if field.description else ""
        yield f"{key} = {_value(value)}{note}"
    for table, value in tables:
        lines = list(_section(table, value))
        if len(lines) > 1:  # a table that says nothing isn't written
            yield ""
            yield from lines


def _is_inline(value: BaseModel) -> bool:
    """A span, a cause's retry, and a weekday that has windows of its own."""
    return isinstance(value, Span | RetrySettings) or (
        isinstance(value, DayWindows) and any(True for _ in _given(value))
    )


def _given(model: BaseModel) -> Iterator[tuple[str, Any]]:
    for key in type(model).model_fields:
        value = getattr(model, key)
        if value is not None:
            yield key, value


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case timedelta():
            return json.dumps(_LENGTH.dump_python(value, mode="json"))
        case time():
            return json.dumps(value.isoformat("auto" if value.second else "minutes"))
        case date():
            return json.dumps(value.isoformat())
        case frozenset():
            return _list(sorted(value))
        case tuple():
            return _list(value)
        case BaseModel():
            return f"{{ {', '.join(f'{key} = {_value(each)}' for key, each in _given(value))} }}"
    return json.dumps(str(value), ensure_ascii=False)


def _list(values: Any) -> str:
    return f"[{', '.join(map(_value, values))}]"


# -- comparing


def changes(old: PolicySettings, new: PolicySettings) -> list[Change]:
    """The keys whose values differ, in the settings' own order."""
    before, after = dict(_flat(old, "")), dict(_flat(new, ""))
    keys = list(dict.fromkeys([*before, *after]))
    return [Change(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def _flat(model: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in _given(model):
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _value(value)


__all__ = [
    "Change",
    "Fault",
    "PolicyRefused",
    "changes",
    "policy_schema",
    "read_policy",
    "unfit",
    "write_policy",
]
