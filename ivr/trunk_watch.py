"""What a line says to its trunks beside calls, OPTIONS and REGISTER, and what its calls say of them.

Sans-IO like the agent: `turn` at `due`, `take` for what comes of it; `trunks` learn what it means.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import structlog

from callbacks.vocabulary import Disposition
from ivr.disposition import CallFacts, disposition_of
from ivr.hosts import Place
from ivr.line import Dial
from ivr.sip.agent import UserAgent
from ivr.sip.digest import Credentials
from ivr.sip.events import OptionsAnswered, Registered, RegistrationFailed
from ivr.sip.headers import bracketed
from ivr.sip.hop import Hop
from ivr.sip.registration import Account
from ivr.trunk_choice import TrunkChoice
from ivr.trunk_health import NOBODY_THERE
from ivr.trunk_settings import TrunkSettings

__all__ = ["Addresses", "TrunkWatch", "account_of", "credentials_of"]

_log = structlog.get_logger(__name__)
_LOOK_AGAIN = 1.0  # seconds, for the address of a name
_NEVER = 1e12


class Addresses(Protocol):
    """Where places are (`ivr.name_book`)."""

    def hop(self, place: Place, now: float) -> Hop | None: ...

    def avoid(self, hop: Hop, now: float) -> None: ...

    def has_better(self, place: Place, now: float) -> bool: ...


class TrunkWatch:
    """Of one line. Times are monotonic seconds."""

    def __init__(
        self,
        settings: Iterable[TrunkSettings],
        trunks: TrunkChoice,
        agent: UserAgent,
        addresses: Addresses,
        now: float,
    ) -> None:
        self._trunks, self._agent, self._addresses = trunks, agent, addresses
        self._settings = {trunk.name: trunk for trunk in settings}
        self._ask_at = {trunk.name: now for trunk in self._settings.values() if trunk.keepalive}
        self._asked_at: dict[str, float] = {}  # whose OPTIONS isn't answered yet
        self._register_at = {trunk.name: now for trunk in self._settings.values() if trunk.register_account}
        self._registrars: dict[str, Hop] = {}
        for name in self._register_at:
            trunks.registering(name)

    @property
    def due(self) -> float:
        """When `turn` has something to do."""
        asks = (at for name, at in self._ask_at.items() if name not in self._asked_at)
        return min((*asks, *self._register_at.values()), default=_NEVER)

    def turn(self, now: float) -> None:
        """Ask whom it's time to ask, and become known to whom we aren't."""
        for name, at in self._ask_at.items():
            if at <= now and name not in self._asked_at:
                self._ask(name, now)
        for name, at in list(self._register_at.items()):
            if at <= now:
                self._register(name, now)

    def _ask(self, name: str, now: float) -> None:
        trunk = self._settings[name]
        hop = self._addresses.hop(trunk.place, now)
        if hop is None:
            self._ask_at[name] = now + _LOOK_AGAIN
            return
        self._asked_at[name] = now
        self._trunks.asked(name, now)
        self._agent.options(name, trunk.uri(), hop, now)

    def _register(self, name: str, now: float) -> None:
        """From then on the agent goes on by itself."""
        trunk = self._settings[name]
        hop = self._addresses.hop(trunk.registrar_place, now)
        if hop is None:
            self._register_at[name] = now + _LOOK_AGAIN
            return
        del self._register_at[name]
        self._registrars[name] = hop
        self._agent.register(name, account_of(trunk, hop), now)

    # -- what comes of it

    def take(self, event: OptionsAnswered | Registered | RegistrationFailed, now: float) -> None:
        match event:
            case OptionsAnswered(key, hop, status, retry_after):
                asked_at = self._asked_at.pop(key)
                is_bad = status is None or status in NOBODY_THERE
                is_elsewhere = is_bad and self._is_elsewhere(self._settings[key].place, hop, now)
                if key in self._ask_at:
                    again = now if is_elsewhere else asked_at + self._settings[key].keepalive
                    self._ask_at[key] = max(now, again)
                if not is_elsewhere:
                    self._trunks.answered(key, status, retry_after, now)
            case Registered(key, expires):
                _log.info("trunk_registered", trunk=key, expires=expires)
                self._trunks.registered(key)
            case RegistrationFailed(key, status, reason):
                _log.warning("trunk_not_registered", trunk=key, sip_status=status, reason=reason)
                self._trunks.unregistered(key)
                place = self._settings[key].registrar_place
                if status is None and self._is_elsewhere(place, self._registrars[key], now):
                    self._agent.leave_registrar(key)
                    self._register_at[key] = now

    def _is_elsewhere(self, place: Place, hop: Hop, now: float) -> bool:
        """Whether a place has another address than one that is silent or full, which hasn't been so itself
        of late (RFC 3263 §4.3): a trunk of which none answers is no better than one of a single address.
        """
        self._addresses.avoid(hop, now)
        return self._addresses.has_better(place, now)

    def call_failed(
        self,
        order: Dial,
        trunk: TrunkSettings,
        hop: Hop,
        facts: CallFacts,
        retry_after: int | None,
        now: float,
    ) -> None:
        """What the end of a call that nobody answered says of its trunk."""
        name, status, disposition = trunk.name, facts.sip_status, disposition_of(facts, trunk.overrides)
        refuses = disposition is Disposition.TRUNK_REFUSED
        is_full = status == 503 and disposition is Disposition.NETWORK_FAIL and not facts.rang
        if status is None:
            gave_up = facts.we_cancelled or facts.withdrawn or facts.tone is not None  # and no 487 came
            if not gave_up and not self._is_elsewhere(trunk.place, hop, now):
                self.met_silence(name, now)
        elif refuses or is_full:
            if order.is_public and refuses:
                self._trunks.refused(name, status, now)
            elif order.is_public and not self._is_elsewhere(trunk.place, hop, now):
                self._trunks.unavailable(name, retry_after, now)
        elif status != 408:  # a proxy that waited in vain: it says neither
            self._trunks.lives(name, now)

    def met_silence(self, trunk: str, now: float) -> None:
        """A call met nobody there: where OPTIONS are sent, one asks at once whether that's so."""
        self._trunks.met_silence(trunk, now)
        if trunk in self._ask_at:
            self._ask_at[trunk] = now

    def close(self, now: float) -> None:
        """Our addresses are taken back; nothing more is asked."""
        self._ask_at.clear()
        self._register_at.clear()
        for name in self._registrars:
            self._agent.unregister(name, now)


def credentials_of(trunk: TrunkSettings | None) -> Credentials | None:
    if trunk is None or trunk.username is None or trunk.password is None:
        return None
    return Credentials(trunk.username, trunk.password.get_secret_value())


def account_of(trunk: TrunkSettings, hop: Hop) -> Account:
    """The account's name is at `from_domain`, or at the registrar as it's set, unless it says where it is:
    an IMS gives usernames with their domain (3GPP TS 23.003 §13.3).
    """
    domain = trunk.from_domain or bracketed(trunk.registrar_place.host)
    user = trunk.username or ""
    name = f"sip:{user}" if "@" in user else f"sip:{user}@{domain}"
    return Account(f"sip:{domain}", hop, name, credentials_of(trunk), trunk.expires)
