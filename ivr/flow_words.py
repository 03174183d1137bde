"""A flow's steps and ways as people read them, in Chinese: for its text and its picture. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from callbacks.rating import SCALES
from ivr.flow_data import Branch, Choice, Flow, Node, Option, Way
from prompts.catalogue import Catalogue

__all__ = ["ENDS", "Exit", "exits", "in_order", "kind_of", "said", "when_words"]

_CONDITIONS = {
    "has_cases": "有待评价事项",
    "first_case": "第一件事项",
    "more_cases": "还有下一件",
    "category": "可播报类别",
    "second_round": "重新办理后的回访",
    "again": "再次询问",
    "rated": "已评价",
    "dissatisfied": "不满意",
    "any_dissatisfied": "有事项不满意",
    "to_verify": "首轮不满意",
    "in_hours": "坐席在班",
    "may_record": "可以留言",
    "position_known": "排队位置已知",
}
_REASONS = {
    "not_solved": "问题没有解决",
    "too_slow": "办理太慢",
    "attitude": "态度不好",
    "not_true": "答复与实际不符",
    "other": "其他原因",
}
ENDS = {
    "done": "完成",
    "no_answer": "没有得到答复",
    "handed_over": "转人工",
    "wrong_person": "非本人",
    "transferred": "已由他人接听",
    "too_long": "通话超时",
}
_DOES = {"hand_over": "交人工处理", "wrong_person": "不再拨打这个号码"}


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out of a node: what leads there, what is said on the way, and where it leads."""

    why: str
    to: str
    say: str | None = None


def when_words(when: tuple[str, ...]) -> str:
    return "且".join(_CONDITIONS.get(condition, condition) for condition in when)


def said(options: tuple[Option, ...], catalogue: Catalogue, language: str = "zh-CN") -> Iterator[str]:
    """The texts of a list of prompts, each with its conditions."""
    for option in options:
        when = f"（{when_words(option.when)}）" if option.when else "（其余）" if len(options) > 1 else ""
        yield when + catalogue.speech(option.prompt, language)


def kind_of(node: Node) -> str:
    """What the node does, in a word or two, and what it stores."""
    words = []
    if node.collect is not None:
        words.append(f"收号 {node.collect.least}–{node.collect.most} 位 → {node.collect.into}")
    elif node.asks:
        words.append("提问")
    elif node.record is not None:
        words.append(f"录音 {node.record.seconds:g} 秒，{node.record.ends} 结束")
    elif node.transfer is not None:
        words.append(f"转接 {node.transfer}")
    elif node.queue is not None:
        words.append(f"排队 {node.queue}")
    elif node.says and node.end is None:
        words.append("播放")
    words += [f"记下 {name}={value}" for name, value in node.sets.items()]
    if node.does is not None:
        words.append(_DOES[node.does])
    if node.end is not None:
        words.append(f"挂机：{ENDS[node.end]}")
    return "，".join(words) or "判断"


def exits(flow: Flow, node: Node, catalogue: Catalogue) -> list[Exit]:
    """All ways out, keys first."""
    found = [Exit(_key(flow, key, choice), choice.next) for key, choice in node.keys.items()]
    for what, branch in (("没有按键", node.silent), ("按错", node.invalid)):
        found += _branch(what, branch, catalogue)
    found += [Exit(why, way.to) for why, way in _ways(node.ways, _after(node))]
    found += [Exit(why, way.to) for why, way in _ways(node.otherwise, _failing(node))]
    return found


def _key(flow: Flow, key: str, choice: Choice) -> str:
    meaning = []
    if choice.rating is not None:
        meaning.append(SCALES[flow.scale].labels[choice.rating])
    if choice.resolved is not None:
        meaning.append("已解决" if choice.resolved else "未解决")
    if choice.reason is not None:
        meaning.append(_REASONS.get(choice.reason, choice.reason))
    return f"按 {key}" + (f"（{'，'.join(meaning)}）" if meaning else "")


def _branch(what: str, branch: Branch | None, catalogue: Catalogue) -> Iterator[Exit]:
    if branch is None:
        return
    if branch.then is None or branch.most > 1:
        say = catalogue.speech(branch.say, "zh-CN") if branch.say is not None else None
        yield Exit(what, branch.next, say)
    if branch.then is not None:
        yield Exit(f"第 {branch.most} 次{what}" if branch.most > 1 else what, branch.then)


def _ways(ways: tuple[Way, ...], plain: str) -> Iterator[tuple[str, Way]]:
    for way in ways:
        words = when_words(way.when) or (plain if len(ways) == 1 or way.most is not None else "其余")
        if way.most is not None:
            words += f"（最多 {way.most} 次）"
        yield words, way


def _after(node: Node) -> str:
    if node.collect is not None:
        return "收号后"
    if node.record is not None:
        return "留言后，或不留言"
    if node.transfer is not None or node.queue is not None:
        return "通话后"
    return "然后"


def _failing(node: Node) -> str:
    if node.record is not None:
        return "线路不能录音"
    wait = "" if node.wait is None else f" {node.wait:g} 秒"
    return f"{wait}无人接听".strip()


def in_order(flow: Flow, catalogue: Catalogue) -> list[Node]:
    """The nodes as a call comes to them, those nearer to the beginning first."""
    begins = [flow.start, *([flow.case_over] if flow.case_over is not None else [])]
    order: list[str] = []
    waiting = begins[:1]
    while waiting or len(begins) > 1:
        if not waiting:
            waiting = [begins.pop()]
        name = waiting.pop(0)
        if name in order:
            continue
        order.append(name)
        waiting += [each.to for each in exits(flow, flow.nodes[name], catalogue)]
    return [flow.nodes[name] for name in order]
