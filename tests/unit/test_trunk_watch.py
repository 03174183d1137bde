"""A line's OPTIONS and REGISTER in virtual time, against an agent that lives, is silent and lives again."""

from __future__ import annotations

from random import Random

import pytest

from callbacks.vocabulary import Disposition, TrunkReason, TrunkStanding
from ivr.disposition import CallFacts
from ivr.hosts import Place
from ivr.line import Dial
from ivr.media.progress import Tone
from ivr.name_book import NameBook
from ivr.name_lookup import Found
from ivr.sip import Hop, OptionsAnswered, Registered, RegistrationFailed
from ivr.sip.agent import UserAgent
from ivr.trunk_choice import TrunkChoice
from ivr.trunk_settings import CauseOverride, TrunkSettings
from ivr.trunk_watch import TrunkWatch, account_of
from tests.sip_world import OURS, THEIRS, World

UP, SUSPECT, ASIDE = TrunkStanding.UP, TrunkStanding.SUSPECT, TrunkStanding.ASIDE


def trunk(**changes: object) -> TrunkSettings:
    base = {"name": "t", "host": THEIRS.host, "port": THEIRS.port, "caller_number": "037963110110"}
    return TrunkSettings.model_validate({**base, **changes})


class Book(NameBook):
    """Where everything is, without a name server."""

    def __init__(self, *hops: Hop) -> None:
        super().__init__((), lambda *_: Found((), 0.0))
        self.are = hops

    def hops(self, place: Place) -> tuple[Hop, ...]:
        return self.are


class Watched:
    """A trunk and who asks it, turned every tenth of a second."""

    def __init__(self, settings: TrunkSettings, *hops: Hop) -> None:
        self.world = World(Random(1))
        self.trunks = TrunkChoice([settings], Random(1).random)
        self.book = Book(*hops or (THEIRS,))
        self.watch = TrunkWatch([settings], self.trunks, self.world.ours, self.book, 0.0)
        self._seen = 0

    def call_failed(self, settings: TrunkSettings, facts: CallFacts, now: float, public: bool = True) -> None:
        order, hop = Dial("c", "1", "t", is_public=public), self.book.hop(settings.place, now)
        assert hop is not None
        self.watch.call_failed(order, settings, hop, facts, None, now)

    def until(self, seconds: float) -> TrunkStanding:
        while self.world.now < seconds:
            now = self.world.now
            self.watch.turn(now)
            self.world.run(now + 0.1)
            self.world.now = round(now + 0.1, 3)
            for event in self.world.events[OURS][self._seen :]:
                self._seen += 1
                assert isinstance(event, OptionsAnswered | Registered | RegistrationFailed)
                self.watch.take(event, self.world.now)
        return self.trunks.standings(self.world.now)[0].standing

    def silent(self, silent: bool) -> None:
        self.world.loss = 1.0 if silent else 0.0

    @property
    def asked(self) -> int:
        return len([event for event in self.world.events[OURS] if isinstance(event, OptionsAnswered)])


def test_a_trunk_that_answers_is_asked_every_ten_seconds() -> None:
    watched = Watched(trunk(keepalive=10))
    assert watched.until(35.0) is UP
    assert watched.asked == 4  # at 0, 10, 20, 30


def test_one_that_falls_silent_is_suspect_then_aside_then_back() -> None:
    watched = Watched(trunk(keepalive=10))
    watched.until(15.0)
    watched.silent(True)
    assert watched.until(21.9) is UP
    assert watched.until(22.5) is SUSPECT  # asked at 20
    assert watched.until(52.5) is ASIDE  # 64*T1 later
    watched.silent(False)
    assert watched.until(57.0) is UP  # it was asked again at once, and that is repeated every 4 s
    watched.until(100.0)
    assert watched.trunks.changes(100.0) == []


def test_without_keepalive_nobody_is_asked() -> None:
    watched = Watched(trunk())
    assert watched.until(60.0) is UP
    assert watched.asked == 0
    assert watched.watch.due > 1e9


def test_a_trunk_whose_registrar_refuses_us_is_aside() -> None:
    watched = Watched(trunk(register=True, username="office", password="x"))
    assert watched.trunks.standings(0.0)[0].reason is TrunkReason.REGISTERING
    assert watched.until(1.0) is ASIDE  # the far end is no registrar: 405
    assert watched.trunks.standings(1.0)[0].reason is TrunkReason.UNREGISTERED
    watched.watch.close(2.0)


