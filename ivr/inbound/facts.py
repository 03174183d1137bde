"""Who calls which number, and what the network tells of where from. Pure.

Whatever isn't certainly the callback number is taken as 110: a menu may never stand before a caller in
danger, a person before somebody who only wants to rate costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from callbacks.numbers import normalise
from ivr.sip.errors import BadMessage
from ivr.sip.headers import parse_name_addr, parse_uri, printable, split_list

__all__ = ["InboundFacts", "Service", "read_facts"]

Header = tuple[str, str]

_LONGEST = 300  # octets of a header that is kept and shown
_DIGITS = re.compile(r"\+?[0-9]{3,20}")
# What an operator's telephone and the next exchange are told as it came (RFC 3325, 3323, 7315, 6442).
_PASSED_ON = (
    "P-Asserted-Identity",
    "Privacy",
    "P-Access-Network-Info",
    "Geolocation",
    "Geolocation-Routing",
)


class Service(StrEnum):
    """Which of our numbers was called."""

    EMERGENCY = "emergency"  # 110
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class InboundFacts:
    """`called` is the number as it was asked for, without scheme and host; `number` the caller's in national
    form, empty where nobody told one. `asserted`: the network vouches for it (RFC 3325). `private`: the
    caller asked that it isn't shown; 110 sees it all the same. `passed_on` are headers for the next leg.
    """

    service: Service
    called: str
    number: str
    asserted: bool = False
    private: bool = False
    access_network: str = ""
    geolocation: tuple[str, ...] = ()
    passed_on: tuple[Header, ...] = ()


def read_facts(
    uri: str, caller: str, headers: Sequence[Header], area_code: str, callback_numbers: Iterable[str]
) -> InboundFacts:
    """Of an INVITE for `uri`, whose From names `caller`. Never raises: what can't be read is left out."""
    called = _called(uri)
    own = {normalise(number, area_code) for number in callback_numbers}
    asserted = next(_numbers(_every(headers, "P-Asserted-Identity")), "")
    number = asserted or (caller if _DIGITS.fullmatch(caller) else "")
    return InboundFacts(
        service=Service.CALLBACK if normalise(called, area_code) in own else Service.EMERGENCY,
        called=called,
        number=normalise(number, area_code) if number else "",
        asserted=bool(asserted),
        private=any(_is_private(value) for value in _every(headers, "Privacy")),
        access_network=next(iter(_every(headers, "P-Access-Network-Info")), ""),
        geolocation=tuple(_every(headers, "Geolocation")),
        passed_on=tuple(
            (name, value)
            for name in _PASSED_ON
            for value in _every(headers, name)
            if len(value) < _LONGEST  # a longer one was cut
        ),
    )


def _called(uri: str) -> str:
    """`110` of `sip:110@…`, `tel:110;phone-context=+86379`; `urn:service:sos` as it is (RFC 5031)."""
    try:
        parsed = parse_uri(uri, "request line")
    except BadMessage:
        return ""
    if parsed.scheme == "urn":
        return printable(uri)[:60].lower()
    number, _, context = parsed.user.partition(";")  # RFC 3966 §5.1.5: a local number and whose it is
    area = re.search(r"phone-context=(\+[0-9]+)", context)
    if area is not None and not number.startswith("+"):
        number = f"{area[1]}{number}"
    return printable(number)[:60]


def _every(headers: Sequence[Header], name: str) -> list[str]:
    wanted = name.lower()
    return [printable(value)[:_LONGEST] for key, value in headers if key.lower() == wanted]


def _numbers(values: Iterable[str]) -> Iterator[str]:
    """The numbers among identities: a network may assert a `sip:` and a `tel:` one."""
    for value in values:
        try:
            identities = split_list(value, "P-Asserted-Identity")
            users = [parse_uri(parse_name_addr(each, "").uri, "").user for each in identities]
        except BadMessage:
            continue
        for user in users:
            number = user.partition(";")[0]
            if _DIGITS.fullmatch(number):
                yield number


def _is_private(value: str) -> bool:
    """RFC 3323 §4.2, RFC 3325 §9.3: `none` asks for nothing, `critical` only says how urgent it is."""
    asked = {item.strip().lower() for item in value.split(";")}
    return bool(asked & {"id", "user", "header", "session"})
