"""The port that every telephone engine meets: a line carries calls out and tells what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ivr.events import Codec, LineEvent
from ivr.media.audio import Audio
from ivr.media.remote import Hear

__all__ = ["Capabilities", "Dial", "Hear", "Line", "LineError"]


CONNECT_SECONDS = 10.0  # beyond the ring time, for a telephone of ours that isn't rung yet


class LineError(Exception):
    """The telephone can't work as it is set up; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a line can tell, and do. What it can't tell is None in its events, never invented.

    `recording`: `record` works; `tap` likewise. `transfer`: the line itself puts calls through; a driver
    may, by a bridge. `refer`: a far end may ask for that, and be asked. `machine`: a call's `detect_machine`
    works. `key_tones`: keys are heard in the voice where a far end has no other way.
    """

    early_media: bool
    sip_status: bool
    q850: bool
    key_time: bool
    recording: bool = False
    tap: bool = False
    transfer: bool = False
    refer: bool = False
    machine: bool = False
    key_tones: bool = False


@dataclass(frozen=True, slots=True)
class Dial:
    """An order to call `number` (as the trunk wants it dialled) by the trunk of that name.

    `ring_timeout` seconds count from the first 18x, `total_timeout` seconds from the INVITE (domain.md §1).
    `caller` is the number to show; None takes the trunk's own. `codecs` are offered in their order; None
    takes the line's own. `headers` go into the INVITE beside ours (name, value), where a line has any; so
    does `place` into its body (`Incoming`), unless the far end takes but one. With `detect_machine` a machine
    that takes the call is told (`MachineHeard`), where a line can. `is_public`: a 503 or a refusal is the
    trunk's own word; of a telephone of ours it may be that telephone's.
    """

    call: str
    number: str
    trunk: str
    ring_timeout: float = 30.0
    total_timeout: float = 60.0
    caller: str | None = None
    codecs: tuple[Codec, ...] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    detect_machine: bool = False
    place: bytes = b""
    is_public: bool = False


def with_first(codec: Codec, codecs: Sequence[Codec]) -> tuple[Codec, ...]:
    """The codecs in their order, but `codec` before them: then nothing of that call is to be changed."""
    return (codec, *(each for each in codecs if each != codec))


class Line(Protocol):
    """One telephone engine. All methods but `wake` belong to the thread that calls `run_once`."""

    @property
    def capabilities(self) -> Capabilities: ...

    def dial(self, order: Dial) -> None:
        """Begin a call. LineError if the trunk has no such name or the call's id is in use."""

    def sip_call_id(self, call: str) -> str | None:
        """The Call-ID of a call's INVITE, by which its trunk knows it; None once it's over."""

    def ring(self, call: str) -> None:
        """Tell a caller (`Incoming`) that it rings. Like the next three: nothing once answered or over."""

    def answer(self, call: str) -> None:
        """Take a caller's call; Answered follows, or Ended."""

    def redirect(self, call: str, uris: Sequence[str]) -> None:
        """Send a caller elsewhere (SIP 302), the first before the others; Ended follows."""

    def reject(self, call: str, status: int) -> None:
        """Refuse a caller by a SIP status 400–699; Ended follows."""

    def play(self, call: str, token: str, frames: Audio) -> None:
        """Send a prompt, replacing what plays. Silently nothing when the call isn't up."""

    def stop(self, call: str) -> None:
        """Stop what plays; no PlaybackFinished follows."""

    def bridge(self, call: str, *others: str) -> None:
        """Each of the calls hears the others' voices, at once, and keys, which are told as before.

        What is played on one of them is heard in place of the others. Before a call's answer its early media
        is heard. A call leaves it by `unbridge`, by another bridge or by its end, and the others stay; who
        hears nothing then is for the driver to know. Silently nothing where one of the calls isn't up.
        """

    def unbridge(self, call: str) -> None:
        """The call leaves its bridge. Harmless without one."""

    def refer(self, call: str, uri: str) -> None:
        """Ask their side to call `uri` and talk on there; TransferAnswered follows, or the call's end.

        Silently nothing when the call isn't up, or the line can't.
        """

    def refer_result(self, call: str, status: int) -> None:
        """What came of what TransferAsked told: a final SIP status. Harmless without one."""

    def record(self, call: str, token: str, seconds: float) -> None:
        """Record what they say from now on, `seconds` at most; one RecordingFinished follows.

        One that runs already is finished first. Silently nothing when the call isn't up, or the line can't.
        """

    def stop_recording(self, call: str) -> None:
        """Finish it. Harmless without one."""

    def tap(self, call: str, hear: Hear | None) -> None:
        """Hand each voice packet of theirs to `hear` from now on, as it comes: some late, twice or never.

        None ends it; another takes its place. Silently nothing when the call isn't up, or the line can't.
        """

    def hangup(self, call: str) -> None:
        """CANCEL before the answer, BYE after it, then one Ended. Harmless twice or for an unknown call."""

    def run_once(self, timeout: float) -> list[LineEvent]:
        """One turn of the loop: waits at most `timeout` seconds for something to happen."""

    def wake(self) -> None:
        """Make a waiting `run_once` return; the one method any thread may call."""

    def close(self) -> None:
        """End every call and leave no descriptor open."""