CALLS = [
    # how a call ended, whether it went to a citizen: how the trunk stands then
    ("silence", CallFacts(None), True, ASIDE),
    ("silence to a telephone of ours", CallFacts(None), False, ASIDE),
    ("we gave up before anybody spoke", CallFacts(None, withdrawn=True), True, UP),
    ("our time ran out", CallFacts(None, we_cancelled=True), True, UP),
    ("we gave up at a busy tone", CallFacts(None, tone=Tone.BUSY), True, UP),  # it spoke; CANCEL met nothing
    ("503", CallFacts(503), True, ASIDE),
    ("503 of a telephone of ours, or its PBX", CallFacts(503), False, UP),
    ("503 after it rang", CallFacts(503, rang=True), True, UP),
    ("503 that means busy (Q.850 17)", CallFacts(503, 17), True, UP),
    ("403", CallFacts(403), True, ASIDE),
    ("403 of a telephone of ours", CallFacts(403), False, UP),
    ("407: our password is wrong", CallFacts(407), True, ASIDE),
    ("606", CallFacts(606), True, ASIDE),
    ("486 is the citizen's", CallFacts(486), True, UP),
    ("500 is one call's", CallFacts(500), True, UP),
    ("408 says nothing", CallFacts(408), True, UP),
]


@pytest.mark.parametrize(
    ("facts", "is_public", "standing"), [row[1:] for row in CALLS], ids=[r[0] for r in CALLS]
)
def test_what_a_call_says_of_its_trunk(facts: CallFacts, is_public: bool, standing: TrunkStanding) -> None:
    watched = Watched(trunk())
    watched.call_failed(trunk(), facts, 0.0, is_public)
    assert watched.trunks.standings(0.0)[0].standing is standing


def test_408_is_no_proof_that_a_trunk_is_back() -> None:
    watched = Watched(trunk())
    watched.call_failed(trunk(), CallFacts(None), 0.0)
    watched.call_failed(trunk(), CallFacts(408), 40.0)
    assert watched.trunks.standings(40.0)[0].standing is ASIDE
    watched.call_failed(trunk(), CallFacts(404), 80.0)
    assert watched.trunks.standings(80.0)[0].standing is UP


def test_a_trunk_s_own_row_of_causes_beats_the_table() -> None:
    row = CauseOverride(sip_status=403, disposition=Disposition.UNALLOCATED)
    settings = trunk(overrides=(row,))
    watched = Watched(settings)
    watched.call_failed(settings, CallFacts(403), 0.0)
    assert watched.trunks.standings(0.0)[0].standing is UP


def test_a_call_that_met_silence_has_the_trunk_asked_at_once() -> None:
    watched = Watched(trunk(keepalive=600))
    watched.until(5.0)
    watched.call_failed(trunk(keepalive=600), CallFacts(None), 5.0)
    assert watched.trunks.standings(5.0)[0].standing is ASIDE
    assert watched.until(6.0) is UP


SECOND = Hop("192.0.2.3", 5060)


@pytest.mark.parametrize("facts", [CallFacts(None), CallFacts(503)])
def test_a_trunk_with_another_address_stays_up(facts: CallFacts) -> None:
    """RFC 3263 §4.3: the next address is tried on silence and on 503."""
    watched = Watched(trunk(host="sip.carrier.example"), THEIRS, SECOND)
    watched.call_failed(trunk(), facts, 0.0)
    assert watched.trunks.standings(0.0)[0].standing is UP
    assert watched.book.hop(trunk().place, 0.0) == SECOND


THIRD = Hop("192.0.2.4", 5060)


@pytest.mark.parametrize("facts", [CallFacts(None), CallFacts(503)])
def test_a_trunk_none_of_whose_addresses_takes_calls_is_aside(facts: CallFacts) -> None:
    """Each is tried, however long its silence takes; then calls go by the next trunk, not round and round."""
    watched = Watched(trunk(host="sip.carrier.example"), THEIRS, SECOND, THIRD)
    for now, standing in ((32.0, UP), (64.0, UP), (96.0, ASIDE)):
        watched.call_failed(trunk(), facts, now)
        assert watched.trunks.standings(now)[0].standing is standing
    assert watched.book.hop(trunk().place, 100.0) == THEIRS  # the one that hasn't been tried for longest


def test_options_that_no_address_answers_set_a_trunk_aside() -> None:
    watched = Watched(trunk(host="sip.carrier.example", keepalive=10), THEIRS, SECOND)
    watched.silent(True)
    assert watched.until(60.0) is SUSPECT
    assert watched.until(70.0) is ASIDE
    watched.silent(False)
    assert watched.until(120.0) is UP


