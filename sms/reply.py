"""Reads a citizen's reply (domain.md §5). Pure. It may be unclear; it may not be wrong.

Order: opt-out, then the emergency flag beside whatever follows, then a rating by fixed forms; all else is
unclear and is asked once more. The words are in `sms.reply_words`, danger in `sms.reply_emergency`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from callbacks.rating import CN3, Scale
from sms.reply_emergency import is_emergency
from sms.reply_plain import normalise
from sms.reply_words import (
    ASKS_WHAT,
    BAD_FACES,
    CLOSINGS,
    COMPLAINTS,
    COUNTED_LATER,
    DEGREES,
    DENIALS,
    FAULTS,
    GLAD_FACES,
    GLUED_MEASURES,
    MEASURES,
    NUMERALS,
    OPENINGS,
    OPENINGS_OF_A_DIGIT,
    OPT_OUT,
    OUTCRIES,
    PRAISE,
    PRAISES,
    RATED_WORDS,
    TAKEN_BACK,
)

__all__ = ["ParsedReply", "is_emergency", "normalise", "parse"]

# Quotation marks aren't among them: “满意” is what somebody else says.
_EDGE = " \t\r\n.!~,;:。、…·「」『』()[]【】<>《》_*#"
_PAUSE = re.compile(r"[\s,.;:!~。、…()\[\]【】—-]+")
_LONGEST_ALONE = 60  # characters; nothing on the list is longer, with thanks
_ASKS = re.compile(f"[?]|吗|{ASKS_WHAT}")
_ASKS_WHAT = re.compile(ASKS_WHAT)
_ANY_COMPLAINT = re.compile("|".join(COMPLAINTS))
_ANY_FAULT = re.compile("|".join(FAULTS))
_TAKEN_BACK = re.compile("|".join(TAKEN_BACK))
_PRAISE = re.compile(PRAISE)
_COUNT_AFTER_A_COMMA = re.compile(rf"([1-9]\d?)(?:{'|'.join(COUNTED_LATER)})")
_DIGIT_IN_WORDS = re.compile(r"(?<![\d.])[1-5](?![\d.])")
_DENIED = f"(?:{'|'.join(DENIALS)})(?:{'|'.join(DEGREES)})*"
_DENIES_PRAISE = re.compile(f"{_DENIED}满意")
_DENIES_BLAME = re.compile(f"{_DENIED}不满")
_NOT_SATISFIED = re.compile("不(太|很|怎么|咋|够|大|是很)?满意|没(有)?好评")


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """What a reply says: one of `rating`, `opt_out` and `unclear`; `emergency` is beside them."""

    rating: int | None = None
    opt_out: bool = False
    emergency: bool = False
    unclear: bool = False
    comment: str = ""


def parse(text: str, scale: Scale = CN3) -> ParsedReply:
    """Reads `text` on `scale`."""
    plain = normalise(text)
    if _unspaced(plain.strip(_EDGE)).lower() in OPT_OUT:
        return ParsedReply(opt_out=True)
    emergency = is_emergency(plain)
    rating, comment = _rating(plain, scale)
    if rating is None or _belied(text, rating, scale):
        return ParsedReply(emergency=emergency, unclear=True, comment=text.strip())
    return ParsedReply(rating=rating, emergency=emergency, comment=comment)


def _belied(text: str, rating: int, scale: Scale) -> bool:
    """Whether a face says the opposite of the rating."""
    return not (GLAD_FACES if rating in scale.dissatisfied else BAD_FACES).isdisjoint(text)


def _rating(plain: str, scale: Scale) -> tuple[int | None, str]:
    whole = plain.strip(_EDGE).rstrip(_EDGE + "-—")
    alone = _alone(whole.rstrip("? " + _EDGE), scale)
    if alone is not None:
        return (None if _ASKS.search(plain) else alone), ""
    for core in _without_openings(whole, OPENINGS_OF_A_DIGIT):
        value = _digit(core[:1], scale)
        if value is not None and core[0].isdigit():
            return _with_comment(value, core[1:], _ASKS.search(plain) is not None, scale)
    return None, ""


def _alone(whole: str, scale: Scale) -> int | None:
    """A whole message on the fixed list: a digit, a phrase, or both of the same rating, with thanks."""
    if len(whole) > _LONGEST_ALONE:
        return None
    for core in _without_openings(_unspaced(whole), OPENINGS):
        for said in _without_closings(core):
            if (value := _value(said, scale)) is not None:
                return value
    return None


def _without_openings(text: str, openings: Iterable[str]) -> Iterator[str]:
    """`text`, and what is left as one opening after the other is taken off."""
    yield (text := text.lstrip(_EDGE))
    while opening := next(filter(text.startswith, openings), None):
        yield (text := text[len(opening) :].lstrip(_EDGE))


def _without_closings(text: str) -> Iterator[str]:
    yield (text := text.rstrip(_EDGE))
    while closing := next(filter(text.endswith, CLOSINGS), None):
        yield (text := text[: -len(closing)].rstrip(_EDGE))


def _value(core: str, scale: Scale) -> int | None:
    """`1`, `一`, `满意`, `满意，满意`, `1满意` or `满意1`."""
    words = RATED_WORDS[scale.name]
    if (digit := _digit(core, scale)) is not None:
        return digit
    if (phrase := _once(core)) in words:
        return words[phrase]
    for beside, phrase in ((core[:1], core[1:].lstrip(_EDGE)), (core[-1:], core[:-1].rstrip(_EDGE))):
        value = _digit(beside, scale)
        if value is not None and words.get(phrase) == value:
            return value
    return None


def _digit(core: str, scale: Scale) -> int | None:
    value = int(core) if re.fullmatch("[0-9]", core) else NUMERALS.get(core)
    return value if value in scale else None


def _once(core: str) -> str:
    """What is said several times over, once."""
    repeated = re.fullmatch(r"(.+?)\1+", _PAUSE.sub("", core))
    return repeated[1] if repeated else core


def _with_comment(value: int, rest: str, asks: bool, scale: Scale) -> tuple[int | None, str]:
    """A digit, then words: 1 or 2 need a space or punctuation between, the dissatisfied don't."""
    found = _PAUSE.match(rest)
    pause = found[0] if found else ""
    words = rest[len(pause) :]
    critical = value in scale.dissatisfied
    if not pause and not critical and not _starts_with_own_phrase(words, value, scale):
        return None, ""
    if (asks and not critical) or not words.strip("?" + _EDGE) or _ASKS_WHAT.search(words):
        return None, ""
    if _counts_something(value, pause, words) or _contradicts(words, value, scale):
        return None, ""
    return value, words.strip(_EDGE)


