"""What the ears cost: keys as tones at several numbers of calls, what comes before an answer, a match.

No sockets: the octets are those of our own prompts, which are as hard as what comes. Processor time of this
process, with one thread for products of matrices, as a busy voice role has them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from callbacks.vocabulary import Disposition
from ivr.media.announcements import Announcement, Announcements
from ivr.media.early import EarlyEar
from ivr.media.inband_dtmf import DtmfEars
from tests.announced import TEXTS, music, over_a_line, said
from tests.far_ends import octets, one_after_another, our_prompts

FRAME, SECOND = 160, 50
TURNS = 20


def keys(calls: int, seconds: int, speech: bytes, *, silent: bool) -> float:
    """ms of processor a call-second: packets taken each 20 ms, and all calls looked at together."""
    ears: DtmfEars[int] = DtmfEars()
    taken = [ears.open(call) for call in range(calls)]
    pause = bytes([0xD5]) * FRAME
    began = time.process_time()
    for number in range(seconds * SECOND):
        for call, ear in enumerate(taken):
            at = (number * FRAME + 977 * call) % (len(speech) - FRAME)
            packet = pause if silent else speech[at : at + FRAME]
            ear.take(packet, "pcma", 9 + number / SECOND, number * FRAME)
        ears.look()
    return (time.process_time() - began) / calls / seconds * 1000


def early(speech: bytes) -> float:
    """The same, of what comes before an answer."""
    ear = EarlyEar()
    began = time.process_time()
    packets = range(0, len(speech) - FRAME, FRAME)
    for at in packets:
        ear.hear(speech[at : at + FRAME], "pcma", 9 + at / 8000, at)
    return (time.process_time() - began) / len(packets) * SECOND * 1000


def match(known: int) -> tuple[float, float]:
    """ms of a match, and of looking in vain, among so many: a fourth are announcements of one voice."""
    sounds = [(name, said(name)) for name in list(TEXTS)[: known // 4]]
    sounds += [(f"music {seed}", music(8.0, seed)) for seed in range(known - len(sounds))]
    book = Announcements(
        (Announcement(name, Disposition.BUSY), sound.astype(np.float32)) for name, sound in sounds
    )
    heard = over_a_line(one_after_another(music(1.0), said("关机")), snr=20.0, lost=0.02)[-64_000:]
    vain = music(8.0, 99).astype(np.float32)
    return best(lambda: book.match(heard)), best(lambda: book.match(vain))


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TURNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) * 1000


def main() -> None:
    speech = octets(our_prompts())
    for calls, seconds in ((1, 20), (50, 8), (800, 3)):
        loud, still = (keys(calls, seconds, speech, silent=silent) for silent in (False, True))
        print(f"keys as tones, {calls:3} calls: {loud:.2f} ms of processor a call-second, {still:.2f} silent")
    print(f"before an answer: {early(speech):.2f} ms of processor a call-second")
    for known in (8, 32):
        found, vain = match(known)
        print(f"a match among {known:2} announcements: {found:.1f} ms; in vain {vain:.1f} ms")


if __name__ == "__main__":
    main()
