"""People's calls in words: where one is, and why one isn't or came to nothing."""

from __future__ import annotations

from collections.abc import Mapping

from callbacks.models_office import AgentCallState
from callbacks.service.agent_calls import NoCall
from scoring.queries_agent_calls import CallRow
from scoring.web import words
from scoring.web.language import gettext as _
from scoring.web.language import lazy_gettext as _l

STATES: Mapping[AgentCallState, object] = {
    AgentCallState.ASKED: _l("等待空闲线路"),
    AgentCallState.RINGING_AGENT: _l("正在呼叫您的电话，请接听"),
    AgentCallState.RINGING_CITIZEN: _l("您已接听，正在呼叫群众"),
    AgentCallState.TALKING: _l("正在通话"),
}
REASONS: Mapping[NoCall, object] = {
    NoCall.WINDOW: _l("现在不在可以拨打的时段"),
    NoCall.PAUSE: _l("回访已暂停"),
    NoCall.UNKNOWN: _l("上一次呼叫结果不明，号码须先休息"),
    NoCall.APART: _l("距上一次呼叫时间太短"),
    NoCall.PER_HALF_DAY: _l("这个号码本半天已经呼叫过"),
    NoCall.PER_DAY: _l("这个号码今天的呼叫次数已满"),
    NoCall.PER_30_DAYS: _l("这个号码30天内的呼叫次数已满"),
    NoCall.DEADLINE: _l("回访期限已过"),
    NoCall.TOLL_NIGHT: _l("夜间不拨打群众电话"),
    NoCall.TOLL_NUMBER: _l("这个号码今天已到话务限额"),
    NoCall.TOLL_HOUR: _l("本小时的呼叫次数已到话务限额"),
    NoCall.TOLL_SECONDS: _l("今天的通话时长已到话务限额"),
    NoCall.TOLL_SPEND: _l("今天的话费已到话务限额"),
    NoCall.NEVER_DIALLED: _l("这个号码不可拨打"),
    NoCall.BARRED: _l("接听人说过，这个号码不是本人的"),
    NoCall.NUMBER_BUSY: _l("系统正在联系这个号码"),
    NoCall.NO_TELEPHONE: _l("没有为您设置电话"),
    NoCall.LIVE: _l("此件或您的电话已有呼叫正在进行"),
    NoCall.LEFT_QUEUE: _l("此件已不由您处理"),
    NoCall.AGENT_BUSY: _l("您的电话占线"),
    NoCall.AGENT_NO_ANSWER: _l("您的电话无人接听"),
    NoCall.AGENT_REJECTED: _l("您的电话拒接"),
    NoCall.AGENT_UNREACHABLE: _l("您的电话无法接通"),
    NoCall.AGENT_HUNG_UP: _l("群众接听之前您挂断了"),
    NoCall.GAVE_WAY: _l("有群众在等候110接听，先让出线路"),
    NoCall.CANCELLED: _l("您取消了呼叫"),
    NoCall.NOT_TAKEN: _l("一分钟内没有空闲线路，或者外呼服务没有运行"),
    NoCall.STOPPED: _l("外呼服务停止"),
    NoCall.LOST: _l("外呼服务中断"),
}


def said_of(call: CallRow) -> str:
    """Where the call is, or what came of it."""
    if call.is_live:
        return str(STATES[call.state])
    if call.why is not None:
        why = str(REASONS[call.why])
        return why[:1].upper() + why[1:]
    if call.talked is not None:
        return _("通话%(seconds)s秒", seconds=round(call.talked.total_seconds()))
    return words.word(call.disposition) if call.disposition is not None else ""
