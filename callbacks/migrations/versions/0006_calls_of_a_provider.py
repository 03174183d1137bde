"""Calls that a provider carries by webhooks: the dialogue between two of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_call",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("sid", sa.String(length=64), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("dialogue", sa.JSON(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("pending", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name="fk_provider_call_attempt_id_attempt"),
        sa.PrimaryKeyConstraint("key", name="pk_provider_call"),
        sa.UniqueConstraint("sid", name="uq_provider_call_sid"),
    )
    op.create_index("ix_provider_call_attempt_id", "provider_call", ["attempt_id"])
    op.create_index("ix_provider_call_ended_at", "provider_call", ["ended_at"])


def downgrade() -> None:
    op.drop_table("provider_call")
