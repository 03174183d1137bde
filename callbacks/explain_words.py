"""The words of an explanation, in Chinese and English: a line a question, a check, a number. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from callbacks.cdr import MONEY
from callbacks.explain import Explanation, GateNote, NumberNote, why_by_call
from callbacks.explain_terms import Words
from callbacks.gates import Check, Gate, Go, Hold, Never
from callbacks.numbers import mask_text
from callbacks.policy import AwaitWeb, Call, Exclude, GiveUp, HandOver, Question, Step, Text, Wait
from callbacks.toll import Limit, Toll
from callbacks.vocabulary import Channel


def explanation_lines(found: Explanation, say: Words) -> Iterator[str]:
    """All that is known of an open callback, a line each."""
    for question, step in found.questions:
        yield question_line(found, question, step, say)
    for number in found.numbers:
        yield number_line(found, number, say)
    policy = found.policy
    made = policy.attempts_per_round - found.attempts_left
    yield say.of(
        f"本轮呼叫：已用{made}次，共{policy.attempts_per_round}次，剩{found.attempts_left}次",
        f"attempts of the round: {made} of {policy.attempts_per_round} used, {found.attempts_left} left",
    )
    yield say.of("下一步：", "next step: ") + step_words(found.step, say)
    if found.gate is not None:
        yield from gate_lines(found, found.gate, say)


# -- the plan


def step_words(step: Step, say: Words) -> str:
    match step:
        case Exclude(reason):
            return say.of(f"不回访：{say.word(reason)}", f"not followed up: {say.word(reason)}")
        case Text(number, at):
            return say.of(
                f"发短信给{say.number(number)}，{say.time(at)}起",
                f"a text to {say.number(number)}, from {say.time(at)}",
            )
        case Call(number, at):
            return say.of(
                f"打电话给{say.number(number)}，{say.time(at)}起",
                f"a call to {say.number(number)}, from {say.time(at)}",
            )
        case AwaitWeb():
            return say.of("等网页评价", "wait for the web page's answer")
        case HandOver(reason):
            return say.of(f"转人工：{say.word(reason)}", f"to a person: {say.word(reason)}")
        case GiveUp(reason):
            return say.of(f"结束，未联系上：{say.word(reason)}", f"ends unreached: {say.word(reason)}")
        case Wait(until):
            return say.of(f"等到{say.time(until)}再看", f"wait, look again at {say.time(until)}")


def question_line(found: Explanation, question: Question, step: Step | None, say: Words) -> str:
    """A question and its answer."""
    name, nothing, why = _question_words(found, question, say)
    if step is None:
        return f"{name}{say.of('：', ': ')}{nothing}"
    reason = f"{why}{say.of('，', '; ')}" if why else ""
    return f"{name}{say.of('：', ': ')}{reason}{step_words(step, say)}"


def _question_words(found: Explanation, question: Question, say: Words) -> tuple[str, str, str]:
    """Its name, what it means when there's nothing against it, and why it decides."""
    view, policy = found.view, found.policy
    delay, wait = say.length(policy.first_step_delay), say.length(policy.reply_wait)
    deadline, agents = say.time(view.deadline), say.length(policy.agent_deadline)
    due = say.time(view.closed_at + policy.first_step_delay)
    of = say.of
    match question:
        case Question.EXCLUSION:
            return of("是否回访", "followed up"), of("是，没有排除原因", "yes, nothing excludes it"), ""
        case Question.DEADLINE:
            said = of(f"本轮到{deadline}为止", f"the round ends at {deadline}")
            return of("期限", "deadline"), of(f"未到，{said}", f"not over, {said}"), said
        case Question.SENSITIVE:
            return of("敏感", "sensitive"), of("不是", "no"), of("是敏感案件", "yes")
        case Question.NO_NUMBER:
            none = of("案件没有号码", "the case has no number")
            platform = of("来源平台可带评价码", "its platform carries a code")
            no_platform = of("也没有可带评价码的平台", "nor a platform that carries a code")
            return (
                of("联系方式", "contact"),
                f"{none}{of('，', ', ')}{platform}",
                f"{none}{of('，', ', ')}{no_platform}",
            )
        case Question.DELAY:
            said = of(f"办结后先等{delay}，到{due}", f"{delay} after the closing, to {due}")
            return of("办结后等待", "delay"), of(f"已过，{said}", f"over, {said}"), said
        case Question.WEB:
            return of("网页", "web"), "", of("只有网页能答复", "only the web page can answer")
        case Question.USABLE:
            return of("可用号码", "usable number"), "", of("没有", "none")
        case Question.CALL_FIRST:
            why = next((why_by_call(each.phone, policy) for each in found.numbers if each.chosen), "")
            return (
                of("短信还是电话", "text or call"),
                of("手机，可以先发短信", "a mobile, may be texted first"),
                of(f"直接打电话，{say.word(why)}", f"a call, {say.word(why)}"),
            )
        case Question.OPEN_TEXT:
            said = of("此号码另有一条未答的评价短信", "the number has another open question")
            longest = say.length(policy.open_text_wait)
            return (
                of("未答短信", "open text"),
                "",
                of(f"{said}，最多等{longest}", f"{said}, {longest} at most"),
            )
        case Question.TEXT:
            return of("短信", "text"), "", ""
        case Question.REPLY_WAIT:
            since = say.time(view.state_since)
            said = of(f"{since}起等{wait}", f"{wait} from {since}")
            return of("等待答复", "reply"), of(f"没有答复，{said}已过", f"none, {said} are over"), said
        case Question.BUDGET:
            some = of("还有次数", "attempts left")
            return of("本轮次数", "budget"), some, of("次数用完", "none left")
        case Question.CALL:
            return of("呼叫", "call"), "", ""
        case Question.AGENT_DEADLINE:
            since = say.time(view.state_since)
            said = of(f"{since}起由人工办理，限{agents}", f"with a person since {since}, for {agents}")
            return of("人工", "person"), "", said
        case Question.WAITS:
            return of("现在", "now"), "", say.word(view.state)


