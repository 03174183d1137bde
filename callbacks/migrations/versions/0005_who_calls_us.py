"""Who calls us, the legs rung for a caller, lines shared with them; which month an entry is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=60), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("trunk", sa.String(length=40), nullable=False),
        sa.Column("called", sa.String(length=60), nullable=False),
        sa.Column("number_encrypted", sa.Text(), nullable=True),
        sa.Column("number_index", sa.String(length=32), nullable=True),
        sa.Column("number_masked", sa.String(length=20), nullable=True),
        sa.Column("asserted", sa.Boolean(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("access_network", sa.String(length=300), nullable=False),
        sa.Column("geolocation", sa.JSON(), nullable=False),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("talked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("target", sa.String(length=40), nullable=True),
        sa.Column("redirected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.String(length=16), nullable=True),
        sa.Column("rung_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rung_back_by", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_call")),
        sa.UniqueConstraint("token", name=op.f("uq_inbound_call_token")),
    )
    with op.batch_alter_table("inbound_call", schema=None) as batch_op:
        batch_op.create_index("ix_inbound_call_came", ["came_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_inbound_call_number_index"), ["number_index"], unique=False)

    op.create_table(
        "inbound_leg",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=80), nullable=False),
        sa.Column("target", sa.String(length=40), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disposition", sa.String(length=24), nullable=True),
        sa.Column("sip_status", sa.Integer(), nullable=True),
        sa.Column("q850", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["call_id"], ["inbound_call.id"], name=op.f("fk_inbound_leg_call_id_inbound_call")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_leg")),
        sa.UniqueConstraint("token", name=op.f("uq_inbound_leg_token")),
    )
    with op.batch_alter_table("inbound_leg", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbound_leg_call_id"), ["call_id"], unique=False)

    op.create_table(
        "inbound_pressure",
        sa.Column("owner", sa.String(length=80), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_inbound_pressure")),
    )
    with op.batch_alter_table("line", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reserved", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("inbound_owner", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("inbound_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_line_inbound_owner"), ["inbound_owner"], unique=False)
    with op.batch_alter_table("line", schema=None) as batch_op:
        batch_op.alter_column("reserved", server_default=None)

    # Entries of before say nothing of it: they name no earlier month, or were listed by other ways.
    op.add_column("score_entry", sa.Column("of_month", sa.String(length=7), nullable=True))
    op.create_index(
        "ix_score_entry_of_month",
        "score_entry",
        ["month", "at"],
        unique=False,
        sqlite_where=sa.text("of_month IS NOT NULL"),
        postgresql_where=sa.text("of_month IS NOT NULL"),
    )

    op.create_table(
        "voice_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("callback_id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("codec", sa.String(length=8), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["attempt.id"], name=op.f("fk_voice_message_attempt_id_attempt")
        ),
        sa.ForeignKeyConstraint(
            ["callback_id"], ["callback.id"], name=op.f("fk_voice_message_callback_id_callback")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voice_message")),
        sa.UniqueConstraint("callback_id", "sha256", name=op.f("uq_voice_message_callback_id_sha256")),
    )
    with op.batch_alter_table("voice_message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_voice_message_attempt_id"), ["attempt_id"], unique=False)
