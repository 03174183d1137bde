"""Loads a flow from TOML and checks it: what's wrong is named by file and node."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from callbacks.rating import SCALES
from ivr.flow_data import CONDITIONS, Branch, Choice, Flow, Node, Option, Way
from prompts.catalogue import Catalogue

FLOWS = Path(__file__).parent / "flows"
_KEYS = frozenset("0123456789*#")
_NODE_FIELDS = frozenset({"say", "ask", "next", "end", "does", "wait", "silent", "invalid", "keys"})
_DOES = frozenset({"hand_over", "wrong_person"})


class FlowError(Exception):
    """A flow is wrong; each line names file, node and what would be right."""


def load_flow(path: Path, catalogue: Catalogue) -> Flow:
    """The flow in `path`, checked."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        flow = _flow(data)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise FlowError(f"{path}: {type(error).__name__} {error}") from error
    if faults := list(_faults(flow, data, catalogue)):
        raise FlowError("\n".join(f"{path}: {fault}" for fault in faults))
    return flow


def prompt_version(flow: Flow, catalogue: Catalogue, language: str) -> str:
    """12 hex digits over the texts of the flow's prompts: which words a citizen heard."""
    texts = sorted(f"{prompt}\0{catalogue.speech(prompt, language)}" for prompt in prompts_of(flow))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def prompts_of(flow: Flow) -> set[str]:
    """Every prompt that the flow can play."""
    found = set()
    for node in flow.nodes.values():
        found |= {option.prompt for option in node.prompts}
        found |= {branch.say for branch in (node.silent, node.invalid) if branch and branch.say}
    return found


def _flow(data: dict[str, Any]) -> Flow:
    return Flow(
        name=data["name"],
        version=data["version"],
        scale=data.get("scale", "cn3"),
        start=data["start"],
        case_over=data["case_over"],
        call_seconds=float(data["call_seconds"]),
        case_seconds=float(data["case_seconds"]),
        nodes={name: _node(name, node) for name, node in data["nodes"].items()},
    )


def _node(name: str, data: dict[str, Any]) -> Node:
    return Node(
        name=name,
        prompts=_options(data.get("ask", data.get("say", []))),
        asks="ask" in data,
        ways=_ways(data.get("next", [])),
        end=data.get("end"),
        does=data.get("does"),
        wait=float(data.get("wait", 0)),
        silent=_branch(data.get("silent")),
        invalid=_branch(data.get("invalid")),
        keys={str(key): _choice(choice) for key, choice in data.get("keys", {}).items()},
    )


def _options(data: Any) -> tuple[Option, ...]:
    if isinstance(data, str):
        return (Option(data),)
    return tuple(Option(each["prompt"], tuple(each.get("when", ()))) for each in data)


def _ways(data: Any) -> tuple[Way, ...]:
    if isinstance(data, str):
        return (Way(data),)
    return tuple(Way(each["to"], tuple(each.get("when", ())), each.get("advance", False)) for each in data)


def _branch(data: Mapping[str, Any] | None) -> Branch | None:
    if data is None:
        return None
    return Branch(data["next"], data.get("say"), int(data.get("most", 1)), data.get("then"))


def _choice(data: Mapping[str, Any]) -> Choice:
    return Choice(data["next"], data.get("rating"), data.get("resolved"), data.get("reason"))


def _faults(flow: Flow, data: dict[str, Any], catalogue: Catalogue) -> Iterator[str]:
    for name, node in flow.nodes.items():
        if unknown := set(data["nodes"][name]) - _NODE_FIELDS:
            known = ", ".join(sorted(_NODE_FIELDS))
            yield f"nodes.{name}: unknown {', '.join(sorted(unknown))}; there are {known}"
        for fault in _node_faults(node, flow):
            yield f"nodes.{name}: {fault}"
    for prompt in sorted(prompts_of(flow) - set(catalogue.spoken)):
        yield f"prompt {prompt!r} is not in the catalogue"
    yield from _scale_faults(flow)
    for entry in ("start", "case_over"):
        if getattr(flow, entry) not in flow.nodes:
            yield f"{entry}: there is no node {getattr(flow, entry)!r}"
            return
    yield from _graph_faults(flow)


