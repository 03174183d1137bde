"""Whether a machine took a call, what told so, and when: advice, which no rule asks for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("machine", sa.Boolean(), nullable=True))
    op.add_column("attempt", sa.Column("machine_sign", sa.String(length=24), nullable=True))
    op.add_column("attempt", sa.Column("machine_at", sa.DateTime(timezone=True), nullable=True))
    heard = sa.text("machine_at IS NOT NULL")
    op.create_index(
        "ix_attempt_machine_at", "attempt", ["machine_at"], sqlite_where=heard, postgresql_where=heard
    )


def downgrade() -> None:
    op.drop_index("ix_attempt_machine_at", "attempt")
    for name in ("machine_at", "machine_sign", "machine"):
        op.drop_column("attempt", name)
