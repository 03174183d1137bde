"""Scores that hold up: months that are closed, the dissatisfaction list's whole life, the audit's chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from callbacks.migrations.append_only import forbid_changes
from callbacks.migrations.closed_months import keep_published

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "accountability",
    "appeal_decision",
    "audit_link",
    "evidence",
    "hard_case_meeting",
    "item_step",
    "objection_decision",
    "remark",
)


def upgrade() -> None:

    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("media_type", sa.String(length=80), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index("ix_evidence_subject", ["subject", "id"], unique=False)

    op.create_table(
        "remark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remark")),
    )
    with op.batch_alter_table("remark", schema=None) as batch_op:
        batch_op.create_index("ix_remark_subject", ["subject", "id"], unique=False)

    op.create_table(
        "score_month",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_by", sa.String(length=80), nullable=False),
        sa.Column("objections_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settings_version", sa.String(length=24), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("units", sa.JSON(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.String(length=80), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=True),
        sa.Column("inputs_hash", sa.String(length=64), nullable=True),
        sa.Column("audit_head", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_score_month")),
    )
    op.create_index(
        "ix_callback_excluded",
        "callback",
        ["closed_at", "unit_id"],
        sqlite_where=sa.text("state = 'excluded'"),
        postgresql_where=sa.text("state = 'excluded'"),
    )
    op.create_index("ix_audit_at", "audit", ["at", "id"])
    op.create_index("ix_audit_action", "audit", ["action", "at"])
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    op.create_table(
        "audit_link",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audit_id", sa.Integer(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["audit_id"], ["audit.id"], name=op.f("fk_audit_link_audit_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("audit_id", name=op.f("uq_audit_link_audit_id")),
    )
    op.create_table(
        "objection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_objection_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objection")),
    )
    with op.batch_alter_table("objection", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_objection_month"), ["month"], unique=False)
        batch_op.create_index(batch_op.f("ix_objection_unit_id"), ["unit_id"], unique=False)
        batch_op.create_index(
            "uq_objection_once",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("state <> 'rejected'"),
            postgresql_where=sa.text("state <> 'rejected'"),
        )

    op.create_table(
        "objection_decision",
        sa.Column("objection_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uphold", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["objection_id"], ["objection.id"], name=op.f("fk_objection_decision_objection_id")
        ),
        sa.PrimaryKeyConstraint("objection_id", "by", name=op.f("pk_objection_decision")),
    )
    op.create_table(
        "accountability",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("measure", sa.String(length=24), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dissatisfaction_item.id"], name=op.f("fk_accountability_item_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_accountability_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accountability")),
    )
    with op.batch_alter_table("accountability", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_accountability_item_id"), ["item_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_accountability_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "adjustment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("points", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(length=80), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("decided_by", sa.String(length=80), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=False),
        sa.CheckConstraint("decided_by IS NULL OR decided_by <> proposed_by", name="two_people"),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_adjustment_case_id")),
        sa.ForeignKeyConstraint(["item_id"], ["dissatisfaction_item.id"], name=op.f("fk_adjustment_item_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_adjustment_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustment")),
    )
    with op.batch_alter_table("adjustment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_adjustment_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_adjustment_item_id"), ["item_id"], unique=False)
        batch_op.create_index("ix_adjustment_list", ["state", "proposed_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_adjustment_unit_id"), ["unit_id"], unique=False)
        batch_op.create_index(
            "uq_adjustment_once",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("state <> 'rejected'"),
            postgresql_where=sa.text("state <> 'rejected'"),
        )

    op.create_table(
        "appeal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("grounds", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("upheld", sa.Boolean(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["dissatisfaction_item.id"], name=op.f("fk_appeal_item_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_appeal_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeal")),
        sa.UniqueConstraint("item_id", name=op.f("uq_appeal_item_id")),
    )
    with op.batch_alter_table("appeal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_appeal_unit_id"), ["unit_id"], unique=False)

    op.create_table(
        "hard_case_meeting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("leader", sa.String(length=80), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("next_review", sa.Date(), nullable=True),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["item_id"], ["dissatisfaction_item.id"], name=op.f("fk_hard_case_meeting_item_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hard_case_meeting")),
    )
    with op.batch_alter_table("hard_case_meeting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hard_case_meeting_item_id"), ["item_id"], unique=False)

    op.create_table(
        "item_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("trigger", sa.String(length=24), nullable=False),
        sa.Column("from_state", sa.String(length=24), nullable=False),
        sa.Column("to_state", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["dissatisfaction_item.id"], name=op.f("fk_item_step_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_step")),
        sa.UniqueConstraint("item_id", "seq", name=op.f("uq_item_step_item_id_seq")),
    )
    op.create_table(
        "appeal_decision",
        sa.Column("appeal_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uphold", sa.Boolean(), nullable=False),
        sa.Column("claim_reasonable", sa.Boolean(), nullable=False),
        sa.Column("conduct_proper", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["appeal_id"], ["appeal.id"], name=op.f("fk_appeal_decision_appeal_id")),
        sa.PrimaryKeyConstraint("appeal_id", "by", name=op.f("pk_appeal_decision")),
    )

    _items()
    _entries()
    _reminders()
    for table in APPEND_ONLY:
        forbid_changes(op.get_bind(), table)
    keep_published(op.get_bind())


def _items() -> None:
    """Those that are there were listed and no more."""
    with op.batch_alter_table("dissatisfaction_item") as batch_op:
        batch_op.add_column(sa.Column("seq", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("state_since", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("clock_step", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("rework_left", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("reworks", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("extended", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("appealed", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("supervisor", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("round", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("escalation", sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column("next_review", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("published_reason", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index("ix_dissatisfaction_item_clock", ["state", "due_at"], unique=False)
        batch_op.create_index("ix_dissatisfaction_item_due", ["due_at", "id"], unique=False)
        batch_op.create_index("ix_dissatisfaction_item_list", ["state", "opened_at", "id"], unique=False)
        batch_op.create_index("ix_dissatisfaction_item_supervisor", ["supervisor"], unique=False)


def _reminders() -> None:
    """One a stage, period and occasion: those that are there are of the case's own clock."""
    with op.batch_alter_table("reminder") as batch_op:
        batch_op.add_column(sa.Column("occasion", sa.Integer(), nullable=False, server_default="0"))
        batch_op.drop_constraint("uq_reminder_case_id_period_stage", type_="unique")
        batch_op.create_unique_constraint(
            "uq_reminder_case_id_period_stage_occasion", ["case_id", "period", "stage", "occasion"]
        )


