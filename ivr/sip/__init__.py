"""A SIP user agent without I/O: datagrams in, datagrams and events out, `now` an argument."""

from __future__ import annotations

from ivr.sip.agent import AgentConfig, CallInUse, UserAgent
from ivr.sip.digest import Credentials
from ivr.sip.events import (
    AckReceived,
    CancelReceived,
    DialogEnded,
    Dropped,
    InfoDtmf,
    InviteAccepted,
    InviteFailed,
    InviteProgress,
    InviteReceived,
    OptionsAnswered,
    Registered,
    RegistrationFailed,
    ReinviteReceived,
    SipEvent,
)
from ivr.sip.hop import Hop
from ivr.sip.registration import Account
from ivr.sip.sdp import Codec, LocalMedia, Media
from ivr.sip.transaction import Timers

__all__ = [
    "Account",
    "AckReceived",
    "AgentConfig",
    "CallInUse",
    "CancelReceived",
    "Codec",
    "Credentials",
    "DialogEnded",
    "Dropped",
    "Hop",
    "InfoDtmf",
    "InviteAccepted",
    "InviteFailed",
    "InviteProgress",
    "InviteReceived",
    "LocalMedia",
    "Media",
    "OptionsAnswered",
    "Registered",
    "RegistrationFailed",
    "ReinviteReceived",
    "SipEvent",
    "Timers",
    "UserAgent",
]
