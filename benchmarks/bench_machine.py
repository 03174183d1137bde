"""What listening for machines costs: processor time of an RTP loop without it and with it, in one go.

Far ends in a process of their own talk now and then, as people do, so that no sign ends the listening. Both
ways take turns three times; the loop's own process time is told, a call and a second.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from ivr.counters import Counters
from ivr.media.audio import Audio, join
from ivr.media.ports import PortPool
from ivr.media.remote import Remote
from ivr.media.session import MediaSession
from ivr.rtp_loop import RtpLoop
from prompts.sound import for_telephone
from prompts.speech import open_speech

HOST = "127.0.0.1"
OURS, THEIRS = 30000, 34000  # first media ports
TURNS = 3


def spoken(words: str) -> Audio:
    samples, rate = open_speech().say(words, "zh-CN")
    return Audio.from_samples(for_telephone(samples, rate))


def sessions(first: int, other: int, calls: int) -> tuple[RtpLoop, list[MediaSession]]:
    """A loop whose calls go to the same places of the other range."""
    loop = RtpLoop(PortPool(HOST, first, first + 2 * calls - 1), calls, 1e9, Counters())
    opened = [loop.open(str(number)) for number in range(calls)]
    for session in opened:
        port = session.port - first + other
        loop.negotiate(session, Remote((HOST, port), port + 1, "pcma", 8, 101, frozenset({HOST})))
        loop.start(session, time.monotonic())
    return loop, opened


def turn(loop: RtpLoop, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        loop.turn(until - now)


def far_ends(calls: int, ready: Connection) -> None:
    """People who say a few words, and wait for an answer."""
    loop, opened = sessions(THEIRS, OURS, calls)
    words = join([spoken("喂，你好，请问你是哪位？"), Audio.silence(3.0)] * 100)
    for session in opened:
        session.play("words", words)
    ready.send(True)
    while not ready.poll():
        turn(loop, 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each turn; 30 end the listening")
    chosen = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=far_ends, args=(chosen.calls, theirs))
    process.start()
    ours.recv()
    loop, opened = sessions(OURS, THEIRS, chosen.calls)
    prompt = join([spoken("您好，这里是示例市110联动办。请对办理情况作出评价。"), Audio.silence(2.0)] * 60)
    for session in opened:
        session.play("prompt", prompt)
    turn(loop, 1.0)
    spent: dict[bool, list[float]] = {False: [], True: []}
    for listens in [False, True] * TURNS:
        for session in opened:
            session._hearing.person()
            if listens:
                session.detect_machine(time.monotonic())
        began = time.process_time()
        turn(loop, chosen.seconds)
        spent[listens].append((time.process_time() - began) / chosen.calls / chosen.seconds * 1000)
        assert not listens or all(session._hearing.knows_us for session in opened), "a sign was told"
    ours.send(True)
    process.join(10)
    loop.close()
    without, with_it = (float(np.median(spent[listens])) for listens in (False, True))
    print(f"{chosen.calls} calls, {TURNS} x {chosen.seconds:g} s each way; ms of processor a call-second:")
    print(
        f"without {without:.2f}, with {with_it:.2f}, {with_it - without:+.2f}: ratio {with_it / without:.2f}"
    )


if __name__ == "__main__":
    main()
