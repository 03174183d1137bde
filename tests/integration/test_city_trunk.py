"""The city's trunk on the wire: what its citizens press, how many it bears, and how it stops."""

from __future__ import annotations

import threading
import time

import pytest

from callbacks.vocabulary import Disposition
from ivr.city import CityTrunk, run_city_trunk
from ivr.events import Answered, Ended, KeyPressed
from ivr.line import Dial, LineError
from ivr.sip_line import SipLine
from tests.loopback_city import PROMPT, Driver, open_files, quick_city, quick_voice, running_city

KEYS = {1: "1.11", 2: "2.12", 3: "3.21", 5: "71.1", 7: ""}  # after each of four prompts; . is none


@pytest.mark.parametrize("codec", ["pcma", "pcmu"])
def test_citizens_press_one_key_a_prompt_and_begin_anew(codec: str) -> None:
    with running_city(quick_city()) as city:
        line = SipLine(quick_voice(city.port, codecs=(codec,)))
        try:
            driver = Driver(line)
            for digit in KEYS:
                line.dial(Dial(f"c{digit}", f"1380379000{digit}", "city"))
            for digit in KEYS:
                driver.wait_for(Answered, f"c{digit}")
            for prompt in range(4):
                for digit in KEYS:
                    line.play(f"c{digit}", f"p{prompt}", PROMPT)
                wanted = {digit: keys[: prompt + 1].replace(".", "") for digit, keys in KEYS.items()}
                driver.until(lambda wanted=wanted: pressed(driver) == wanted)
                driver.turns(30)
            driver.turns(30)
            assert pressed(driver) == {digit: keys.replace(".", "") for digit, keys in KEYS.items()}
        finally:
            line.close()


def pressed(driver: Driver) -> dict[int, str]:
    return {digit: "".join(event.key for event in driver.of(KeyPressed, f"c{digit}")) for digit in KEYS}


def test_forty_calls_at_once() -> None:
    with running_city(quick_city(lines=48)) as city:
        line = SipLine(quick_voice(city.port, lines=48))
        try:
            driver = Driver(line)
            calls = {f"c{n}": str(1 + n % 3) for n in range(40)}
            for call, digit in calls.items():
                line.dial(Dial(call, f"1380379000{digit}", "city"))
            for call in calls:
                driver.wait_for(Answered, call)
                line.play(call, "rating", PROMPT)
            for call, digit in calls.items():
                assert driver.wait_for(KeyPressed, call).key == digit
                line.hangup(call)
            driver.until(lambda: len([event for event in driver.events if isinstance(event, Ended)]) == 40)
            driver.turns(20)
            assert city.busy_lines == 0
        finally:
            line.close()


def test_one_call_more_than_its_lines() -> None:
    with running_city(quick_city(lines=1)) as city:
        line = SipLine(quick_voice(city.port))
        try:
            driver = Driver(line)
            line.dial(Dial("c1", "13803790004", "city"))
            line.dial(Dial("c2", "13803790007", "city"))
            driver.until(lambda: [event for event in driver.events if isinstance(event, Ended)])
            (end,) = [event for event in driver.events if isinstance(event, Ended)]
            assert (end.disposition, end.sip_status) == (Disposition.NETWORK_FAIL, 503)
        finally:
            line.close()


def test_it_runs_until_it_is_stopped_and_leaves_nothing_open() -> None:
    before = open_files()
    stop, ports = threading.Event(), []
    thread = threading.Thread(target=run_city_trunk, args=(quick_city(), stop, ports.append))
    thread.start()
    deadline = time.monotonic() + 10
    while not ports and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert ports[0] > 0
    assert open_files() == before


def test_a_port_in_use_is_named() -> None:
    city = CityTrunk(quick_city())
    try:
        with pytest.raises(LineError, match=rf"city\.port: 127\.0\.0\.1:{city.port}"):
            CityTrunk(quick_city(port=city.port))
    finally:
        city.close()
