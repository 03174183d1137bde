"""Indexes for what the clock asks each second: however much is over, it looks at what is due alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_callback_deadline", "callback", ["state", "deadline"])
    op.create_index("ix_text_answerable", "text_message", ["open", "answerable_until"])
    unsettled = sa.text("settled_at IS NULL")
    op.create_index(
        "ix_rating_unsettled", "rating", ["at"], sqlite_where=unsettled, postgresql_where=unsettled
    )


def downgrade() -> None:
    op.drop_index("ix_rating_unsettled", "rating")
    op.drop_index("ix_text_answerable", "text_message")
    op.drop_index("ix_callback_deadline", "callback")
