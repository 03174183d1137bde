"""The words that replies are read by (domain.md §5). Tables alone: how they are used is `sms.reply`'s."""

from __future__ import annotations

from itertools import product


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


def _joined(firsts: tuple[str, ...], seconds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(first + second for first, second in product(firsts, seconds))


OPT_OUT = frozenset({"t", "td", "r", "退订", "拒收"})

NUMERALS = {"一": 1, "壹": 1, "二": 2, "贰": 2, "三": 3, "叁": 3, "四": 4, "肆": 4, "五": 5, "伍": 5}

# Whole words for a rating; what lies between (比较满意, 还行, 一般) is nobody's, so it's asked again.
_SATISFIED = _each("满意 都满意 挺满意 确实满意")
_VERY_SATISFIED = (
    *_joined(_each("很 非常 非常非常 非常的 十分 特别 相当 超级 极其"), ("满意",)),
    *_each("太满意了 满意极了 满意得很"),
)
_BASICALLY = _each("基本满意 基本上满意")
_DISSATISFIED = (
    *_each("不满 不满意 不太满意 不怎么满意 不咋满意 不够满意 不大满意 并不满意"),
    *_joined(_each("都 就是 还是 仍 仍然 依然 确实 真的"), ("不满意",)),
)
_VERY_DISSATISFIED = (
    *_joined(_each("很 非常 十分 特别 相当 极 极其 强烈 太"), _each("不满 不满意")),
    *_joined(_each("非常非常 非常的 完全 根本 实在 一点 一点都 一点也 可 老"), ("不满意",)),
    *_each("太不满意了 太不满了"),
)
_PHRASES = {
    "cn3": {1: _SATISFIED + _VERY_SATISFIED, 2: _BASICALLY, 3: _DISSATISFIED + _VERY_DISSATISFIED},
    "cn5": {1: _VERY_SATISFIED, 2: _SATISFIED, 3: _BASICALLY, 4: _DISSATISFIED, 5: _VERY_DISSATISFIED},
}
RATED_WORDS = {
    scale: {phrase: value for value, phrases in ratings.items() for phrase in phrases}
    for scale, ratings in _PHRASES.items()
}

# What may stand around a rating and says nothing of it.
_HELLO = _each("您好 你好 喂 嗨")
_THANKS = (
    *_joined(
        _each("谢谢 感谢 非常感谢 十分感谢 多谢"),
        ("", *_each("你 您 你们 大家 民警 警察 同志 警察同志 政府 领导 师傅 联动办 110")),
    ),
    *_each("谢了 谢 辛苦了 你们辛苦了 辛苦"),
)
_CHOOSE = _each("选 选择 我选 我选择 回复 回 按 我按 打 我打 评 我评 评价 我回 我回复")
_SUBJECT = (
    *_each("我 我们 本人 俺 俺们 我觉得 我认为 我的评价 结果 总体"),
    *_joined(_each("对 我对"), _each("结果 办理 处理 办理结果 处理结果 办理情况 处理情况")),
    *_each("办理结果 处理结果 办理情况 处理情况"),
)


def _longest_first(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(words), key=len, reverse=True))


OPENINGS = _longest_first(_HELLO + _THANKS + _CHOOSE + _SUBJECT + ("是", "为"))
OPENINGS_OF_A_DIGIT = _longest_first(_HELLO + _THANKS + _CHOOSE)
CLOSINGS = _longest_first(_THANKS + _each("的 了 啊 哈 呀 啦 呢 滴 哦 嘞"))


def _measures(words: str) -> dict[str, str]:
    """{measure: characters that make it another word}, of `路/灯面`: 3路 is a bus, 3路灯不亮 a complaint."""
    return {measure: others for measure, _, others in (each.partition("/") for each in words.split())}


