"""Loads a flow from TOML and checks it: what's wrong is named by file and node."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from callbacks.rating import SCALES
from ivr.flow_data import CONDITIONS, OUTCOMES, Flow, Node
from ivr.flow_file import FlowError, read_flow
from prompts.catalogue import Catalogue

FLOWS = Path(__file__).parent / "flows"
_KEYS = frozenset("0123456789*#")
_DOES = frozenset({"hand_over", "wrong_person"})


def load_flow(path: Path, catalogue: Catalogue) -> Flow:
    """The flow in `path`, checked."""
    try:
        flow = read_flow(path.read_text(encoding="utf-8"))
        faults = check_flow(flow, catalogue)
    except (OSError, UnicodeDecodeError) as error:
        raise FlowError(f"{path}: {error}") from error
    except FlowError as error:
        faults = str(error).splitlines()
    if faults:
        raise FlowError("\n".join(f"{path}: {fault}" for fault in faults))
    return flow


def prompt_version(flow: Flow, catalogue: Catalogue, language: str) -> str:
    """12 hex digits over the texts of the flow's prompts: which words a citizen heard."""
    texts = sorted(f"{prompt}\0{catalogue.speech(prompt, language)}" for prompt in prompts_of(flow))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def prompts_of(flow: Flow) -> set[str]:
    """Every prompt that the flow can play."""
    return {prompt for node in flow.nodes.values() for prompt in _prompts(node)}


def _prompts(node: Node) -> Iterator[str]:
    yield from (option.prompt for option in node.prompts)
    yield from (branch.say for branch in (node.silent, node.invalid) if branch and branch.say)


def check_flow(flow: Flow, catalogue: Catalogue) -> list[str]:
    """What would leave a call without words, without an answer or without an end, by node."""
    return list(_faults(flow, catalogue))


def _faults(flow: Flow, catalogue: Catalogue) -> Iterator[str]:
    for name, node in flow.nodes.items():
        for fault in _node_faults(node, flow):
            yield f"nodes.{name}: {fault}"
        for prompt in _prompts(node):
            if prompt not in catalogue.spoken:
                yield f"nodes.{name}: prompt {prompt!r} is not in the catalogue"
    yield from _scale_faults(flow)
    for entry in ("start", "case_over"):
        if getattr(flow, entry) not in flow.nodes:
            yield f"{entry}: there is no node {getattr(flow, entry)!r}"
            return
    yield from _graph_faults(flow)


def _scale_faults(flow: Flow) -> Iterator[str]:
    """A question offers all its answers: none is left out, and none is made up (domain.md §3.5)."""
    if flow.scale not in SCALES:
        yield f"scale {flow.scale!r}; one of {', '.join(SCALES)}"
        return
    values = sorted(SCALES[flow.scale].labels)
    for name, node in flow.nodes.items():
        offered = sorted(choice.rating for choice in node.keys.values() if choice.rating is not None)
        if offered and offered != values:
            yield f"nodes.{name}: offers the ratings {offered}; {flow.scale} has {values}"
        if len({choice.resolved for choice in node.keys.values()} - {None}) == 1:
            yield f"nodes.{name}: offers only one answer to whether it's resolved"


def _node_faults(node: Node, flow: Flow) -> Iterator[str]:
    for target in targets(node):
        if target not in flow.nodes:
            yield f"leads to {target!r}, which is no node"
    for what, options in (("prompt", node.prompts), ("way on", node.ways)):
        yield from _condition_faults(what, [option.when for option in options])
    if any(way.advance and "more_cases" not in way.when for way in node.ways):
        yield "advance needs the condition more_cases, or there may be no next case"
    match sum((node.asks, bool(node.ways), node.end is not None)):
        case 0:
            yield "has no way out; give ask, next or end"
        case 2 | 3:
            yield "has more than one of ask, next and end, so its way out is unclear"
    if node.asks:
        yield from _question_faults(node)
    elif node.keys or node.silent or node.invalid or node.wait is not None:
        yield "keys, wait, silent and invalid are a question's; give ask"
    if node.end is not None and node.end not in OUTCOMES:
        yield f"end {node.end!r}; one of {', '.join(sorted(OUTCOMES))}"
    if node.does is not None and node.does not in _DOES:
        yield f"does {node.does!r}; one of {', '.join(sorted(_DOES))}"


def _condition_faults(what: str, options: list[tuple[str, ...]]) -> Iterator[str]:
    """The first whose conditions hold is taken: there always is one, and each can be it."""
    for condition in (condition for option in options for condition in option):
        if condition not in CONDITIONS:
            yield f"unknown condition {condition!r}; there are {', '.join(sorted(CONDITIONS))}"
    if options and options[-1]:
        yield f"the last {what} has a condition, so there may be none"
    if not all(options[:-1]):
        yield f"a {what} before the last has no condition, so the last is never taken"


def _question_faults(node: Node) -> Iterator[str]:
    if node.says:
        yield "has say and ask; a question says what it asks"
    if node.silent is None or node.invalid is None:
        yield "a question needs the branches silent and invalid"
    if not node.keys:
        yield "a question needs keys"
    if node.wait is None or not 0 < node.wait <= 30:
        yield f"waits {node.wait} s; more than 0 and at most 30"
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
