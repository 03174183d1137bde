"""Numbers at rest: the key file is ours alone, and without it nothing is read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from callbacks.privacy import KeyFileError, Privacy, load_or_create, new_privacy

NUMBER = "13803790001"


def test_the_key_file_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys/huifang.key"
    first = load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create(path) == first
    assert first.decrypt(first.encrypt(NUMBER)) == NUMBER
    assert first.encrypt(NUMBER) != first.encrypt(NUMBER)
    assert first.index(NUMBER) == load_or_create(path).index(NUMBER) != first.index("13803790002")
    assert NUMBER not in repr(first) and "key" not in repr(first).replace("_key", "")


def test_two_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    path, found = tmp_path / "huifang.key", []
    threads = [threading.Thread(target=lambda: found.append(load_or_create(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({privacy.index_key for privacy in found}) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["huifang.key"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huifang.key"
    load_or_create(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_or_create(path)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not JSON"])
def test_a_broken_key_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "huifang.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"huifang\.key: not a key file"):
        load_or_create(path)


def test_another_key_reads_nothing(privacy: Privacy) -> None:
    with pytest.raises(KeyFileError, match="another key file"):
        new_privacy().decrypt(privacy.encrypt(NUMBER))
