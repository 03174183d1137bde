"""Whatever a far end says in whatever order, the call ends once, each 2xx is acknowledged, no offer of ours
follows another that has no answer, o='s version grows by one, the voice goes where both agreed last, and at
the end nothing is left.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.sip import InviteReceived
from tests.sip_far_end import ENDS, FarEnd


@given(seed=st.integers(0, 2**32), inbound=st.booleans(), steps=st.integers(0, 60))
@settings(max_examples=500)
def test_whatever_they_say(seed: int, inbound: bool, steps: int) -> None:
    far_end = FarEnd(Random(seed), inbound)
    far_end.run(steps)
    endpoint = far_end.agent._endpoint
    ends = [event for event in far_end.events if isinstance(event, ENDS)]
    began = far_end.inbound is False or any(isinstance(event, InviteReceived) for event in far_end.events)
    assert len(ends) == (1 if began else 0)
    assert far_end.agent.idle, "something is left in memory"
    assert not endpoint.layer._identities and not endpoint.alarms._heap
    assert far_end.accepted <= far_end.acknowledged, "a 2xx without its ACK"