# What a digit counts, also after a space: 3天, 1 个人, 2次 (§5's own list first).
MEASURES = _measures(
    "天 个 月 次 年 点 号 小时 周/边围 楼 单元 人 "
    "分 秒 户 块 元 层 栋 幢 日 遍 趟 回/复访答 星期 礼拜 家/里门"
)
# … and these where they follow at once, families and idioms among them: 3路公交, 3姨家, 3番五次.
GLUED_MEASURES = _measures(
    "百 千 万 亿 倍 折 成/天 多 余 几 整 到/现底今目 至 或 钱/没不也呢都还退 "
    "米 厘米 毫米 公里 里/面外头边 丈 尺 寸 克 斤 两 吨 升 瓦 立方 平/时常 亩 度 级 岁 毛/病 "
    "条 辆 台 座 页 间 排 星 院 厂 校 班 角 室 场 段 篇 句 声 盏 棵 颗 扇 片 瓶 箱 袋 桶 筐 杯 双 对 "
    "副 笔 宗 代 辈 届 任 堆 垛 股 阵 伙 拨 帮 匹 圈 餐 顿 胎 胞胎 旬 季 起 支 份 张 "
    "件 区 队 轮 审 叉 岔 位/置 名/字 门/口 中/午间心 种/菜地树 所/有谓 科/长 路/灯面边上没不口政 时/间 "
    "口/头气 部/门 项/目 批/评 期/待 套/路 道/歉路理 头/疼痛 村/委里干民 组/长织 处/理置罚 根/本 "
    "环/境卫保 只/会能是有说知管 车/还乱没太都 本/来人 把/我俺人 面/子对 堵/路车 封/闭路 通/知过 晚/上 "
    "夜/里晚 宿/舍 更/加差慢不没 大/家 下/水雨面次 "
    "兄弟 姐 弟 哥 叔 姨 婶 舅 爷 奶奶 娃 孩 儿子 老板 小区 来天 来个 来次 "
    "番 分之 伏 九天 甲 八 更半夜 心二意 令五申 言两语 无产品 农问题 包期 好学生 明治 明市 聚氰胺 亚"
)

# After a comma a number may count, too (3，5次了): these only, the others tell a time, a date or a sum.
COUNTED_LATER = _each("天 个 次 小时 周 年 分钟 遍 趟 楼")

# Said before 满意 or 不满意 they deny it: 1，谈不上满意; 3，没什么不满意.
DENIALS = _each(
    "不是 并非 非 没 没有 无 不算 谈不上 算不上 说不上 称不上 不能 不能说 不会 不可能 难以 无法 未必 "
    "哪里 怎么会"
)
DEGREES = _each("什么 啥 太 很 多 非常 十分 特别 基本 那么")

# Words that take an answer back.
TAKEN_BACK = _each("打错 发错 按错 错了 不对 应该是 改成 改为 更正 作废 收回")

# Against 1 and 2: the matter isn't done, or anger. One of them anywhere leaves the rating in doubt.
COMPLAINTS = (
    "不满",
    "没人(?!再|吵|闹|扰|停|堵|扔|敢)|木人|无人(管|问|理)",
    "(没|没有|没给|未|未能|不|木|木有)(解决|处理|受理|理会|落实|作为|动静|变化|答复|结果|下文|干|管|理|修(?!好|完|彻)|来(?!得))",
    "(?<!从)根本(?!上|性)|白搭|白跑|白打|没用(?!多久|几)|老样子|不予|不了了之|不闻不问|不痛不痒|依旧|照样",
    "忽悠|糊弄|胡弄|敷衍|应付|推诿|推脱|踢皮球|扯皮|走过场|装样子|形式主义|官僚|套路|骗(人|我|老百姓|群众)|(是|群)骗子|说谎|撒谎",
    "差评|恶劣|无能|气死|气人|垃圾(单位|部门|服务|态度)|(真|太|都是|一群)垃圾|投诉(你|他)|(要|再|继续)投诉",
    "你妈|他妈|泥马|妈的|傻逼|狗(吃|屁|日)|呸",
    # not yet, or never
    "不可能|如果|要是|假如|才(算|行|给|能|会)",
)
# Against 满意 alone: 基本满意 may well go with a fault.
FAULTS = (
    "(没|没有|未|未能|不|木|木有)(彻底|修好|弄好|联系|回复|改|中|行|咋|怎么样|像话|上心|靠谱|到位|负责)",
    "不好(?!意思)|打不通|没见|失望|无语|糊涂|(?<!出)差(?!不多|点|一点)|(太|很|真)(烂|慢|次|拖)|拖着",
    "(依然|仍|仍然|还|还是)(在|没|漏|响|吵|臭|堵|乱)",
)
# A clause that is nothing else leaves 1 and 2 in doubt.
OUTCRIES = frozenset(
    _each("垃圾 真垃圾 假的 草 操 呵呵 呵呵呵 骗子 废物 烂 黑 滚 屁 个屁 修个屁 胡说 怒")
    + _each("才怪 就怪了 怪了 吗 么 嘛 没 不 没有")
)
# … and such a one leaves 3 in doubt.
PRAISES = frozenset(
    _each("好 很好 挺好 非常好 真好 不错 很不错 挺不错 棒 真棒 很棒 赞 给力 中 可中 得劲 ok good")
    + _each("吗 么 呵呵 没有 不")
)
PRAISE = "好评|点赞|表扬"

# A question about the question, not an answer to it.
ASKS_WHAT = "怎么选|怎么回|咋回|咋选|啥意思|什么意思|是什么|是啥|是多少|选哪|哪个"

BAD_FACES = frozenset("👎😡😠🤬😤💢💩🖕🙄😒👿🤮💔😞☹🙁😑")
GLAD_FACES = frozenset("👍👏🌹❤💐😊😀😄😁🎉💯🥰🌺")
