"""Messages of who calls us: about a case without a call of ours, or about none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("voice_message") as batch:
        batch.alter_column("callback_id", existing_type=sa.Integer(), nullable=True)
        batch.alter_column("attempt_id", existing_type=sa.Integer(), nullable=True)
        batch.add_column(sa.Column("inbound_token", sa.String(60), nullable=True))
        batch.create_unique_constraint("uq_voice_message_inbound_token_sha256", ["inbound_token", "sha256"])
        batch.create_check_constraint(
            "ck_voice_message_about_one", "(callback_id IS NULL) <> (inbound_token IS NULL)"
        )


def downgrade() -> None:
    op.execute("DELETE FROM voice_message WHERE callback_id IS NULL OR attempt_id IS NULL")
    with op.batch_alter_table("voice_message") as batch:
        batch.drop_constraint("ck_voice_message_about_one", type_="check")
        batch.drop_constraint("uq_voice_message_inbound_token_sha256", type_="unique")
        batch.drop_column("inbound_token")
        batch.alter_column("attempt_id", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("callback_id", existing_type=sa.Integer(), nullable=False)
