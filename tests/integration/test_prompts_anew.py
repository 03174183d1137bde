"""A new recording is said from the next call on, without a restart; what plays goes on as it began."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from callbacks.privacy import Privacy
from ivr.flow_events import Prompt
from ivr.speech import SpokenPrompts
from prompts.importing import piece_of, prepare, put
from prompts.place import PromptPlace
from prompts.recordings import drop_recording
from prompts.speech import open_speech
from prompts.store import PromptStore
from tests.integration.office import make_desk
from tests.integration.test_agent_calls_sip import serving, trunk  # noqa: F401 (a fixture)
from tests.phones import Trunk
from tests.voices import voice, wav

NUMBERS = ("037963110001", "037963110002")
INVALID = [Prompt("invalid", {})]
GREETING = [Prompt("greeting_plain", {"month": "11", "day": "3"})]


@pytest.fixture
def place(tmp_path: Path) -> PromptPlace:
    return PromptPlace(recordings=tmp_path / "recordings", made=tmp_path / "made", office="另一市110联动办")


@pytest.fixture
def prompts(place: PromptPlace) -> SpokenPrompts:
    """As the voice role has them, looking at every turn."""
    store = PromptStore("zh-CN", recordings=place.recordings, made=place.made)
    store.ensure_office(place.office, open_speech())
    return SpokenPrompts(store, look_seconds=0.0)


def record(place: PromptPlace, name: str, seconds: float) -> None:
    files = [(name, piece_of(name, place), wav(voice(seconds)))]
    outcome = prepare(place, files, "head", datetime(2026, 11, 23, tzinfo=UTC))
    assert outcome.refused == {}
    put(place, outcome.taken[name])


def test_a_recording_comes_is_replaced_and_goes(place: PromptPlace, prompts: SpokenPrompts) -> None:
    spoken = prompts.audio(INVALID)
    record(place, "invalid.0", 1.5)
    assert prompts.audio(INVALID) == spoken  # not before it looks: that's between the calls
    prompts.look()
    first = prompts.audio(INVALID)
    assert first.seconds == pytest.approx(1.74, abs=0.06)
    record(place, "invalid.0", 2.5)
    prompts.look()
    assert prompts.audio(INVALID).seconds == pytest.approx(2.74, abs=0.06)
    assert first.seconds == pytest.approx(1.74, abs=0.06)  # a call that plays it has its own frames
    assert place.recordings is not None
    drop_recording(place.recordings, "invalid.0")
    prompts.look()
    assert prompts.audio(INVALID) == spoken


def test_a_piece_of_a_sentence_changes_alone(place: PromptPlace, prompts: SpokenPrompts) -> None:
    before = prompts.audio(GREETING)
    record(place, "number.3", 1.2)
    prompts.look()
    after = prompts.audio(GREETING)
    assert len(after) > len(before)
    assert after.pcma[:20] == before.pcma[:20]


def test_a_file_that_is_no_sound_leaves_the_one_that_there_was(
    place: PromptPlace, prompts: SpokenPrompts
) -> None:
    record(place, "invalid.0", 1.5)
    prompts.look()
    good = prompts.audio(INVALID)
    assert place.recordings is not None
    (place.recordings / "invalid.0.wav").write_bytes(b"RIFF no")
    (place.recordings / "nothing.of.ours.wav").write_bytes(b"")
    prompts.look()
    assert prompts.audio(INVALID) == good
    record(place, "invalid.0", 2.0)
    prompts.look()
    assert prompts.audio(INVALID).seconds == pytest.approx(2.24, abs=0.06)


def test_the_offices_own_name_is_spoken_when_its_recording_goes(place: PromptPlace, tmp_path: Path) -> None:
    """It was recorded when the role started, so it was never rendered; the shipped one names another city."""
    record(place, "office", 1.0)
    store = PromptStore("zh-CN", recordings=place.recordings, made=place.made)
    store.ensure_office(place.office)
    prompts = SpokenPrompts(store, look_seconds=0.0)
    assert not (tmp_path / "made/office.wav").exists()
    assert place.recordings is not None
    drop_recording(place.recordings, "office")
    prompts.look()
    assert (tmp_path / "made/office.wav").exists()
    assert len(store.piece("office")) > 8000


def test_it_looks_now_and_then(place: PromptPlace) -> None:
    now = 100.0
    store = PromptStore("zh-CN", recordings=place.recordings)
    prompts = SpokenPrompts(store, look_seconds=2.0, clock=lambda: now)
    spoken = prompts.audio(INVALID)
    record(place, "invalid.0", 1.5)
    now = 101.9
    prompts.look()
    assert prompts.audio(INVALID) == spoken
    now = 102.0
    prompts.look()
    assert prompts.audio(INVALID) != spoken


def test_the_next_call_says_it(
    sessions: sessionmaker[Session],
    privacy: Privacy,
    place: PromptPlace,
    prompts: SpokenPrompts,
    trunk: Trunk,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Over real SIP and RTP: speech in the first call, in the second what was recorded meanwhile."""
    desk = make_desk(sessions, privacy)
    desk.now = datetime.now(UTC)  # the voice role's own clock
    trunk.on_invite = lambda phone: phone.answer("pcma")
    spoken = prompts.audio(GREETING).pcma[:20]
    with serving(desk, trunk, tmp_path, prompts=prompts):
        desk.close(NUMBERS[0])
        desk.plan()
        trunk.until(lambda: NUMBERS[0] in trunk.phones and heard(trunk, NUMBERS[0], spoken))
        record(place, "greeting_plain.0", 1.2)
        trunk.until(lambda: prompts.audio(GREETING).pcma[:20] != spoken)
        recorded = prompts.audio(GREETING).pcma[:20]
        desk.close(NUMBERS[1])
        desk.plan()
        trunk.until(lambda: NUMBERS[1] in trunk.phones and heard(trunk, NUMBERS[1], recorded))
        assert not heard(trunk, NUMBERS[1], spoken)


def heard(by: Trunk, number: str, frames: tuple[bytes, ...]) -> bool:
    """Whether these frames came one after another."""
    return b"".join(frames) in b"".join(by.phones[number].voice)
