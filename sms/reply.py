"""Reads a citizen's reply (domain.md §5). Pure. It may be unclear; it may not be wrong.

Order: opt-out, then the emergency flag beside whatever follows, then a rating by fixed forms; all else is
unclear and is asked once more.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from callbacks.rating import CN3, Scale

_TRADITIONAL = str.maketrans(
    "滿決謝訂報搶殺綁著較還沒個號點時週樓單開過這們對處辦關員態麼貳參叄請問題結復覆後爾實壞諉選擇評價聲為無與",
    "满决谢订报抢杀绑着较还没个号点时周楼单开过这们对处办关员态么贰叁叁请问题结复复后尔实坏诿选择评价声为无与",
)
_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\ufe0e\ufe0f\u20e3]")
_EDGE = " \t\r\n。.!！~～,，;；、…·:：\"'“”‘’「」『』()（）[]【】<>《》—_*#-"

_OPT_OUT = frozenset({"t", "td", "r", "退订", "拒收"})

_DIGITS = {"一": 1, "壹": 1, "二": 2, "贰": 2, "三": 3, "叁": 3, "四": 4, "肆": 4, "五": 5, "伍": 5}
# Whole words for a rating; what lies between (比较满意, 还行, 一般) is nobody's, so it's asked again.
_PHRASES = {
    "cn3": {
        1: "满意 非常满意 很满意 十分满意 特别满意 相当满意 挺满意 满意满意 太满意了",
        2: "基本满意 基本上满意",
        3: "不满意 很不满意 非常不满意 十分不满意 特别不满意 极不满意 极其不满意 不太满意 不怎么满意 "
        "一点不满意 一点都不满意 一点也不满意 完全不满意 相当不满意 不满 很不满 非常不满 强烈不满",
    },
    "cn5": {
        1: "非常满意 很满意 十分满意 特别满意 相当满意 太满意了",
        2: "满意",
        3: "基本满意 基本上满意",
        4: "不满意 不太满意 不怎么满意 不满",
        5: "非常不满意 很不满意 十分不满意 特别不满意 极不满意 极其不满意 一点都不满意 一点也不满意 "
        "完全不满意 很不满 非常不满 强烈不满",
    },
}
_HELLO = "您好|你好|喂|嗨"
_SUBJECT = (
    "我|我们|本人|俺|我的评价是|我的评价|我对办理结果|我对处理结果|对办理结果|对处理结果|"
    "办理结果|处理结果|评价|结果"
)
_TAIL = "的|啊|哈|呀"
_THANKS = (
    "谢谢|谢谢你|谢谢您|谢谢你们|谢谢大家|感谢|感谢你们|非常感谢|十分感谢|多谢|谢了|谢|辛苦了|你们辛苦了|辛苦"
)
_CHOOSE = "我选|我选择|选|选择|回复|回|评价|评|我评|按|我按|打|我打"

# A digit before one of these counts something: 3天, 1个人, 2次.
_MEASURE = re.compile(
    "天|个|月|次|年|点|号|小时|周|楼|单元|人|分|户|家|块|元|万|千|百|日|栋|幢|层|米|公里|里|条|件|位|名|辆|台|遍|"
    "回(?!复|访|答)|种|级|岁|口|批|项|道|时|季|期|套|部|头|亩|吨|斤|车|路|区|村|组|队|室|只|张|份|倍|成|秒|星期|礼拜|趟|%|度"
)
_SEPARATOR = re.compile(r"[\s,，。.;；、!！:：~～…()（）\-—]+")
_OTHER_DIGIT = re.compile(r"(?<![\d.])[1-5](?![\d.])")
_GLAD = re.compile("满意|好评|点赞|表扬")
_STRONG_NO = re.compile(
    "不满|没解决|没有解决|未解决|没给解决|不解决|没人管|骗人|骗子|垃圾|投诉|不作为|差评|白搭|没用"
)
_NOT_NOT = re.compile("(不是|没有|并非|并不是|谈不上|算不上|不算|说不上)(太|很|多)?不满")
_ASKS = re.compile("[?？]|吗|怎么选|啥意思|什么意思")
_BAD_FACES = re.compile("[👎😡😠🤬😤💢]")

_DANGER = re.compile(
    "救命|杀人|砍人|着火|起火|失火|抢劫|自杀|绑架|劫持|(我要|帮我|快|现在|马上)[^,，。;；!！]{0,2}报警"
)
# Praise and telling of what is over, or didn't happen.
_NO_DANGER = re.compile(
    "救命(恩人|之恩|稻草|钱|药)|(着火|起火|失火)(隐患|风险|点|案)|"
    "(没|没有|未|防止|避免|预防|杜绝|以防)(再|发生)?(着火|起火|失火|抢劫|自杀|杀人|绑架)|"
    "(上次|以前|去年|前年|那天|那次|当时|曾经|之前|差点|险些|幸亏)[^,，。;；!！]{0,8}(着火|起火|失火|抢劫|自杀|杀人|绑架)"
)


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
    if plain.strip(_EDGE).replace(" ", "").lower() in _OPT_OUT:
        return ParsedReply(opt_out=True)
    emergency = is_emergency(plain)
    rating, comment = _rating(plain, scale)
    if rating is not None and rating in scale.positive and _BAD_FACES.search(text):
        rating, comment = None, ""
    if rating is None:
        return ParsedReply(emergency=emergency, unclear=True, comment=text.strip())
    return ParsedReply(rating=rating, emergency=emergency, comment=comment)


def normalise(text: str) -> str:
    """NFKC, simplified, without invisible characters and pictures; case and inner spaces are kept."""
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).translate(_TRADITIONAL)
    kept = (" " if unicodedata.category(c) in ("So", "Sk", "Cn", "Co") else c for c in text)
    return "".join(kept).strip()


def is_emergency(plain: str) -> bool:
    """Whether somebody may be in danger. 报警 alone isn't it: people who dialled 110 write it."""
    return _DANGER.search(_NO_DANGER.sub("", plain)) is not None


