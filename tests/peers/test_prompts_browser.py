"""A prompt is heard and replaced in Chromium; a bad upload is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.peers.test_desk_browser import Visitor, desk, visit  # noqa: F401 (fixtures)
from tests.voices import voice, wav

_PLAY = """async (audio) => {
  audio.muted = true;
  const over = new Promise(done => audio.addEventListener('ended', done));
  await audio.play();
  await over;
  return audio.duration;
}"""


def test_a_recording_is_uploaded_and_heard(visit: Visitor, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "silent.wav").write_bytes(wav(np.zeros(48000)))
    (tmp_path / "good.wav").write_bytes(wav(voice(1.2, around=0.3)))
    visit.sign_in("zh", "head")
    page = visit.page
    page.get_by_role("navigation", name="主导航").get_by_role("link", name="提示音").click()
    page.get_by_role("link", name="invalid.0").click()
    spoken = page.locator("main audio").evaluate(_PLAY)
    page.locator("input[type=file]").set_input_files(tmp_path / "good.wav")
    page.get_by_role("button", name="检查并更换").click()
    page.get_by_text("已更换。从下一个电话开始使用这段录音。").wait_for()
    recorded = page.locator("main audio").evaluate(_PLAY)
    assert 1.3 < recorded < 1.6 < spoken
    visit.faults.clear()
    page.locator("input[type=file]").set_input_files(tmp_path / "silent.wav")
    page.get_by_role("button", name="检查并更换").click()
    page.get_by_text("没有更换。silent.wav：没有声音").wait_for()
    assert all("400" in fault for fault in visit.faults)  # Chromium tells of the status itself
    visit.faults.clear()
    assert page.locator("main audio").evaluate(_PLAY) == recorded
    page.get_by_role("button", name="恢复合成语音").click()
    page.get_by_text("已恢复合成语音。").wait_for()
    assert page.locator("main audio").evaluate(_PLAY) == spoken
