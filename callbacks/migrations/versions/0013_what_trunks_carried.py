"""What is kept of each call leg for its trunk's own record; the sums that limit what is called."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_CARRIED = ("sip_call_id", "talk_seconds", "lost_percent", "jitter_ms")
_OWN = {
    "attempt": ("price",),
    "inbound_call": ("answered_at", "sip_status", "q850"),
    "inbound_leg": ("trunk", "dialled", "rang_at"),
}
_TYPES: dict[str, Any] = {
    "sip_call_id": sa.String(200),
    "lost_percent": sa.Float(),
    "jitter_ms": sa.Float(),
    "answered_at": sa.DateTime(timezone=True),
    "rang_at": sa.DateTime(timezone=True),
    "trunk": sa.String(40),
    "dialled": sa.String(40),
}


def upgrade() -> None:
    for table, own in _OWN.items():
        for name in (*_CARRIED, *own):
            op.add_column(table, _column(name))
    op.create_index("ix_attempt_invited", "attempt", ["invited_at"])
    op.create_index("ix_inbound_leg_began", "inbound_leg", ["began_at", "id"])
    op.create_index("ix_alarm_subject", "alarm", ["kind", "subject"])
    _person_legs()
    op.create_table(
        "toll_hour",
        sa.Column("hour", sa.String(13), nullable=False),
        sa.Column("trunk", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "trunk", "owner", name=op.f("pk_toll_hour")),
    )


def _person_legs() -> None:
    op.create_table(
        "person_leg",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(80), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("dialled", sa.String(40), nullable=False),
        sa.Column("trunk", sa.String(40), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True)) for name in ("rang_at", "answered_at", "ended_at")),
        sa.Column("disposition", sa.String(24)),
        sa.Column("sip_status", sa.Integer()),
        sa.Column("q850", sa.Integer()),
        *(_column(name) for name in _CARRIED),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], op.f("fk_person_leg_attempt_id_attempt")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_leg")),
        sa.UniqueConstraint("token", name=op.f("uq_person_leg_token")),
    )
    op.create_index(op.f("ix_person_leg_attempt_id"), "person_leg", ["attempt_id"])
    op.create_index("ix_person_leg_began", "person_leg", ["began_at", "id"])


def _column(name: str) -> sa.Column[Any]:
    return sa.Column(name, _TYPES.get(name, sa.Integer()), nullable=True)


def downgrade() -> None:
    op.drop_table("toll_hour")
    op.drop_table("person_leg")
    for index, table in (
        ("ix_alarm_subject", "alarm"),
        ("ix_inbound_leg_began", "inbound_leg"),
        ("ix_attempt_invited", "attempt"),
    ):
        op.drop_index(index, table)
    for table, own in _OWN.items():
        for name in (*_CARRIED, *own):
            op.drop_column(table, name)
