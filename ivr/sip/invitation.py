"""The INVITE of a call of ours, and what a refusal teaches for the next one (RFC 3261 §8.1.3). Pure."""

from __future__ import annotations

from dataclasses import replace

from ivr.sip.digest import Login
from ivr.sip.endpoint import Endpoint
from ivr.sip.headers import NameAddr
from ivr.sip.hop import Hop
from ivr.sip.message import Request, Response
from ivr.sip.order import Order
from ivr.sip.redirection import redirected
from ivr.sip.sdp import LocalSession
from ivr.sip.session_timer import Proposal

__all__ = ["Invitation"]

# What a telephone says that doesn't read a body of several parts: 415 by the book (§8.1.3.5).
_NOT_THAT_BODY = (400, 415, 488, 606)
_NOT_THAT_PROFILE = (415, 488, 606)  # what one says that doesn't take RTP/SAVP
_MOVED = (300, 301, 302)  # 305 names a proxy and 380 a service: not where to call


class Invitation:
    """Each INVITE of the call is made of this; `call_id` and `from_` are the same in all of them."""

    def __init__(self, endpoint: Endpoint, order: Order, local: LocalSession, login: Login) -> None:
        self._endpoint = endpoint
        self.order = order if order.place else order.without_place()
        self.local = local
        self.login = login
        self.proposal = Proposal(endpoint.config.session_expires, endpoint.config.min_se)
        self.call_id = f"{endpoint.new_token()}@{endpoint.config.host}"
        self._from = str(NameAddr(order.display, order.from_uri, {"tag": endpoint.new_token()}))

    def request(self, branch: str, cseq: int) -> Request:
        endpoint, order = self._endpoint, self.order
        kind, body = order.described(self.local.offer(), endpoint.new_token)
        headers = (
            endpoint.via(branch, order.destination.transport),
            ("Max-Forwards", "70"),
            ("From", self._from),
            ("To", f"<{order.to}>"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} INVITE"),
            endpoint.contact(order.destination.transport),
            *self.login.headers("INVITE", order.uri, body),
            *order.headers,
            endpoint.allow,
            endpoint.knows,
            *self.proposal.headers(),
            ("User-Agent", endpoint.config.user_agent),
            ("Content-Type", kind),
        )
        return Request(headers, body, "INVITE", order.uri)

    def learns(self, refusal: Response) -> bool:
        """Whether another INVITE may do better: with an answer to a challenge, a longer session interval,
        at another host (§8.1.3.4), or with less in it (§8.1.3.5).
        """
        status = refusal.status
        if status in (401, 407):
            return self.login.accept(refusal)
        if status == 422:
            before, self.proposal = self.proposal, self.proposal.after(refusal)
            return before is not self.proposal
        if status in _MOVED:
            target = redirected(refusal, self.order.redirects, self._endpoint.config.may_call)
            return target is not None and self._moves(*target)
        return self._asks_less(status)

    def _moves(self, uri: str, hop: Hop) -> bool:
        """Call there, by what voice may go by both here and there; False where that is nothing."""
        local, there = self.local.local, self._endpoint.config.profiles(hop)
        crypto, plain = local.crypto if there.secure else (), local.plain and there.plain
        if not (crypto or plain):
            return False
        self.local.local = replace(local, crypto=crypto, plain=plain)
        self.order, self.login = self.order.redirected(uri, hop), self.login.anew()
        return True

    def _asks_less(self, status: int) -> bool:
        """Whether the next INVITE leaves something out that may have been the fault: SRTP, or the place."""
        local, has_place = self.local.local, bool(self.order.place)
        is_secret = bool(local.crypto) and local.plain and status in _NOT_THAT_PROFILE
        if has_place and status in _NOT_THAT_BODY and not (is_secret and status != 415):
            self.order = self.order.without_place()
            return True
        if is_secret:
            self.local.local = replace(local, crypto=())
        return is_secret
