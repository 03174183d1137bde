"""Which of our own telephones a cloud number can put a citizen through to. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from callbacks.numbers import is_emergency
from callbacks.target_settings import Targets
from callbacks.twilio_numbers import e164
from ivr.flow_data import Flow

__all__ = ["may_transfer", "numbers_of"]

# In E.164, or in national form: a mobile, or a landline with its area code. An extension is a PBX's own.
_REACHED = re.compile(r"\+[1-9]\d{6,14}|1[3-9]\d{9}|0\d{9,11}")


def numbers_of(targets: Targets) -> dict[str, str]:
    """The targets that the public network reaches, by name, in E.164; one of a trunk of ours isn't."""
    return {
        name: e164(target.number)
        for name, target in targets.items()
        if target.trunk is None and _REACHED.fullmatch(target.number) and not is_emergency(target.number)
    }


def may_transfer(flow: Flow, numbers: Mapping[str, str]) -> bool:
    """Whether every target of the flow has a number; else nobody is put through, and the flow says so."""
    wanted = {node.transfer for node in flow.nodes.values() if node.transfer is not None}
    return bool(wanted) and wanted <= set(numbers)
