"""Why a telephone was rung for a caller: to answer, or because an operator brought it in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("inbound_leg") as batch:
        batch.add_column(sa.Column("kind", sa.String(24), nullable=False, server_default="rung"))


def downgrade() -> None:
    with op.batch_alter_table("inbound_leg") as batch:
        batch.drop_column("kind")
