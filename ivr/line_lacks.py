"""What a line does that neither joins calls nor keeps what is said. Its capabilities say so."""

from __future__ import annotations

from ivr.media.remote import Hear

__all__ = ["NeitherJoinsNorRecords"]


class NeitherJoinsNorRecords:
    """Of the port `ivr.line.Line`; nobody is told anything."""

    def bridge(self, call: str, *others: str) -> None:
        pass

    def unbridge(self, call: str) -> None:
        pass

    def refer(self, call: str, uri: str) -> None:
        pass

    def refer_result(self, call: str, status: int) -> None:
        pass

    def record(self, call: str, token: str, seconds: float) -> None:
        pass

    def stop_recording(self, call: str) -> None:
        pass

    def tap(self, call: str, hear: Hear | None) -> None:
        pass
