"""Templates of texts: checked when one is saved, filled when a text is made (domain.md §8.2). Pure.

A template is plain words with variables in braces; `{{` and `}}` are braces themselves. It's filled in one
pass, so that what a variable brings is never read as a template again. Each variable has a bound and is
shortened to it: the longest text is known when the template is saved, and no case can make it a longer one.

Length is in UTF-16 units with the signature and its brackets. Every gateway sends UCS-2 and the brackets 【】
are outside the GSM alphabet, so a text in Latin letters gets 70 units as well, never 160 septets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from callbacks.template_faults import Problem, TemplateFault

ONE_PART = 70
OF_SEVERAL = 67  # six bytes of each part are its header
MOST_PARTS = 5
_BRACKETS = "【】"
_MISSING_GLYPH = "〓"

# What a saved template is made of: `{name}`, a doubled brace, a single brace too many, or words.
_PIECES = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|(?P<stray>[{}])")
_SHORTENERS = re.compile(
    r"(?<![\w.-])(t\.cn|url\.cn|dwz\.cn|dwz\.mk|suo\.im|suo\.nz|rrd\.me|sina\.lt|tb\.cn|m\.tb\.cn|mrw\.so|u6\.gg|"
    r"bit\.ly|tinyurl\.com|goo\.gl|t\.co|is\.gd|ow\.ly|cutt\.ly|rb\.gy|reurl\.cc|s\.id)(?![\w.-])",
    re.ASCII | re.IGNORECASE,
)


class TemplateError(Exception):
    """A template can't be filled, or is refused; the message names every fault."""


@dataclass(frozen=True, slots=True)
class Variable:
    """What a variable may bring: at most `bound` UTF-16 units, and samples to look at."""

    bound: int
    sample: str
    note: str
    longest: str = ""  # to look at, of `bound` units; else the sample again and again