def number_line(found: Explanation, number: NumberNote, say: Words) -> str:
    """A number and why it is or isn't tried."""
    phone = number.phone
    notes = [say.word(phone.kind)]
    if phone.barred:
        notes.append(say.of("本案不再拨打", "barred for this case"))
    if phone.texts_suppressed:
        notes.append(say.of("已退订短信", "opted out of texts"))
    if phone.open_text:
        notes.append(say.of("另有未答短信", "another text is open"))
    notes.append(say.of(f"本轮已呼{number.called}次", f"{number.called} calls in this round"))
    if number.chosen:
        why = _why_chosen(found, say)
        notes.append(say.of(f"下次用这个：{why}", f"the next one to try: {why}"))
    return f"{say.of('号码', 'number')} {say.number(phone.index)}{say.of('：', ': ')}" + say.of(
        "，", ", "
    ).join(notes)


def _why_chosen(found: Explanation, say: Words) -> str:
    usable = sum(each.phone.is_callable for each in found.numbers)
    if usable == 1:
        return say.of("唯一可用的号码", "the only usable one")
    if not found.policy.other_numbers:
        return say.of("只用第一个可用号码（设置）", "the first usable one, by setting")
    return say.of("本轮呼叫最少的，按案件顺序", "called least in this round, in the case's order")


# -- the gate


def gate_lines(found: Explanation, note: GateNote, say: Words) -> Iterator[str]:
    """Every check of a beginning at the planned time, and what comes of it."""
    channel = say.of("短信", "text") if note.channel is Channel.SMS else say.of("电话", "call")
    yield say.of(
        f"开始前的检查（{channel}，{say.time(note.at)}）：",
        f"checks before a {channel} at {say.time(note.at)}:",
    )
    for check, gate in note.checks:
        yield f"  {check_line(found, note, check, gate, say)}"
    if note.channel is Channel.VOICE and Check.APART not in dict(note.checks):
        yield f"  {_no_caps(found, note, say)}"
    yield say.of("结论：", "conclusion: ") + gate_words(note.answer, say)
    if note.earliest is not None:
        when = say.time(note.earliest)
        yield say.of(f"照现在所知，最早{when}", f"by what is known now, at {when} at the earliest")
    elif isinstance(note.answer, Hold):
        yield say.of("照现在所知，说不出最早时间", "by what is known now, nobody can say when")


def _no_caps(found: Explanation, note: GateNote, say: Words) -> str:
    if not found.policy.caps.enabled:
        return say.of("次数上限：已关闭（设置）", "caps: off, by setting")
    return say.of("次数上限：30天内没有呼叫过此号码", "caps: the number wasn't called in 30 days")


def gate_words(gate: Gate, say: Words) -> str:
    match gate:
        case Go():
            return say.of("可以开始", "it may begin")
        case Hold(until, reason):
            return say.of(
                f"现在不行（{_check_name(reason, say)}），{say.time(until)}再问",
                f"not now ({_check_name(reason, say)}), asked again at {say.time(until)}",
            )
        case Never(reason):
            return say.of(
                f"不再以此方式联系（{_check_name(reason, say)}）",
                f"not by this way any more ({_check_name(reason, say)})",
            )


