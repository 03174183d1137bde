"""The shape of a flow's file: its tables and their values. A fault is named by its place in the file."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from ivr.flow_data import Again, Branch, Choice, Collect, Flow, Node, Option, Record, Way
from ivr.flow_faults import Fault, Place

__all__ = ["flow_of"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# What is stored with a call fits its column (callbacks.models.Attempt, Rating).
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
_Version = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$", max_length=24)]
_Seconds = Annotated[float, Field(gt=0, le=900)]
_Most = Annotated[int, Field(ge=1, le=5)]
_Digits = Annotated[int, Field(ge=1, le=32)]
_Text = Annotated[str, StringConstraints(max_length=40)]


def _listed(field: str) -> BeforeValidator:
    """A bare name stands for a list of one entry."""
    return BeforeValidator(lambda given: [{field: given}] if isinstance(given, str) else given)


class _Option(_Table):
    prompt: _Name
    when: list[str] = []


class _Way(_Table):
    to: _Name
    when: list[str] = []
    advance: bool = False
    most: _Most | None = None


_Options = Annotated[list[_Option], Field(min_length=1), _listed("prompt")]
_Ways = Annotated[list[_Way], Field(min_length=1), _listed("to")]


class _Branch(_Table):
    next: _Name
    say: _Name | None = None
    most: _Most = 1
    then: _Name | None = None


class _Choice(_Table):
    next: _Name
    rating: int | None = None
    resolved: bool | None = None
    reason: _Name | None = None


class _Collect(_Table):
    into: _Name
    most: _Digits
    least: _Digits = 1
    ends: str | None = None
    between: Annotated[float, Field(gt=0, le=30)] = 3.0


class _Record(_Table):
    seconds: Annotated[float, Field(gt=0, le=60)] = 60.0
    ends: str = "#"


class _Again(_Table):
    every: Annotated[float, Field(ge=5, le=120)]
    say: _Options


class _Node(_Table):
    say: _Options | None = None
    ask: _Options | None = None
    next: _Ways | None = None
    otherwise: _Ways | None = None
    end: str | None = None
    does: str | None = None
    wait: float | None = None
    silent: _Branch | None = None
    invalid: _Branch | None = None
    keys: dict[str, _Choice] = {}
    collect: _Collect | None = None
    record: _Record | None = None
    transfer: _Name | None = None
    queue: _Name | None = None
    again: _Again | None = None
    set: dict[_Name, bool | int | _Text] = {}


class _Head(_Table):
    name: _Name
    version: _Version
    scale: str = "cn3"
    start: _Name
    case_over: _Name | None = None
    call_seconds: _Seconds
    case_seconds: _Seconds | None = None


def flow_of(data: dict[str, Any]) -> tuple[Flow | None, list[Fault]]:
    """The flow that `data` holds, and what in it is of a wrong kind.

    A node that is wrong is left out, for what can still be said about the others; None without a head.
    """
    faults: list[Fault] = []
    head = _checked(_Head, {name: data[name] for name in data if name != "nodes"}, (), faults)
    given = data.get("nodes")
    if not isinstance(given, dict):
        faults.append(
            Fault(("nodes",), "Field required" if given is None else "a table of nodes, not a value")
        )
        given = {}
    nodes: dict[str, Node] = {}
    for name, each in given.items():
        table = _checked(_Named, {"name": name, "node": each}, ("nodes", name), faults)
        if table is not None:
            nodes[name] = _node(name, table.node)
    return (None if head is None else Flow(**head.model_dump(), nodes=nodes)), faults


class _Named(_Table):
    name: _Name
    node: _Node


_T = TypeVar("_T", bound=_Table)


def _checked(kind: type[_T], given: Any, place: Place, faults: list[Fault]) -> _T | None:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        faults += [_fault(each, place) for each in error.errors()]
        return None


def _fault(error: Any, place: Place) -> Fault:
    inner = error["loc"]
    if place:  # of a node's table, or of its name
        inner = inner[1:]
    where = (*place, *inner)
    if error["type"] == "extra_forbidden":
        return Fault(where, "there is no such field")
    return Fault(where, f"{error['msg']}{_shown(error['input'])}")


def _shown(given: Any) -> str:
    if isinstance(given, dict | list):
        return ""
    try:
        return f", not {given!r:.60}"
    except ValueError:  # an integer of thousands of digits
        return ", not so long a number"


def _node(name: str, node: _Node) -> Node:
    return Node(
        name=name,
        prompts=_options((node.say or []) + (node.ask or [])),
        says=node.say is not None,
        asks=node.ask is not None,
        ways=_ways(node.next),
        otherwise=_ways(node.otherwise),
        end=node.end,
        does=node.does,
        wait=node.wait,
        silent=_branch(node.silent),
        invalid=_branch(node.invalid),
        keys={key: Choice(c.next, c.rating, c.resolved, c.reason) for key, c in node.keys.items()},
        collect=Collect(**node.collect.model_dump()) if node.collect else None,
        record=Record(**node.record.model_dump()) if node.record else None,
        transfer=node.transfer,
        queue=node.queue,
        again=Again(node.again.every, _options(node.again.say)) if node.again else None,
        sets=node.set,
    )


def _options(options: list[_Option]) -> tuple[Option, ...]:
    return tuple(Option(option.prompt, tuple(option.when)) for option in options)


def _ways(ways: list[_Way] | None) -> tuple[Way, ...]:
    return tuple(Way(way.to, tuple(way.when), way.advance, way.most) for way in ways or [])


def _branch(branch: _Branch | None) -> Branch | None:
    return None if branch is None else Branch(branch.next, branch.say, branch.most, branch.then)
