"""A rating that is removed or moves in the days for objections is so in the draft, before it's published."""

from __future__ import annotations

from alembic import op

from callbacks.migrations.closed_months import FIRST_IN_A_DRAFT, IN_A_DRAFT, take_in_drafts

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    take_in_drafts(op.get_bind(), IN_A_DRAFT)


def downgrade() -> None:
    take_in_drafts(op.get_bind(), FIRST_IN_A_DRAFT)
