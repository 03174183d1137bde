"""Places boxes in layers, so that arrows run down, and keeps room beside them for those that run on. Pure.

The way of Sugiyama, Tagawa and Toda (1981): turn round what leads back, layer by the longest way, set a
point into each layer that an arrow passes, order each layer by its neighbours, then even out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Layout", "Routed", "lay_out"]

_SWEEPS = 12
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Routed:
    """An arrow: the points that it passes between its ends, from source to target, and whether it runs up."""

    source: str
    target: str
    via: tuple[tuple[float, int], ...]  # x, layer
    up: bool


@dataclass(slots=True)
class Layout:
    """Box by name → middle x and layer; each layer's top and bottom; the arrows."""

    x: dict[str, float] = field(default_factory=dict)
    layer: dict[str, int] = field(default_factory=dict)
    top: list[float] = field(default_factory=list)
    bottom: list[float] = field(default_factory=list)
    edges: list[Routed] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def lay_out(
    sizes: Mapping[str, tuple[float, float]],
    edges: Sequence[Edge],
    start: str,
    *,
    gap: float,
    between: float,
    lane: float,
) -> Layout:
    """`sizes`: width and height by name; `gap` is beside a box, `between` the layers, `lane` an arrow's."""
    links = list(dict.fromkeys(edge for edge in edges if edge[0] != edge[1]))
    back = _back_edges(list(sizes), links, start)
    down = [(b, a) if (a, b) in back else (a, b) for a, b in links]
    layer = _layers(list(sizes), down)
    chains = [_chain(edge, layer, number) for number, edge in enumerate(down)]
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for name in sizes:
        rows[layer[name]].append(name)
    for chain in chains:
        for point in chain[1:-1]:
            rows[layer[point]].append(point)
    neighbours = _neighbours(chains)
    _order(rows, neighbours, layer)
    widths = {name: sizes[name][0] + gap if name in sizes else lane for row in rows for name in row}
    x = _even_out(rows, neighbours, layer, widths)
    return _finished(sizes, links, back, chains, layer, rows, x, gap, between)


def _back_edges(names: list[str], edges: Sequence[Edge], start: str) -> set[Edge]:
    """Those that lead to where a walk from the start is already inside."""
    onward: dict[str, list[str]] = {name: [] for name in names}
    for a, b in edges:
        onward[a].append(b)
    found: set[Edge] = set()
    done: set[str] = set()
    for begin in [start, *names]:
        if begin in done:
            continue
        path, inside = [(begin, iter(onward[begin]))], {begin}
        while path:
            name, rest = path[-1]
            following = next(rest, None)
            if following is None:
                path.pop()
                inside.discard(name)
                done.add(name)
            elif following in inside:
                found.add((name, following))
            elif following not in done:
                inside.add(following)
                path.append((following, iter(onward[following])))
    return found


def _layers(names: list[str], edges: Sequence[Edge]) -> dict[str, int]:
    layer = dict.fromkeys(names, 0)
    for _ in names:  # the longest way is no longer
        for a, b in edges:
            layer[b] = max(layer[b], layer[a] + 1)
    return layer


def _chain(edge: Edge, layer: dict[str, int], number: int) -> list[str]:
    """The edge with a point in each layer that it passes; the points get their layers."""
    first, last = edge
    points = []
    for at in range(layer[first] + 1, layer[last]):
        point = f"\0{number}.{at}"
        layer[point] = at
        points.append(point)
    return [first, *points, last]


def _neighbours(chains: list[list[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for chain in chains:
        for a, b in pairwise(chain):
            found.setdefault(a, []).append(b)
            found.setdefault(b, []).append(a)
    return found


def _order(rows: list[list[str]], neighbours: dict[str, list[str]], layer: dict[str, int]) -> None:
    """Each layer by the mean place of its neighbours above, then below, and so on."""
    place = {name: float(at) for row in rows for at, name in enumerate(row)}
    for sweep in range(_SWEEPS):
        step = -1 if sweep % 2 == 0 else 1
        for row in rows[:: -step or 1]:
            for name in row:
                near = [place[n] for n in neighbours.get(name, ()) if layer[n] == layer[name] + step]
                place[name] = sum(near) / len(near) if near else place[name]
            row.sort(key=place.__getitem__)
            place.update({name: float(at) for at, name in enumerate(row)})


def _even_out(
    rows: list[list[str]],
    neighbours: dict[str, list[str]],
    layer: dict[str, int],
    widths: Mapping[str, float],
) -> dict[str, float]:
    """Middles: each as near to its neighbours' mean as the layer's order and widths allow."""
    x: dict[str, float] = {}
    for row in rows:
        at = -sum(widths[name] for name in row) / 2
        for name in row:
            x[name] = at + widths[name] / 2
            at += widths[name]
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = [_mean([x[n] for n in neighbours.get(name, ())], x[name]) for name in row]
            x.update(zip(row, _apart(wanted, [widths[name] for name in row]), strict=True))
    return x


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _apart(wanted: list[float], widths: list[float]) -> list[float]:
    """Near to what is wanted, in order, and not over one another: the mean of pushing right and left."""
    right, left = list(wanted), list(wanted)
    for at in range(1, len(wanted)):
        right[at] = max(right[at], right[at - 1] + (widths[at - 1] + widths[at]) / 2)
    for at in range(len(wanted) - 2, -1, -1):
        left[at] = min(left[at], left[at + 1] - (widths[at] + widths[at + 1]) / 2)
    return [(a + b) / 2 for a, b in zip(right, left, strict=True)]


def _finished(
    sizes: Mapping[str, tuple[float, float]],
    links: list[Edge],
    back: set[Edge],
    chains: list[list[str]],
    layer: dict[str, int],
    rows: list[list[str]],
    x: dict[str, float],
    gap: float,
    between: float,
) -> Layout:
    left = min(
        x[name] - (sizes[name][0] / 2 + gap if name in sizes else gap / 2) for row in rows for name in row
    )
    done = Layout(layer={name: layer[name] for name in sizes}, x={name: x[name] - left for name in sizes})
    at = between / 2
    for row in rows:
        done.top.append(at)
        at += max((sizes[name][1] for name in row if name in sizes), default=0.0)
        done.bottom.append(at)
        at += between
    done.height = at - between / 2
    ends = [
        x[name] + (sizes[name][0] / 2 + gap if name in sizes else gap / 2) for row in rows for name in row
    ]
    done.width = max(ends) - left
    for edge, chain in zip(links, chains, strict=True):
        via = tuple((x[point] - left, layer[point]) for point in chain[1:-1])
        done.edges.append(Routed(*edge, via[::-1] if edge in back else via, edge in back))
    return done
