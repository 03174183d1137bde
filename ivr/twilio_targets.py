"""Which of our own telephones a cloud number can put a citizen through to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from callbacks.numbers import is_emergency
from callbacks.target_settings import Targets
from callbacks.twilio_numbers import e164
from ivr.flow_data import AGENTS, Flow

__all__ = ["Numbers", "may_transfer", "numbers_of"]

Numbers = Mapping[str, Sequence[str]]  # by what a flow calls them, in E.164

# In E.164, or in national form: a mobile, or a landline with its area code. An extension is a PBX's own.
_REACHED = re.compile(r"\+[1-9]\d{6,14}|1[3-9]\d{9}|0\d{9,11}")


def numbers_of(targets: Targets, agents: Sequence[str] = ()) -> Numbers:
    """The targets that the public network reaches, not a trunk of ours; `agents` are known together, too."""
    each = {
        name: (e164(target.number),)
        for name, target in targets.items()
        if target.trunk is None and _REACHED.fullmatch(target.number) and not is_emergency(target.number)
    }
    there = tuple(number for name in agents for number in each.get(name, ()))
    return {AGENTS: there, **each} if there else each


def may_transfer(flow: Flow, numbers: Numbers) -> bool:
    """Whether every target of the flow has a number; else nobody is put through, and the flow says so."""
    wanted = {node.transfer for node in flow.nodes.values() if node.transfer is not None}
    return bool(wanted) and wanted <= set(numbers)
