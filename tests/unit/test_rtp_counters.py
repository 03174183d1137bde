"""What is odd is counted each time and logged once for its source."""

from __future__ import annotations

from structlog.testing import capture_logs

from ivr.counters import Counters


def test_each_source_is_told_once_and_counted_always() -> None:
    counters = Counters()
    with capture_logs() as logs:
        for port in (5060, 5061, 5062):
            counters.oddity("sip_stranger", ("192.0.2.7", port), "x" * 500)
        counters.oddity("sip_stranger", ("192.0.2.8", 5060))
        counters.oddity("rtp_malformed", ("192.0.2.7", 4000), "RTP version 0")
    assert counters == {"sip_stranger": 4, "rtp_malformed": 1}
    assert [(log["kind"], log["source"]) for log in logs] == [
        ("sip_stranger", "192.0.2.7:5060"),
        ("sip_stranger", "192.0.2.8:5060"),
        ("rtp_malformed", "192.0.2.7:4000"),
    ]
    assert len(logs[0]["detail"]) == 120


def test_a_flood_from_many_sources_fills_no_memory() -> None:
    counters = Counters()
    with capture_logs() as logs:
        for number in range(6000):
            counters.oddity("sip_stranger", (f"198.51.{number // 250}.{number % 250}", 1))
    assert counters["sip_stranger"] == 6000
    assert len(logs) == 4096
