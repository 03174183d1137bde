"""Whether somebody who writes may be in danger (domain.md §1 "Reply of emergency"). Pure.

A clause is read by itself: 上次着火来得快，现在又着火了 tells of two fires. The flag is beside the rating,
so rather once too often than once too seldom; praise, idioms and what is over don't raise it.
"""

from __future__ import annotations

import re

_DANGER = re.compile(
    "|".join(
        (
            "救命|救救|求救|快救人|快来救|来人救",
            "杀人|砍人|捅人|杀死|要杀(我|你|他|她|人|了)|杀了(我|你|他|她)|打死人|出人命|持刀|拿刀|拿着刀",
            "抢劫|绑架|劫持|强奸",
            "着火|起火|失火|发生火灾|爆炸|(煤气|燃气|天然气|液化气)(泄漏|泄露|漏)",
            "自杀|轻生|寻短见|不想活了|活不下去|跳楼|跳河|跳桥|上吊|割腕|喝了?农药|服毒",
            "落水|溺水",
            # 报警 alone isn't it: people who dialled 110 write it
            "(我要|帮我|(?<![很真挺这么])快|现在|马上)[^不没别未无]{0,2}报警",
        )
    )
)
# Another word, an idiom, a wish, a noun for what is over: taken out before one looks.
_HARMLESS = re.compile(
    "|".join(
        (
            "救命的?(恩|之恩|稻草|钱|药)|(感谢|谢谢|多谢).{0,4}救命|救救急|求救无门",
            "杀人(案|不眨眼|的心)|自杀式|跳楼(价|机|甩卖)|树上吊|上吊[车塔装顶灯着]|强奸民意|道德绑架",
            "(抢劫|绑架|爆炸|强奸|劫持)案|(反|防|防止)(抢劫|溺水|落水|自杀)|(像|跟|等于|简直是?)抢劫|抢劫一样",
            "着火[热辣红车锅柴把光海]|[跟像]着火(了|似|一)|着火(了?一样|似的|般)|起火[锅车把柴热]|发起火",
            "(着火|起火|失火)(隐患|风险|点|案|后|原因)|爆炸头|信息爆炸|气得.{0,2}爆炸|落水[管口]",
            "(没|没有|未|防止|避免|预防|杜绝|以防)(再|发生)?(着火|起火|失火|抢劫|自杀|杀人|绑架|爆炸|跳楼)",
        )
    )
)
_OVER = re.compile(
    "上次|以前|去年|前年|那天|那次|当时|曾经|之前|差点|险些|幸亏|(?<!没)抓(到|住|获|了)|救(下|了|起|上|出)|"
    "扑灭|破案|破了|侦破|制服|修好|处理好|解决了|处理了"
)
_NOW = re.compile("现在|正在|这次|又|还要|再不|快来|马上")


def is_emergency(plain: str) -> bool:
    """Whether somebody may be in danger; `plain` as `sms.reply_plain.normalise` gives it."""
    return any(_in_danger(clause) for clause in re.split(r"[,.;:!?~。、…]+", re.sub(r"\s+", "", plain)))


def _in_danger(clause: str) -> bool:
    told = _HARMLESS.sub("", clause)
    if _DANGER.search(told) is None:
        return False
    return _OVER.search(told) is None or _NOW.search(told) is not None
