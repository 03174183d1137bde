"""The prompts' page in words: whose voice it is, and why a recording isn't taken."""

from __future__ import annotations

from collections.abc import Mapping

from prompts.listing import Origin
from prompts.recording_faults import BadRecording, Fault
from scoring.web.language import lazy_gettext as _l

ORIGINS: Mapping[Origin, object] = {
    Origin.RECORDING: _l("录音"),
    Origin.SPEECH: _l("合成语音"),
    Origin.MISSING: _l("没有声音"),
}
FAULTS: Mapping[Fault, object] = {
    Fault.WRONG_NAME: _l("没有名为%(name)s的提示音。"),
    Fault.TWICE: _l("%(other)s也是这一条的录音，请只留一个。"),
    Fault.UNREADABLE: _l("文件无法读取：%(why)s"),
    Fault.EMPTY: _l("文件里没有声音。"),
    Fault.TOO_BIG: _l("文件有%(mib)sMB，最多%(most)sMB。"),
    Fault.NO_SOUND: _l("这不是WAV、MP3或M4A声音文件。"),
    Fault.BROKEN: _l("这个%(form)s文件不完整或已损坏。"),
    Fault.FORM: _l("声音的编码是%(form)s，请另存为8、16、24或32位的PCM。"),
    Fault.CHANNELS: _l("有%(channels)s个声道，应为1至%(most)s个。"),
    Fault.RATE: _l("采样率是%(rate)sHz，应为%(least)s至%(most)sHz。"),
    Fault.NEEDS_FFMPEG: _l("读取%(form)s文件需要服务器装有ffmpeg；也可以另存为WAV再上传。"),
    Fault.TOO_LONG: _l("长%(seconds)s秒，这段文字最多%(most)s秒。"),
    Fault.SILENT: _l("没有声音（%(level)s dBov）。"),
    Fault.CLIPPED: _l("有%(places)s处爆音（削波），第一处在%(at)s秒；请调低音量重录。"),
    Fault.PAUSE: _l("在%(at)s秒处停顿了%(seconds)s秒，句中最多%(most)s秒。"),
    Fault.KNOCK: _l("在%(at)s秒处有碰撞声或杂音，比说话声高%(over)s dB。"),
    Fault.UNLIKE: _l("音量与同句的其他录音相差%(off)s dB，请一起录制。"),
}


def why(error: BadRecording) -> str:
    """The reason in the reader's language."""
    return str(FAULTS[error.fault]) % error.values