def _scale_faults(flow: Flow) -> Iterator[str]:
    """A question for a rating offers the whole scale: no answer is left out, and none is made up."""
    if flow.scale not in SCALES:
        yield f"scale {flow.scale!r}; one of {', '.join(SCALES)}"
        return
    values = sorted(SCALES[flow.scale].labels)
    for name, node in flow.nodes.items():
        offered = sorted(choice.rating for choice in node.keys.values() if choice.rating is not None)
        if offered and offered != values:
            yield f"nodes.{name}: offers the ratings {offered}; {flow.scale} has {values}"


def _node_faults(node: Node, flow: Flow) -> Iterator[str]:
    for target in targets(node):
        if target not in flow.nodes:
            yield f"leads to {target!r}, which is no node"
    for conditions in [o.when for o in node.prompts] + [w.when for w in node.ways]:
        for condition in conditions:
            if condition not in CONDITIONS:
                yield f"unknown condition {condition!r}; there are {', '.join(sorted(CONDITIONS))}"
    for what, options in (("prompt", node.prompts), ("way on", node.ways)):
        if options and options[-1].when:
            yield f"the last {what} has a condition, so there may be none"
    if node.asks:
        yield from _question_faults(node)
    elif not node.ways and node.end is None:
        yield "has no way out; give next or end"
    if node.does is not None and node.does not in _DOES:
        yield f"does {node.does!r}; one of {', '.join(sorted(_DOES))}"


def _question_faults(node: Node) -> Iterator[str]:
    if node.silent is None or node.invalid is None:
        yield "a question needs the branches silent and invalid"
    if not node.keys:
        yield "a question needs keys"
    if not 0 < node.wait <= 30:
        yield f"waits {node.wait:g} s; more than 0 and at most 30"
    for key in node.keys:
        if key not in _KEYS:
            yield f"key {key!r}; one of {''.join(sorted(_KEYS))}"
    for name, branch in (("silent", node.silent), ("invalid", node.invalid)):
        if branch is not None and branch.most > 1 and branch.then is None:
            yield f"{name}: most = {branch.most} needs then, the way on when it's reached"


def targets(node: Node) -> Iterator[str]:
    """The names of the nodes that it can lead to."""
    yield from (way.to for way in node.ways)
    yield from (choice.next for choice in node.keys.values())
    for branch in (node.silent, node.invalid):
        if branch is not None:
            yield branch.next
            if branch.then is not None:
                yield branch.then


def _graph_faults(flow: Flow) -> Iterator[str]:
    if any(target not in flow.nodes for node in flow.nodes.values() for target in targets(node)):
        return
    reached = _closure(flow, {flow.start, flow.case_over})
    for name in sorted(set(flow.nodes) - reached):
        yield f"nodes.{name}: nothing leads here"
    for name in sorted(reached):
        if not any(flow.nodes[each].end for each in _closure(flow, {name})):
            yield f"nodes.{name}: no way from here ends"
        if name in _closure(flow, set(_unanswered(flow, name)), answered=False):
            yield f"nodes.{name}: a loop that goes on without an answer; give most and then"


def _unanswered(flow: Flow, name: str) -> list[str]:
    """Where a node leads, time and again, when nobody answers: by itself, by silence or by wrong keys.

    A way that advances is bounded by the call's cases, a branch with `then` by its `most`.
    """
    node = flow.nodes[name]
    if not node.asks:
        return [way.to for way in node.ways if not way.advance]
    branches = [branch for branch in (node.silent, node.invalid) if branch is not None]
    return [branch.next if branch.then is None else branch.then for branch in branches]


def _closure(flow: Flow, names: set[str], *, answered: bool = True) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        name = waiting.pop()
        onward = targets(flow.nodes[name]) if answered else iter(_unanswered(flow, name))
        new = {target for target in onward if target in flow.nodes} - found
        found |= new
        waiting += new
    return found
