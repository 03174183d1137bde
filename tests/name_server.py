"""For tests: a name server on loopback that knows what it's told, and counts who asks."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.loopback_city import HOST


class NameServer:
    """`records` maps ("trunk.test.", "A") to (seconds, texts). While `silent` nobody gets an answer."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[int, list[str]]] = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.where = f"{HOST}:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            data, source = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            key = (question.name.to_text(), question.rdtype.name)
            self.asked[key] += 1
            if not self.silent:
                self._socket.sendto(self._answer(query, key).to_wire(), source)

    def _answer(self, query: dns.message.Message, key: tuple[str, str]) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if key in self.records:
            seconds, texts = self.records[key]
            answer.answer.append(dns.rrset.from_text_list(key[0], seconds, "IN", key[1], texts))
        elif not any(name == key[0] for name, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
            bell.sendto(b"", self._socket.getsockname())

    def free(self) -> None:
        self._socket.close()


@contextmanager
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)
        server.free()
