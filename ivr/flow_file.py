"""The shape of a flow's file: its tables and their values. A fault is named by its place in the file."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ivr.flow_data import Branch, Choice, Flow, Node, Option, Way

__all__ = ["FlowError", "flow_of", "read_flow"]


class FlowError(Exception):
    """A flow is wrong; each line names file, place and what would be right."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# What is stored with a call fits its column (callbacks.models.Attempt, Rating).
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
_Version = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$", max_length=24)]
_Seconds = Annotated[float, Field(gt=0, le=900)]


class _Option(_Table):
    prompt: _Name
    when: list[str] = []


class _Way(_Table):
    to: _Name
    when: list[str] = []
    advance: bool = False


class _Branch(_Table):
    next: _Name
    say: _Name | None = None
    most: int = Field(1, ge=1, le=5)
    then: _Name | None = None


class _Choice(_Table):
    next: _Name
    rating: int | None = None
    resolved: bool | None = None
    reason: _Name | None = None


def _listed(field: str) -> BeforeValidator:
    """A bare name stands for a list of one entry."""
    return BeforeValidator(lambda given: [{field: given}] if isinstance(given, str) else given)


_Options = Annotated[list[_Option], Field(min_length=1), _listed("prompt")]
_Ways = Annotated[list[_Way], Field(min_length=1), _listed("to")]


class _Node(_Table):
    say: _Options | None = None
    ask: _Options | None = None
    next: _Ways | None = None
    end: str | None = None
    does: str | None = None
    wait: float | None = None
    silent: _Branch | None = None
    invalid: _Branch | None = None
    keys: dict[str, _Choice] = {}


class _File(_Table):
    name: _Name
    version: _Version
    scale: str = "cn3"
    start: _Name
    case_over: _Name
    call_seconds: _Seconds
    case_seconds: _Seconds
    nodes: dict[_Name, _Node]


def read_flow(text: str) -> Flow:
    """The flow written in `text` as TOML; FlowError as in `flow_of`."""
    try:
        return flow_of(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FlowError(str(error)) from error


def flow_of(data: dict[str, Any]) -> Flow:
    """The flow that `data` holds, its values of the right kind; FlowError names each that isn't."""
    try:
        file = _File.model_validate(data)
    except ValidationError as error:
        raise FlowError("\n".join(_fault(each) for each in error.errors())) from error
    return Flow(
        name=file.name,
        version=file.version,
        scale=file.scale,
        start=file.start,
        case_over=file.case_over,
        call_seconds=file.call_seconds,
        case_seconds=file.case_seconds,
        nodes={name: _node(name, node) for name, node in file.nodes.items()},
    )


def _fault(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: there is no such field"
    given = error["input"]
    shown = "" if isinstance(given, dict | list) else f", not {given!r}"
    return f"{place}: {error['msg']}{shown}"


def _node(name: str, node: _Node) -> Node:
    return Node(
        name=name,
        prompts=tuple(Option(o.prompt, tuple(o.when)) for o in (node.say or []) + (node.ask or [])),
        says=node.say is not None,
        asks=node.ask is not None,
        ways=tuple(Way(way.to, tuple(way.when), way.advance) for way in node.next or []),
        end=node.end,
        does=node.does,
        wait=node.wait,
        silent=_branch(node.silent),
        invalid=_branch(node.invalid),
        keys={key: Choice(c.next, c.rating, c.resolved, c.reason) for key, c in node.keys.items()},
    )


def _branch(branch: _Branch | None) -> Branch | None:
    return None if branch is None else Branch(branch.next, branch.say, branch.most, branch.then)
