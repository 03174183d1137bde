"""For tests: the voice role in a thread of its own, on real SIP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from callbacks.stopping import Stop
from ivr.carried_call import Script
from ivr.dialplan import DialPlan
from ivr.flow_load import FLOWS, load_flow
from ivr.settings import VoiceSettings
from ivr.sip_line import SipLine
from ivr.speech import SpokenPrompts
from ivr.worker import VoiceWorker
from prompts.catalogue import load_catalogue
from tests.integration.office import Desk
from tests.loopback_city import PROMPT

Over = Callable[[], bool]


@contextmanager
def voice_role(
    desk: Desk,
    voice: VoiceSettings,
    spool: Path,
    plan: DialPlan,
    prompts: SpokenPrompts | None = None,
    wait: Callable[[Over], object] | None = None,
    **more: Any,
) -> Iterator[None]:
    """It says the city's `prompts`, or a tone; `wait` turns whoever is called until the role is over."""
    said = prompts or SimpleNamespace(audio=lambda _prompts: PROMPT, look=lambda: None)
    flow = load_flow(FLOWS / "satisfaction_survey.toml", load_catalogue())
    line = SipLine(voice)
    worker = VoiceWorker(
        desk.ctx,
        line,
        voice,
        Script(flow, said, "p1", said.look),
        plan,
        trunks=line.trunks,
        owner="voice:test:1",
        poll_seconds=0.05,
        spool_folder=spool,
        **more,
    )
    stop = Stop()
    thread = threading.Thread(target=lambda: worker.run(stop, 5.0), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        if wait is not None:
            wait(lambda: not thread.is_alive())
        thread.join(15)
        assert not thread.is_alive()
