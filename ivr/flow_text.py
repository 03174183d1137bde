"""A flow as a text: who hears what, and which keys lead where. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.flow_data import Flow, Node
from ivr.flow_words import exits, in_order, kind_of, said
from prompts.catalogue import Catalogue

__all__ = ["text_of"]


def text_of(flow: Flow, catalogue: Catalogue) -> str:
    """The whole flow, a paragraph a node."""
    return "\n".join(_lines(flow, catalogue)) + "\n"


def _lines(flow: Flow, catalogue: Catalogue) -> Iterator[str]:
    yield f"{flow.name}，版本 {flow.version}" + (f"，评价分级 {flow.scale}" if flow.rates else "")
    limits = f"通话最长 {flow.call_seconds:g} 秒"
    if flow.case_seconds is not None:
        limits += f"，每件事项最长 {flow.case_seconds:g} 秒，到时转 {flow.case_over}"
    yield f"{limits}（留言、转接和排队的时间不计）"
    yield f"从 {flow.start} 开始"
    for node in in_order(flow, catalogue):
        yield ""
        yield f"[{node.name}] {kind_of(node)}"
        yield from (f"    {line}" for line in _node(flow, node, catalogue))


def _node(flow: Flow, node: Node, catalogue: Catalogue) -> Iterator[str]:
    yield from (f"“{text}”" for text in said(node.prompts, catalogue))
    if node.again is not None:
        yield from (f"每 {node.again.every:g} 秒“{text}”" for text in said(node.again.prompts, catalogue))
    if node.asks:
        yield f"等待 {node.wait:g} 秒"
    for each in exits(flow, node, catalogue):
        say = f"“{each.say}”" if each.say else ""
        yield f"{each.why}：{say}→ {each.to}"
