"""A call that fails after an announcement or a tone: the simulated city plays it, the SIP line hears it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from callbacks.vocabulary import Disposition
from ivr.announcement_folder import read_announcements
from ivr.city import CityTrunk
from ivr.events import EarlyMedia, Ended, Ringing
from ivr.line import Dial, LineError
from ivr.lines import open_line
from ivr.media.announcements import Announcements
from ivr.settings import CityEarlyMedia
from prompts.sound import write_wav
from tests.announced import music
from tests.far_ends import Sound, one_after_another, spoken
from tests.loopback_city import Driver, quick_city, quick_voice, running_city

NO_SUCH_NUMBER = "您好，您拨打的号码是空号，请核对后再拨。"
SWITCHED_OFF = "您好，您拨打的用户已关机，请稍后再拨。"


def write(path: Path, sound: Sound) -> Path:
    write_wav(path, np.round(sound * 32767).astype(np.int16))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The office recorded two announcements of its carrier."""
    found = tmp_path_factory.mktemp("announcements")
    write(found / "unallocated-空号-移动.wav", spoken(NO_SUCH_NUMBER))
    write(found / "powered_off-关机-移动.wav", spoken(SWITCHED_OFF))
    return found


@contextmanager
def calling(known: Announcements | None, *early: CityEarlyMedia, **voice: object) -> Iterator[Driver]:
    with running_city(quick_city(early_media=early)) as city:
        line = open_line(quick_voice(city.port, **voice), known)
        try:
            yield Driver(line)
        finally:
            line.close()


def ends(driver: Driver, number: str = "13803791266") -> Ended:
    driver.line.dial(Dial("c1", number, "city"))
    end = driver.ended()
    assert driver.of(EarlyMedia) and driver.of(Ringing)
    return end


def test_an_announcement_says_what_the_release_doesnt(folder: Path, tmp_path: Path) -> None:
    """After music; the network releases by 480, which alone would be no answer."""
    played = write(tmp_path / "played.wav", one_after_another(music(1.5), 0.2, spoken(NO_SUCH_NUMBER)))
    early = CityEarlyMedia(ending="66", file=played, status=480, q850=31)
    with calling(read_announcements(folder).announcements, early) as driver, capture_logs() as logs:
        end = ends(driver)
    assert (end.disposition, end.sip_status, end.q850, end.by) == (Disposition.UNALLOCATED, 480, 31, "them")
    assert end.cause_text.startswith("announcement 空号-移动; ")
    (heard,) = [each for each in logs if each["event"] == "announcement_heard"]
    assert heard["name"] == "空号-移动" and heard["seconds"] > 2.4


def test_without_the_folder_the_status_alone_decides(tmp_path: Path) -> None:
    early = CityEarlyMedia(ending="66", file=write(tmp_path / "played.wav", spoken(NO_SUCH_NUMBER)))
    with calling(None, early) as driver:
        end = ends(driver)
    assert (end.disposition, end.cause_text) == (Disposition.NO_ANSWER, "Temporarily Unavailable")


def test_what_names_the_line_that_was_called_stands(folder: Path, tmp_path: Path) -> None:
    played = write(tmp_path / "played.wav", spoken(SWITCHED_OFF))
    early = CityEarlyMedia(ending="66", file=played, status=486, q850=17)
    with calling(read_announcements(folder).announcements, early) as driver:
        end = ends(driver)
    assert (end.disposition, end.q850) == (Disposition.BUSY, 17)
    assert "announcement" not in end.cause_text


@pytest.mark.parametrize(
    ("tone", "disposition"),
    [
        ("busy", Disposition.BUSY),
        ("congestion", Disposition.NETWORK_FAIL),
        ("unobtainable", Disposition.UNALLOCATED),
    ],
)
def test_a_call_is_given_up_for_a_tone(tone: str, disposition: Disposition) -> None:
    with calling(None, CityEarlyMedia.model_validate({"ending": "66", "tone": tone})) as driver:
        end = ends(driver)
    assert (end.disposition, end.sip_status, end.by) == (disposition, 487, "us")
    assert end.cause_text.startswith(f"{tone} tone; ")


def test_a_city_may_leave_it_to_the_network() -> None:
    early = CityEarlyMedia(ending="66", tone="busy", status=480, q850=16)
    with calling(None, early, give_up_on_tone=False) as driver:
        end = ends(driver)
    assert (end.disposition, end.sip_status, end.q850, end.by) == (Disposition.BUSY, 480, 16, "them")


def test_a_city_that_cant_play_its_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(LineError, match=r"city\.early_media: .*absent\.wav"):
        CityTrunk(quick_city(early_media=(CityEarlyMedia(ending="1", file=tmp_path / "absent.wav"),)))
    with pytest.raises(ValueError, match="either tone or file"):
        CityEarlyMedia(ending="1")
