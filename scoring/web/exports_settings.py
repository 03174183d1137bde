"""What the lists of pauses, texts, dialogues and prompts give as files."""

from __future__ import annotations

from itertools import chain

from flask import Blueprint, abort
from sqlalchemy.orm import Session

from callbacks.flow_shelf import FlowOnShelf
from callbacks.models_office import Pause
from callbacks.service.pauses import list_pauses
from callbacks.service.templates import Template, list_templates
from callbacks.templates import measure
from prompts.listing import PromptRow, list_prompts
from scoring.queries_filter import Filter
from scoring.queries_pauses import read_past_pauses
from scoring.web import words
from scoring.web.context import deps
from scoring.web.export import Listing, every, listed
from scoring.web.export_cells import Column
from scoring.web.language import gettext as _
from scoring.web.permissions import Permission
from scoring.web.present import mask_text
from scoring.web.prompt_words import ORIGINS
from scoring.web.prompts_page import recorded_at
from scoring.web.templating import category, unit_name

pages = Blueprint("settings_exports", __name__)


@listed(pages, "/pauses", Permission.SEE_PAUSES, "pauses")
def pauses(session: Session, chosen: Filter) -> Listing[Pause]:
    """Those that hold, then those that were over last."""
    now = deps().now()
    holding = list_pauses(session, now)
    held = {pause.id for pause in holding}
    columns: list[Column[Pause]] = [
        Column(_("暂停范围"), _covers),
        Column(_("原因"), lambda row: mask_text(row.reason)),
        Column(_("暂停人"), lambda row: row.by),
        Column(_("开始"), lambda row: row.at),
        Column(
            _("结束"),
            lambda row: row.until or _("人工恢复为止") if row.id in held else row.lifted_at or row.until,
        ),
        Column(_("恢复人"), lambda row: None if row.id in held else row.lifted_by or _("到时自动结束")),
    ]
    over = every(lambda at: read_past_pauses(session, at, now), Filter())
    return Listing("pauses", _("暂停回访"), columns, chain(holding, over), Filter())


def _covers(pause: Pause) -> str:
    what = unit_name(pause.unit) if pause.unit else category(pause.category) if pause.category else None
    return f"{words.word(pause.scope)} {what or pause.number_masked or ''}".strip()


@listed(pages, "/templates", Permission.SEE_TEMPLATES, "templates")
def templates(session: Session, chosen: Filter) -> Listing[Template]:
    signature = deps().office.signature
    columns: list[Column[Template]] = [
        Column(_("短信种类"), lambda row: words.word(row.kind)),
        Column(_("现用文字"), lambda row: row.body),
        Column(_("长度"), lambda row: measure(row.body, signature).units),
        Column(_("条数"), lambda row: measure(row.body, signature).parts),
        Column(_("来源"), lambda row: _("系统自带") if row.stock else None),
        Column(_("修改人"), lambda row: row.by),
        Column(_("修改时间"), lambda row: row.at),
    ]
    return Listing("templates", _("短信模板"), columns, list_templates(session), Filter())


@listed(pages, "/flows", Permission.SEE_FLOWS, "flows")
def flows(session: Session, chosen: Filter) -> Listing[FlowOnShelf]:
    shelf = deps().flows or abort(404)
    columns: list[Column[FlowOnShelf]] = [
        Column(_("流程"), lambda row: row.name),
        Column(_("用途"), lambda row: words.among(words.FLOWS, row.name)),
        Column(_("版本"), lambda row: row.version or None),
        Column(_("问题"), lambda row: _("%(n)s处问题", n=len(row.faults)) if row.faults else None),
        Column(_("步骤"), lambda row: row.nodes),
        Column(_("来源"), lambda row: _("本单位") if row.own else _("系统自带")),
    ]
    return Listing("flows", _("语音流程"), columns, shelf.flows(), Filter())


@listed(pages, "/prompts", Permission.SEE_PROMPTS, "prompts")
def prompts(session: Session, chosen: Filter) -> Listing[PromptRow]:
    columns: list[Column[PromptRow]] = [
        Column(_("名称"), lambda row: row.piece.id),
        Column(_("文字"), lambda row: row.piece.text),
        Column(_("文字已改"), lambda row: _("文字已改") if row.stale else None),
        Column(_("声音来源"), lambda row: str(ORIGINS[row.origin])),
        Column(
            _("时长"),
            lambda row: None if row.seconds is None else _("%(seconds)s秒", seconds=f"{row.seconds:.1f}"),
        ),
        Column(_("电平"), _level),
        Column(_("录入人"), lambda row: row.recording.by if row.recording else None),
        Column(_("录入时间"), recorded_at),
    ]
    return Listing("prompts", _("提示音"), columns, list_prompts(deps().prompts), Filter())


def _level(row: PromptRow) -> str | None:
    return None if row.level is None else f"{row.level:.1f} dBov".replace("-", "−")
