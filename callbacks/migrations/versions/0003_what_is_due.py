"""Indexes for what is asked each second: however much is over, or waits, what is due is looked at alone."""

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
    queued = sa.text("state = 'queued'")
    op.create_index(
        "ix_text_next",
        "text_message",
        ["priority", "not_before"],
        sqlite_where=queued,
        postgresql_where=queued,
    )
    # A gateway's id is all but unique by itself; led by the gateway's name, all of its ids were walked.
    _replace_unique("text_part", ["gateway", "provider_id"], ["provider_id", "gateway"])
    _replace_unique("receipt", ["gateway", "provider_id", "status"], ["provider_id", "gateway", "status"])


def _replace_unique(table: str, old: list[str], new: list[str]) -> None:
    with op.batch_alter_table(table) as batch_op:
        batch_op.drop_constraint(f"uq_{table}_{'_'.join(old)}", type_="unique")
        batch_op.create_unique_constraint(f"uq_{table}_{'_'.join(new)}", new)


def downgrade() -> None:
    _replace_unique("receipt", ["provider_id", "gateway", "status"], ["gateway", "provider_id", "status"])
    _replace_unique("text_part", ["provider_id", "gateway"], ["gateway", "provider_id"])
    op.drop_index("ix_text_next", "text_message")
    op.drop_index("ix_rating_unsettled", "rating")
    op.drop_index("ix_text_answerable", "text_message")
    op.drop_index("ix_callback_deadline", "callback")
