"""How a citizen of the simulated city answers a text: by the last but one digit of the number. Pure."""

from __future__ import annotations

_ASKS = "请回复数字评价"
_ASKS_AGAIN = "没能识别您的回复"
_REPLIES = {
    "2": "1",
    "3": "３",  # full-width
    "4": "满意",
    "5": "不满意",
    "6": "1，谢谢，修好了",
    "7": "T",
    "8": "2 基本满意",
    "9": "还行吧",
}


def reply_to(text: str, number: str) -> str | None:
    """What `number` writes back; 0 and 1 never do, 9 is clear only when asked again."""
    kind = number[-2]
    if _ASKS_AGAIN in text:
        return "2" if kind == "9" else None
    return _REPLIES.get(kind) if _ASKS in text else None
