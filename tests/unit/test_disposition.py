"""The table of causes, domain.md §2."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callbacks.vocabulary import Disposition
from ivr.disposition import CallFacts, asks_for_more, counts_as_attempt, disposition_of
from ivr.media.progress import Tone
from ivr.trunk_settings import CauseOverride

TABLE = [
    # -- busy
    (CallFacts(486), "busy", True),  # busy here
    (CallFacts(600), "busy", True),  # busy everywhere
    (CallFacts(480, q850=17), "busy", True),  # the cause beats the status
    (CallFacts(486, rang=True), "busy", True),  # rang, then the citizen refused with "busy"
    # -- no answer
    (CallFacts(480), "no_answer", True),  # temporarily unavailable
    (CallFacts(480, q850=18), "no_answer", True),  # no user responding
    (CallFacts(480, q850=19, rang=True), "no_answer", True),  # alerted and left
    (CallFacts(487, rang=True, we_cancelled=True), "no_answer", True),  # our ring time ran out
    (CallFacts(None, rang=True, we_cancelled=True), "no_answer", True),  # and the 487 never came
    (
        CallFacts(487, q850=127, rang=True, we_cancelled=True),
        "no_answer",
        True,
    ),  # whatever the cause
    (CallFacts(408, rang=True), "no_answer", True),  # the trunk's own ring time was shorter
    (CallFacts(487, rang=True), "no_answer", True),  # the trunk gave up ringing
    # -- powered off, rejected
    (CallFacts(480, q850=20), "powered_off", True),  # subscriber absent
    (CallFacts(603), "rejected", True),  # decline
    (CallFacts(486, q850=21), "rejected", True),  # call rejected
    # -- unallocated
    (CallFacts(404), "unallocated", True),
    (CallFacts(484), "unallocated", True),  # address incomplete
    (CallFacts(604), "unallocated", True),
    (CallFacts(410), "unallocated", True),  # gone
    (CallFacts(404, q850=1), "unallocated", True),
    (CallFacts(503, q850=22), "unallocated", True),  # number changed
    (CallFacts(500, q850=28), "unallocated", True),  # invalid number format
    # -- the network
    (CallFacts(408), "network_fail", False),  # time-out without a 18x
    (CallFacts(None), "network_fail", False),  # silence: timer B
    (CallFacts(None, we_cancelled=True), "network_fail", False),  # 60 s in all, and it never rang
    (CallFacts(487, we_cancelled=True), "network_fail", False),
    (CallFacts(500), "network_fail", False),
    (CallFacts(503), "network_fail", False),
    (CallFacts(404, q850=27), "network_fail", False),  # out of order beats not found
    (CallFacts(480, q850=34), "network_fail", False),  # no circuit
    (CallFacts(480, q850=38), "network_fail", False),
    (CallFacts(480, q850=41), "network_fail", False),
    (CallFacts(486, q850=42), "network_fail", False),  # congestion, flattened into busy
    (CallFacts(480, q850=44), "network_fail", False),
    (CallFacts(503, rang=True), "network_fail", True),  # every INVITE that rang counts
    # -- the trunk refuses us
    (CallFacts(401), "trunk_refused", False),  # no credentials, or they were wrong
    (CallFacts(403), "trunk_refused", False),
    (CallFacts(407), "trunk_refused", False),
    (CallFacts(488), "trunk_refused", False),  # no codec in common
    (CallFacts(606), "trunk_refused", False),
    # -- after the answer the final status is 200 and says nothing
    (CallFacts(200, answered=True, rang=True), "answered", True),
    (CallFacts(200, q850=16, answered=True), "answered", True),  # normal clearing
    (CallFacts(200, q850=41, answered=True), "answered", True),  # a cause in the BYE doesn't undo the talk
    (CallFacts(200, answered=True, media_lost=True), "media_lost", True),
    (CallFacts(200, answered=True, machine=True), "machine", True),
    (CallFacts(200, answered=True, machine=True, media_lost=True), "machine", True),
    # -- we gave it up: the citizen answered by text meanwhile, or the role stops
    (CallFacts(487, withdrawn=True), "cancelled", False),
    (CallFacts(487, rang=True, withdrawn=True), "cancelled", True),  # it rang, so it's in the caps
    # -- nothing above
    (CallFacts(499), "network_fail", False),
    (CallFacts(302), "network_fail", False),  # we follow no redirection
    (CallFacts(480, q850=99), "no_answer", True),  # an unknown cause leaves the status to decide
    (CallFacts(420, q850=127), "network_fail", False),
]


@pytest.mark.parametrize(("facts", "word", "counts"), TABLE)
def test_what_came_of_it(facts: CallFacts, word: str, counts: bool) -> None:
    assert disposition_of(facts) is Disposition(word)
    assert counts_as_attempt(Disposition(word), facts.rang) is counts


POWERED_OFF, UNALLOCATED = Disposition.POWERED_OFF, Disposition.UNALLOCATED
BUSY_TONE, CONGESTION, NO_NUMBER = Tone.BUSY, Tone.CONGESTION, Tone.UNOBTAINABLE

HEARD = [
    # -- an announcement is this call's own word: it beats every status
    (CallFacts(480, announced=POWERED_OFF), "powered_off"),
    (CallFacts(404, announced=POWERED_OFF), "powered_off"),
    (CallFacts(486, announced=UNALLOCATED), "unallocated"),
    (CallFacts(503, announced=UNALLOCATED), "unallocated"),
    (CallFacts(487, rang=True, we_cancelled=True, announced=POWERED_OFF), "powered_off"),  # our ring time
    (CallFacts(None, announced=UNALLOCATED), "unallocated"),
    (CallFacts(403, announced=Disposition.TRUNK_REFUSED), "trunk_refused"),  # we haven't paid
    # -- and the causes that say nothing of the line that was called
    (CallFacts(480, q850=16, announced=UNALLOCATED), "unallocated"),  # normal clearing
    (CallFacts(480, q850=31, announced=UNALLOCATED), "unallocated"),  # normal, unspecified
    (CallFacts(500, q850=127, announced=POWERED_OFF), "powered_off"),  # interworking
    (CallFacts(480, q850=18, announced=POWERED_OFF), "powered_off"),  # no user responding
    (CallFacts(503, q850=27, announced=POWERED_OFF), "powered_off"),  # out of order
    (CallFacts(503, q850=38, announced=POWERED_OFF), "powered_off"),
    # -- but not those that name it
    (CallFacts(404, q850=1, announced=POWERED_OFF), "unallocated"),
    (CallFacts(480, q850=17, announced=POWERED_OFF), "busy"),
    (CallFacts(480, q850=20, announced=UNALLOCATED), "powered_off"),
    (CallFacts(480, q850=21, announced=UNALLOCATED), "rejected"),
    (CallFacts(410, q850=22, announced=Disposition.BUSY), "unallocated"),
    (CallFacts(484, q850=28, announced=Disposition.BUSY), "unallocated"),
    # -- nor what isn't the network's to say
    (CallFacts(200, answered=True, announced=UNALLOCATED), "answered"),
    (CallFacts(487, withdrawn=True, announced=UNALLOCATED), "cancelled"),
    # -- a tone stands where the release says nothing
    (CallFacts(487, rang=True, tone=BUSY_TONE), "busy"),  # we gave it up for the tone
    (CallFacts(480, tone=BUSY_TONE), "busy"),
    (CallFacts(480, q850=16, tone=BUSY_TONE), "busy"),
    (CallFacts(503, tone=BUSY_TONE), "busy"),
    (CallFacts(None, tone=NO_NUMBER), "unallocated"),
    (CallFacts(480, tone=CONGESTION), "network_fail"),
    (CallFacts(487, rang=True, we_cancelled=True, tone=BUSY_TONE), "busy"),  # the network never released
    # -- else the release stands
    (CallFacts(480, q850=18, tone=BUSY_TONE), "no_answer"),
    (CallFacts(503, q850=34, tone=BUSY_TONE), "network_fail"),
    (CallFacts(404, tone=BUSY_TONE), "unallocated"),
    (CallFacts(603, tone=BUSY_TONE), "rejected"),
    (CallFacts(200, answered=True, tone=BUSY_TONE), "answered"),
    (CallFacts(487, withdrawn=True, tone=BUSY_TONE), "cancelled"),
    # -- the tone often comes after the announcement
    (CallFacts(480, announced=POWERED_OFF, tone=BUSY_TONE), "powered_off"),
]


@pytest.mark.parametrize(("facts", "word"), HEARD)
def test_what_was_heard_before_it_failed(facts: CallFacts, word: str) -> None:
    assert disposition_of(facts) is Disposition(word)
    nothing = disposition_of(replace(facts, announced=None))
    assert asks_for_more(facts) or disposition_of(facts) is nothing  # nobody looks in vain


OVERRIDES = (
    CauseOverride(sip_status=480, q850=31, disposition=Disposition.POWERED_OFF),
    CauseOverride(sip_status=503, disposition=Disposition.BUSY),
    CauseOverride(q850=21, disposition=Disposition.NO_ANSWER),
)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (CallFacts(480, q850=31), "powered_off"),  # both named, both met
        (CallFacts(480), "no_answer"),  # only one of the two: the table decides
        (CallFacts(503), "busy"),  # this trunk says 503 for a busy line
        (CallFacts(503, q850=21), "busy"),  # the first row that's met
        (CallFacts(603, q850=21), "no_answer"),
        (CallFacts(503, announced=Disposition.UNALLOCATED), "busy"),  # whatever is heard
        (CallFacts(200, q850=21, answered=True), "answered"),  # rows are for calls that weren't answered
    ],
)
def test_a_trunks_own_rows_beat_the_table(facts: CallFacts, word: str) -> None:
    assert disposition_of(facts, OVERRIDES) is Disposition(word)


def test_an_override_names_something() -> None:
    with pytest.raises(ValueError, match="sip_status, q850 or both"):
        CauseOverride(disposition=Disposition.BUSY)