@pytest.mark.parametrize("status", [503, 408])
def test_an_address_that_is_full_leaves_the_trunk_its_other_one(status: int) -> None:
    """RFC 3263 §4.3, as for a call that meets 503: while one is mended the other carries them all."""
    watched = Watched(trunk(host="sip.carrier.example", keepalive=10), SECOND, THEIRS)
    watched.watch.turn(0.0)
    watched.watch.take(OptionsAnswered("t", SECOND, status, 60), 0.0)
    assert watched.trunks.standings(0.0)[0].standing is UP
    watched.watch.turn(0.0)
    watched.watch.take(OptionsAnswered("t", THEIRS, status, 60), 0.0)
    assert watched.trunks.standings(0.0)[0].reason is TrunkReason.UNAVAILABLE  # all of them are


def test_options_go_on_to_the_other_address() -> None:
    watched = Watched(trunk(host="sip.carrier.example", keepalive=10), THEIRS, SECOND)
    watched.silent(True)
    assert watched.until(33.0) is SUSPECT  # nobody answered in 64*T1: the other is asked before it's given up
    watched.silent(False)
    assert watched.until(40.0) is UP
    answers = [event for event in watched.world.events[OURS] if isinstance(event, OptionsAnswered)]
    assert [(answer.hop, answer.status) for answer in answers] == [(THEIRS, None), (SECOND, 200)]


def test_a_name_without_an_address_is_waited_for() -> None:
    watched = Watched(trunk(host="sip.carrier.example", keepalive=10, **ACCOUNT))
    watched.book.are = ()
    watched.until(3.0)
    assert watched.asked == 0
    watched.book.are = (THEIRS,)
    watched.until(5.0)
    assert watched.asked == 1
    assert watched.trunks.standings(5.0)[0].reason is TrunkReason.UNREGISTERED  # it was asked, too


ACCOUNT = {"register": True, "username": "office", "password": "x"}


def test_an_account_goes_on_to_the_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken back from the silent one: awake again, it would take away what the other has."""
    watched = Watched(trunk(host="sip.carrier.example", **ACCOUNT), SECOND, THEIRS)
    agent, sent = watched.world.ours, list[tuple[bytes, Hop]]()

    def take_outgoing() -> list[tuple[bytes, Hop]]:
        sent.extend(taken := UserAgent.take_outgoing(agent))
        return taken

    monkeypatch.setattr(agent, "take_outgoing", take_outgoing)
    watched.silent(True)
    watched.until(33.0)
    watched.silent(False)
    watched.until(34.0)
    asked = [(hop, b"\r\nExpires: 0\r\n" in data) for data, hop in sent if data.startswith(b"REGISTER ")]
    assert set(asked) == {(SECOND, False), (THEIRS, False)}
    watched.watch.close(35.0)
    watched.world.run(35.0)
    assert sent[-1][1] == THEIRS and b"\r\nExpires: 0\r\n" in sent[-1][0]  # what is bound there is taken back


@pytest.mark.parametrize(
    ("changes", "registrar", "name"),
    [
        # the trunk itself
        ({}, f"sip:{THEIRS.host}", f"sip:office@{THEIRS.host}"),
        # its domain names the account, not where it is
        ({"from_domain": "carrier.example"}, "sip:carrier.example", "sip:office@carrier.example"),
        # An IMS gives a username with its domain: it stands once in the address.
        ({"username": "office@ims.example"}, f"sip:{THEIRS.host}", "sip:office@ims.example"),
        # a registrar of its own
        ({"registrar": "192.0.2.7"}, "sip:192.0.2.7", "sip:office@192.0.2.7"),
        ({"registrar": "Reg.Carrier.example"}, "sip:reg.carrier.example", "sip:office@reg.carrier.example"),
        ({"registrar": "2001:db8::7"}, "sip:[2001:db8::7]", "sip:office@[2001:db8::7]"),
    ],
)
def test_accounts(changes: dict[str, object], registrar: str, name: str) -> None:
    account = account_of(trunk(**{**ACCOUNT, **changes}), THEIRS)
    assert (account.registrar, account.hop, account.name) == (registrar, THEIRS, name)
    assert account.credentials is not None
    assert account.credentials.username == changes.get("username", "office")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"port": 5080, "transport": "tcp"}, Place(THEIRS.host, 5080, "tcp")),  # the trunk's own
        ({"registrar": "reg.example"}, Place("reg.example", None, "udp")),  # SRV tells the port
        ({"registrar": "reg.example", "registrar_port": 5070}, Place("reg.example", 5070, "udp")),
    ],
)
def test_where_a_registrar_is(changes: dict[str, object], place: Place) -> None:
    assert trunk(**ACCOUNT, **changes).registrar_place == place
