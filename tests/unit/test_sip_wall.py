"""Whose messages are read, and how many of them."""

from __future__ import annotations

from ivr.sip_wall import Wall


def test_only_who_is_allowed_is_known() -> None:
    wall = Wall(limit=10)
    wall.allow(["192.0.2.1"])
    assert wall.is_known("192.0.2.1")
    assert not wall.is_known("192.0.2.2")
    wall.allow(["192.0.2.2"])  # the trunk's name has another address now
    assert not wall.is_known("192.0.2.1")
    assert not wall.takes("192.0.2.1", 0.0)  # even where that came after it was asked


def test_each_host_has_its_own_limit_of_messages_a_second() -> None:
    wall = Wall(limit=10)
    wall.allow(["192.0.2.1", "192.0.2.2"])
    assert [wall.takes("192.0.2.1", 0.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert wall.takes("192.0.2.2", 0.0)  # the flood of one isn't another's
    assert [wall.takes("192.0.2.1", 0.1) for _ in range(2)] == [True, False]  # a tenth of a second, one more
    assert sum(wall.takes("192.0.2.1", 100.0) for _ in range(100)) == 10  # a long silence saves up a second's


def test_a_new_list_of_hosts_forgets_no_flood() -> None:
    wall = Wall(limit=10)
    wall.allow(["192.0.2.1"])
    for _ in range(10):
        wall.takes("192.0.2.1", 0.0)
    wall.allow(["192.0.2.1", "192.0.2.2"])
    assert not wall.takes("192.0.2.1", 0.0)


def test_strangers_hear_ten_answers_a_second_all_together() -> None:
    wall = Wall(limit=10)
    assert sum(wall.may_answer(5.0) for _ in range(50)) == 10
    assert sum(wall.may_answer(6.0) for _ in range(50)) == 10
