"""A policy in words: what a supervisor reads of windows, attempts, caps, retries and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import time, timedelta

from callbacks.settings import DayWindows, PolicySettings, RetrySettings, Span
from scoring.web.language import gettext as _

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of a kind of day."""

    day: str
    voice: str
    sms: str


@dataclass(frozen=True, slots=True)
class Retry:
    """What follows a call that came to `cause`."""

    cause: str
    delay: str
    jitter: str
    another_day: bool


def length(span: timedelta) -> str:
    """2天 3小时; parts that are zero are left out."""
    seconds = int(span.total_seconds())
    days, hours, minutes, rest = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60
    parts = [
        _("%(n)s天", n=days) if days else "",
        _("%(n)s小时", n=hours) if hours else "",
        _("%(n)s分钟", n=minutes) if minutes else "",
        _("%(n)s秒", n=rest) if rest else "",
    ]
    return " ".join(part for part in parts if part) or "0"


def facts(policy: PolicySettings) -> list[Fact]:
    """In the order in which a callback meets them."""
    caps = policy.caps
    asked = [
        _("办结后%(n)s开始", n=length(policy.first_step_delay)),
        _("%(n)s无回复改打电话", n=length(policy.reply_wait)),
        _("%(n)s内可回复", n=length(policy.text_answerable)),
    ]
    limits = [
        _("半天%(n)s次", n=caps.per_half_day),
        _("每天%(n)s次", n=caps.per_day),
        _("30天%(n)s次", n=caps.per_30_days),
        _("至少隔%(n)s", n=length(caps.apart)),
    ]
    return [
        Fact(_("先发短信"), _("，").join(asked) if policy.texts else _("不发短信，直接打电话")),
        Fact(_("每轮呼叫"), _attempts(policy)),
        Fact(_("同一号码"), _("，").join(limits) if caps.enabled else _("不限（仅供测试和演示）")),
        Fact(_("结果不明之后"), _("至少歇%(n)s", n=length(policy.unknown_rest))),
        Fact(_("一次通话"), _("最多问%(n)s件", n=policy.cases_per_call)),
        Fact(_("其他号码"), _("轮流拨打") if policy.other_numbers else _("只打第一个")),
        Fact(_("次数用完"), _("转人工") if policy.exhausted == "agent" else _("记为无法联系")),
        Fact(_("敏感案件"), _("转人工") if policy.sensitive == "agent" else _("不纳入回访")),
        Fact(_("短信退订"), _("记为拒绝评价") if policy.after_opt_out == "refused" else _("改打电话")),
        Fact(_("本轮期限"), length(policy.round_deadline)),
        Fact(_("人工期限"), length(policy.agent_deadline)),
    ]


def _attempts(policy: PolicySettings) -> str:
    number = _("最多%(n)s次", n=policy.attempts_per_round)
    spread = _("分在两天、两个时段以上，其中一次在晚上或休息日")
    return _("，").join((number, spread)) if policy.two_day_rule else number


def windows(policy: PolicySettings) -> list[Window]:
    """Workday, weekend, holiday, and each weekday that has hours of its own."""
    of = policy.windows
    voice_holiday = of.voice_weekend if of.voice_holiday is None else of.voice_holiday
    sms_weekend = of.sms if of.sms_weekend is None else of.sms_weekend
    sms_holiday = sms_weekend if of.sms_holiday is None else of.sms_holiday
    return [
        Window(_("工作日"), _spans(of.voice), _spans(of.sms)),
        Window(_("周末"), _spans(of.voice_weekend), _spans(sms_weekend)),
        Window(_("节假日"), _spans(voice_holiday), _spans(sms_holiday)),
        *_own_days(policy),
    ]


def _own_days(policy: PolicySettings) -> Iterator[Window]:
    names = (_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日"))
    for key, name in zip(DAYS, names, strict=True):
        day: DayWindows = getattr(policy.windows.weekday, key)
        if day.voice is not None or day.sms is not None:
            voice = "—" if day.voice is None else _spans(day.voice)
            yield Window(name, voice, "—" if day.sms is None else _spans(day.sms))


def _spans(spans: Sequence[Span]) -> str:
    whole = time(0)
    if any(span.start == span.end == whole for span in spans):
        return _("全天")
    return _("、").join(f"{span.start:%H:%M}–{_end(span)}" for span in spans) or _("不打扰")


def _end(span: Span) -> str:
    return "24:00" if span.end == time(0) else f"{span.end:%H:%M}"


def retries(policy: PolicySettings) -> list[Retry]:
    """A row a cause, in the settings' order; `cause` is the stored word."""
    found = []
    for cause in type(policy.retries).model_fields:
        retry = getattr(policy.retries, cause)
        if isinstance(retry, RetrySettings):
            found.append(Retry(cause, length(retry.delay), length(retry.jitter), retry.another_day))
    return found