def _rating(plain: str, scale: Scale) -> tuple[int | None, str]:
    whole = plain.strip(_EDGE)
    if _ASKS.search(plain):
        return None, ""
    alone = _alone(whole, scale)
    if alone is not None:
        return alone, ""
    return _with_comment(whole, scale)


def _alone(whole: str, scale: Scale) -> int | None:
    """A whole message on the fixed list: a digit, a phrase, or both of the same rating, with thanks."""
    core = _SEPARATOR.sub("", whole)
    match = re.fullmatch(
        f"(?:{_HELLO})*(?:{_SUBJECT}|{_CHOOSE})?(?:是|为)?(?P<core>.+?)(?:{_TAIL})?(?:{_THANKS})*", core
    )
    candidates = {core, match["core"] if match else core}
    found = {value for each in candidates if (value := _value(each, scale)) is not None}
    return found.pop() if len(found) == 1 else None


def _value(core: str, scale: Scale) -> int | None:
    """`1`, `一`, `满意`, `1满意` or `满意1`."""
    digit = _digit(core, scale)
    if digit is not None:
        return digit
    for value, phrases in _PHRASES[scale.name].items():
        for phrase in phrases.split():
            if core == phrase:
                return value
            if core in (f"{value}{phrase}", f"{phrase}{value}"):
                return value
    return None


def _digit(core: str, scale: Scale) -> int | None:
    value = int(core) if re.fullmatch("[0-9]", core) else _DIGITS.get(core)
    return value if value in scale else None


def _with_comment(whole: str, scale: Scale) -> tuple[int | None, str]:
    """A digit, then words: 1 or 2 need a space or punctuation between, the dissatisfied don't."""
    match = re.match(f"(?:(?:{_CHOOSE})[:：]?)?([1-5])", whole)
    if match is None or (value := int(match[1])) not in scale:
        return None, ""
    rest = whole[match.end() :]
    separator = _SEPARATOR.match(rest)
    words = rest[separator.end() :] if separator else rest
    needs_separator = value not in scale.dissatisfied
    if needs_separator and separator is None and not _starts_with_own_phrase(words, value, scale):
        return None, ""
    if not words or words[0].isdigit() or _MEASURE.match(words):
        return None, ""
    if _contradicts(words, value, scale):
        return None, ""
    return value, words.strip(_EDGE)


def _starts_with_own_phrase(words: str, value: int, scale: Scale) -> bool:
    """`1满意，谢谢你们修好了路灯`: digit and phrase of the same rating, then punctuation and text."""
    head = _SEPARATOR.split(words, maxsplit=1)[0]
    return head in _PHRASES[scale.name][value].split()


def _contradicts(words: str, value: int, scale: Scale) -> bool:
    """Whether the words name another rating, or say the opposite of it."""
    if any(not _MEASURE.match(words[m.end() :]) and int(m[0]) != value for m in _OTHER_DIGIT.finditer(words)):
        return True
    if _NOT_NOT.search(words):
        return True
    own = sorted(_PHRASES[scale.name][value].split(), key=len, reverse=True)
    rest = words
    for phrase in own:
        if rest.startswith(phrase):
            rest = rest[len(phrase) :]
            break
    if value in scale.dissatisfied:
        return _GLAD.search(re.sub("不(太|很|怎么|是很)?满意|没(有)?好评", "", rest)) is not None
    return _STRONG_NO.search(rest) is not None or "满意" in rest