def _entries() -> None:
    """An entry names its source. The table only grows: its triggers rest while that is filled in."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    _rest(is_sqlite)
    op.add_column("score_entry", sa.Column("source", sa.String(length=80), nullable=True))
    op.execute("UPDATE score_entry SET source = 'rating:' || CAST(rating_id AS VARCHAR(20))")
    with op.batch_alter_table("score_entry") as batch_op:
        batch_op.alter_column("source", existing_type=sa.String(length=80), nullable=False)
        batch_op.alter_column("callback_id", existing_type=sa.INTEGER(), nullable=True)
        batch_op.drop_constraint("uq_score_entry_rating_id_kind", type_="unique")
        batch_op.create_index("ix_score_entry_inputs", ["month", "id"], unique=False)
        batch_op.create_unique_constraint("uq_score_entry_source_kind", ["source", "kind"])
    if is_sqlite:
        forbid_changes(op.get_bind(), "score_entry")
    else:
        op.execute("ALTER TABLE score_entry ENABLE TRIGGER USER")


def _rest(is_sqlite: bool) -> None:
    if is_sqlite:  # its ALTER makes the table anew, and triggers don't come along
        op.execute("DROP TRIGGER score_entry_no_update")
        op.execute("DROP TRIGGER score_entry_no_delete")
    else:
        op.execute("ALTER TABLE score_entry DISABLE TRIGGER USER")


def downgrade() -> None:
    raise NotImplementedError("what people decided can't be unlearnt; restore a backup")
