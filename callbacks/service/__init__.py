"""The only writer of callbacks, attempts, texts and ratings."""

from __future__ import annotations