_CHECK_NAMES: dict[str, tuple[str, str]] = {
    Check.DEADLINE: ("期限", "deadline"),
    Check.SUPPRESSED: ("短信退订", "opt-out"),
    Check.BUDGET: ("本轮次数", "budget"),
    Check.PAUSE: ("暂停", "pause"),
    Check.WINDOW: ("呼叫时段", "window"),
    Check.UNKNOWN: ("结果不明的呼叫", "a call of unknown end"),
    Check.APART: ("两次间隔", "apart"),
    Check.PER_30_DAYS: ("30天上限", "per 30 days"),
    Check.PER_DAY: ("每日上限", "per day"),
    Check.PER_HALF_DAY: ("半日上限", "per half-day"),
    Check.TOLL_NIGHT: ("夜间不外呼", "night"),
    Check.TOLL_NUMBER: ("话务限额：每号每日", "toll limit per number and day"),
    Check.TOLL_HOUR: ("话务限额：每小时次数", "toll limit per hour"),
    Check.TOLL_SECONDS: ("话务限额：每日时长", "toll limit of seconds per day"),
    Check.TOLL_SPEND: ("话务限额：每日费用", "toll limit of spend per day"),
}


def _check_name(reason: str, say: Words) -> str:
    return say.of(*_CHECK_NAMES.get(reason, (reason, reason)))


def check_line(
    found: Explanation, note: GateNote, check: Check, gate: Hold | Never | None, say: Words
) -> str:
    """A check with its figures."""
    figures = _figures(found, note, check, say)
    match gate:
        case None:
            verdict = say.of("通过", "passed")
        case Hold(until):
            verdict = say.of(f"不行，到{say.time(until)}", f"holds to {say.time(until)}")
        case Never():
            verdict = say.of("不行", "ends it")
    detail = f"{say.of('，', '; ')}{figures}" if figures else ""
    return f"{_check_name(check, say)}{say.of('：', ': ')}{verdict}{detail}"


def _figures(found: Explanation, note: GateNote, check: Check, say: Words) -> str:
    caps, used = found.policy.caps, note.usage
    if check is Check.PAUSE:
        return _pause_words(note, say)
    if check is Check.WINDOW:
        return _window_words(note, say)
    if check is Check.DEADLINE:
        return say.time(found.view.deadline)
    if check is Check.BUDGET:
        return say.of(f"剩{found.attempts_left}次", f"{found.attempts_left} left")
    if check is Check.UNKNOWN:
        rest = say.length(found.policy.unknown_rest)
        return say.of(f"之后休息{rest}", f"{rest} of rest after it")
    if note.toll is not None and check.value in set(Limit):
        return _toll_words(note.toll, Limit(check.value), used.in_day if used else 0, say)
    if used is None or used.last is None:
        return ""
    if check is Check.APART:
        apart, last = say.length(caps.apart), say.time(used.last)
        return say.of(f"上次{last}，相隔{apart}", f"last call {last}, {apart} apart")
    counts = {
        Check.PER_30_DAYS: (used.in_30_days, caps.per_30_days),
        Check.PER_DAY: (used.in_day, caps.per_day),
        Check.PER_HALF_DAY: (used.in_half_day, caps.per_half_day),
    }
    made, most = counts.get(check, (0, 0))
    return say.of(f"已{made}次，上限{most}次", f"{made} of {most}") if most else ""


def _toll_words(toll: Toll, limit: Limit, called: int, say: Words) -> str:
    """How much of it is used, as it was read."""
    settings, spent = toll.settings, toll.spent
    match limit:
        case Limit.NIGHT:
            assert settings.night != "off"
            night = f"{settings.night.start:%H:%M}–{settings.night.end:%H:%M}"
            return say.of(f"{night}不拨打", f"no calls {night}")
        case Limit.PER_NUMBER:
            made, most, zh, en = called, settings.calls_per_number_per_day, "次", "calls"
        case Limit.PER_HOUR:
            made, most, zh, en = spent.calls_in_hour, settings.calls_per_hour, "次", "calls"
        case Limit.SECONDS:
            made, most, zh, en = spent.seconds_in_day, settings.seconds_per_day, "秒", "seconds"
        case Limit.SPEND:
            cost, limit_of = f"{spent.cost_in_day / MONEY:.2f}", f"{settings.spend_per_day:.2f}"
            return say.of(f"已用{cost}，上限{limit_of}", f"{cost} of {limit_of}")
    return say.of(f"已{made}{zh}，上限{most}{zh}", f"{made} of {most} {en}")


def _pause_words(note: GateNote, say: Words) -> str:
    told = []
    for pause in note.pauses:
        until = say.time(pause.until) if pause.until else say.of("人工恢复", "somebody lifts it")
        why = mask_text(pause.reason)
        told.append(say.of(f"“{why}”，到{until}", f'"{why}" until {until}'))
    return say.of("；", "; ").join(told) or say.of("没有暂停", "none")


def _window_words(note: GateNote, say: Words) -> str:
    window = note.window
    slots = " ".join(f"{say.clock(slot.start)}–{say.clock(slot.end)}" for slot in window.slots)
    day = f"{say.word(window.kind)} {slots or say.of('不开放', 'none')}"
    if window.opens <= note.at:
        return say.of(f"{day}，在时段内", f"{day}, open")
    return say.of(f"{day}，{say.time(window.opens)}开放", f"{day}, opens at {say.time(window.opens)}")
