"""Real peers that pip doesn't bring: skipped by name where one is missing, required in CI."""

from __future__ import annotations

import os

import pytest


def need(name: str, found: bool) -> None:
    """Skips the test, naming the peer; fails instead where HUIFANG_PEERS=required."""
    if found:
        return
    if os.environ.get("HUIFANG_PEERS") == "required":
        pytest.fail(f"{name} is required here and missing")
    pytest.skip(f"{name} is missing")
