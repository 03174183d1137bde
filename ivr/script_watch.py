"""The dialogue that holds, taken up between claims: calls that have begun keep theirs."""

from __future__ import annotations

from dataclasses import replace

import structlog

from ivr.carried_call import Script
from ivr.flow_load import FlowError, prompt_version
from ivr.flow_shelf import FolderShelf
from prompts.catalogue import Catalogue

__all__ = ["ScriptWatch"]

_log = structlog.get_logger(__name__)


class ScriptWatch:
    """Gives the script of the flow as it stands on the shelf now. What is faulty isn't taken up."""

    def __init__(self, shelf: FolderShelf, name: str, catalogue: Catalogue, language: str) -> None:
        self._shelf, self._name = shelf, name
        self._catalogue, self._language = catalogue, language
        self._seen = shelf.stamp(name)

    def __call__(self, script: Script) -> Script:
        stamp = self._shelf.stamp(self._name)
        if stamp == self._seen:
            return script
        self._seen = stamp
        try:
            flow = self._shelf.load(self._name)
        except FlowError as error:
            _log.error("flow_not_taken_up", flow=self._name, faults=error.faults)
            return script
        if flow.scale != script.flow.scale:
            _log.error("flow_not_taken_up", flow=self._name, faults=(f"scale {flow.scale}",))
            return script
        _log.info("flow_taken_up", flow=self._name, version=flow.version)
        return replace(
            script, flow=flow, prompt_version=prompt_version(flow, self._catalogue, self._language)
        )
