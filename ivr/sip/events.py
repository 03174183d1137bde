"""What the SIP user agent tells its driver (nouns). Pure.

`call` is the driver's own id of an outbound call, or the id that the agent gave to an inbound one. Every
outbound call tells exactly one `InviteFailed`, or one `InviteAccepted` and later one `DialogEnded`. Every
inbound call tells `InviteReceived`; then one `CancelReceived`, or nothing more once it is rejected, or one
`DialogEnded`, before which `AckReceived` comes if the call came up. A retransmission tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ivr.sip.hop import Hop
from ivr.sip.sdp import Media

__all__ = [
    "AckReceived",
    "CancelReceived",
    "DialogEnded",
    "Dropped",
    "InfoDtmf",
    "InviteAccepted",
    "InviteFailed",
    "InviteProgress",
    "InviteReceived",
    "OptionsAnswered",
    "ReferAnswered",
    "ReferReceived",
    "Registered",
    "RegistrationFailed",
    "ReinviteReceived",
    "SipEvent",
]


@dataclass(frozen=True, slots=True)
class InviteProgress:
    """A provisional response 101–199 to our INVITE; `media` is set where it carries a usable answer."""

    call: str
    status: int
    reason: str
    media: Media | None
    q850: int | None = None


@dataclass(frozen=True, slots=True)
class InviteAccepted:
    """Our INVITE was answered by 200 and the ACK is on its way. `media` is what was agreed."""

    call: str
    status: int
    media: Media


@dataclass(frozen=True, slots=True)
class InviteFailed:
    """Our INVITE ended without a call.

    `status` is the final response; None when none came in time (timer B, or 64*T1 after our CANCEL); 487
    when a 200 crossed our CANCEL (it was acknowledged and ended by BYE); 488 when the answer in the 200 was
    of no use (acknowledged and ended likewise). `q850` and `cause_text` come from the Reason header (RFC
    3326); without one `cause_text` is the reason phrase or our own words. `retry_after` are the seconds for
    which it asks to be left alone (RFC 3261 §20.33).
    """

    call: str
    status: int | None
    q850: int | None
    cause_text: str
    retry_after: int | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DialogEnded:
    """An answered call is over.

    `by` is "us" at once when `bye` was called, "them" on their BYE, "network" when nobody said so: no ACK
    came to our 200, no PRACK to our 18x, an in-dialog request met silence or a status that ends the dialog
    (RFC 3261 §12.2.1.2, RFC 5057), or nobody refreshed the session in time (RFC 4028).
    """

    call: str
    by: Literal["us", "them", "network"]
    q850: int | None
    cause_text: str


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """Somebody calls. 100 has been sent; the driver goes on with `provisional`, `answer` or `reject`.

    `user` is the user part of the request URI, the dialled number; `caller` that of From. `offer` is what
    they offer us, without keys, None when the INVITE has no SDP (then our 200 offers, and AckReceived brings
    the answer). `headers` are the INVITE's own, in their order: who is told by the trunk to be calling, and
    from where; `place` is the part of its body that tells the latter (PIDF-LO), with its own headers.
    """

    call: str
    source: Hop
    uri: str
    user: str
    caller: str
    from_uri: str
    offer: Media | None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    place: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """They gave up before our answer, or their INVITE's Expires ran out. 487 has been sent; it is over."""

    call: str
    q850: int | None
    cause_text: str


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The ACK to our 200. `media` is what was agreed; media may flow from here at the latest."""

    call: str
    media: Media


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """They changed the session, by re-INVITE, UPDATE or PRACK; it has been answered from our own media.

    `media` holds from now on, in an early dialog, too. Their answer to a refresh of ours may tell it as well.
    Its host and port may be new, and `sends`/`receives` tell of hold.
    """

    call: str
    media: Media


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """They ask that the call goes to `uri` instead (RFC 3515); 202 has been sent. `refer_result` ends it."""

    call: str
    uri: str


@dataclass(frozen=True, slots=True)
class ReferAnswered:
    """What came of our REFER: a 2xx, then they have the other call; 408 where nobody said in time."""

    call: str
    status: int


@dataclass(frozen=True, slots=True)
class InfoDtmf:
    """A key by INFO application/dtmf-relay or application/dtmf, already answered by 200."""

    call: str
    key: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class OptionsAnswered:
    """What our OPTIONS met: the final status, None where nobody answered in 64*T1.

    `retry_after` are the seconds for which they ask to be left alone.
    """

    key: str
    hop: Hop
    status: int | None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """We are known to the registrar for `expires` seconds more; told again at each refresh."""

    key: str
    expires: int


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """The registrar refused, or didn't answer (`status` None). It is tried again by itself."""

    key: str
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A datagram that nothing came of (malformed, or belonging to nothing); for counting and one log line."""

    reason: str
    source: Hop


SipEvent = (
    InviteProgress
    | InviteAccepted
    | InviteFailed
    | DialogEnded
    | InviteReceived
    | CancelReceived
    | AckReceived
    | ReinviteReceived
    | ReferReceived
    | ReferAnswered
    | InfoDtmf
    | OptionsAnswered
    | Registered
    | RegistrationFailed
    | Dropped
)
