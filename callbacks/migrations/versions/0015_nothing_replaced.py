"""What only grows can't be emptied or written over either: TRUNCATE and REPLACE call no DELETE trigger."""

from __future__ import annotations

from alembic import op

from callbacks.migrations.append_only import drop_trigger, forbid_replacing, refuse_replacing

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ONLY_GROW = (
    "accountability",
    "agent_contact",
    "appeal_decision",
    "audit",
    "audit_link",
    "callback_move",
    "evidence",
    "hard_case_meeting",
    "item_step",
    "ledger_day",
    "ledger_proof",
    "objection_decision",
    "policy_version",
    "remark",
    "score_entry",
    "text_template",
)
_PUBLISHED = "a published month stays as it is"


def upgrade() -> None:
    bind = op.get_bind()
    for table in ONLY_GROW:
        forbid_replacing(bind, table)
    refuse_replacing(bind, "score_month", "score_month_not_replaced", _PUBLISHED, "state = 'published'")
    if bind.dialect.name == "postgresql":  # a record of a published month is never inserted, so not replaced
        refuse_replacing(bind, "assessment_record", "assessment_record_not_emptied", _PUBLISHED, "TRUE")


def downgrade() -> None:
    bind = op.get_bind()
    for table in ONLY_GROW:
        drop_trigger(bind, table, f"{table}_no_replacing")
    drop_trigger(bind, "score_month", "score_month_not_replaced")
    if bind.dialect.name == "postgresql":
        drop_trigger(bind, "assessment_record", "assessment_record_not_emptied")
