"""A reply without the accidents of its writing: width, digits, traditional characters, pictures. Pure."""

from __future__ import annotations

import unicodedata

# The characters that replies are read by, and others that are common in them.
_SIMPLIFIED = str.maketrans(
    "滿満決謝訂報搶殺綁著較還沒個號點時週樓單開過這們對處辦關員態麼貳參叄請問題結復覆後爾實壞諉選擇評價聲為無與"
    "馬劫極強燒煤氣洩漏爆農藥輕尋見斷讓會給來誰說話難稱幾應該錯發從來誠談詢區門間戶樣東車電燈線亂長國張條萬億"
    "現場衛環護險擾靜聽寫網傷嚴體頭廠學費錢塊買賣貴質務團隊險濟勞動熱鬧總統種稅積極導領隨書記書認識讀課議論語騙",
    "满满决谢订报抢杀绑着较还没个号点时周楼单开过这们对处办关员态么贰叁叁请问题结复复后尔实坏诿选择评价声为无与"
    "马劫极强烧煤气泄漏爆农药轻寻见断让会给来谁说话难称几应该错发从来诚谈询区门间户样东车电灯线乱长国张条万亿"
    "现场卫环护险扰静听写网伤严体头厂学费钱块买卖贵质务团队险济劳动热闹总统种税积极导领随书记书认识读课议论语骗",
)
_PICTURES = frozenset({"So", "Sk", "Cn", "Co"})
_COMBINED = frozenset("\ufe0e\ufe0f\u20e3")  # what makes a picture or a key of the character before


def normalise(text: str) -> str:
    """NFKC, digits as 0–9, simplified; no invisible characters, a space for a picture. Case is kept."""
    told = "".join(map(_read, text))
    return "".join(map(_read, unicodedata.normalize("NFKC", told))).translate(_SIMPLIFIED).strip()


def _read(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Cf" or character in _COMBINED:
        return ""
    if category in ("Nd", "No"):  # ❶ and its like are no matter of NFKC
        return str(unicodedata.digit(character, character))
    return " " if category in _PICTURES or category in ("Zl", "Zp", "Cc") else character
