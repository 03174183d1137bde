"""A flow as a picture: a box a node with its words and its ways out, an arrow a way. Pure.

It takes the colour of its surroundings (`currentColor`), so it reads light and dark; one that stands alone
brings its own two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from ivr.flow_data import Flow, Node
from ivr.flow_layout import Layout, Routed, lay_out
from ivr.flow_words import exits, in_order, kind_of, said
from prompts.catalogue import Catalogue

__all__ = ["svg_of"]

_WIDTH = 250  # of a box
_LINE = 17  # from line to line
_PAD = 9
_GAP, _BETWEEN, _LANE = 30, 46, 16
_FULL = 12.0  # a Chinese letter's width
_WORDS_LINES = 3
_HANGS = "，。：；？！、）”"  # don't begin a line
_ALONE = (
    "<style>svg{background:#fff;color:#1c2530}"
    "@media (prefers-color-scheme:dark){svg{background:#12171d;color:#dfe6ee}}</style>"
)


@dataclass(frozen=True, slots=True)
class _Box:
    """A node's lines, and the ways out, each with the row that it begins at."""

    node: Node
    kind: str
    words: list[str]
    rows: list[tuple[str, str]]

    @property
    def height(self) -> float:
        return 2 * _PAD + _LINE * (2 + len(self.words) + len(self.rows))


def svg_of(flow: Flow, catalogue: Catalogue, *, alone: bool = False) -> str:
    """The picture; `alone` with its own colours, for a file."""
    boxes = {node.name: _box(flow, node, catalogue) for node in in_order(flow, catalogue)}
    edges = [(name, to) for name, box in boxes.items() for _, to in box.rows]
    sizes = {name: (float(_WIDTH), box.height) for name, box in boxes.items()}
    plan = lay_out(sizes, edges, flow.start, gap=_GAP, between=_BETWEEN, lane=_LANE)
    title = f"{flow.name} {flow.version}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {plan.width:.0f} {plan.height:.0f}" '
            f'width="{plan.width:.0f}" height="{plan.height:.0f}" role="img" aria-label={quoteattr(title)} '
            f'font-family="sans-serif" font-size="12" fill="currentColor">',
            f"<title>{escape(title)}</title>",
            *([_ALONE] if alone else []),
            *(_drawn(edge, boxes, plan) for edge in plan.edges),
            *(line for name in boxes for line in _framed(boxes[name], plan, name == flow.start)),
            "</svg>",
            "",
        ]
    )


def _box(flow: Flow, node: Node, catalogue: Catalogue) -> _Box:
    texts = list(said(node.prompts, catalogue))
    words = _wrapped(texts[0] if texts else "", _WORDS_LINES)
    if len(texts) > 1:
        words.append(f"…另有 {len(texts) - 1} 种说法")
    rows: dict[str, str] = {}
    for each in exits(flow, node, catalogue):
        why = f"{each.why}，重问" if each.to == node.name else each.why
        rows.setdefault(f"{why} → {each.to}", each.to)
    return _Box(node, kind_of(node), words, [(_cut(text), to) for text, to in rows.items()])


def _advance(letter: str) -> float:
    return _FULL if ord(letter) > 0x2000 else _FULL * 0.56


def _wrapped(text: str, most: int) -> list[str]:
    """At most `most` lines as wide as a box; the last tells by … that there is more."""
    room, lines, width = _WIDTH - 2 * _PAD, [""], 0.0
    for letter in text:
        if width + _advance(letter) > room and letter not in _HANGS:
            if len(lines) == most:
                lines[-1] = lines[-1][:-1] + "…"
                break
            lines.append("")
            width = 0.0
        lines[-1] += letter
        width += _advance(letter)
    return [line for line in lines if line]


def _cut(text: str) -> str:
    """One line: its end, the target, is kept whole."""
    why, _, to = text.rpartition(" → ")
    room = _WIDTH - 2 * _PAD - sum(map(_advance, f" → {to}"))
    while sum(map(_advance, why)) > room:
        why = why[:-2] + "…"
    return f"{why} → {to}"


