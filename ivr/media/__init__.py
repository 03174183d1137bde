"""Voice on the wire: RTP packets, RFC 4733 keys, G.711, and prompts cut into frames."""

from __future__ import annotations
