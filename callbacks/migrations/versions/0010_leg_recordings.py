"""Calls to 110 may be recorded, each leg in a file of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("inbound_call", "inbound_leg")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("recording", sa.String(length=120), nullable=True))
        op.add_column(table, sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True))
        op.add_column(table, sa.Column("recorded_seconds", sa.Float(), nullable=True))
        op.add_column(table, sa.Column("recording_failed", sa.String(length=200), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        for column in ("recording_failed", "recorded_seconds", "recorded_at", "recording"):
            op.drop_column(table, column)
