"""Where a flow leads: what nothing leads to, what never ends, and what goes round by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.flow_data import Flow, Node
from ivr.flow_faults import Fault

__all__ = ["graph_faults", "targets"]


def targets(node: Node) -> Iterator[str]:
    """The names of the nodes that it can lead to."""
    yield from (way.to for way in node.ways + node.otherwise)
    yield from (choice.next for choice in node.keys.values())
    for branch in (node.silent, node.invalid):
        if branch is not None:
            yield branch.next
            if branch.then is not None:
                yield branch.then


def graph_faults(flow: Flow, known: frozenset[str]) -> Iterator[Fault]:
    """`known` are the names that the file has.

    What leads into the unknown, or to a node that is wrong itself, is told elsewhere: it may end well.
    """
    entries = {"start": flow.start, "case_over": flow.case_over}
    for entry, name in entries.items():
        if name is not None and name not in known:
            yield Fault((entry,), f"there is no node {name!r}")
    begins = {name for name in entries.values() if name is not None}
    ways = {target for node in flow.nodes.values() for target in targets(node)}
    if begins | ways <= set(flow.nodes):
        for name in sorted(set(flow.nodes) - _closure(flow, begins)):
            yield Fault(("nodes", name), "nothing leads here")
    for name in sorted(flow.nodes):
        if not any(_ends(flow, each) for each in _closure(flow, {name})):
            yield Fault(("nodes", name), "no way from here ends")
        if name in _closure(flow, set(_unanswered(flow, name)), answered=False):
            yield Fault(("nodes", name), "a loop that goes on without an answer; give most and then")


def _ends(flow: Flow, name: str) -> bool:
    return name not in flow.nodes or flow.nodes[name].end is not None


def _unanswered(flow: Flow, name: str) -> list[str]:
    """Where a node leads, time and again, when nobody answers: by itself, by silence or by wrong keys.

    A way that advances is bounded by the call's cases, one with `most` and a branch with `then` by that.
    """
    if name not in flow.nodes:
        return []
    node = flow.nodes[name]
    ways = [way.to for way in node.ways + node.otherwise if not way.advance and way.most is None]
    if not node.asks:
        return ways
    branches = [branch for branch in (node.silent, node.invalid) if branch is not None]
    return [branch.next if branch.then is None else branch.then for branch in branches]


def _closure(flow: Flow, names: set[str], *, answered: bool = True) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        name = waiting.pop()
        if name not in flow.nodes:
            continue
        onward = targets(flow.nodes[name]) if answered else iter(_unanswered(flow, name))
        new = set(onward) - found
        found |= new
        waiting += new
    return found