def _starts_with_own_phrase(words: str, value: int, scale: Scale) -> bool:
    """`1满意，谢谢你们修好了路灯`: digit and phrase of the same rating, then text; or thanks."""
    return _alone(_PAUSE.split(words, maxsplit=1)[0], scale) == value


def _counts_something(value: int, pause: str, words: str) -> bool:
    """Whether the digit before `words` belongs to them: 3天, 1 个人, 3.15, 2:30, 2、3天."""
    if words[0].isdigit():
        count = _COUNT_AFTER_A_COMMA.match(words)
        apart = re.fullmatch(r"[\s,;!。]+", pause)
        return not (count and apart and int(count[1]) not in (value + 1, value + 2))
    if not pause and unicodedata.category(words[0]) != "Lo":
        return True
    return (not pause.strip() and _measures(words, MEASURES)) or (
        not pause and _measures(words, GLUED_MEASURES)
    )


def _measures(words: str, measures: Mapping[str, str]) -> bool:
    """Whether `words` begin with a measure that isn't a part of another word."""
    return any(
        words.startswith(measure) and not (len(words) > len(measure) and words[len(measure)] in others)
        for measure, others in measures.items()
    )


def _contradicts(words: str, value: int, scale: Scale) -> bool:
    """Whether the words name another rating, take theirs back, or say the opposite of it."""
    compact = _unspaced(words)
    if _names_another(words, value, scale) or _TAKEN_BACK.search(compact) or _DENIES_BLAME.search(compact):
        return True
    clauses = set(_PAUSE.split(words))
    if value in scale.dissatisfied:
        glad = "满意" in _NOT_SATISFIED.sub("", compact) or _PRAISE.search(_NOT_SATISFIED.sub("", compact))
        return bool(glad) or not PRAISES.isdisjoint(each.lower() for each in clauses)
    own = _own_phrase_off(compact, value, scale)
    return (
        _ANY_COMPLAINT.search(own) is not None
        or (scale.weight(value) == 1 and _ANY_FAULT.search(own) is not None)
        or _DENIES_PRAISE.search(compact) is not None
        or not OUTCRIES.isdisjoint(clauses)
        or any("满意" in each and _alone(each, scale) != value for each in clauses)
    )


def _names_another(words: str, value: int, scale: Scale) -> bool:
    for found in _DIGIT_IN_WORDS.finditer(words):
        after = words[found.end() :]
        counts = _measures(after.lstrip(), MEASURES) or _measures(after, GLUED_MEASURES)
        if not counts and int(found[0]) != value:
            return True
    return any(_alone(clause, scale) not in (None, value) for clause in _PAUSE.split(words))


def _own_phrase_off(compact: str, value: int, scale: Scale) -> str:
    """`compact` without a phrase of the digit's own rating at its head (on five steps 不满意 may be one)."""
    own = [phrase for phrase, rating in RATED_WORDS[scale.name].items() if rating == value]
    return compact.removeprefix(max(filter(compact.startswith, own), key=len, default=""))


def _unspaced(text: str) -> str:
    return re.sub(r"\s+", "", text)
