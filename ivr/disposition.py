"""What came of a call, from the causes that the network gave (domain.md §2). Pure.

The release cause of Q.850, which a Reason header carries, beats the SIP status: gateways flatten many
causes into one status. What is heard before a call fails refines both. An announcement is the network's own
word of this one call, so it beats any status, and each cause but those that name the line that was called
themselves (1, 17, 20, 21, 22, 28): 18 and 27, say, are what many an exchange gives for a telephone that is
switched off. A tone, which comes after many an announcement too, only stands where the release says nothing:
no known cause, and no status or one that any failure has (408, 480, 487, 5xx). A trunk's own rows beat all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from callbacks.vocabulary import Disposition
from ivr.media.progress import Tone
from ivr.trunk_settings import CauseOverride

__all__ = ["CallFacts", "asks_for_more", "counts_as_attempt", "disposition_of"]

_BY_Q850 = {
    1: Disposition.UNALLOCATED,  # unallocated number
    17: Disposition.BUSY,  # user busy
    18: Disposition.NO_ANSWER,  # no user responding
    19: Disposition.NO_ANSWER,  # alerted, no answer
    20: Disposition.POWERED_OFF,  # subscriber absent
    21: Disposition.REJECTED,  # call rejected
    22: Disposition.UNALLOCATED,  # number changed
    27: Disposition.NETWORK_FAIL,  # destination out of order
    28: Disposition.UNALLOCATED,  # invalid number format
    34: Disposition.NETWORK_FAIL,  # no circuit
    38: Disposition.NETWORK_FAIL,  # network out of order
    41: Disposition.NETWORK_FAIL,  # temporary failure
    42: Disposition.NETWORK_FAIL,  # congestion
    44: Disposition.NETWORK_FAIL,  # channel not available
}

_NAME_THE_LINE = frozenset({1, 17, 20, 21, 22, 28})

_BY_STATUS = {
    401: Disposition.TRUNK_REFUSED,
    403: Disposition.TRUNK_REFUSED,
    404: Disposition.UNALLOCATED,
    407: Disposition.TRUNK_REFUSED,
    410: Disposition.UNALLOCATED,
    480: Disposition.NO_ANSWER,
    484: Disposition.UNALLOCATED,
    486: Disposition.BUSY,
    488: Disposition.TRUNK_REFUSED,
    600: Disposition.BUSY,
    603: Disposition.REJECTED,
    604: Disposition.UNALLOCATED,
    606: Disposition.TRUNK_REFUSED,
}

_ANY_FAILURE = frozenset({408, 480, 487})

_BY_TONE = {
    Tone.BUSY: Disposition.BUSY,
    Tone.CONGESTION: Disposition.NETWORK_FAIL,
    Tone.UNOBTAINABLE: Disposition.UNALLOCATED,
}

_FREE = frozenset({Disposition.NETWORK_FAIL, Disposition.TRUNK_REFUSED, Disposition.CANCELLED})


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call when it is over.

    `sip_status` is the final answer to the INVITE, None after a time-out; `rang` that a 18x came;
    `we_cancelled` that our ring time ran out; `withdrawn` that we gave the call up for another reason (it
    was answered by text meanwhile, or the role stops); `media_lost` that RTP stopped after the answer.
    `announced` is what an announcement that was heard before means, `tone` the network's tone.
    """

    sip_status: int | None = None
    q850: int | None = None
    rang: bool = False
    answered: bool = False
    we_cancelled: bool = False
    withdrawn: bool = False
    media_lost: bool = False
    machine: bool = False
    announced: Disposition | None = None
    tone: Tone | None = None


def disposition_of(facts: CallFacts, overrides: Iterable[CauseOverride] = ()) -> Disposition:
    """The row of domain.md §2 that `facts` meet; what meets none is network_fail."""
    if facts.answered:
        return _after_answer(facts)
    for row in overrides:
        if _meets(row, facts):
            return row.disposition
    if facts.withdrawn:
        return Disposition.CANCELLED
    if facts.announced is not None and facts.q850 not in _NAME_THE_LINE:
        return facts.announced
    if facts.tone is not None and _says_nothing(facts):
        return _BY_TONE[facts.tone]
    if facts.we_cancelled:
        return Disposition.NO_ANSWER if facts.rang else Disposition.NETWORK_FAIL
    if facts.q850 in _BY_Q850:
        return _BY_Q850[facts.q850]
    if facts.rang and facts.sip_status in (408, 487, None):
        return Disposition.NO_ANSWER
    return _BY_STATUS.get(facts.sip_status or 0, Disposition.NETWORK_FAIL)


def asks_for_more(facts: CallFacts) -> bool:
    """Whether an announcement could still change what came of the call."""
    return not (facts.answered or facts.withdrawn) and facts.q850 not in _NAME_THE_LINE


def _says_nothing(facts: CallFacts) -> bool:
    status = facts.sip_status
    return facts.q850 not in _BY_Q850 and (status in _ANY_FAILURE or status not in _BY_STATUS)


def _after_answer(facts: CallFacts) -> Disposition:
    if facts.machine:
        return Disposition.MACHINE
    return Disposition.MEDIA_LOST if facts.media_lost else Disposition.ANSWERED


def _meets(row: CauseOverride, facts: CallFacts) -> bool:
    if row.q850 is not None and row.q850 != facts.q850:
        return False
    return row.sip_status is None or row.sip_status == facts.sip_status


def counts_as_attempt(disposition: Disposition, rang: bool) -> bool:
    """Whether the call costs the citizen's callback an attempt: every INVITE that got a 18x does (§1)."""
    return rang or disposition not in _FREE
