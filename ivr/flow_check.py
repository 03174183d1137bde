"""What in a node would leave a call without words, without an answer or without a way on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callbacks.rating import SCALES
from ivr.flow_data import CONDITIONS, OUTCOMES, Flow, Node, Option, Way
from ivr.flow_faults import Fault
from prompts.catalogue import Catalogue

__all__ = ["node_faults", "prompts_of", "scale_faults"]

_KEYS = frozenset("0123456789*#")
_DOES = frozenset({"hand_over", "wrong_person"})
_LONGEST_WAIT = 30  # seconds for a key
_LONGEST_RING = 120  # and for a person

_What = Iterator[tuple[tuple[str | int, ...], str]]


def prompts_of(node: Node) -> Iterator[str]:
    """Every prompt that the node can play."""
    return (prompt for _, prompt in _prompts(node))


def _prompts(node: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield from (((_word(node), index), option.prompt) for index, option in enumerate(node.prompts))
    for name, branch in (("silent", node.silent), ("invalid", node.invalid)):
        if branch is not None and branch.say is not None:
            yield (name, "say"), branch.say
    if node.again is not None:
        yield from ((("again", "say", index), o.prompt) for index, o in enumerate(node.again.prompts))


def _word(node: Node) -> str:
    return "ask" if node.asks else "say"


def node_faults(node: Node, flow: Flow, known: frozenset[str], catalogue: Catalogue) -> Iterator[Fault]:
    """All that is wrong in one node; `known` are the names of all that the file has."""
    variables = variables_of(flow)
    for place, target in _targets(node):
        if target not in known:
            yield Fault(("nodes", node.name, *place), f"leads to {target!r}, which is no node")
    for place, prompt in _prompts(node):
        if prompt not in catalogue.spoken:
            yield Fault(("nodes", node.name, *place), f"prompt {prompt!r} is not in the catalogue")
    for parts in (_listed(node, variables), _kind(node), _question(node), _service(node)):
        for place, what in parts:
            yield Fault(("nodes", node.name, *place), what)


def variables_of(flow: Flow) -> frozenset[str]:
    """What its nodes set, by `set` or by collecting digits."""
    nodes = flow.nodes.values()
    named = {name for node in nodes for name in node.sets}
    return frozenset(named | {node.collect.into for node in nodes if node.collect is not None})


def _targets(node: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield from ((("next", index), way.to) for index, way in enumerate(node.ways))
    yield from ((("otherwise", index), way.to) for index, way in enumerate(node.otherwise))
    yield from ((("keys", key), choice.next) for key, choice in node.keys.items())
    for name, branch in (("silent", node.silent), ("invalid", node.invalid)):
        if branch is not None:
            yield (name,), branch.next
            if branch.then is not None:
                yield (name,), branch.then


def _listed(node: Node, variables: frozenset[str]) -> _What:
    """The first whose conditions hold is taken: there always is one, and each can be it."""
    again = node.again.prompts if node.again is not None else ()
    lists: tuple[tuple[tuple[str, ...], str, Sequence[Option | Way]], ...] = (
        ((_word(node),), "prompt", node.prompts),
        (("next",), "way on", node.ways),
        (("otherwise",), "way on", node.otherwise),
        (("again", "say"), "prompt", again),
    )
    for place, what, entries in lists:
        for index, entry in enumerate(entries):
            for condition in entry.when:
                if condition.partition("=")[0] not in variables | (
                    CONDITIONS if "=" not in condition else set()
                ):
                    there = ", ".join(sorted(CONDITIONS | variables))
                    yield (*place, index), f"unknown condition {condition!r}; there are {there}"
        bound = [bool(entry.when) or getattr(entry, "most", None) is not None for entry in entries]
        if bound and bound[-1]:
            yield (*place, len(bound) - 1), f"the last {what} has a condition, so there may be none"
        if not all(bound[:-1]):
            yield (
                (*place, bound.index(False)),
                f"a {what} before the last has no condition, so the last is never taken",
            )
    for index, way in enumerate(node.ways + node.otherwise):
        if way.advance and "more_cases" not in way.when:
            yield ("next", index), "advance needs the condition more_cases, or there may be no next case"


def _kind(node: Node) -> _What:
    """A node has one way out, and does one thing at most."""
    leads = bool(node.ways)
    match sum((node.asks and node.collect is None, leads, node.end is not None)):
        case 0:
            yield (), "has no way out; give ask, next or end"
        case 2 | 3:
            yield (), "has more than one of ask, next and end, so its way out is unclear"
    if node.asks and node.says:
        yield ("say",), "has say and ask; a question says what it asks"
    kinds = {
        "ask": node.asks,
        "record": node.record is not None,
        "transfer": node.transfer is not None,
        "queue": node.queue is not None,
    }
    if len(several := [name for name, given in kinds.items() if given]) > 1:
        yield (several[-1],), f"is {' and '.join(several)} at once; make a node of each"
    if node.end is not None and node.end not in OUTCOMES:
        yield ("end",), f"end {node.end!r}; one of {', '.join(sorted(OUTCOMES))}"
    if node.does is not None and node.does not in _DOES:
        yield ("does",), f"does {node.does!r}; one of {', '.join(sorted(_DOES))}"
    for name in node.sets:
        if name in CONDITIONS:
            yield ("set", name), f"{name!r} is a condition of its own; choose another name"


def _question(node: Node) -> _What:
    if not node.asks:
        if node.keys or node.silent or node.invalid or node.collect:
            yield (), "keys, collect, silent and invalid are a question's; give ask"
        return
    if node.silent is None or node.invalid is None:
        yield (), "a question needs the branches silent and invalid"
    if not node.keys and node.collect is None:
        yield (), "a question needs keys, or collect"
    if node.wait is None or not 0 < node.wait <= _LONGEST_WAIT:
        yield ("wait",), f"waits {node.wait} s; more than 0 and at most {_LONGEST_WAIT}"
    for key in node.keys:
        if key not in _KEYS:
            yield ("keys", key), f"key {key!r}; one of {''.join(sorted(_KEYS))}"
    for name, branch in (("silent", node.silent), ("invalid", node.invalid)):
        if branch is not None and branch.most > 1 and branch.then is None:
            yield (name,), f"{name}: most = {branch.most} needs then, the way on when it's reached"
    if node.collect is not None:
        yield from _collects(node)


def _collects(node: Node) -> _What:
    collect = node.collect
    assert collect is not None
    if collect.least > collect.most:
        yield ("collect",), f"collects at least {collect.least} digits, but at most {collect.most}"
    if collect.ends is not None and collect.ends not in ("#", "*"):
        yield ("collect", "ends"), f"ends {collect.ends!r}; # or *"
    for key in node.keys:
        if key.isdigit() or key == collect.ends:
            yield ("keys", key), f"key {key!r} is one of the number that is collected"


def _service(node: Node) -> _What:
    """A message, a transfer and a queue."""
    puts_through = node.transfer is not None or node.queue is not None
    if node.record is not None:
        if not node.says:
            yield ("record",), "a recording needs say: the notice that it is one"
        if node.record.ends not in _KEYS:
            yield ("record", "ends"), f"ends {node.record.ends!r}; one of {''.join(sorted(_KEYS))}"
    if puts_through and not (node.ways and node.otherwise):
        yield (), "a transfer or a queue needs next, after the talk, and otherwise, when nobody takes it"
    if node.otherwise and not (puts_through or node.record is not None):
        yield ("otherwise",), "otherwise is a recording's, a transfer's or a queue's"
    if node.transfer is not None and node.wait is None:
        yield ("transfer",), "a transfer needs wait, seconds until somebody takes it"
    if puts_through and node.wait is not None and not 0 < node.wait <= _LONGEST_RING:
        yield ("wait",), f"waits {node.wait} s; more than 0 and at most {_LONGEST_RING}"
    if node.wait is not None and not (node.asks or puts_through):
        yield ("wait",), "wait is a question's, a transfer's or a queue's"
    if node.again is not None and node.queue is None:
        yield ("again",), "again is a queue's"


def scale_faults(flow: Flow) -> Iterator[Fault]:
    """A question offers all its answers: none is left out, and none is made up (domain.md §3.5)."""
    if flow.scale not in SCALES:
        yield Fault(("scale",), f"scale {flow.scale!r}; one of {', '.join(SCALES)}")
        return
    values = sorted(SCALES[flow.scale].labels)
    for name, node in flow.nodes.items():
        offered = sorted(choice.rating for choice in node.keys.values() if choice.rating is not None)
        if offered and offered != values:
            yield Fault(("nodes", name, "keys"), f"offers the ratings {offered}; {flow.scale} has {values}")
        if len({choice.resolved for choice in node.keys.values()} - {None}) == 1:
            yield Fault(("nodes", name, "keys"), "offers only one answer to whether it's resolved")
