"""A flow as a text and as a picture: all of it is there, and no box lies over another."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.flow_layout import lay_out
from ivr.flow_load import FLOWS
from ivr.flow_svg import svg_of
from ivr.flow_text import text_of
from ivr.flow_words import exits
from prompts.catalogue import load_catalogue
from tests.flow_caller import shipped

CATALOGUE = load_catalogue()
NAMES = sorted(path.stem for path in FLOWS.glob("*.toml"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", NAMES)
def test_the_text_tells_every_node_prompt_and_way(name: str) -> None:
    flow = shipped(name)
    text = text_of(flow, CATALOGUE)
    assert text.count("\n[") == len(flow.nodes)
    for node in flow.nodes.values():
        for option in node.prompts:
            assert CATALOGUE.speech(option.prompt, "zh-CN") in text
        for each in exits(flow, node, CATALOGUE):
            assert f"{each.why}：" in text and f"→ {each.to}" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_has_a_box_a_node_and_an_arrow_a_way(name: str) -> None:
    flow = shipped(name)
    root = ElementTree.fromstring(svg_of(flow, CATALOGUE))
    boxes = root.findall(f"{SVG}rect")
    assert len(boxes) == len(flow.nodes)
    words = {text.text for text in root.findall(f"{SVG}text")}
    assert set(flow.nodes) <= words
    ways = {(n.name, e.to) for n in flow.nodes.values() for e in exits(flow, n, CATALOGUE) if e.to != n.name}
    arrows = [path for path in root.findall(f"{SVG}path") if re.search(r"l-?[47] -[74]", path.get("d", ""))]
    heads = [path for path in root.findall(f"{SVG}path") if path.get("d", "").endswith("z")]
    assert len(heads) == len(ways) and len(arrows) <= len(heads)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    places = [tuple(float(box.get(key, "0")) for key in ("x", "y", "width", "height")) for box in boxes]
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in places)
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in combinations(places, 2):
        assert x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1


def test_only_a_file_brings_its_own_colours() -> None:
    """The desk's pages allow no style within them."""
    assert "<style" not in svg_of(shipped("inbound_110"), CATALOGUE)
    assert "prefers-color-scheme:dark" in svg_of(shipped("inbound_110"), CATALOGUE, alone=True)


NODES = "abcdefghij"


@given(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=40))
def test_whatever_leads_wherever_is_laid_out(edges: list[tuple[str, str]]) -> None:
    plan = lay_out(dict.fromkeys(NODES, (100.0, 50.0)), edges, "a", gap=20, between=40, lane=10)
    assert set(plan.x) == set(NODES)
    for one, two in combinations(NODES, 2):
        if plan.layer[one] == plan.layer[two]:
            assert abs(plan.x[one] - plan.x[two]) >= 100
    assert {(edge.source, edge.target) for edge in plan.edges} == {(a, b) for a, b in edges if a != b}
    for edge in plan.edges:
        assert (plan.layer[edge.source] > plan.layer[edge.target]) is edge.up
        assert len(edge.via) == abs(plan.layer[edge.source] - plan.layer[edge.target]) - 1
