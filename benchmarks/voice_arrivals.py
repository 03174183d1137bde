"""Every voice packet that came to the far end, and what that says: lost, late, how even the gaps are."""

from __future__ import annotations

import numpy as np

__all__ = ["Arrivals"]

_CHUNK = 1 << 16
_COLUMNS = np.dtype([("at", "i8"), ("ssrc", "u4"), ("timestamp", "u4"), ("port", "u2"), ("sequence", "u2")])
_FRAME = 160  # samples
_FRAME_NS = 20_000_000
_QUANTILES = {"gap_p99_ms": 99, "gap_p999_ms": 99.9, "gap_max_ms": 100}


class Arrivals:
    """A row is a packet: nanoseconds since 1970, its header's numbers and the sender's port."""

    def __init__(self) -> None:
        self._full: list[np.ndarray] = []
        self._chunk, self._used = np.zeros(_CHUNK, _COLUMNS), 0

    def add(self, at: np.ndarray, port: np.ndarray, packets: np.ndarray) -> None:
        if self._used + len(at) > _CHUNK:
            self._full.append(self._chunk[: self._used])
            self._chunk, self._used = np.zeros(_CHUNK, _COLUMNS), 0
        rows = self._chunk[self._used : self._used + len(at)]
        rows["at"], rows["port"] = at, port
        for name in ("ssrc", "timestamp", "sequence"):
            rows[name] = packets[name]
        self._used += len(at)

    def found(self, first: int, last: int) -> dict[str, float]:
        """Of what came between the two: frames, those lost amidst a call and |gap - 20 ms| as quantiles.

        A stream is a port and an SSRC; on the way over loopback nothing overtakes, so that a step of the
        sequence number by more than one is a loss. A step of the timestamp that is longer than the sequence
        number's is voice that was never sent: skipped.
        """
        rows = np.concatenate([*self._full, self._chunk[: self._used]])
        streams = rows["ssrc"].astype("u8") << np.uint64(16) | rows["port"]
        order = np.argsort(streams, kind="stable")
        rows, streams = rows[order], streams[order]
        counts = (rows["at"][1:] >= first) & (rows["at"][1:] < last) & (streams[1:] == streams[:-1])
        steps = np.diff(rows["sequence"]).astype("i2")[counts].astype(int)
        time = np.diff(rows["timestamp"]).astype("i4")[counts] // _FRAME
        off = np.abs(np.diff(rows["at"])[counts] - _FRAME_NS) / 1e6
        if not len(off):
            return {"frames": 0, "lost": 0, "skipped": 0, "out_of_order": 0, "late": 0}
        return {
            "frames": len(steps),
            "lost": int(np.maximum(steps - 1, 0).sum()),
            "skipped": int(np.maximum(time - np.maximum(steps, 1), 0).sum()),
            "out_of_order": int((steps < 1).sum()),
            "late": int((off >= 20).sum()),
            **{name: round(float(np.percentile(off, share)), 2) for name, share in _QUANTILES.items()},
        }
