"""Loads a flow from TOML and checks it: all that's wrong is named by file, line and node."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

from ivr.flow_check import node_faults, prompts_of, scale_faults
from ivr.flow_data import Flow
from ivr.flow_faults import Fault, FlowError
from ivr.flow_file import flow_of
from ivr.flow_graph import graph_faults
from ivr.flow_lines import line_of
from prompts.catalogue import Catalogue

__all__ = ["FLOWS", "FlowError", "load_flow", "prompt_version", "read_flow"]

FLOWS = Path(__file__).parent / "flows"
_LARGEST = 200_000  # characters; a flow is some hundred lines


def load_flow(path: Path, catalogue: Catalogue) -> Flow:
    """The flow in `path`, checked; FlowError tells every fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FlowError([f"{path}:1: {error}"]) from error
    return read_flow(text, str(path), catalogue)


def read_flow(text: str, file: str, catalogue: Catalogue) -> Flow:
    """The flow written in `text`, checked; FlowError names each fault as `file:line: place: what`."""
    if len(text) > _LARGEST:
        raise FlowError([f"{file}:1: {len(text)} characters; at most {_LARGEST}"])
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FlowError([f"{file}:{_line_told(str(error), text)}: {error}"]) from error
    flow, faults = flow_of(data)
    named = data["nodes"] if isinstance(data.get("nodes"), dict) else {}
    if flow is not None:
        faults += check_flow(flow, frozenset(named), catalogue)
    if flow is None or faults:
        told = sorted({(line_of(text, fault.place), str(fault)) for fault in faults})
        raise FlowError([f"{file}:{line}: {fault}" for line, fault in told])
    return flow


def check_flow(flow: Flow, known: frozenset[str], catalogue: Catalogue) -> list[Fault]:
    """What is wrong with a flow of the right shape; `known` are all the names of nodes that its file has."""
    faults = [fault for node in flow.nodes.values() for fault in node_faults(node, flow, known, catalogue)]
    if (flow.case_over is None) != (flow.case_seconds is None):
        missing = "case_over" if flow.case_over is None else "case_seconds"
        faults.append(Fault((missing,), "Field required, as case_over and case_seconds go together"))
    if flow.rates and flow.case_over is None:
        faults.append(Fault(("case_over",), "Field required in a flow that asks for ratings"))
    return [*faults, *scale_faults(flow), *graph_faults(flow, known)]


def _line_told(words: str, text: str) -> int:
    """The line that the parser names; a text that breaks off does so on its last."""
    told = re.search(r"at line (\d+)", words)
    return int(told[1]) if told else max(1, len(text.splitlines()))


def prompt_version(flow: Flow, catalogue: Catalogue, language: str) -> str:
    """12 hex digits over the texts of the flow's prompts: which words a citizen heard."""
    prompts = {prompt for node in flow.nodes.values() for prompt in prompts_of(node)}
    texts = sorted(f"{prompt}\0{catalogue.speech(prompt, language)}" for prompt in prompts)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