def _framed(box: _Box, plan: Layout, begins: bool) -> Iterator[str]:
    name = box.node.name
    left, top = plan.x[name] - _WIDTH / 2, plan.top[plan.layer[name]]
    ends = box.node.end is not None
    radius, width = (14 if ends else 4), (2.4 if begins or ends else 1.2)
    yield (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{_WIDTH}" height="{box.height:.1f}" rx="{radius}" '
        f'fill="currentColor" fill-opacity="0.05" stroke="currentColor" stroke-width="{width}"/>'
    )
    lines = [(name, ' font-weight="bold" font-size="13"'), (box.kind, ' fill-opacity="0.75"')]
    lines += [(line, "") for line in box.words] + [(text, "") for text, _ in box.rows]
    for number, (line, style) in enumerate(lines):
        y = top + _PAD + _LINE * (number + 0.75)
        yield f'<text x="{left + _PAD:.1f}" y="{y:.1f}"{style}>{escape(line)}</text>'
    if box.rows:
        y = top + _PAD + _LINE * (2 + len(box.words))
        line = 'stroke="currentColor" stroke-opacity="0.35" fill="none"'
        yield f'<path d="M{left:.1f} {y:.1f}h{_WIDTH}" {line}/>'


def _drawn(edge: Routed, boxes: dict[str, _Box], plan: Layout) -> str:
    """From the first row that leads there, by the nearer side, to the target's top; up to its side."""
    source, box = edge.source, boxes[edge.source]
    row = next(at for at, (_, to) in enumerate(box.rows) if to == edge.target)
    points = [*edge.via, (plan.x[edge.target], plan.layer[edge.target])]
    side = 1 if points[0][0] >= plan.x[source] else -1
    layer = plan.layer[source]
    y = plan.top[layer] + _PAD + _LINE * (2 + len(box.words) + row + 0.5)
    x = plan.x[source] + side * _WIDTH / 2
    lane = x + side * (6 + 2.5 * (row % 4))
    leaves = plan.top[layer] if edge.up else plan.bottom[layer]
    path = [f"M{x:.1f} {y:.1f}H{lane:.1f}V{leaves:.1f}"]
    at = (lane, leaves)
    for px, passed in edge.via:
        first, last = (plan.bottom, plan.top) if edge.up else (plan.top, plan.bottom)
        path.append(_curve(at, (px, first[passed])) + f"V{last[passed]:.1f}")
        at = (px, last[passed])
    path.append(_arrival(at, edge, boxes, plan))
    dashed = ' stroke-dasharray="4 3"' if edge.up else ""
    line = f'<path d="{"".join(path)}" fill="none" stroke="currentColor" stroke-opacity="0.6"{dashed}/>'
    return line + _head(at, edge, plan)


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    half = (start[1] + end[1]) / 2
    return f"C{start[0]:.1f} {half:.1f} {end[0]:.1f} {half:.1f} {end[0]:.1f} {end[1]:.1f}"


def _arrival(at: tuple[float, float], edge: Routed, boxes: dict[str, _Box], plan: Layout) -> str:
    x, layer = plan.x[edge.target], plan.layer[edge.target]
    if not edge.up:
        return _curve(at, (x, plan.top[layer] - 6)) + "v3"
    side = 1 if at[0] >= x else -1
    lane = x + side * (_WIDTH / 2 + 17)
    y = plan.top[layer] + _PAD + _LINE / 2
    return _curve(at, (lane, plan.bottom[layer])) + f"V{y:.1f}h{-side * 12}"


def _head(at: tuple[float, float], edge: Routed, plan: Layout) -> str:
    """The arrow's head."""
    x, top = plan.x[edge.target], plan.top[plan.layer[edge.target]]
    if not edge.up:
        return f'<path d="M{x:.1f} {top - 1:.1f}l-4 -7h8z"/>'
    side = 1 if at[0] >= x else -1
    tip = x + side * (_WIDTH / 2 + 1)
    return f'<path d="M{tip:.1f} {top + _PAD + _LINE / 2:.1f}l{side * 7} -4v8z"/>'