# Not among them: the citizen's words and a handler's name, which no text carries (domain.md §8.2).
VARIABLES: Mapping[str, Variable] = {
    "hotline": Variable(20, "110联动热线", "the office's hotline"),
    "caller": Variable(12, "037963110110", "the number that calls citizens"),
    "office": Variable(24, "示例市110联动办", "the office's name"),
    "month": Variable(2, "12", "month in which the case was accepted"),
    "day": Variable(2, "20", "day on which the case was accepted"),
    "tail": Variable(4, "0823", "the last four characters of the case's number"),
    "number": Variable(24, "110-20261220-0823", "the case's number"),
    "unit": Variable(16, "市供水集团", "the unit that handles the case"),
    "kind": Variable(4, "企业诉求", "whether an enterprise asks"),
    "sign_by": Variable(9, "8月23日18时", "until when the case is to be signed for", "12月31日23时"),
    "due_by": Variable(6, "8月30日", "the day by which it's to be closed", "12月31日"),
    "clock": Variable(13, "办理将于24小时内到期", "what is late or nearly so", "办理将于12月31日到期…"),
}
_OFFICE = frozenset({"hotline", "caller", "office"})
_CITIZEN = _OFFICE | {"month", "day", "tail"}
_HANDLER = frozenset(VARIABLES)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of text may use, and what it must: at least one of each group."""

    known: frozenset[str]
    required: tuple[frozenset[str], ...] = ()


_WHICH = frozenset({"tail"})  # the citizen must see which case is meant
_CASE = frozenset({"tail", "number"})

# By TextKind's stored values.
KINDS: Mapping[str, Kind] = {
    "eval": Kind(_CITIZEN, (_WHICH,)),
    "re_eval": Kind(_CITIZEN, (_WHICH,)),
    "clarify": Kind(_CITIZEN),
    "thanks": Kind(_CITIZEN),
    "reason": Kind(_CITIZEN),
    "verifying": Kind(_CITIZEN, (_WHICH,)),
    "removed": Kind(_CITIZEN, (_WHICH,)),
    "closed": Kind(_CITIZEN),
    "optout": Kind(_CITIZEN),
    "emergency": Kind(_OFFICE),  # it may answer a text that belongs to no case
    "handler_todo": Kind(_HANDLER, (_CASE, frozenset({"sign_by", "due_by"}))),
    "handler_urge": Kind(_HANDLER, (_CASE,)),
    "handler_supervise": Kind(_HANDLER, (_CASE,)),
    "handler_rectify": Kind(_HANDLER, (_CASE,)),
}


def units(text: str) -> int:
    """UTF-16 units: what a text is cut and billed by."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def most_parts(length: int, astral: bool) -> int:
    """The most parts that a text of `length` units can need.

    A pair of surrogates isn't cut in two, so each part of a text with `astral` signs may be a unit short.
    """
    if length <= ONE_PART:
        return 1
    return -(-length // (OF_SEVERAL - astral))


def signed(signature: str, body: str) -> str:
    """The text as it leaves."""
    return f"【{signature}】{body}"


def fill(body: str, values: Mapping[str, str]) -> str:
    """The words with their variables; TemplateError for one that has no value, or a brace too many."""

    def bring(piece: re.Match[str]) -> str:
        name = piece["name"]
        if name is None:
            if piece["stray"]:
                raise TemplateError(f"a single {piece['stray']} at {piece.start() + 1}")
            return piece[0][0]
        if name not in values or name not in VARIABLES:
            raise TemplateError(f"no value for {{{name}}}")
        return shortened(values[name], VARIABLES[name].bound)

    return _PIECES.sub(bring, body)


def shortened(value: str, bound: int) -> str:
    """The value in one line, without 【】, in at most `bound` units; what was cut ends with …

    Characters outside the BMP, which UCS-2 as carriers write it doesn't have, become 〓.
    """
    line = " ".join(value.split())
    plain = "".join(_plain(sign) for sign in line if sign.isprintable() and sign not in _BRACKETS)
    return plain if len(plain) <= bound else plain[: bound - 1] + "…"


def _plain(sign: str) -> str:
    return sign if ord(sign) <= 0xFFFF else _MISSING_GLYPH


@dataclass(frozen=True, slots=True)
class Measure:
    """The longest that a template's text can be: UTF-16 units with the signature, and its parts."""

    units: int
    parts: int


def measure(body: str, signature: str) -> Measure:
    """How long the text gets with every variable as long as it may be; faulty pieces count as they stand."""

    def longest(piece: re.Match[str]) -> str:
        variable = VARIABLES.get(piece["name"] or "")
        if variable is not None:
            return _MISSING_GLYPH * variable.bound
        return piece[0][0] if piece[0] in ("{{", "}}") else piece[0]

    text = signed(signature, _PIECES.sub(longest, body))
    length = units(text)
    return Measure(length, most_parts(length, astral=length > len(text)))


def check(
    body: str, kind: str, signature: str, several_parts: bool = False, *, shorteners: bool = False
) -> list[str]:
    """All that is wrong with a template for texts of `kind`, in words; empty when it may be saved."""
    if kind not in KINDS:
        return [f"no texts of kind {kind!r}; there are {', '.join(KINDS)}"]
    return [str(fault) for fault in find_faults(body, kind, signature, several_parts, shorteners=shorteners)]


def find_faults(
    body: str, kind: str, signature: str, several_parts: bool = False, *, shorteners: bool = False
) -> list[TemplateFault]:
    """All that is wrong with a template for texts of a `kind` that there is."""
    faults = [*_words_faults(body, shorteners), *_variable_faults(body, KINDS[kind])]
    longest = measure(body, signature)
    if longest.parts > 1 and not several_parts:
        faults.append(TemplateFault(Problem.SEVERAL_PARTS, what=str(longest.units), known=str(longest.parts)))
    elif longest.parts > MOST_PARTS:
        faults.append(TemplateFault(Problem.TOO_MANY_PARTS, what=str(longest.parts), known=str(MOST_PARTS)))
    return faults


def _words_faults(body: str, shorteners: bool) -> Iterator[TemplateFault]:
    if not body.strip():
        yield TemplateFault(Problem.NO_WORDS)
    if body != body.strip():
        yield TemplateFault(Problem.EDGE)
    for at, sign in enumerate(body, start=1):
        if sign in _BRACKETS:
            yield TemplateFault(Problem.BRACKET, at, sign)
        elif not sign.isprintable() and sign != "\n":
            yield TemplateFault(Problem.UNPRINTABLE, at, f"U+{ord(sign):04X}")
    if not shorteners and (found := _SHORTENERS.search(body)):
        yield TemplateFault(Problem.SHORTENER, found.start() + 1, found[0], width=len(found[0]))


def _variable_faults(body: str, kind: Kind) -> Iterator[TemplateFault]:
    used = set()
    for piece in _PIECES.finditer(body):
        at, name = piece.start() + 1, piece["name"]
        if piece["stray"]:
            yield TemplateFault(Problem.STRAY_BRACE, at, piece["stray"])
        elif name is not None:
            used.add(name)
            if name not in kind.known:
                known = ", ".join(sorted(kind.known))
                yield TemplateFault(Problem.UNKNOWN_VARIABLE, at, name, known, len(piece[0]))
    for group in kind.required:
        if not used & group:
            names = " or ".join(f"{{{name}}}" for name in sorted(group))
            yield TemplateFault(Problem.MISSING_VARIABLE, what=names)


def preview(body: str, kind: str, signature: str, values: Mapping[str, str] | None = None) -> str:
    """The text as it would leave, with sample values where `values` has none; TemplateError as `fill`."""
    known = KINDS[kind].known if kind in KINDS else frozenset()
    samples = {name: VARIABLES[name].sample for name in known}
    return signed(signature, fill(body, samples | dict(values or {})))


def longest_preview(body: str, kind: str, signature: str) -> str:
    """The longest text that can leave: every variable as long as it may be."""
    known = KINDS[kind].known if kind in KINDS else frozenset()
    return preview(body, kind, signature, {name: _stretched(VARIABLES[name]) for name in known})


def _stretched(variable: Variable) -> str:
    if variable.longest:
        return variable.longest
    times = -(-variable.bound // len(variable.sample))
    return (variable.sample * times)[: variable.bound]
