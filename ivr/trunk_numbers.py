"""How a trunk wants numbers written: whom we call, and who we are (RFC 3325 and its like). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from callbacks.numbers import EMERGENCY, MOBILE, is_emergency
from callbacks.settings import Section
from ivr.sip.headers import quote

__all__ = [
    "BadRewrite",
    "CallerForm",
    "NumberRule",
    "identity_header",
    "is_bare_emergency",
    "number_uri",
    "rewritten",
    "shown",
]

_DIALLED = re.compile(r"\+?[0-9*#]{1,32}")
_WRITTEN = re.compile(r"[0-9+*#]*")
_GROUP = re.compile(r"\\([1-9])(?![0-9])|\\g<([A-Za-z_]\w*|[1-9])>")
_CHINA = re.compile(r"(?:\+86|0086)(?=[0-9]{5})")
_LANDLINE_WITHOUT_ZERO = re.compile(r"(?:10|2\d|[3-9]\d{2})[2-9]\d{6,7}", re.ASCII)

Identity = Literal["from", "p-asserted", "p-preferred", "remote-party"]
CountryCode = Literal["as_written", "plus_86", "86", "none"]
_HEADERS = {"p-asserted": "P-Asserted-Identity", "p-preferred": "P-Preferred-Identity"}


class BadRewrite(ValueError):
    """The trunk's rules make something of a number that isn't dialled; the message says what."""


class NumberRule(Section):
    """A citizen's number that `match` fits whole is dialled as `replace` says, \\1 being its first group."""

    match: str = Field(min_length=1, max_length=120, description="a regular expression for the whole number")
    replace: str = Field(max_length=60, description="digits, + * #, and \\1 … \\9 for the groups of match")

    @field_validator("match")
    @classmethod
    def _is_an_expression(cls, match: str) -> str:
        try:
            re.compile(match, re.ASCII)
        except re.error as error:
            raise ValueError(f"{match!r} is no regular expression: {error}") from None
        return match

    @model_validator(mode="after")
    def _names_groups_that_are_there(self) -> NumberRule:
        pattern = re.compile(self.match, re.ASCII)
        if not _WRITTEN.fullmatch(_GROUP.sub("", self.replace)):
            raise ValueError(
                f"replace {self.replace!r}: digits, + * # and \\1 … \\9 alone, \\g<1> before a digit"
            )
        for number, name in _GROUP.findall(self.replace):
            which = number or name
            known = int(which) <= pattern.groups if which.isdigit() else which in pattern.groupindex
            if not known:
                raise ValueError(f"replace {self.replace!r}: match {self.match!r} has no group {which}")
        return self


def rewritten(number: str, rules: Sequence[NumberRule]) -> str:
    """The number as the first rule that fits makes it, or as it is. BadRewrite: that can't be dialled."""
    for rule in rules:
        if found := re.fullmatch(rule.match, number, re.ASCII):
            made = found.expand(rule.replace)
            if not _DIALLED.fullmatch(made):
                raise BadRewrite(f"number_rules: {rule.match!r} makes no number of it")
            if is_bare_emergency(made) or is_emergency(made):
                raise BadRewrite(f"number_rules: {rule.match!r} makes an emergency number of it")
            return made
    return number


def is_bare_emergency(number: str) -> bool:
    """110 and its like as they stand, with China's code before them or without."""
    return bool(EMERGENCY.fullmatch(re.sub(r"^(\+86|0086|86)(?=\d{3})", "", number)))


class CallerForm(Section):
    """How our number is shown to whom we call by a trunk."""

    identity: Identity = Field(
        "from",
        description="which header beside From tells it: p-asserted and p-preferred are RFC 3325's, "
        "remote-party its forerunner; from: none",
    )
    country_code: CountryCode = Field(
        "as_written", description="numbers with +86, with 86, with neither, or as they are written"
    )
    user_phone: bool = Field(False, description="whether URIs with a number say ;user=phone")
    display_name: str = Field(
        "", max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$", description="a name beside the number"
    )


def shown(number: str, form: CallerForm) -> str:
    """A Chinese number with the country code as the trunk wants it; any other as it is."""
    if form.country_code == "as_written":
        return number
    national = _national(number)
    if national is None:
        return number
    if form.country_code == "none":
        return national
    international = f"86{national.removeprefix('0')}"
    return f"+{international}" if form.country_code == "plus_86" else international


def number_uri(number: str, where: str, form: CallerForm) -> str:
    """A number at a host as a SIP URI; "#" has no place in one as it stands (RFC 3261 §25.1)."""
    phone = ";user=phone" if form.user_phone and number.removeprefix("+").isdigit() else ""
    return f"sip:{number.replace('#', '%23')}@{where}{phone}"


def _national(number: str) -> str | None:
    """A mobile, or a landline with its area code and 0; None for what is neither."""
    bare = _CHINA.sub("", number)
    if bare.startswith("86") and (MOBILE.fullmatch(bare[2:]) or _LANDLINE_WITHOUT_ZERO.fullmatch(bare[2:])):
        bare = bare[2:]
    if MOBILE.fullmatch(bare):
        return bare
    if _LANDLINE_WITHOUT_ZERO.fullmatch(bare.removeprefix("0")):
        return f"0{bare.removeprefix('0')}"
    return None


def identity_header(uri: str, form: CallerForm) -> tuple[tuple[str, str], ...]:
    """The header that tells who we are beside From; none where From does."""
    if form.identity == "from":
        return ()
    name = f"{quote(form.display_name)} " if form.display_name else ""
    if form.identity == "remote-party":
        return (("Remote-Party-ID", f"{name}<{uri}>;party=calling;screen=yes;privacy=off"),)
    return ((_HEADERS[form.identity], f"{name}<{uri}>"),)
