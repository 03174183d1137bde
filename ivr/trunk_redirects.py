"""Where a trunk's 3xx may lead a call: to the trunks that its settings name, and never to 110."""

from __future__ import annotations

import re
from collections.abc import Iterable

from callbacks.numbers import is_emergency
from ivr.name_book import NameBook
from ivr.sip.headers import bracketed
from ivr.sip.hop import Hop
from ivr.trunk_numbers import is_bare_emergency
from ivr.trunk_settings import TrunkSettings

__all__ = ["may_lead_to", "redirects_of"]


def may_lead_to(user: str) -> bool:
    """False for 110 and its like, however they're written: they are never dialled (domain.md §2)."""
    number = re.sub(r"[^0-9+]", "", user.partition(";")[0])
    return not (is_bare_emergency(number) or is_emergency(number.removeprefix("+")))


def redirects_of(
    trunk: TrunkSettings, trunks: Iterable[TrunkSettings], book: NameBook, now: float
) -> dict[str, Hop]:
    """By host, and by host and port, as a Contact may write them by name or address: how they're reached.

    Where several trunks are at one host, the host alone means the first that `redirects` names.
    """
    known = {each.name: each for each in trunks}
    found: dict[str, Hop] = {}
    for named in (known[name] for name in trunk.redirects):
        if hop := book.hop(named.place, now):
            for host in (bracketed(named.host.lower()), bracketed(hop.host)):
                found.setdefault(host, hop)
                found.setdefault(f"{host}:{hop.port}", hop)
    return found
