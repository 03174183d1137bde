"""The stored words of the domain (domain.md §2, §5, §7): `.value` is what is in the database."""

from __future__ import annotations

from enum import StrEnum

SYSTEM = "system"  # the actor of what no person did


class Channel(StrEnum):
    """The way by which an attempt is made or an answer arrives."""

    VOICE = "voice"
    SMS = "sms"
    WEB = "web"
    AGENT = "agent"


class SourceChannel(StrEnum):
    """五位一体: where the citizen's request came from."""

    PHONE = "phone"
    WEBSITE = "website"
    SMS = "sms"
    WEIBO = "weibo"
    VISIT = "visit"


class UnitLevel(StrEnum):
    CITY = "city"
    COUNTY = "county"
    TOWNSHIP = "township"


class UnitGroup(StrEnum):
    """The groups that are ranked apart: 县(市、区) and 市直部门."""

    COUNTY = "county"
    DEPT = "dept"


class Exclusion(StrEnum):
    """Why a closing isn't followed up (domain.md §4.1); never in `due`."""

    NO_CONTACT = "no_contact"
    ANONYMOUS = "anonymous"
    LITIGATION = "litigation"
    PETITION = "petition"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"
    MALICIOUS_CONFIRMED = "malicious_confirmed"
    SENSITIVE = "sensitive"
    TEST = "test"


class NodeKind(StrEnum):
    """交办 签收 催办 督办 回复 办结, the nodes of a case."""

    ASSIGN = "assign"
    SIGN = "sign"
    URGE = "urge"
    SUPERVISE = "supervise"
    REPLY = "reply"
    CLOSE = "close"


class Disposition(StrEnum):
    """What came of a call (domain.md §2)."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    POWERED_OFF = "powered_off"
    REJECTED = "rejected"
    UNALLOCATED = "unallocated"
    NETWORK_FAIL = "network_fail"
    TRUNK_REFUSED = "trunk_refused"
    MACHINE = "machine"
    MEDIA_LOST = "media_lost"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


class LegKind(StrEnum):
    """Why a telephone was rung for somebody who calls us."""

    RUNG = "rung"  # to answer them
    THREE_WAY = "three_way"  # an operator brought it in
    TRANSFER = "transfer"  # an operator handed the caller over
    REFER = "refer"  # likewise, and the caller's trunk was asked to do it


class TrunkStanding(StrEnum):
    """Whether calls go out by a trunk."""

    UP = "up"
    SUSPECT = "suspect"  # where no other is up: it's slow to say that it lives
    ASIDE = "aside"


class TrunkReason(StrEnum):
    """Why a trunk is set aside."""

    SILENT = "silent"  # an INVITE or OPTIONS met nobody
    UNAVAILABLE = "unavailable"  # it answered 503
    REFUSED = "refused"  # trunk_refused: by the account, or what we offer
    REGISTERING = "registering"  # we aren't known there yet
    UNREGISTERED = "unregistered"  # its registrar doesn't take us


class MachineSign(StrEnum):
    """What was heard of a machine that took a call: advice, which a key disproves."""

    SPEECH = "speech"  # that went on and on
    BEEP = "beep"


class Role(StrEnum):
    """Who a user of the desk is."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
    OFFICE_HEAD = "office_head"
    UNIT_USER = "unit_user"
    INSPECTOR = "inspector"
    ADMINISTRATOR = "administrator"
